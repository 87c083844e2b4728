// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
	"github.com/provider-aiven/provider-aiven/internal/usage"
)

// page is how many objects are asked for at a time.
const page = 500

// What a person may not see, by the name of what is listed.
const (
	seeSecrets        = "secrets"
	seeClusterConfigs = "clusterproviderconfigs.aiven.nais.io"
	seeConfigs        = "providerconfigs.aiven.nais.io"
	seeApplications   = "aivenapplications.aiven.nais.io"
	seeLeases         = "leases.coordination.k8s.io"
	seeEvents         = "events"
	seeProviderEvents = "events about the provider"

	// seeUsers ends what all kinds of managed resources are called.
	seeUsers = "serviceusers." + v1alpha1.Group
)

// A view is what a person may see of a cluster. What they may not see is left
// out, and remembered.
type view struct {
	kube client.Client
	// namespace that is looked at, "" for all.
	namespace string
	// denied holds what the person may not list, and where.
	denied map[string]string
}

func newView(kube client.Client, namespace string) *view {
	return &view{kube: kube, namespace: namespace, denied: make(map[string]string)}
}

// notSeen returns what the person may not see, as sentences.
func (v *view) notSeen() []string {
	var out []string
	for _, what := range slices.Sorted(maps.Keys(v.denied)) {
		out = append(out, "you may not list "+what+v.denied[what])
	}
	return out
}

// each calls fn for each object of a kind, page by page, in the view's
// namespace unless the options say otherwise.
func (v *view) each(ctx context.Context, what string, l client.ObjectList, fn func(o client.Object), opts ...client.ListOption) error {
	next := ""
	for {
		all := append([]client.ListOption{client.InNamespace(v.namespace), client.Limit(page), client.Continue(next)}, opts...)
		err := v.kube.List(ctx, l, all...)
		switch {
		case kerrors.IsForbidden(err):
			v.denied[what] = where(all)
			return nil
		case err != nil:
			return errors.Wrapf(err, "cannot list %s", what)
		}
		err = apimeta.EachListItem(l, func(o runtime.Object) error {
			if c, ok := o.(client.Object); ok {
				fn(c)
			}
			return nil
		})
		if err != nil {
			return errors.Wrapf(err, "cannot read the list of %s", what)
		}
		if next = l.GetContinue(); next == "" {
			return nil
		}
	}
}

// where says which namespaces a list is of.
func where(opts []client.ListOption) string {
	o := &client.ListOptions{}
	o.ApplyOptions(opts)
	if o.Namespace == metav1.NamespaceAll {
		return " in all namespaces"
	}
	return " in namespace " + o.Namespace
}

// A managed resource of any kind that the provider has.
type managed interface {
	resource.Managed
	GetServiceUserParameters() v1alpha1.ServiceUserParameters
	GetServiceUserObservation() v1alpha1.ServiceUserObservation
}

// kindOf returns the name of an object's kind.
func (v *view) kindOf(o runtime.Object) string {
	gvk, err := apiutil.GVKForObject(o, v.kube.Scheme())
	if err != nil {
		return ""
	}
	return gvk.Kind
}

// managed returns the managed resources of every kind that the provider has.
func (v *view) managed(ctx context.Context) ([]managed, error) {
	var out []managed
	types := v.kube.Scheme().KnownTypes(v1alpha1.SchemeGroupVersion)
	for _, name := range slices.Sorted(maps.Keys(types)) {
		l, ok := reflect.TypeAssert[client.ObjectList](reflect.New(types[name]))
		if _, is := l.(resource.ManagedList); !ok || !is {
			continue
		}
		what := strings.ToLower(strings.TrimSuffix(name, "List")) + "s." + v1alpha1.Group
		err := v.each(ctx, what, l, func(o client.Object) {
			if mg, ok := o.DeepCopyObject().(managed); ok {
				out = append(out, mg)
			}
		})
		// A kind that is not activated has no objects.
		if err != nil && !apimeta.IsNoMatchError(err) {
			return nil, err
		}
	}
	return out, nil
}

func (v *view) applications(ctx context.Context) ([]v1.AivenApplication, error) {
	var out []v1.AivenApplication
	err := v.each(ctx, seeApplications, &v1.AivenApplicationList{}, func(o client.Object) {
		if a, ok := o.(*v1.AivenApplication); ok {
			out = append(out, *a)
		}
	})
	return out, err
}

// published returns the metadata of the Secrets that were published for
// applications.
func (v *view) published(ctx context.Context) ([]metav1.PartialObjectMetadata, error) {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "SecretList"})
	var out []metav1.PartialObjectMetadata
	err := v.each(ctx, seeSecrets, l, func(o client.Object) {
		if m, ok := o.(*metav1.PartialObjectMetadata); ok && v1.ApplicationOf(m) != "" {
			out = append(out, *m)
		}
	}, client.HasLabels{v1.LabelApplication})
	return out, err
}

// namespaces returns an empty list of the metadata of namespaces.
func namespaces() *metav1.PartialObjectMetadataList {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "NamespaceList"})
	return l
}

// Uses are the workloads that refer to Secrets.
type uses struct {
	by map[types.NamespacedName][]janitor.Use
	// unknown are the kinds of workloads that could not be seen.
	unknown []string
}

func (u uses) of(namespace, secret string) []janitor.Use {
	return u.by[types.NamespacedName{Namespace: namespace, Name: secret}]
}

// uses returns who uses which Secret, the provider's way.
func (v *view) uses(ctx context.Context) (uses, error) {
	out := uses{by: make(map[types.NamespacedName][]janitor.Use)}
	for _, object := range janitor.Kinds() {
		gvk, err := apiutil.GVKForObject(object, v.kube.Scheme())
		if err != nil {
			return out, errors.Wrap(err, "cannot tell the kind of a workload")
		}
		o, err := v.kube.Scheme().New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		l, ok := o.(client.ObjectList)
		if err != nil || !ok {
			return out, errors.Errorf("cannot list objects of kind %s", gvk.Kind)
		}
		what := string(usage.KindOf(object)) + "s"
		err = v.each(ctx, what, l, func(o client.Object) {
			u := janitor.Use{Kind: string(usage.KindOf(o)), Name: o.GetName()}
			if p, ok := o.(*corev1.Pod); ok {
				u.Started = usage.StartedAt(p)
			}
			for _, name := range usage.SecretsOf(o) {
				k := types.NamespacedName{Namespace: o.GetNamespace(), Name: name}
				out.by[k] = append(out.by[k], u)
			}
		})
		if err != nil {
			return out, err
		}
		if v.denied[what] != "" {
			out.unknown = append(out.unknown, what)
		}
	}
	return out, nil
}
