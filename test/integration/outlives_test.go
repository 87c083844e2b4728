// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

func TestUsedSecretOutlivesItsApplication(t *testing.T) {
	for name, opts := range map[string][]client.DeleteOption{
		"Background": nil,
		"Foreground": {client.PropagationPolicy(metav1.DeletePropagationForeground)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			te := newTenant(t, "outlive")
			te.create(te.app("orders"))
			te.ready("orders")
			s := te.secret("orders-aiven")
			te.create(te.replicaSet("orders", "orders-aiven"))
			te.owned("orders", s)

			te.delete(te.app("orders"), opts...)
			gone(t, te.app("orders"))
			te.event(s, "JanitorSpared")
			te.works(te.secret("orders-aiven"))
			for _, service := range []string{"kafka", te.openSearch(), te.valkey("cache")} {
				if len(te.users(service)) != 1 {
					t.Errorf("users of %s: got %v", service, te.users(service))
				}
			}

			te.delete(te.replicaSet("orders", "orders-aiven"))
			gone(t, s)
			te.nobodyLeft()
			for _, reason := range []string{"JanitorMarked", "JanitorDeleted", "RevokedSecret"} {
				te.event(s, reason)
			}
		})
	}
}

// owned waits until the managed resources of an application belong to a Secret too. They
// do as soon as the provider sees that a workload uses it.
func (te tenant) owned(app string, s *corev1.Secret) {
	te.t.Helper()
	harness.Eventually(te.t, "the users of "+app+" belong to its Secret", func(ctx context.Context) error {
		for _, mg := range te.managed(ctx) {
			if v1.ApplicationOf(mg) == app && !slices.ContainsFunc(mg.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == s.GetUID() }) {
				return errors.Errorf("%s does not", mg.GetName())
			}
		}
		return nil
	})
}

// TestApplicationComesBack as with a tool that deletes and applies: the same
// credentials go on.
func TestApplicationComesBack(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "back")
	te.create(te.app("orders"))
	te.ready("orders")
	s := te.secret("orders-aiven")
	te.create(te.replicaSet("orders", "orders-aiven"))
	te.owned("orders", s)
	te.delete(te.app("orders"))
	gone(t, te.app("orders"))
	te.create(te.app("orders"))
	te.ready("orders")
	if diff := cmp.Diff(s.Data, te.secret("orders-aiven").Data); diff != "" {
		t.Errorf("the credentials changed: -want, +got:\n%s", diff)
	}
	te.delete(te.replicaSet("orders", "orders-aiven"))
	te.delete(te.app("orders"))
	te.nobodyLeft()
}

// TestMadeAgainDuringOverlap: pods that started before the rotation keep their
// access when the application is deleted and made again.
func TestMadeAgainDuringOverlap(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "again")
	te.create(te.app("orders"))
	te.ready("orders")
	before := te.secret("orders-aiven")
	te.pod("orders", "orders-aiven", time.Now())
	te.change("orders", request("one"))
	te.revision("orders", 2, false)
	after := te.secret("orders-aiven")
	te.owned("orders", after)
	te.delete(te.app("orders"))
	gone(t, te.app("orders"))
	te.create(te.app("orders"))
	te.ready("orders")
	harness.Eventually(t, "the users before are kept for an overlap", func(ctx context.Context) error {
		a := te.app("orders")
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return err
		}
		if c := a.Status.Credentials; c == nil || c.Previous == nil || len(c.Previous.Users) != len(c.Users) {
			return errors.Errorf("credentials: %+v", c)
		}
		return nil
	})
	te.works(before)
	if diff := cmp.Diff(after.Data, te.secret("orders-aiven").Data); diff != "" {
		t.Errorf("the credentials changed: -want, +got:\n%s", diff)
	}
}
