// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestCheckNamespaces(t *testing.T) {
	cases := map[string]struct {
		reason string
		names  []string
		want   string
	}{
		"All":     {reason: "No name means all namespaces."},
		"Names":   {reason: "Names are names.", names: []string{"team-a", "team-b"}},
		"Empty":   {reason: "What a comma too many leads to must not mean all namespaces.", names: []string{"team-a", ""}, want: `cannot watch namespace ""`},
		"Blank":   {reason: "A blank is no part of a name.", names: []string{"team-a", " team-b"}, want: `cannot watch namespace " team-b"`},
		"Pattern": {reason: "There are no patterns.", names: []string{"team-*"}, want: `cannot watch namespace "team-*"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := checkNamespaces(tc.names); err != nil {
				got, _, _ = strings.Cut(err.Error(), ":")
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\ncheckNamespaces(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNamespacedCache(t *testing.T) {
	errBoom := errors.New("boom")
	cases := map[string]struct {
		reason    string
		namespace string
		notFound  bool
	}{
		"Watched":       {reason: "What is watched is read.", namespace: "team-a"},
		"ClusterScoped": {reason: "What has no namespace is read.", namespace: ""},
		"NotWatched":    {reason: "Nothing exists where nothing is watched.", namespace: "team-b", notFound: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			// The cache below fails, by which it is seen that it was asked.
			c := &namespacedCache{Cache: failing{Cache: &informertest.FakeInformers{}, err: errBoom}, scheme: scheme.Scheme, namespaces: []string{"team-a"}}
			err := c.Get(t.Context(), client.ObjectKey{Namespace: tc.namespace, Name: "orders"}, &corev1.Secret{})
			if got := kerrors.IsNotFound(err); got != tc.notFound || errors.Is(err, errBoom) == tc.notFound {
				t.Errorf("\n%s\nGet(...): %v", tc.reason, err)
			}
			l := &corev1.SecretList{Items: make([]corev1.Secret, 1)}
			err = c.List(t.Context(), l, client.InNamespace(tc.namespace))
			if errors.Is(err, errBoom) == tc.notFound || tc.notFound && len(l.Items) != 0 {
				t.Errorf("\n%s\nList(...): %v, %d items", tc.reason, err, len(l.Items))
			}
		})
	}
}

// failing is a cache that cannot be read.
type failing struct {
	cache.Cache
	err error
}

func (f failing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return f.err
}

func (f failing) List(context.Context, client.ObjectList, ...client.ListOption) error { return f.err }
