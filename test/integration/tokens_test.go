// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"slices"
	"strings"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
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

// healthy waits until a configuration says of its token what is given.
func (te tenant) healthy(pc client.Object, status corev1.ConditionStatus, reason xpv2.ConditionReason, message string) *v1alpha1.TokenStatus {
	te.t.Helper()
	var s *v1alpha1.ProviderConfigStatus
	switch o := pc.(type) {
	case *v1alpha1.ProviderConfig:
		s = &o.Status
	case *v1alpha1.ClusterProviderConfig:
		s = &o.Status
	}
	harness.Eventually(te.t, pc.GetName()+" is "+string(reason), func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(pc), pc); err != nil {
			return err
		}
		c := s.GetCondition(v1alpha1.TypeHealthy)
		if c.Status != status || c.Reason != reason || !strings.Contains(c.Message, message) || c.ObservedGeneration != pc.GetGeneration() {
			return errors.Errorf("Healthy is %s for generation %d: %s: %s", c.Status, c.ObservedGeneration, c.Reason, c.Message)
		}
		return nil
	})
	return s.Token
}

// own makes a configuration of the team itself, with its token in a Secret, and waits
// until the provider has seen it.
func (te tenant) own(secret string, with ...func(pc *v1alpha1.ProviderConfig)) *v1alpha1.ProviderConfig {
	te.t.Helper()
	pc := &v1alpha1.ProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: te.namespace},
		Spec: v1alpha1.ProviderConfigSpec{
			Credentials:     v1alpha1.LocalCredentials{SecretRef: localSecretKey(secret, "token")},
			ServiceSettings: v1alpha1.ServiceSettings{BaseURL: h.URL, Project: te.project, KafkaPools: []v1alpha1.KafkaPool{{Name: "pool", Project: te.project}}},
		},
	}
	for _, w := range with {
		w(pc)
	}
	te.create(pc)
	te.seen(pc)
	return pc
}

// secretWith makes a Secret with a token.
func (te tenant) secretWith(name, token string) *corev1.Secret {
	te.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace}, Data: map[string][]byte{"token": []byte(token)}}
	te.create(s)
	return s
}

// edit replaces the token in a Secret.
func (te tenant) edit(name, token string) {
	te.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: te.namespace, Name: name}}
	harness.Update(te.t, h.Kube, s, func(s *corev1.Secret) { s.Data["token"] = []byte(token) })
}

// kept waits until a Secret has the finalizer, or has it no more.
func (te tenant) kept(name string, want bool) {
	te.t.Helper()
	harness.Eventually(te.t, "the finalizer of Secret "+name+" is as it should", func(ctx context.Context) error {
		s := &corev1.Secret{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, s); err != nil {
			return err
		}
		if got := slices.Contains(s.GetFinalizers(), v1alpha1.FinalizerToken); got != want {
			return errors.Errorf("finalizers are %v", s.GetFinalizers())
		}
		return nil
	})
}

// ofTeam has an application use the configuration of its namespace.
func ofTeam(a *v1.AivenApplication) { a.Spec.ProviderConfigRef = nil }

func onlyKafka(a *v1.AivenApplication) { a.Spec.OpenSearch, a.Spec.Valkey = nil, nil }

func TestTokenIsGood(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "good")
	pc := te.central()
	s := te.healthy(pc, corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted, "Reads project "+te.project+".")
	if s == nil || s.CheckedAt.IsZero() || len(s.Projects) != 1 || s.Projects[0].ReadServices != "Yes" || s.Projects[0].WriteUsers != "" {
		t.Errorf("status.token: want one project whose services can be read, got %+v", s)
	}

	// Revoked: the traffic tells, and tells when it is accepted again.
	te.create(te.app("orders", onlyKafka))
	te.ready("orders")
	te.kept("token", true)
	h.Sim.RevokeToken(te.token)
	te.healthy(pc, corev1.ConditionFalse, v1alpha1.ReasonTokenRejected, "Secret "+te.namespace+"/token")
	h.Sim.AddToken(aivensim.Token{Token: te.token})
	te.healthy(pc, corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted, "Reads project")

	// Replaced: the new token is looked at when the Secret is edited.
	h.Sim.AddToken(aivensim.Token{Token: te.token + "-new"})
	h.Sim.RevokeToken(te.token)
	te.healthy(pc, corev1.ConditionFalse, v1alpha1.ReasonTokenRejected, "")
	te.edit("token", te.token+"-new")
	s = te.healthy(pc, corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted, "Reads project")
	if s == nil || len(s.Projects) != 1 {
		t.Errorf("status.token: want one project, got %+v", s)
	}

	te.delete(te.app("orders"))
	te.nobodyLeft()
	te.kept("token", false)
}

func TestTokenIsNotGood(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "notgood")
	h.Sim.AddToken(aivensim.Token{Token: te.token + "-elsewhere", Projects: []string{"another-project"}})

	pc := te.own("mine")
	te.healthy(pc, corev1.ConditionFalse, v1alpha1.ReasonNoToken, "Secret "+te.namespace+"/mine does not exist")
	te.secretWith("mine", "never-issued-by-aiven")
	te.healthy(pc, corev1.ConditionFalse, v1alpha1.ReasonTokenRejected, "Secret "+te.namespace+"/mine")
	te.edit("mine", "no token has blanks")
	te.healthy(pc, corev1.ConditionFalse, v1alpha1.ReasonNoToken, "holds more than a token")
	te.edit("mine", te.token+"-elsewhere")
	s := te.healthy(pc, corev1.ConditionFalse, v1alpha1.ReasonProjectOutOfReach, te.project)
	if s == nil || len(s.Projects) != 1 || s.Projects[0].ReadServices != "No" {
		t.Errorf("status.token: want one project whose services cannot be read, got %+v", s)
	}
	te.event(pc, string(v1alpha1.ReasonProjectOutOfReach))

	te.edit("mine", te.token)
	te.healthy(pc, corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted, "Reads project")
	te.event(pc, string(v1alpha1.ReasonTokenAccepted))

	pc = harness.Update(t, h.Kube, pc, func(pc *v1alpha1.ProviderConfig) { pc.Spec.BaseURL = "https://collector.example.com" })
	te.healthy(pc, corev1.ConditionFalse, v1alpha1.ReasonNotAllowed, "--allowed-base-urls")
	te.kept("mine", false)
}

func TestTokenOutlivesDeletion(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "outlives")
	pc := te.own("mine")
	mine := te.secretWith("mine", te.token)
	te.create(te.app("orders", ofTeam))
	te.create(te.app("billing", ofTeam, onlyKafka))
	te.ready("orders")
	te.ready("billing")
	te.kept("mine", true)

	te.delete(mine)
	te.event(mine, "TokenInUse")
	te.healthy(pc, corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted, "is being deleted")
	// It is in use until then, also by who comes now, and can be edited.
	h.Sim.AddToken(aivensim.Token{Token: te.token + "-new"})
	te.edit("mine", te.token+"-new")
	h.Sim.RevokeToken(te.token)
	te.create(te.app("later", ofTeam, onlyKafka))
	te.ready("later")
	te.works(te.secret("later-aiven"))

	te.delete(te.app("orders"))
	te.delete(te.app("billing"))
	gone(t, te.app("orders"))
	gone(t, te.app("billing"))
	te.kept("mine", true)
	te.delete(te.app("later"))
	te.nobodyLeft()
	gone(t, mine)
	te.healthy(pc, corev1.ConditionFalse, v1alpha1.ReasonNoToken, "does not exist")
}

// TestTokenOfManagedResource: a Secret that only a managed resource points to.
func TestTokenOfManagedResource(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "broughtalong")
	mine := te.secretWith("mine", te.token)
	te.create(te.app("orders", onlyKafka, func(a *v1.AivenApplication) { a.Spec.AuthSecretRef = new(localSecretKey("mine", "token")) }))
	te.ready("orders")
	te.kept("mine", true)
	te.kept("token", false)
	te.delete(mine)
	te.event(mine, "TokenInUse")
	te.delete(te.app("orders"))
	te.nobodyLeft()
	gone(t, mine)
}

// TestTokenNamespaceDeletion deletes everything at once, the tokens included: the
// team's own, and one that an application brought.
func TestTokenNamespaceDeletion(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "tokensgo")
	te.team()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: te.namespace}}
	te.delete(ns)
	gone(t, ns)
	te.nobodyLeft()
}

// TestTokenNamespaceDeletionRestarted has nothing in memory but what it finds.
func TestTokenNamespaceDeletionRestarted(t *testing.T) {
	te := newTenant(t, "tokensgone")
	te.team()
	// One that was kept for somebody who went while no provider ran.
	left := te.secretWith("left", te.token)
	if err := h.StopProvider(); err != nil {
		t.Fatalf("cannot stop the provider: %v", err)
	}
	harness.Update(t, h.Kube, left, func(s *corev1.Secret) {
		s.Finalizers = []string{v1alpha1.FinalizerToken, "example.com/of-somebody-else"}
	})
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: te.namespace}}
	te.delete(ns)
	harness.Eventually(t, "the tokens wait", func(ctx context.Context) error {
		for _, name := range []string{"mine", "brought", "left"} {
			s := &corev1.Secret{}
			if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, s); kerrors.IsNotFound(err) {
				t.Fatalf("the token is gone before its users: %v", err)
			} else if err != nil {
				return err
			}
			if s.GetDeletionTimestamp().IsZero() {
				return errors.Errorf("Secret %s is not being deleted yet", name)
			}
		}
		return nil
	})
	h.StartProvider()
	te.nobodyLeft()
	te.kept("left", false)
	left = te.secret("left")
	if want := []string{"example.com/of-somebody-else"}; !slices.Equal(left.GetFinalizers(), want) {
		t.Errorf("finalizers: want %v, got %v", want, left.GetFinalizers())
	}
	harness.Update(t, h.Kube, left, func(s *corev1.Secret) { s.Finalizers = nil })
	gone(t, ns)
}

// TestTokenSurvivesRestart deletes the token, and then the users, with a provider
// that never had the token in memory before.
func TestTokenSurvivesRestart(t *testing.T) {
	te := newTenant(t, "survives")
	pc := te.own("mine")
	mine := te.secretWith("mine", te.token)
	te.create(te.app("orders", ofTeam))
	te.ready("orders")
	te.kept("mine", true)
	te.delete(mine)
	te.delete(pc)
	restart(t)
	te.healthy(pc, corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted, "is being deleted")
	te.delete(te.app("orders"))
	te.nobodyLeft()
	gone(t, mine)
	gone(t, pc)
}

// team gives the namespace a configuration and applications of its own, one of
// which brings its token.
func (te tenant) team() {
	te.t.Helper()
	te.own("mine")
	te.secretWith("mine", te.token)
	te.secretWith("brought", te.token)
	te.create(te.app("orders", ofTeam))
	te.create(te.app("billing", ofTeam, func(a *v1.AivenApplication) { a.Spec.AuthSecretRef = new(localSecretKey("brought", "token")) }))
	te.ready("orders")
	te.ready("billing")
	te.kept("mine", true)
	te.kept("brought", true)
}
