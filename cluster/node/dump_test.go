// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestRedact(t *testing.T) {
	type object = map[string]any
	cases := map[string]struct {
		reason string
		object object
		want   object
	}{
		"Secret": {
			reason: "Of a Secret the keys are kept and the values are not, wherever they are.",
			object: object{
				"apiVersion": "v1", "kind": "Secret", "data": object{"password": "aHVudGVyMg=="}, "stringData": object{"user": "me"},
				"metadata": object{"name": "s", "annotations": object{"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "a": "b"}},
			},
			want: object{
				"apiVersion": "v1", "kind": "Secret", "data": object{"password": "(12 characters)"}, "stringData": object{"user": "(2 characters)"},
				"metadata": object{"name": "s", "annotations": object{"a": "b"}},
			},
		},
		"EmptySecret": {
			reason: "A Secret without values stays without.",
			object: object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": "s"}},
			want:   object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": "s"}},
		},
		"Other": {
			reason: "Of other objects only who set their fields is left out.",
			object: object{"apiVersion": "v1", "kind": "ConfigMap", "data": object{"a": "b"}, "metadata": object{"name": "c", "managedFields": []any{object{"manager": "m"}}}},
			want:   object{"apiVersion": "v1", "kind": "ConfigMap", "data": object{"a": "b"}, "metadata": object{"name": "c"}},
		},
		"OtherSecret": {
			reason: "A kind of the same name in another group is another kind.",
			object: object{"apiVersion": "example.org/v1", "kind": "Secret", "data": object{"a": "b"}, "metadata": object{"name": "c"}},
			want:   object{"apiVersion": "example.org/v1", "kind": "Secret", "data": object{"a": "b"}, "metadata": object{"name": "c"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := &unstructured.Unstructured{Object: tc.object}
			redact(o)
			if diff := cmp.Diff(tc.want, o.Object); diff != "" {
				t.Errorf("\n%s\nredact(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// A start that fails leaves the logs of what was started, and nothing else.
func TestGiveUp(t *testing.T) {
	parent, failed := t.TempDir(), t.TempDir()
	c := &Cluster{level: LevelProcesses, progress: newProgress(t.Output())}
	if err := c.prepare(parent); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.LogDir(), "etcd.log"), []byte("no space left"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.giveUp(t.Context(), failed)
	if b, err := os.ReadFile(filepath.Join(failed, "processes", "etcd.log")); string(b) != "no space left" {
		t.Errorf("giveUp(...): kept %q, %v", b, err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("giveUp(...): left %v, %v", left, err)
	}
}
