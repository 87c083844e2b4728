// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// revision waits until the application is at a revision, ready and with nothing
// left of the one before if that is asked for.
func (te tenant) revision(name string, n int64, alone bool) *v1.AivenApplication {
	te.t.Helper()
	a := &v1.AivenApplication{}
	harness.Eventually(te.t, "application "+name+" has its revision", func(ctx context.Context) error {
		a = &v1.AivenApplication{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, a); err != nil {
			return err
		}
		c := a.Status.Credentials
		switch {
		case c == nil || c.Revision != n || c.Next != nil:
			return errors.Errorf("credentials are %+v", c)
		case alone && c.Previous != nil:
			return errors.Errorf("the users before are still valid: %+v", c.Previous)
		case a.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue:
			return errors.Errorf("not ready: %s", a.GetCondition(xpv2.TypeReady).Message)
		}
		return nil
	})
	return a
}

// condition waits for a condition of an application.
func (te tenant) condition(name string, t xpv2.ConditionType, reason xpv2.ConditionReason) xpv2.Condition {
	te.t.Helper()
	var c xpv2.Condition
	harness.Eventually(te.t, string(t)+" of "+name+" is "+string(reason), func(ctx context.Context) error {
		a := &v1.AivenApplication{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, a); err != nil {
			return err
		}
		if c = a.GetCondition(t); c.Reason != reason {
			return errors.Errorf("it is %s: %s", c.Reason, c.Message)
		}
		return nil
	})
	return c
}

func request(value string) func(a *v1.AivenApplication) {
	return func(a *v1.AivenApplication) { metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1.AnnotationRotate, value) }
}

func TestRotationKeepsBothSets(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "rotate")
	te.create(te.app("orders", func(a *v1.AivenApplication) {
		a.Spec.Rotation = &v1.RotationSpec{Overlap: &metav1.Duration{Duration: 3 * time.Second}}
	}))
	te.ready("orders")
	old := te.secret("orders-aiven")
	pod := te.pod("orders", "orders-aiven", time.Now())
	te.owned("orders", old)

	te.change("orders", request("one"))
	a := te.revision("orders", 2, false)
	fresh := te.secret("orders-aiven")
	te.works(fresh)
	te.works(old)
	for _, key := range []string{"KAFKA_CERTIFICATE", "OPEN_SEARCH_USERNAME", "VALKEY_PASSWORD_CACHE", "client.keystore.p12", "AIVEN_SECRET_UPDATED"} {
		if bytes.Equal(old.Data[key], fresh.Data[key]) && key != "AIVEN_SECRET_UPDATED" {
			t.Errorf("the rotation did not change %s", key)
		}
	}
	if p := a.Status.Credentials.Previous; p == nil || p.Revision != 1 || len(p.Users) != 4 {
		t.Errorf("previous: got %+v", p)
	}

	// What is changed now is changed for both.
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.OpenSearch.Access = v1.AccessAdmin })
	harness.Eventually(t, "both users have the new rules", func(context.Context) error {
		for _, s := range []*corev1.Secret{old, fresh} {
			if diff := cmp.Diff([]string{"*=admin", "_*=admin"}, te.rules(string(s.Data["OPEN_SEARCH_USERNAME"]))); diff != "" {
				return errors.New(diff)
			}
		}
		return nil
	})

	// A pod that started before holds the old users beyond their overlap.
	harness.Eventually(t, "the overlap is over", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return err
		}
		p := a.Status.Credentials.Previous
		if p == nil || time.Now().Before(p.RetireAfter.Add(time.Second)) {
			return errors.Errorf("previous is %+v", p)
		}
		if diff := cmp.Diff([]string{"orders"}, p.HeldBy); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
	te.works(old)
	te.delete(pod, client.GracePeriodSeconds(0))
	te.revision("orders", 2, true)
	harness.Eventually(t, "the old users are gone", func(context.Context) error {
		if n := te.users("kafka"); len(n) != 1 {
			return errors.Errorf("Kafka has %v", n)
		}
		return nil
	})
	te.works(te.secret("orders-aiven"))
	if rules := te.rules(string(old.Data["OPEN_SEARCH_USERNAME"])); len(rules) > 0 {
		t.Errorf("the old user still has rules: %v", rules)
	}

	// Each value acts once, and both ways to ask for it do.
	te.change("orders", func(a *v1.AivenApplication) {
		at := metav1.NewTime(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
		a.Spec.Rotation.RequestedAt = &at
	})
	te.revision("orders", 3, true)
	te.change("orders", func(a *v1.AivenApplication) { a.Annotations["touched"] = "yes" })
	te.change("orders", request("two"))
	a = te.revision("orders", 4, true)
	te.works(te.secret("orders-aiven"))
	for _, reason := range []string{"RotationStarted", "RotationPublished", "RetiredUser"} {
		te.event(a, reason)
	}
}

// TestRequestedFromTheStart: a request that is there when the application is made is
// met by its first credentials.
func TestRequestedFromTheStart(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "early")
	te.create(te.app("orders", shortOverlap, request("one"), func(a *v1.AivenApplication) { a.Spec.OpenSearch, a.Spec.Valkey = nil, nil }))
	te.ready("orders")
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.SecretName = "other" })
	if a := te.ready("orders"); a.Status.Credentials.Revision != 1 {
		t.Errorf("revision: want 1, got %d", a.Status.Credentials.Revision)
	}
}

func TestRotationWithoutRoom(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "noroom")
	te.create(te.app("orders", shortOverlap))
	te.ready("orders")
	before := te.secret("orders-aiven")
	h.Sim.SetUserLimit(te.project, "kafka", 2) // The built-in one and ours.

	te.change("orders", request("one"))
	c := te.condition("orders", v1.TypeRotated, v1.ReasonQuotaExceeded)
	if c.Status != corev1.ConditionFalse || c.Message == "" {
		t.Errorf("Rotated: got %+v", c)
	}
	a := te.ready("orders")
	te.event(a, "RotationBlocked")
	if diff := cmp.Diff(before.Data, te.secret("orders-aiven").Data); diff != "" {
		t.Errorf("a rotation that cannot go on changed the Secret: -want, +got:\n%s", diff)
	}
	te.works(before)

	h.Sim.SetUserLimit(te.project, "kafka", 100)
	te.revision("orders", 2, true)
	te.condition("orders", v1.TypeRotated, v1.ReasonUpToDate)
	te.works(te.secret("orders-aiven"))
}

func TestDeletedSecretIsRevoked(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "revoke")
	te.create(te.app("orders", func(a *v1.AivenApplication) { a.Spec.Valkey[1].SecretName = "cache" }))
	te.ready("orders")
	old, cache := te.secret("orders-aiven"), te.secret("cache")
	te.delete(old)
	harness.Eventually(t, "a new Secret follows", func(ctx context.Context) error {
		s := &corev1.Secret{}
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(old), s); err != nil {
			return err
		}
		if s.GetUID() == old.GetUID() {
			return errors.New("the old one is there")
		}
		return te.check(s)
	})
	a := te.revision("orders", 2, true)
	te.event(a, "RotationPublished")
	for service, user := range map[string]string{"kafka": "KAFKA_SCHEMA_REGISTRY_USER", te.openSearch(): "OPEN_SEARCH_USERNAME", te.valkey("sessions"): "VALKEY_USERNAME_SESSIONS"} {
		if slices.Contains(te.users(service), string(old.Data[user])) {
			t.Errorf("the user of %s that the deleted Secret held is still there", service)
		}
	}
	if diff := cmp.Diff(cache.Data, te.secret("cache").Data); diff != "" {
		t.Errorf("a Secret that nobody deleted changed: -want, +got:\n%s", diff)
	}
	te.works(te.secret("cache"))
}

func TestForcedSecretIsRevoked(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "forced")
	te.create(te.app("orders"))
	te.ready("orders")
	old := te.secret("orders-aiven")
	harness.Eventually(t, "the Secret is gone without its finalizer", func(ctx context.Context) error {
		if err := h.Kube.Patch(ctx, old, client.RawPatch("application/json-patch+json", []byte(`[{"op":"remove","path":"/metadata/finalizers"}]`))); err != nil {
			return err
		}
		return h.Kube.Delete(ctx, old)
	})
	te.revision("orders", 2, true)
	te.works(te.secret("orders-aiven"))
	harness.Eventually(t, "what it held is revoked", func(context.Context) error {
		if n := te.users("kafka"); len(n) != 1 || n[0] == string(old.Data["KAFKA_SCHEMA_REGISTRY_USER"]) {
			return errors.Errorf("Kafka has %v", n)
		}
		return nil
	})
}

func TestVanishedUserIsReplacedAlone(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "vanish")
	te.create(te.app("orders"))
	te.ready("orders")
	old := te.secret("orders-aiven")
	h.Sim.SetUserLimit(te.project, "kafka", 2)
	h.Sim.PowerCycle(te.project, te.valkey("cache"))
	te.revision("orders", 2, true)
	s := te.secret("orders-aiven")
	te.works(s)
	if bytes.Equal(s.Data["VALKEY_USERNAME_CACHE"], old.Data["VALKEY_USERNAME_CACHE"]) {
		t.Error("the user that is gone was made again under its name")
	}
	for _, key := range []string{"KAFKA_CERTIFICATE", "OPEN_SEARCH_PASSWORD", "VALKEY_PASSWORD_SESSIONS"} {
		if !bytes.Equal(s.Data[key], old.Data[key]) {
			t.Errorf("%s changed although its user is well", key)
		}
	}
}

// TestForeignNames: an application that names Secrets of others by mistake harms
// neither them nor itself.
func TestForeignNames(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "foreign")
	te.create(te.app("orders"))
	te.create(te.app("billing"))
	te.ready("orders")
	te.ready("billing")
	s := te.secret("billing-aiven")
	te.change("billing", func(a *v1.AivenApplication) { a.Spec.SecretName = "orders-aiven" })
	te.notReady("billing", v1.ReasonSecretConflict)
	orders := te.secret("orders-aiven")
	te.pod("orders", "orders-aiven", time.Now()) // Its users would go with the application.
	te.owned("orders", orders)
	te.delete(te.app("orders"))
	gone(t, te.app("orders"))
	// The janitor comes first if the provider has not seen the pod all the time.
	if err := h.Kube.Delete(t.Context(), orders); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the Secret is gone", func(ctx context.Context) error {
		o := &corev1.Secret{}
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(orders), o); err != nil || o.GetUID() != orders.GetUID() {
			return client.IgnoreNotFound(err)
		}
		return errors.New("it is there")
	})
	te.works(s)
	te.change("billing", func(a *v1.AivenApplication) { a.Spec.SecretName = s.GetName() })
	te.ready("billing")
	te.works(te.secret("billing-aiven"))
}

// TestRelabelledSecret: labels that other tools use too are theirs to change, and
// ours to set again.
func TestRelabelledSecret(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "relabel")
	te.create(te.app("orders"))
	te.ready("orders")
	s := te.secret("orders-aiven")
	harness.Update(t, h.Kube, s, func(s *corev1.Secret) { s.Labels[v1.LabelManagedBy] = "Helm" })
	harness.Eventually(t, "the label is ours again", func(context.Context) error {
		if l := te.secret("orders-aiven").GetLabels()[v1.LabelManagedBy]; l != v1.ManagedBy {
			return errors.Errorf("label: %s", l)
		}
		return nil
	})
	te.ready("orders")
	te.delete(s)
	te.revision("orders", 2, true)
}
