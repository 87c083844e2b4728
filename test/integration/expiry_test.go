// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

func TestExpires(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "expires")
	past := func(a *v1.AivenApplication) {
		at := metav1.NewTime(time.Now().Add(-time.Hour))
		a.Spec.ExpiresAt = &at
	}
	te.create(te.app("late", past))
	te.notReady("late", v1.ReasonExpired)
	if got := writesTo(te.project); len(got) > 0 {
		t.Errorf("an application that had expired was given users: %v", got)
	}

	te.create(te.app("orders"))
	te.ready("orders")
	te.change("orders", past)
	te.notReady("orders", v1.ReasonExpired)
	gone(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: te.namespace, Name: "orders-aiven"}})
	te.nobodyLeft()

	te.change("orders", func(a *v1.AivenApplication) { a.Spec.ExpiresAt = nil })
	te.ready("orders")
	te.works(te.secret("orders-aiven"))
}

// TestExpiresOnTime does not touch the application any more when the time comes:
// that alone must do.
func TestExpiresOnTime(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "ontime")
	te.create(te.app("orders"))
	te.ready("orders")
	at := metav1.NewTime(time.Now().Add(5 * time.Second).Truncate(time.Second))
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.ExpiresAt = &at })
	te.notReady("orders", v1.ReasonExpired)
	if time.Now().Before(at.Time) {
		t.Error("the access ended early")
	}
	te.nobodyLeft()
}

func TestExpiringIsSaid(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "expiring")
	in := func(d time.Duration) func(a *v1.AivenApplication) {
		return func(a *v1.AivenApplication) {
			at := metav1.NewTime(time.Now().Add(d))
			a.Spec.ExpiresAt = &at
		}
	}
	te.create(te.app("orders", in(48*time.Hour), func(a *v1.AivenApplication) { a.Spec.OpenSearch, a.Spec.Valkey = nil, nil }))
	a := te.ready("orders")
	te.condition("orders", v1.TypeExpiring, v1.ReasonNotExpiring)
	te.change("orders", in(20*time.Hour))
	te.condition("orders", v1.TypeExpiring, v1.ReasonEndsWithinDay)
	te.event(a, "Expiring")
	te.change("orders", in(30*time.Minute))
	te.condition("orders", v1.TypeExpiring, v1.ReasonEndsWithinHour)
	te.change("orders", in(48*time.Hour))
	te.condition("orders", v1.TypeExpiring, v1.ReasonNotExpiring)
	te.works(te.secret("orders-aiven"))
}

// expiresIn is long enough for the application to be gone when its access ends, as a rule.
const expiresIn = 20 * time.Second

// TestExpiryWaitsForNobody: neither for a pod, nor for protection, nor for the
// application to be there.
func TestExpiryWaitsForNobody(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "noone")
	te.create(te.app("orders", func(a *v1.AivenApplication) { a.Spec.Protected = true }))
	te.ready("orders")
	s := te.secret("orders-aiven")
	te.pod("orders", "orders-aiven", time.Now())
	te.owned("orders", s)
	at := metav1.NewTime(time.Now().Add(expiresIn).Truncate(time.Second))
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.ExpiresAt = &at })
	harness.Eventually(t, "the provider knows when the access ends", func(ctx context.Context) error {
		a := te.app("orders")
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return err
		}
		// It has ended when the machine took too long.
		if c := a.GetCondition(v1.TypeExpiring); c.Reason != v1.ReasonEndsWithinHour && c.Reason != v1.ReasonExpired {
			return errors.Errorf("it is %s: %s", c.Reason, c.Message)
		}
		return nil
	})
	te.delete(te.app("orders"))
	gone(t, te.app("orders"))
	left := &corev1.Secret{}
	err := h.Kube.Get(t.Context(), client.ObjectKeyFromObject(s), left)
	if err == nil {
		err = te.check(left)
	}
	if early := time.Until(at.Time); early > 0 && err != nil {
		t.Errorf("%s before its end the access has ended: %v", early.Round(time.Second), err)
	}
	gone(t, s)
	te.nobodyLeft()
}
