// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/provider-aiven/provider-aiven/apis"
)

func TestDecode(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     string
		want   []string
		err    string
	}{
		"Several": {
			reason: "Every document is an object; comments and empty documents are none.",
			in:     "# A comment.\napiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\n---\n# Nothing.\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: c}\n",
			want:   []string{"Secret b/a", "Namespace c"},
		},
		"Empty":   {reason: "An empty file holds nothing."},
		"NoName":  {reason: "What has no name is refused.", in: "apiVersion: v1\nkind: Secret\n", err: "metadata.name"},
		"NotYAML": {reason: "What is not YAML is refused.", in: "a: b: c", err: "cannot decode object"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := decode(strings.NewReader(tc.in))
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Fatalf("\n%s\ndecode(...): want error with %q, got %v", tc.reason, tc.err, err)
			}
			var names []string
			for _, o := range got {
				names = append(names, describe(o))
			}
			if diff := cmp.Diff(tc.want, names); diff != "" {
				t.Errorf("\n%s\ndecode(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNamespaces(t *testing.T) {
	in := func(ns string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		u.SetNamespace(ns)
		return u
	}
	want := []string{"a", "b"}
	if diff := cmp.Diff(want, namespaces([]*unstructured.Unstructured{in("b"), in(""), in("a"), in("default"), in("b")})); diff != "" {
		t.Errorf("each namespace once, in order, without those that exist: -want, +got:\n%s", diff)
	}
}

// The examples hold no field that our types do not have.
func TestExamples(t *testing.T) {
	root, err := checkout()
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := apis.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"examples/*.yaml", "examples/aivenator/*.yaml"} {
		objects, err := readManifests(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range objects {
			gvk := u.GroupVersionKind()
			if gvk.Group == "" {
				continue
			}
			o, err := scheme.New(gvk)
			if err != nil {
				t.Errorf("%s: %v", describe(u), err)
				continue
			}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, o, true); err != nil {
				t.Errorf("%s: %v", describe(u), err)
			}
		}
	}
}

func TestReadManifests(t *testing.T) {
	dir := t.TempDir()
	if _, err := readManifests(filepath.Join(dir, "*.yaml")); err == nil {
		t.Error("a pattern that matches no file: no error")
	}
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("kind: {"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readManifests(filepath.Join(dir, "*.yaml")); err == nil || !strings.Contains(err.Error(), "a.yaml") {
		t.Errorf("a broken file: want an error that names it, got %v", err)
	}
}
