// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// user returns a managed resource as a platform engineer would write it.
func (te tenant) user(name string, with ...func(*v1alpha1.ValkeyServiceUser)) *v1alpha1.ValkeyServiceUser {
	u := &v1alpha1.ValkeyServiceUser{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace}}
	u.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: te.config}
	u.Spec.WriteConnectionSecretToReference = &xpv2.LocalSecretReference{Name: name + "-conn"}
	u.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: te.project, ServiceName: te.valkey("cache")}
	for _, w := range with {
		w(u)
	}
	return u
}

// becomes waits until a managed resource's condition is as wanted.
func (te tenant) becomes(name string, ct xpv2.ConditionType, status corev1.ConditionStatus, reason xpv2.ConditionReason) *v1alpha1.ValkeyServiceUser {
	te.t.Helper()
	u := &v1alpha1.ValkeyServiceUser{}
	harness.Eventually(te.t, name+" is "+string(ct)+" "+string(status), func(ctx context.Context) error {
		u = &v1alpha1.ValkeyServiceUser{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, u); err != nil {
			return err
		}
		if c := u.GetCondition(ct); c.Status != status || reason != "" && c.Reason != reason {
			return errors.Errorf("%s is %s: %s: %s", ct, c.Status, c.Reason, c.Message)
		}
		return nil
	})
	return u
}

func TestManagedResourceOnItsOwn(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "alone")
	te.create(te.user("alone", func(u *v1alpha1.ValkeyServiceUser) { u.Spec.ForProvider.Categories = []string{"+@read"} }))
	u := te.becomes("alone", xpv2.TypeReady, corev1.ConditionTrue, "")
	s := te.secret("alone-conn")
	if !h.Sim.Login(te.project, te.valkey("cache"), string(s.Data["username"]), string(s.Data["password"])) {
		t.Error("the connection details do not log in")
	}
	for _, k := range []string{"endpoint", "port", "uri", "clusterCA"} {
		if len(s.Data[k]) == 0 {
			t.Errorf("connection detail %s is missing", k)
		}
	}
	if got := meta.GetExternalName(u); !strings.HasPrefix(got, "alone-") || got != u.Status.AtProvider.Username || u.Status.AtProvider.ServiceState != "RUNNING" {
		t.Errorf("external name %q, atProvider %+v", got, u.Status.AtProvider)
	}
	if err := h.Kube.Delete(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	gone(t, u)
	te.nobodyLeft()
}

func TestImport(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "import")
	te.configure(anyUsername)
	made := h.Sim.AddUser(te.project, te.valkey("cache"), "made-by-hand")
	te.create(te.user("imported", func(u *v1alpha1.ValkeyServiceUser) {
		meta.SetExternalName(u, made.Username)
		u.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve}
	}))
	u := te.becomes("imported", xpv2.TypeReady, corev1.ConditionTrue, "")
	if got := string(te.secret("imported-conn").Data["password"]); got != made.Password {
		t.Error("the password of the imported user is not published")
	}
	// What is only observed is not deleted.
	if err := h.Kube.Delete(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	gone(t, u)
	if _, ok := h.Sim.User(te.project, te.valkey("cache"), made.Username); !ok {
		t.Error("a user that was only observed was deleted")
	}

	te.create(te.user("absent", func(u *v1alpha1.ValkeyServiceUser) {
		meta.SetExternalName(u, "nobody")
		u.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve}
	}))
	te.becomes("absent", xpv2.TypeSynced, corev1.ConditionFalse, "")
	if _, ok := h.Sim.User(te.project, te.valkey("cache"), "nobody"); ok {
		t.Error("a user was created although the policy is to observe")
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "pause")
	te.create(te.user("paused", func(u *v1alpha1.ValkeyServiceUser) {
		u.SetAnnotations(map[string]string{meta.AnnotationKeyReconciliationPaused: "true"})
	}))
	u := te.becomes("paused", xpv2.TypeSynced, corev1.ConditionFalse, xpv2.ReasonReconcilePaused)
	if got := writesTo(te.project); len(got) > 0 {
		t.Errorf("a paused resource led to %v", got)
	}
	harness.Update(t, h.Kube, u, resumed)
	te.becomes("paused", xpv2.TypeReady, corev1.ConditionTrue, "")
}

// resumed ends the pause of a managed resource.
func resumed[O client.Object](u O) { meta.RemoveAnnotations(u, meta.AnnotationKeyReconciliationPaused) }

func TestOrphan(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "orphan")
	te.create(te.user("kept", func(u *v1alpha1.ValkeyServiceUser) {
		u.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve, xpv2.ManagementActionCreate, xpv2.ManagementActionUpdate, xpv2.ManagementActionLateInitialize}
	}))
	u := te.becomes("kept", xpv2.TypeReady, corev1.ConditionTrue, "")
	if err := h.Kube.Delete(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	gone(t, u)
	if n := te.users(te.valkey("cache")); len(n) != 1 {
		t.Errorf("want the user to stay, got %v", n)
	}
}

func TestDeletionWithoutTheService(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "noservice")
	te.create(te.app("orders"))
	te.ready("orders")
	for _, s := range []string{"kafka", te.openSearch(), te.valkey("sessions"), te.valkey("cache")} {
		h.Sim.RemoveService(te.project, s)
	}
	if err := h.Kube.Delete(t.Context(), te.app("orders")); err != nil {
		t.Fatal(err)
	}
	for _, l := range []client.ObjectList{&v1alpha1.KafkaServiceUserList{}, &v1alpha1.OpenSearchServiceUserList{}, &v1alpha1.ValkeyServiceUserList{}} {
		harness.Eventually(t, "managed resources are gone", func(ctx context.Context) error {
			if err := h.Kube.List(ctx, l, client.InNamespace(te.namespace)); err != nil {
				return err
			}
			if n := apimeta.LenList(l); n > 0 {
				return errors.Errorf("%d of %T are left", n, l)
			}
			return nil
		})
	}
}

// TestSharedUserStays: deleting one of two managed resources of the same user
// does not take the user from the other.
func TestSharedUserStays(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "shared")
	te.configure(anyUsername)
	te.create(te.user("first"))
	first := te.becomes("first", xpv2.TypeReady, corev1.ConditionTrue, "")
	te.create(te.user("second", func(u *v1alpha1.ValkeyServiceUser) { meta.SetExternalName(u, meta.GetExternalName(first)) }))
	second := te.becomes("second", xpv2.TypeReady, corev1.ConditionTrue, "")
	if err := h.Kube.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	gone(t, second)
	s := te.secret("first-conn")
	if !h.Sim.Login(te.project, te.valkey("cache"), string(s.Data["username"]), string(s.Data["password"])) {
		t.Error("the user that is left was deleted")
	}
	if err := h.Kube.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	te.nobodyLeft()
}

// TestForgedConnectionSecret: what somebody puts where the connection Secret of
// a user should be is never published.
func TestForgedConnectionSecret(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "forged")
	te.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "orders-kafka-r1-conn", Namespace: te.namespace},
		Data:       map[string][]byte{"username": []byte("mallory")},
	})
	te.create(te.app("orders", func(a *v1.AivenApplication) { a.Spec.OpenSearch, a.Spec.Valkey = nil, nil }))
	harness.Eventually(t, "the user cannot publish its details", func(ctx context.Context) error {
		u := &v1alpha1.KafkaServiceUser{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: "orders-kafka-r1"}, u); err != nil {
			return err
		}
		if c := u.GetCondition(xpv2.TypeSynced); c.Status != corev1.ConditionFalse {
			return errors.Errorf("Synced is %s", c.Status)
		}
		return nil
	})
	a := &v1.AivenApplication{}
	if err := h.Kube.Get(t.Context(), client.ObjectKey{Namespace: te.namespace, Name: "orders"}, a); err != nil {
		t.Fatal(err)
	}
	if c := a.GetCondition(xpv2.TypeReady); c.Status == corev1.ConditionTrue {
		t.Error("the application is ready with somebody else's details")
	}
}
