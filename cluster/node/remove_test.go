// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	dynamicfake "k8s.io/client-go/dynamic/fake"
)

func TestInGroup(t *testing.T) {
	cases := map[string]struct {
		reason string
		name   string
		want   bool
	}{
		"Same":      {reason: "A group is its own.", name: "crossplane.io", want: true},
		"Below":     {reason: "A group whose name ends with another's belongs to it.", name: "pkg.crossplane.io", want: true},
		"OtherName": {reason: "A name that ends with the same letters is another name.", name: "pkg.notcrossplane.io"},
		"Above":     {reason: "A part of a name is another name.", name: "io"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := inGroup(tc.name, "crossplane.io"); got != tc.want {
				t.Errorf("\n%s\ninGroup(%q, ...): got %t", tc.reason, tc.name, got)
			}
		})
	}
}

// definition returns that of the kind Thing.
func definition(group string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "things." + group},
		"spec": map[string]any{
			"group": group, "names": map[string]any{"plural": "things", "kind": "Thing"},
			"versions": []any{map[string]any{"name": "v1", "served": true}, map[string]any{"name": "v2", "served": false}},
		},
	}}
}

// held returns an object that has a finalizer.
func held(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	o.SetNamespace(namespace)
	o.SetName(name)
	o.SetFinalizers([]string{"example.org/held"})
	return o
}

func fakeDynamic(objects ...runtime.Object) dynamic.Interface {
	return dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		definitions: "CustomResourceDefinitionList",
		{Group: "a.example.org", Version: "v1", Resource: "things"}: "ThingList",
		{Group: "b.example.net", Version: "v1", Resource: "things"}: "ThingList",
		{Group: rbacGroup, Version: "v1", Resource: "clusterroles"}: "ClusterRoleList",
	}, objects...)
}

func names(ctx context.Context, t *testing.T, r dynamic.ResourceInterface) []string {
	t.Helper()
	l, err := r.List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range l.Items {
		out = append(out, o.GetName())
	}
	slices.Sort(out)
	return out
}

// Kinds of the named groups go with what holds their objects, and no others.
func TestRemoveKinds(t *testing.T) {
	ctx := t.Context()
	dc := fakeDynamic(definition("a.example.org"), definition("b.example.net"),
		held("a.example.org/v1", "Thing", "team", "ours"), held("b.example.net/v1", "Thing", "team", "theirs"))
	for i, want := range []bool{false, true} {
		if got, err := removeKinds(ctx, dc, []string{"example.org"}); got != want || err != nil {
			t.Errorf("removeKinds(...), call %d: got %t, %v, want %t", i+1, got, err, want)
		}
	}
	if diff := cmp.Diff([]string{"things.b.example.net"}, names(ctx, t, dc.Resource(definitions))); diff != "" {
		t.Errorf("definitions that are left: -want, +got:\n%s", diff)
	}
	for group, want := range map[string][]string{"a.example.org": nil, "b.example.net": {"example.org/held"}} {
		name := map[string]string{"a.example.org": "ours", "b.example.net": "theirs"}[group]
		o, err := dc.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: "things"}).Namespace("team").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, o.GetFinalizers()); diff != "" {
			t.Errorf("finalizers of %s: -want, +got:\n%s", name, diff)
		}
	}
}

// Only what has Crossplane's name, or one of which it is the first word, goes.
func TestRemoveNamed(t *testing.T) {
	ctx := t.Context()
	var roles []runtime.Object
	for _, name := range []string{"crossplane", "crossplane:provider:a:system", "crossplane-admin", "crossplanes", "admin"} {
		roles = append(roles, held(rbacGroup+"/v1", "ClusterRole", "", name))
	}
	r := fakeDynamic(roles...).Resource(schema.GroupVersionResource{Group: rbacGroup, Version: "v1", Resource: "clusterroles"})
	if err := removeNamed(ctx, r, release); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"admin", "crossplanes"}, names(ctx, t, r)); diff != "" {
		t.Errorf("left: -want, +got:\n%s", diff)
	}
}
