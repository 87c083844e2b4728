// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/username"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// isReady waits until a managed resource is ready as it is specified now.
func (te tenant) isReady(mg resource.ModernManaged) {
	te.t.Helper()
	harness.Eventually(te.t, mg.GetName()+" is ready", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(mg), mg); err != nil {
			return err
		}
		if c := mg.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionTrue || c.ObservedGeneration != mg.GetGeneration() {
			return errors.Errorf("Ready is %s: %s: %s", c.Status, c.Reason, c.Message)
		}
		return nil
	})
}

// label sets a label of the tenant's namespace.
func (te tenant) label(key, value string) {
	te.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: te.namespace}}
	harness.Update(te.t, h.Kube, ns, func(ns *corev1.Namespace) { ns.Labels[key] = value })
}

// declined waits until an application is not ready for the supplied reason, as it
// is specified now.
func (te tenant) declined(name string, reason xpv2.ConditionReason) string {
	te.t.Helper()
	a := &v1.AivenApplication{}
	harness.Eventually(te.t, name+" is declined: "+string(reason), func(ctx context.Context) error {
		a = &v1.AivenApplication{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, a); err != nil {
			return err
		}
		c := a.GetCondition(xpv2.TypeReady)
		if c.Status != corev1.ConditionFalse || c.Reason != reason || c.ObservedGeneration != a.GetGeneration() {
			return errors.Errorf("Ready is %s for generation %d of %d: %s: %s", c.Status, c.ObservedGeneration, a.GetGeneration(), c.Reason, c.Message)
		}
		return nil
	})
	return a.GetCondition(xpv2.TypeReady).Message
}

// rotateNow asks for a rotation in the spec.
func rotateNow(a *v1.AivenApplication) {
	if a.Spec.Rotation == nil {
		a.Spec.Rotation = &v1.RotationSpec{}
	}
	at := metav1.Now()
	a.Spec.Rotation.RequestedAt = &at
}

// noSecret fails the test if there is a Secret of that name.
func (te tenant) noSecret(name string) {
	te.t.Helper()
	err := h.Kube.Get(te.t.Context(), client.ObjectKey{Namespace: te.namespace, Name: name}, &corev1.Secret{})
	if !kerrors.IsNotFound(err) {
		te.t.Errorf("Secret %s of namespace %s: want none, got %v", name, te.namespace, err)
	}
}

// all returns the names of all users of the tenant's services.
func (te tenant) all() []string {
	var out []string
	for _, s := range []string{"kafka", te.openSearch(), te.valkey("sessions"), te.valkey("cache")} {
		for _, u := range h.Sim.Users(te.project, s) {
			out = append(out, s+"/"+u.Username)
		}
	}
	return out
}

func TestGrantAllowedNamespaces(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "allowed")
	only := func(a *v1alpha1.AllowedNamespaces) {
		te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) { s.AllowedNamespaces = a })
	}
	selected := &v1alpha1.AllowedNamespaces{
		Names:    []string{"elsewhere"},
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"may-use": te.config}},
	}
	only(selected)
	te.create(te.app("orders", shortOverlap))
	u := te.kafkaUser("by-hand")
	te.create(u)
	if c := te.notReady("orders", v1.ReasonNotAllowed); !strings.Contains(c.Message, "allowedNamespaces of ClusterProviderConfig "+te.config) {
		t.Errorf("the message does not name the rule: %s", c.Message)
	}
	if m := te.refused(u, v1.ReasonNotAllowed); !strings.Contains(m, "allowedNamespaces of ClusterProviderConfig "+te.config) {
		t.Errorf("Synced does not name the rule: %s", m)
	}
	if got := writesTo(te.project); len(got) > 0 {
		t.Errorf("who may not use the token led to %v", got)
	}
	if n := len(te.managed(t.Context())); n != 1 {
		t.Errorf("an application that was refused has %d managed resources", n-1)
	}
	te.noSecret(u.Spec.WriteConnectionSecretToReference.Name)

	since := time.Now()
	te.label("may-use", te.config)
	te.ready("orders")
	t.Logf("the application was ready %s after its namespace was labelled", time.Since(since).Round(time.Millisecond))
	te.isReady(u)
	t.Logf("the managed resource was ready %s after its namespace was labelled", time.Since(since).Round(time.Millisecond))

	// What is withdrawn later leaves everything as it is.
	before, users := te.secret("orders-aiven"), te.all()
	only(&v1alpha1.AllowedNamespaces{Names: []string{"elsewhere"}})
	te.notReady("orders", v1.ReasonNotAllowed)
	te.refused(u, v1.ReasonNotAllowed)
	te.change("orders", rotateNow)
	te.declined("orders", v1.ReasonNotAllowed)
	if diff := cmp.Diff(before.Data, te.secret("orders-aiven").Data); diff != "" {
		t.Errorf("what was withdrawn changed the Secret: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(users, te.all()); diff != "" {
		t.Errorf("users after the grant was withdrawn: -want, +got:\n%s", diff)
	}
	te.works(before)

	// By name, and at once what was asked for in between.
	since = time.Now()
	only(&v1alpha1.AllowedNamespaces{Names: []string{te.namespace}})
	te.revision("orders", 2, true)
	te.isReady(u)
	t.Logf("all was ready %s after the namespace was named", time.Since(since).Round(time.Millisecond))

	// What was withdrawn can be deleted all the same.
	only(&v1alpha1.AllowedNamespaces{Names: []string{"elsewhere"}})
	te.notReady("orders", v1.ReasonNotAllowed)
	te.refused(u, v1.ReasonNotAllowed)
	te.delete(te.app("orders"))
	te.delete(u)
	te.nobodyLeft()
	gone(t, u)
	gone(t, before)
}

// TestGrantAgainByLabel: who was allowed, was not any more, and is again.
func TestGrantAgainByLabel(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "again")
	te.label("may-use", te.config)
	te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) {
		s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"may-use": te.config}}}
	})
	te.create(te.app("orders", kafkaOnly))
	te.ready("orders")
	te.label("may-use", "nothing")
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.SecretName = "other" })
	te.declined("orders", v1.ReasonNotAllowed)
	for _, mg := range te.managed(t.Context()) {
		te.refused(mg.(resource.ModernManaged), v1.ReasonNotAllowed)
	}
	since := time.Now()
	te.label("may-use", te.config)
	te.ready("orders")
	t.Logf("the application was ready %s after its namespace was labelled again", time.Since(since).Round(time.Millisecond))
	te.works(te.secret("other"))
}

func TestGrantServices(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "services")
	only := func(p ...v1alpha1.ServicePattern) {
		te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) { s.Services = p })
	}
	valkeys := v1alpha1.ServicePattern{Project: te.project, ServiceName: "valkey-{namespace}-*"}
	only(valkeys)
	te.create(te.app("orders", shortOverlap))
	if c := te.notReady("orders", v1.ReasonNotAllowed); !strings.Contains(c.Message, te.project+"/kafka") || !strings.Contains(c.Message, "services of") {
		t.Errorf("the message names neither the service nor the rule: %s", c.Message)
	}
	if got := writesTo(te.project); len(got) > 0 {
		t.Errorf("an application that may not have all that it asks for led to %v", got)
	}
	// Beside the wildcards a namespace means itself.
	other := te.beside(te.namespace + "-more")
	u := te.user("theirs", func(u *v1alpha1.ValkeyServiceUser) { u.Spec.ForProvider.ServiceName = other.valkey("cache") })
	h.Sim.AddService(te.project, aivensim.Service{Name: other.valkey("cache"), Type: "valkey"})
	te.create(u)
	if m := te.refused(u, v1.ReasonNotAllowed); !strings.Contains(m, "belongs to namespace "+other.namespace) {
		t.Errorf("Synced does not say whose the service is: %s", m)
	}

	only(valkeys, v1alpha1.ServicePattern{ServiceName: "kafka"}, v1alpha1.ServicePattern{Project: "project-{namespace}", ServiceName: "opensearch-*"})
	te.ready("orders")
	before, users := te.secret("orders-aiven"), te.all()

	only(valkeys)
	te.notReady("orders", v1.ReasonNotAllowed)
	te.change("orders", rotateNow)
	te.declined("orders", v1.ReasonNotAllowed)
	if diff := cmp.Diff(before.Data, te.secret("orders-aiven").Data); diff != "" {
		t.Errorf("what was withdrawn changed the Secret: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(users, te.all()); diff != "" {
		t.Errorf("users after the grant was withdrawn: -want, +got:\n%s", diff)
	}
	te.works(before)
	te.delete(te.app("orders"))
	te.delete(u)
	te.nobodyLeft()
	gone(t, u)
}

// TestGrantManagedResources: who may write managed resources gets no further with
// the central token than with applications, whatever else is written on them.
func TestGrantManagedResources(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "grants")
	h.Sim.AddService(te.project, aivensim.Service{Name: "kafka-without-a-pool", Type: "kafka"})
	te.create(te.app("orders"))
	te.ready("orders")
	secret, users := te.secret("orders-aiven"), te.all()
	victim := string(secret.Data["KAFKA_SCHEMA_REGISTRY_USER"])
	prefix := username.Prefix(te.namespace, "orders")

	evil := te
	evil.namespace = h.Namespace(t, "evil")
	own := "valkey-" + evil.namespace + "-own"
	h.Sim.AddService(te.project, aivensim.Service{Name: own, Type: "valkey"})
	of := func(name string, annotations map[string]string) func(u *v1alpha1.KafkaServiceUser) {
		return func(u *v1alpha1.KafkaServiceUser) {
			meta.SetExternalName(u, name)
			meta.AddAnnotations(u, annotations)
		}
	}
	cases := map[string]struct {
		reason string
		mg     resource.ModernManaged
	}{
		"OpenSearchOfAnother": {
			"A service of another namespace.",
			func() resource.ModernManaged {
				u := te.searcher("opensearch")
				u.Namespace = evil.namespace
				u.Spec.ForProvider.ServiceName = te.openSearch()
				return u
			}(),
		},
		"ValkeyOfAnother": {
			"A service of another namespace.",
			evil.user("valkey", func(u *v1alpha1.ValkeyServiceUser) { u.Spec.ForProvider.ServiceName = te.valkey("cache") }),
		},
		"NoPool": {
			"A Kafka service that is no pool.",
			evil.kafkaUser("no-pool", func(u *v1alpha1.KafkaServiceUser) { u.Spec.ForProvider.ServiceName = "kafka-without-a-pool" }),
		},
		"OtherKind": {
			"A service in another kind's clothes.",
			evil.kafkaUser("other-kind", func(u *v1alpha1.KafkaServiceUser) { u.Spec.ForProvider.ServiceName = te.valkey("cache") }),
		},
		"Builtin": {"The user that is built into Kafka.", evil.kafkaUser("builtin", of("avnadmin", nil))},
		"BuiltinValkey": {"The user that is built into Valkey, also of a service of one's own.", evil.user("builtin-valkey", func(u *v1alpha1.ValkeyServiceUser) {
			u.Spec.ForProvider.ServiceName = own
			meta.SetExternalName(u, "default")
		})},
		"UserOfAnother": {"A user of another application.", evil.kafkaUser("user", of(victim, nil))},
		"ACLOfAnother":  {"A name that matches another application's ACL.", evil.kafkaUser("acl", of(prefix+"evil", nil))},
		"Application":   {"An application that is another namespace's.", evil.kafkaUser("application", of(victim, map[string]string{v1.AnnotationApplication: "orders"}))},
		"Generated": {
			"One that claims that the provider made up the name.",
			evil.kafkaUser("generated", of(victim, map[string]string{v1.AnnotationGeneratedUsername: victim, v1.AnnotationApplication: "orders"})),
		},
		"Pending": {
			"One that claims that the user was about to be created.",
			evil.kafkaUser("pending", of(victim, map[string]string{
				v1.AnnotationGeneratedUsername: victim, v1.AnnotationApplication: "orders", meta.AnnotationKeyExternalCreatePending: "2020-01-01T00:00:00Z",
			})),
		},
		"Underscores": {
			"An application whose name reaches into what is made up for others.",
			evil.kafkaUser("underscores", of(prefix+"evil", map[string]string{v1.AnnotationApplication: "x_" + prefix})),
		},
		"ObserveOnly": {
			"One that only wants to look.",
			evil.kafkaUser("observe", of(victim, nil), func(u *v1alpha1.KafkaServiceUser) {
				u.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve}
			}),
		},
	}
	written := len(writesTo(te.project))
	for name, tc := range cases {
		tc.mg.SetWriteConnectionSecretToReference(&xpv2.LocalSecretReference{Name: tc.mg.GetName() + "-conn"})
		evil.create(tc.mg)
		if m := evil.refused(tc.mg, v1.ReasonNotAllowed); !strings.Contains(m, te.config) {
			t.Errorf("%s: %s Synced does not name the configuration: %s", name, tc.reason, m)
		}
	}
	for name, tc := range cases {
		evil.noSecret(tc.mg.GetName() + "-conn")
		evil.delete(tc.mg)
		gone(t, tc.mg)
		if diff := cmp.Diff(users, te.all()); diff != "" {
			t.Fatalf("%s: %s Users when it is gone: -want, +got:\n%s", name, tc.reason, diff)
		}
	}
	if got := writesTo(te.project); len(got) != written {
		t.Errorf("managed resources that were refused led to %v", got[written:])
	}
	te.works(secret)

	// Who was refused a user does not keep it from going either.
	keeps := evil.kafkaUser("keeps", of(victim, nil))
	evil.create(keeps)
	evil.refused(keeps, v1.ReasonNotAllowed)
	te.delete(te.app("orders"))
	te.nobodyLeft()
	evil.delete(keeps)
	gone(t, keeps)
}
