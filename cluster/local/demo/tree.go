// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

const kindSecret = "Secret"

// A Node is an application, a managed resource or a Secret in a tree.
type Node struct {
	// Kind, Namespace and Name of the object.
	Kind, Namespace, Name string
	// Ready and Synced are the statuses of these conditions: True, False or
	// Unknown. Empty for a Secret.
	Ready, Synced corev1.ConditionStatus
	// Reason and Message of Ready.
	Reason, Message string
	// Current says that Ready is about the object's present generation.
	Current bool
	// ExternalName of a managed resource.
	ExternalName string
	// Keys of a Secret.
	Keys []Key
	// Children of an application: its managed resources, then its Secrets.
	Children []Node
}

// A Key of a Secret, and the length of its value in bytes.
type Key struct {
	Name string
	Size int
}

// settled says that the object is ready as it is specified now.
func (n Node) settled() bool { return n.Ready == corev1.ConditionTrue && n.Current }

// Objects are what a tree is made of.
type Objects struct {
	// Applications, in any order.
	Applications []v1.AivenApplication
	// Managed resources of all kinds.
	Managed []Managed
	// Secrets that are published for applications.
	Secrets []corev1.Secret
}

// A Managed resource and the name of its kind.
type Managed struct {
	resource.Managed

	Kind string
}

// Objects returns the applications, managed resources and published Secrets of
// all namespaces.
func (e *Environment) Objects(ctx context.Context) (Objects, error) {
	apps := &v1.AivenApplicationList{}
	if err := e.Kube.List(ctx, apps); err != nil {
		return Objects{}, errors.Wrap(err, "cannot list applications")
	}
	secrets := &corev1.SecretList{}
	if err := e.Kube.List(ctx, secrets, client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy}); err != nil {
		return Objects{}, errors.Wrap(err, "cannot list Secrets")
	}
	out := Objects{Applications: apps.Items, Secrets: secrets.Items}
	// Every kind of managed resource that the provider has.
	types := e.Kube.Scheme().KnownTypes(v1alpha1.SchemeGroupVersion)
	for _, name := range slices.Sorted(maps.Keys(types)) {
		list, ok := reflect.TypeAssert[resource.ManagedList](reflect.New(types[name]))
		if !ok {
			continue
		}
		kind := strings.TrimSuffix(name, "List")
		if err := e.Kube.List(ctx, list); err != nil {
			return Objects{}, errors.Wrapf(err, "cannot list %ss", kind)
		}
		for _, mg := range list.GetItems() {
			out.Managed = append(out.Managed, Managed{Managed: mg, Kind: kind})
		}
	}
	return out, nil
}

// Tree returns the applications with what was made for them, by namespace and
// name, and after them the managed resources that stand on their own. Pure.
func Tree(o Objects) []Node {
	var apps, alone []Node
	composed := make(map[string][]Node)
	for _, mg := range o.Managed {
		app := mg.GetAnnotations()[v1.AnnotationApplication]
		if app == "" {
			alone = append(alone, managedNode(mg))
			continue
		}
		k := qualified(mg.GetNamespace(), app)
		composed[k] = append(composed[k], managedNode(mg))
	}
	published := make(map[string][]Node)
	for i := range o.Secrets {
		s := &o.Secrets[i]
		k := qualified(s.GetNamespace(), s.GetAnnotations()[v1.AnnotationApplication])
		published[k] = append(published[k], secretNode(s))
	}
	for i := range o.Applications {
		a := &o.Applications[i]
		n := node(v1.AivenApplicationKind, a, a)
		k := qualified(a.GetNamespace(), a.GetName())
		n.Children = append(ordered(composed[k]), ordered(published[k])...)
		apps = append(apps, n)
	}
	return append(ordered(apps), ordered(alone)...)
}

// A conditioned object tells its conditions.
type conditioned interface {
	GetCondition(ct xpv2.ConditionType) xpv2.Condition
}

func node(kind string, o metav1.Object, c conditioned) Node {
	ready := c.GetCondition(xpv2.TypeReady)
	return Node{
		Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(),
		Ready: ready.Status, Synced: c.GetCondition(xpv2.TypeSynced).Status,
		Reason: string(ready.Reason), Message: ready.Message, Current: ready.ObservedGeneration == o.GetGeneration(),
	}
}

func managedNode(mg Managed) Node {
	n := node(mg.Kind, mg, mg)
	n.ExternalName = meta.GetExternalName(mg)
	return n
}

func secretNode(s *corev1.Secret) Node {
	n := Node{Kind: kindSecret, Namespace: s.GetNamespace(), Name: s.GetName()}
	for k, v := range s.Data {
		n.Keys = append(n.Keys, Key{Name: k, Size: len(v)})
	}
	slices.SortFunc(n.Keys, func(a, b Key) int { return cmp.Compare(a.Name, b.Name) })
	return n
}

func ordered(ns []Node) []Node {
	slices.SortFunc(ns, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return ns
}

// state is what a line of progress says about an object.
func (n Node) state() string {
	switch {
	case n.Reason == "":
		return "waiting for the provider"
	case !n.Current:
		return "waiting for generation to be observed"
	case n.Message == "":
		return n.Reason
	default:
		return n.Reason + " " + strconv.Quote(n.Message)
	}
}
