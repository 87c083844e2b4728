// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"testing"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestPartialCache(t *testing.T) {
	errBoom := errors.New("boom")
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	cases := map[string]struct {
		reason string
		object client.Object
		list   client.ObjectList
		left   bool
	}{
		"There":    {reason: "What is there is read.", object: &corev1.Secret{}, list: &corev1.SecretList{Items: make([]corev1.Secret, 1)}},
		"Left":     {reason: "Nothing exists of a kind that is left out.", object: &corev1.Pod{}, list: &corev1.PodList{Items: make([]corev1.Pod, 1)}, left: true},
		"Metadata": {reason: "Nor does its metadata.", object: metadata, list: &corev1.PodList{Items: make([]corev1.Pod, 1)}, left: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			// The cache below fails, by which it is seen that it was asked.
			c := &partialCache{Cache: failing{Cache: &informertest.FakeInformers{Error: errBoom}, err: errBoom}, scheme: scheme.Scheme, without: map[schema.GroupKind]bool{{Kind: "Pod"}: true}}
			if err := c.Get(t.Context(), client.ObjectKey{Name: "x"}, tc.object); kerrors.IsNotFound(err) != tc.left || errors.Is(err, errBoom) == tc.left {
				t.Errorf("\n%s\nGet(...): %v", tc.reason, err)
			}
			if err := c.List(t.Context(), tc.list); errors.Is(err, errBoom) == tc.left {
				t.Errorf("\n%s\nList(...): %v", tc.reason, err)
			}
			i, err := c.GetInformer(t.Context(), tc.object)
			if errors.Is(err, errBoom) == tc.left {
				t.Errorf("\n%s\nGetInformer(...): %v", tc.reason, err)
			}
			if !tc.left {
				return
			}
			r, err := i.AddEventHandlerWithOptions(toolscache.ResourceEventHandlerFuncs{}, toolscache.HandlerOptions{})
			if err != nil || !i.HasSynced() || !r.HasSynced() {
				t.Errorf("\n%s\nGetInformer(...): it is not complete: %v", tc.reason, err)
			}
			if err := c.IndexField(t.Context(), tc.object, "x", nil); err != nil {
				t.Errorf("\n%s\nIndexField(...): %v", tc.reason, err)
			}
		})
	}
}
