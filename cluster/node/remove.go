// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"slices"
	"strings"

	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

const rbacGroup = "rbac.authorization.k8s.io"

// definitions are those of kinds that the API server does not have by itself.
var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// ofCrossplane are resources without a namespace of which Crossplane makes objects
// whose names begin with its own, and which stay when it is uninstalled.
var ofCrossplane = []schema.GroupVersionResource{
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
	{Group: rbacGroup, Version: "v1", Resource: "clusterrolebindings"},
	{Group: rbacGroup, Version: "v1", Resource: "clusterroles"},
}

// RemoveCrossplane removes what InstallCrossplane installed, and what
// UninstallCrossplane leaves: its kinds with all their objects, what it made that
// has no namespace, and its namespace with all that is in it. That it is not
// installed is no error.
func (c *Cluster) RemoveCrossplane(ctx context.Context) error {
	if err := c.services.remove(hosted...); err != nil {
		return err
	}
	if err := c.helm(ctx, "uninstall", release, "--ignore-not-found", "--wait", "--cascade=foreground", "--timeout="+waitTimeout.String()); err != nil {
		return errors.Wrap(err, "cannot uninstall Crossplane")
	}
	dc, err := dynamic.NewForConfig(c.config)
	if err != nil {
		return errors.Wrap(err, "cannot make a client")
	}
	for _, r := range ofCrossplane {
		if err := removeNamed(ctx, dc.Resource(r), release); err != nil {
			return errors.Wrapf(err, "cannot remove %s of Crossplane", r.Resource)
		}
	}
	if err := c.RemoveKinds(ctx, crossplaneGroup); err != nil {
		return err
	}
	return c.removeNamespace(ctx)
}

// removeNamespace removes Crossplane's namespace.
func (c *Cluster) removeNamespace(ctx context.Context) error {
	err := c.kube.CoreV1().Namespaces().Delete(ctx, Namespace, metav1.DeleteOptions{})
	if err != nil && !kerrors.IsNotFound(err) {
		return errors.Wrapf(err, "cannot delete the namespace %s", Namespace)
	}
	return c.wait(ctx, "the end of the namespace "+Namespace, func(ctx context.Context) (bool, error) {
		_, err := c.kube.CoreV1().Namespaces().Get(ctx, Namespace, metav1.GetOptions{})
		return kerrors.IsNotFound(err), nil
	})
}

// removeNamed deletes the objects of a name, and those whose names go on after it
// as Crossplane's do.
func removeNamed(ctx context.Context, r dynamic.ResourceInterface, name string) error {
	l, err := r.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err //nolint:wrapcheck // Its caller says what it lists.
	}
	for i := range l.Items {
		n := l.Items[i].GetName()
		if n != name && !strings.HasPrefix(n, name+":") && !strings.HasPrefix(n, name+"-") {
			continue
		}
		if err := r.Delete(ctx, n, metav1.DeleteOptions{}); err != nil && !kerrors.IsNotFound(err) {
			return err //nolint:wrapcheck // It names the object.
		}
	}
	return nil
}

// RemoveKinds deletes all kinds of API groups and their objects, and returns when
// they are gone. A group stands for those whose names end with it, too. Finalizers
// do not keep an object: whoever would see to them is taken to be gone.
func (c *Cluster) RemoveKinds(ctx context.Context, groups ...string) error {
	dc, err := dynamic.NewForConfig(c.config)
	if err != nil {
		return errors.Wrap(err, "cannot make a client")
	}
	var last error // An API server that loses kinds fails now and then.
	err = c.wait(ctx, "the end of the kinds of "+strings.Join(groups, ", "), func(ctx context.Context) (done bool, _ error) {
		done, last = removeKinds(ctx, dc, groups)
		return done, nil
	})
	if err != nil && last != nil {
		return last
	}
	return err
}

// removeKinds does what can be done at once, and reports whether nothing was left
// to do.
func removeKinds(ctx context.Context, dc dynamic.Interface, groups []string) (bool, error) {
	l, err := dc.Resource(definitions).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, errors.Wrap(err, "cannot list definitions of kinds")
	}
	done := true
	for i := range l.Items {
		d := &l.Items[i]
		group, _, _ := unstructured.NestedString(d.Object, "spec", "group")
		if !slices.ContainsFunc(groups, func(g string) bool { return inGroup(group, g) }) {
			continue
		}
		done = false
		if d.GetDeletionTimestamp() == nil {
			if err := dc.Resource(definitions).Delete(ctx, d.GetName(), metav1.DeleteOptions{}); err != nil && !kerrors.IsNotFound(err) {
				return false, errors.Wrapf(err, "cannot delete the definition %s", d.GetName())
			}
		}
		if err := unfinalize(ctx, dc.Resource(served(d))); err != nil {
			return false, errors.Wrapf(err, "cannot take the finalizers from objects of %s", d.GetName())
		}
	}
	return done, nil
}

// inGroup reports whether the name of a group is that of another one, or ends with it.
func inGroup(name, group string) bool { return name == group || strings.HasSuffix(name, "."+group) }

// served returns the resource that a definition defines, of a version by which it can
// be had.
func served(d *unstructured.Unstructured) schema.GroupVersionResource {
	var r schema.GroupVersionResource
	r.Group, _, _ = unstructured.NestedString(d.Object, "spec", "group")
	r.Resource, _, _ = unstructured.NestedString(d.Object, "spec", "names", "plural")
	versions, _, _ := unstructured.NestedSlice(d.Object, "spec", "versions")
	for _, v := range versions {
		if m, ok := v.(map[string]any); ok && m["served"] == true {
			r.Version, _ = m["name"].(string)
		}
	}
	return r
}

// unfinalize takes the finalizers from all objects of a resource.
func unfinalize(ctx context.Context, r dynamic.NamespaceableResourceInterface) error {
	l, err := r.List(ctx, metav1.ListOptions{})
	if err != nil {
		return ignoreGone(err)
	}
	for i := range l.Items {
		if len(l.Items[i].GetFinalizers()) == 0 {
			continue
		}
		of := r.Namespace(l.Items[i].GetNamespace())
		if _, err := of.Patch(ctx, l.Items[i].GetName(), types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); ignoreGone(err) != nil {
			return err //nolint:wrapcheck // It names the object.
		}
	}
	return nil
}

// ignoreGone returns nil for errors that say that an object or a kind is not there
// any more.
func ignoreGone(err error) error {
	if kerrors.IsNotFound(err) || kerrors.IsMethodNotSupported(err) {
		return nil
	}
	return err
}
