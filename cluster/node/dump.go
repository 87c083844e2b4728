// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// dumpTimeout is how long a failed start is looked at.
const dumpTimeout = 20 * time.Second

// Dump writes what is needed to understand a failure to a folder: the logs of
// all processes and containers, and all objects, of Secrets without their
// values. The first error is returned, after everything was tried.
func (c *Cluster) Dump(ctx context.Context, dir string) error {
	first := copyTree(c.LogDir(), filepath.Join(dir, "processes"))
	if c.level.RealPods() {
		if err := c.dumpContainers(ctx, filepath.Join(dir, "containers")); first == nil {
			first = err
		}
	}
	if err := c.dumpObjects(ctx, filepath.Join(dir, "objects")); first == nil {
		first = err
	}
	return first
}

// dumpContainers writes the logs of containers as their kubelet has them: a
// folder for each Pod, in it one for each container, and there a file for each
// start of it.
func (c *Cluster) dumpContainers(ctx context.Context, dir string) error {
	if c.level == LevelNode {
		return copyTree(c.path("pods"), dir)
	}
	if c.kube == nil {
		return nil
	}
	pods, err := c.kube.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return errors.Wrap(err, "cannot list Pods for their logs")
	}
	var first error
	for _, p := range pods.Items {
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if err := c.dumpContainer(ctx, p, s, filepath.Join(dir, p.Namespace+"_"+p.Name+"_"+string(p.UID), s.Name)); first == nil {
				first = err
			}
		}
	}
	return first
}

// dumpContainer writes the logs of the last two starts of a container, of which
// the API server knows.
func (c *Cluster) dumpContainer(ctx context.Context, p corev1.Pod, s corev1.ContainerStatus, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return errors.Wrap(err, "cannot make the folder of logs")
	}
	for n := max(s.RestartCount-1, 0); n <= s.RestartCount; n++ {
		o := &corev1.PodLogOptions{Container: s.Name, Previous: n < s.RestartCount}
		b, err := c.kube.CoreV1().Pods(p.Namespace).GetLogs(p.Name, o).DoRaw(ctx)
		if kerrors.IsNotFound(err) || kerrors.IsBadRequest(err) {
			continue // It is gone, or has not begun.
		}
		if err != nil {
			return errors.Wrapf(err, "cannot get the logs of Pod %s/%s", p.Namespace, p.Name)
		}
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(int(n))+".log"), b, 0o600); err != nil {
			return errors.Wrap(err, "cannot write logs")
		}
	}
	return nil
}

// copyTree copies the files below a folder, of which some may go meanwhile.
func copyTree(from, to string) error {
	return errors.Wrap(filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err //nolint:wrapcheck // It cannot happen below from.
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755) //nolint:wrapcheck // It names the folder.
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return copyFile(path, target)
	}), "cannot copy logs")
}

func copyFile(from, to string) error {
	in, err := os.Open(filepath.Clean(from))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // It names the file.
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(filepath.Clean(to))
	if err != nil {
		return err //nolint:wrapcheck // It names the file.
	}
	if _, err = io.Copy(out, in); err != nil {
		_ = out.Close()
		return err //nolint:wrapcheck // It names the file.
	}
	return out.Close() //nolint:wrapcheck // It names the file.
}

// dumpObjects writes a file for each resource that has objects.
func (c *Cluster) dumpObjects(ctx context.Context, dir string) error {
	if c.config == nil {
		return nil
	}
	cfg := c.Config()
	cfg.WarningHandler = rest.NoWarnings{} // Of what is deprecated.
	dc, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return errors.Wrap(err, "cannot make a client")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return errors.Wrap(err, "cannot make the folder of the objects")
	}
	// What cannot be discovered does not hide the rest.
	lists, first := c.kube.Discovery().ServerPreferredResources()
	for _, l := range lists {
		gv, err := schema.ParseGroupVersion(l.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range l.APIResources {
			if !slices.Contains(r.Verbs, "list") {
				continue
			}
			if err := dumpResource(ctx, dc, gv.WithResource(r.Name), dir); err != nil && first == nil {
				first = err
			}
		}
	}
	return errors.Wrap(first, "cannot write all objects")
}

// dumpResource writes the objects of a resource, if there are any.
func dumpResource(ctx context.Context, dc dynamic.Interface, r schema.GroupVersionResource, dir string) error {
	l, err := dc.Resource(r).List(ctx, metav1.ListOptions{})
	if err != nil {
		return errors.Wrapf(err, "cannot list %s", r.GroupResource())
	}
	if len(l.Items) == 0 {
		return nil
	}
	for i := range l.Items {
		redact(&l.Items[i])
	}
	b, err := yaml.Marshal(l.UnstructuredContent())
	if err != nil {
		return errors.Wrapf(err, "cannot encode %s", r.GroupResource())
	}
	return errors.Wrap(os.WriteFile(filepath.Join(dir, r.GroupResource().String()+".yaml"), b, 0o600), "cannot write objects")
}

// redact takes from an object who set its fields, and from a Secret its values.
func redact(o *unstructured.Unstructured) {
	o.SetManagedFields(nil)
	if o.GroupVersionKind().GroupKind() != (schema.GroupKind{Kind: "Secret"}) {
		return
	}
	for _, field := range []string{"data", "stringData"} {
		values, _, _ := unstructured.NestedMap(o.Object, field)
		for key, v := range values {
			values[key] = fmt.Sprintf("(%d characters)", len(fmt.Sprint(v)))
		}
		if values != nil {
			o.Object[field] = values
		}
	}
	// kubectl keeps what was applied.
	annotations := o.GetAnnotations()
	delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
	o.SetAnnotations(annotations)
}
