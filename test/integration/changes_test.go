// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// rules returns the permissions of a user in the OpenSearch ACL.
func (te tenant) rules(user string) []string {
	var out []string
	for _, row := range h.Sim.OpenSearchACL(te.project, te.openSearch()).ACLs {
		if row.Username != user {
			continue
		}
		for _, r := range row.Rules {
			out = append(out, r.Index+"="+r.Permission)
		}
	}
	slices.Sort(out)
	return out
}

// gone waits until an object does not exist.
func gone(t *testing.T, o client.Object) {
	t.Helper()
	harness.Eventually(t, "object is gone", func(ctx context.Context) error {
		err := h.Kube.Get(ctx, client.ObjectKeyFromObject(o), o)
		if kerrors.IsNotFound(err) {
			return nil
		}
		return errors.Errorf("%T %s is still there: %v", o, o.GetName(), err)
	})
}

func TestSpecChanges(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "changes")
	te.create(te.app("orders", shortOverlap, func(a *v1.AivenApplication) { a.Spec.Valkey = a.Spec.Valkey[:1] }))
	te.ready("orders")
	before := te.secret("orders-aiven")
	osUser := string(before.Data["OPEN_SEARCH_USERNAME"])

	// Access levels: the same credentials may do more.
	te.change("orders", func(a *v1.AivenApplication) {
		a.Spec.OpenSearch.Access, a.Spec.Valkey[0].Access = v1.AccessAdmin, v1.AccessRead
	})
	te.ready("orders")
	if diff := cmp.Diff([]string{"*=admin", "_*=admin"}, te.rules(osUser)); diff != "" {
		t.Errorf("OpenSearch rules after a change of access: -want, +got:\n%s", diff)
	}
	u, _ := h.Sim.User(te.project, te.valkey("sessions"), string(before.Data["VALKEY_USERNAME_SESSIONS"]))
	if slices.Contains(u.AccessControl.Categories, "+@write") || !slices.Contains(u.AccessControl.Categories, "+@read") {
		t.Errorf("Valkey categories after a change of access: got %v", u.AccessControl.Categories)
	}
	if diff := cmp.Diff(before.Data, te.secret("orders-aiven").Data); diff != "" {
		t.Errorf("a change of access changed the Secret: -want, +got:\n%s", diff)
	}

	// One service more, and one less.
	te.change("orders", func(a *v1.AivenApplication) {
		a.Spec.Kafka = nil
		a.Spec.Valkey = append(a.Spec.Valkey, v1.ValkeySpec{Instance: "cache", Access: v1.AccessWrite})
	})
	te.ready("orders")
	s := te.secret("orders-aiven")
	te.works(s)
	if _, ok := s.Data["KAFKA_BROKERS"]; ok {
		t.Error("the Secret still has keys of the removed service")
	}
	if _, ok := s.Data["VALKEY_URI_CACHE"]; !ok {
		t.Error("the Secret has no keys of the added service")
	}
	harness.Eventually(t, "the user of the removed service is gone", func(context.Context) error {
		if n := te.users("kafka"); len(n) > 0 {
			return errors.Errorf("Kafka still has %v", n)
		}
		return nil
	})

	// Another name: the same credentials, without a call to Aiven. The old Secret
	// stays as long as a workload refers to it.
	te.create(te.replicaSet("rollback", "orders-aiven"))
	te.owned("orders", s)
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.SecretName = "renamed" })
	te.ready("orders")
	r := te.secret("renamed")
	te.works(r)
	if !bytes.Equal(r.Data["OPEN_SEARCH_PASSWORD"], s.Data["OPEN_SEARCH_PASSWORD"]) {
		t.Error("renaming the Secret changed the credentials")
	}
	old := te.secret("orders-aiven")
	te.event(old, "JanitorSpared")
	te.works(te.secret("orders-aiven"))
	if err := h.Kube.Delete(t.Context(), te.replicaSet("rollback", "orders-aiven")); err != nil {
		t.Fatal(err)
	}
	gone(t, old)
	te.works(te.secret("renamed"))
}

func TestInstanceChangeHasNoGap(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "move")
	only := func(a *v1.AivenApplication) {
		a.Spec.Kafka, a.Spec.OpenSearch, a.Spec.Valkey = nil, &v1.OpenSearchSpec{Instance: "logs"}, nil
	}
	te.create(te.app("orders", shortOverlap, only))
	te.ready("orders")
	old := te.secret("orders-aiven")

	te.change("orders", func(a *v1.AivenApplication) { a.Spec.OpenSearch.Instance = "other" })
	te.notReady("orders", v1.ReasonServiceNotFound)
	te.works(te.secret("orders-aiven"))

	other := "opensearch-" + te.namespace + "-other"
	h.Sim.AddService(te.project, aivensim.Service{Name: other, Type: "opensearch"})
	te.ready("orders")
	s := te.secret("orders-aiven")
	if !h.Sim.Login(te.project, other, string(s.Data["OPEN_SEARCH_USERNAME"]), string(s.Data["OPEN_SEARCH_PASSWORD"])) {
		t.Error("the credentials of the new instance do not work")
	}
	harness.Eventually(t, "the user of the old instance is gone", func(context.Context) error {
		if _, ok := h.Sim.User(te.project, te.openSearch(), string(old.Data["OPEN_SEARCH_USERNAME"])); ok || len(te.rules(string(old.Data["OPEN_SEARCH_USERNAME"]))) > 0 {
			return errors.New("the old user or its rules are still there")
		}
		return nil
	})

	// That is all: the credentials that were just published stay.
	gone(t, &v1alpha1.OpenSearchServiceUser{ObjectMeta: metav1.ObjectMeta{Namespace: te.namespace, Name: "orders-opensearch-r1"}})
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.OpenSearch.Access = v1.AccessWrite })
	te.ready("orders")
	if diff := cmp.Diff(s.Data, te.secret("orders-aiven").Data); diff != "" {
		t.Error("the credentials changed again after the old user was gone")
	}
	if n := te.users(other); len(n) != 1 {
		t.Errorf("want one user of the new instance, got %v", n)
	}
}

func TestSecretHeals(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "heals")
	te.create(te.app("orders"))
	te.ready("orders")
	want := te.secret("orders-aiven")

	cases := map[string]struct {
		reason string
		breaks func(s *corev1.Secret)
	}{
		"EditedKey": {
			reason: "A key of ours that somebody edits comes back.",
			breaks: func(s *corev1.Secret) { s.Data["VALKEY_PASSWORD_CACHE"] = []byte("wrong") },
		},
		"DeletedKey": {
			reason: "A key of ours that somebody deletes comes back.",
			breaks: func(s *corev1.Secret) { delete(s.Data, "KAFKA_BROKERS") },
		},
		"RemovedMarks": {
			reason: "Neither label nor annotation says any more whose the Secret is; the application and the finalizer do.",
			breaks: func(s *corev1.Secret) { s.Labels, s.Annotations = nil, nil },
		},
		"RemovedLabel": {
			reason: "A label of ours comes back, also the one by which we find our Secrets.",
			breaks: func(s *corev1.Secret) { delete(s.Labels, v1.LabelManagedBy) },
		},
		"RemovedFinalizer": {
			reason: "The finalizer with which a deletion waits for the users comes back.",
			breaks: func(s *corev1.Secret) { s.Finalizers = nil },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			harness.Update(t, h.Kube, want, tc.breaks)
			harness.Eventually(t, tc.reason, func(ctx context.Context) error {
				s := &corev1.Secret{}
				if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(want), s); err != nil {
					return err
				}
				// The content is what it was, and so is the time of its last change.
				if diff := cmp.Diff(want.Data, s.Data); diff != "" {
					return errors.New("the data differs")
				}
				if s.Labels[v1.LabelManagedBy] != v1.ManagedBy || !slices.Contains(s.Finalizers, v1.FinalizerRevoke) {
					return errors.New("a label or the finalizer is missing")
				}
				return nil
			})
		})
	}

	t.Run("ForeignKey", func(t *testing.T) {
		harness.Update(t, h.Kube, want, func(s *corev1.Secret) { s.Data["MINE"] = []byte("stays") })
		te.change("orders", func(a *v1.AivenApplication) { a.Spec.Kafka = nil })
		te.ready("orders")
		s := te.secret("orders-aiven")
		if string(s.Data["MINE"]) != "stays" {
			t.Error("a key that somebody else put into the Secret is gone")
		}
		if _, ok := s.Data["KAFKA_BROKERS"]; ok {
			t.Error("a key of ours that is not wanted any more is still there")
		}
	})
}

func TestDriftAtAiven(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "drift")
	te.create(te.app("orders"))
	te.ready("orders")
	s := te.secret("orders-aiven")

	eventuallyWorks := func(t *testing.T, extra func(s *corev1.Secret) error) {
		t.Helper()
		harness.Eventually(t, "the Secret follows", func(ctx context.Context) error {
			got := &corev1.Secret{}
			if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(s), got); err != nil {
				return err
			}
			if err := te.check(got); err != nil {
				return err
			}
			return extra(got)
		})
	}

	t.Run("PasswordChanged", func(t *testing.T) {
		h.Sim.SetPassword(te.project, te.valkey("cache"), string(s.Data["VALKEY_USERNAME_CACHE"]), "a-new-password-set-by-hand")
		eventuallyWorks(t, func(s *corev1.Secret) error {
			if string(s.Data["REDIS_PASSWORD_CACHE"]) != "a-new-password-set-by-hand" {
				return errors.New("the Secret has the old password")
			}
			return nil
		})
	})
	t.Run("UserDeleted", func(t *testing.T) {
		h.Sim.DeleteUser(te.project, "kafka", string(s.Data["KAFKA_SCHEMA_REGISTRY_USER"]))
		eventuallyWorks(t, func(*corev1.Secret) error { return nil })
	})
	t.Run("AccessControlEdited", func(t *testing.T) {
		user := string(s.Data["VALKEY_USERNAME_SESSIONS"])
		h.Sim.SetAccessControl(te.project, te.valkey("sessions"), user, aivensim.AccessControl{Categories: []string{"+@all"}})
		harness.Eventually(t, "access control is repaired", func(context.Context) error {
			u, _ := h.Sim.User(te.project, te.valkey("sessions"), user)
			if slices.Contains(u.AccessControl.Categories, "+@all") || len(u.AccessControl.Keys) == 0 {
				return errors.Errorf("access control is %v", u.AccessControl)
			}
			return nil
		})
	})
	t.Run("RulesRemoved", func(t *testing.T) {
		user := string(s.Data["OPEN_SEARCH_USERNAME"])
		acl := h.Sim.OpenSearchACL(te.project, te.openSearch())
		acl.ACLs = nil
		h.Sim.SetOpenSearchACL(te.project, te.openSearch(), acl)
		harness.Eventually(t, "rules are repaired", func(context.Context) error {
			if len(te.rules(user)) == 0 {
				return errors.New("there are no rules")
			}
			return nil
		})
	})
	t.Run("CertificateRenewed", func(t *testing.T) {
		s = te.secret("orders-aiven")
		h.Sim.RenewCertificate(te.project, "kafka", string(s.Data["KAFKA_SCHEMA_REGISTRY_USER"]))
		eventuallyWorks(t, func(got *corev1.Secret) error {
			if bytes.Equal(got.Data["KAFKA_CERTIFICATE"], s.Data["KAFKA_CERTIFICATE"]) || bytes.Equal(got.Data["client.keystore.p12"], s.Data["client.keystore.p12"]) {
				return errors.New("the Secret has the old certificate or key store")
			}
			return nil
		})
	})
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "deletion")
	te.create(te.app("orders"))
	te.ready("orders")
	h.Sim.AddUser(te.project, "kafka", "somebody-else")
	if err := h.Kube.Delete(t.Context(), te.app("orders")); err != nil {
		t.Fatal(err)
	}
	gone(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: te.namespace, Name: "orders-aiven"}})
	te.nobodyLeft()
	if _, ok := h.Sim.User(te.project, "kafka", "somebody-else"); !ok {
		t.Error("a user of somebody else was deleted")
	}
}

// nobodyLeft waits until Aiven has no user that was made for this tenant, and
// no rule for one.
func (te tenant) nobodyLeft() {
	te.t.Helper()
	harness.Eventually(te.t, "no user is left at Aiven", func(context.Context) error {
		for _, s := range []string{"kafka", te.openSearch(), te.valkey("sessions"), te.valkey("cache")} {
			if n := te.users(s); len(n) > 0 {
				return errors.Errorf("%s still has %v", s, n)
			}
		}
		if n := len(h.Sim.OpenSearchACL(te.project, te.openSearch()).ACLs); n > 0 {
			return errors.Errorf("there are still rules of %d users", n)
		}
		return nil
	})
}
