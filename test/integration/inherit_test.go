// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/username"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// ofAivenator makes a Secret as aivenator leaves it, with users that it made at
// Aiven under names of its own, and returns the names.
func (te tenant) ofAivenator(app string, change func(s *corev1.Secret)) (kafka, openSearch, valkey string) {
	te.t.Helper()
	ns := te.namespace
	k := h.Sim.AddUser(te.project, "kafka", username.Prefix(ns, app)+"old")
	o := h.Sim.AddUser(te.project, te.openSearch(), ns+"-rw-9b1c2d")
	v := h.Sim.AddUser(te.project, te.valkey("cache"), app+"-cache-r-2026-04")
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ns, Name: app + "-aiven", Finalizers: []string{v1.FinalizerAivenator},
			Labels: map[string]string{"app": app, "team": ns, "type": "aivenator.aiven.nais.io"},
		},
		Data: map[string][]byte{
			"KAFKA_SCHEMA_REGISTRY_USER": []byte(k.Username), "KAFKA_SCHEMA_REGISTRY_PASSWORD": []byte(k.Password), "KAFKA_CERTIFICATE": []byte(k.AccessCert),
			"OPEN_SEARCH_USERNAME": []byte(o.Username), "OPEN_SEARCH_PASSWORD": []byte(o.Password),
			"REDIS_USERNAME_CACHE": []byte(v.Username), "REDIS_PASSWORD_CACHE": []byte(v.Password),
		},
	}
	if change != nil {
		change(s)
	}
	te.create(s)
	return k.Username, o.Username, v.Username
}

// TestInherits: moving from aivenator changes no credential.
func TestInherits(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "inherit")
	kafka, openSearch, valkey := te.ofAivenator("orders", nil)
	before := te.secret("orders-aiven")

	te.create(te.app("orders", func(a *v1.AivenApplication) {
		a.Spec.Valkey = []v1.ValkeySpec{{Instance: "cache"}}
		shortOverlap(a)
	}))
	te.ready("orders")
	after := te.keeps(before)
	te.left(kafka, openSearch, valkey)
	if slices.Contains(after.Finalizers, v1.FinalizerAivenator) {
		t.Error("aivenator's finalizer stays, and nobody would remove it")
	}
	if got := te.rules(openSearch); len(got) == 0 {
		t.Error("the OpenSearch user has no rules")
	}

	// From here on they are like all others.
	te.change("orders", request("one"))
	te.revision("orders", 2, true)
	te.works(te.secret("orders-aiven"))
	for _, u := range []string{kafka, openSearch, valkey} {
		if slices.Contains(te.made(), u) {
			t.Errorf("%s was replaced and is still there", u)
		}
	}
	te.delete(te.app("orders"))
	te.left()
}

// TestInheritsLater: nor does it when Aiven cannot say at first whose the users are.
func TestInheritsLater(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		// begin is what is wrong until the returned function is called.
		begin func(te tenant) (end func())
	}{
		"Unavailable": {"Services that cannot be read now can be later.", func(te tenant) func() {
			return h.Sim.Inject(aivensim.Fault{Operation: "GetService", Project: te.project, Status: 503})
		}},
		"Slow": {"Nor is anybody in a hurry.", func(te tenant) func() {
			slow := make(chan struct{})
			remove := h.Sim.Inject(aivensim.Fault{Operation: "GetService", Project: te.project, Hook: func(*http.Request) { <-slow }})
			return func() {
				remove()
				close(slow)
			}
		}},
		"Redacted": {"A token that does not get to see passwords may do so later.", func(te tenant) func() {
			h.Sim.AddToken(aivensim.Token{Token: te.token + "-ro", Permissions: "read_only"})
			te.edit("token", te.token+"-ro")
			return func() { te.edit("token", te.token) }
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			te := newTenant(t, "lateheir")
			kafka, openSearch, valkey := te.ofAivenator("orders", nil)
			before := te.secret("orders-aiven")
			end := sync.OnceFunc(tc.begin(te))
			t.Cleanup(end)
			te.create(te.app("orders", func(a *v1.AivenApplication) { a.Spec.Valkey = []v1.ValkeySpec{{Instance: "cache"}} }))
			harness.Eventually(t, "there are managed resources", func(ctx context.Context) error {
				if n := len(te.managed(ctx)); n != 3 {
					return errors.Errorf("there are %d", n)
				}
				return nil
			})
			end()
			te.ready("orders")
			te.keeps(before)
			te.left(kafka, openSearch, valkey)
		})
	}
}

// keeps fails the test unless a Secret has what it had, and works.
func (te tenant) keeps(before *corev1.Secret) *corev1.Secret {
	te.t.Helper()
	after := te.secret(before.Name)
	te.works(after)
	for key, want := range before.Data {
		if diff := cmp.Diff(want, after.Data[key]); diff != "" {
			te.t.Errorf("%s changed", key)
		}
	}
	return after
}

// TestInheritsNothing: anybody may write a Secret that looks like one of
// aivenator's.
func TestInheritsNothing(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		change func(te tenant, s *corev1.Secret)
	}{
		"WrongPassword": {"Who does not know the password of a user does not get the user.", func(_ tenant, s *corev1.Secret) {
			for _, k := range []string{"KAFKA_SCHEMA_REGISTRY_PASSWORD", "OPEN_SEARCH_PASSWORD", "REDIS_PASSWORD_CACHE"} {
				s.Data[k] = []byte("<redacted>")
			}
		}},
		"BuiltIn": {"The built-in user is nobody's.", func(te tenant, s *corev1.Secret) {
			for key, service := range map[string]string{"KAFKA_SCHEMA_REGISTRY": "kafka", "OPEN_SEARCH": te.openSearch(), "REDIS": te.valkey("cache")} {
				u := te.builtIn(service)
				user, password := map[string]string{"KAFKA_SCHEMA_REGISTRY": key + "_USER", "REDIS": key + "_USERNAME_CACHE", "OPEN_SEARCH": key + "_USERNAME"}[key], key+"_PASSWORD"
				if key == "REDIS" {
					password += "_CACHE"
				}
				s.Data[user], s.Data[password] = []byte(u.Username), []byte(u.Password)
			}
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			te := newTenant(t, "noheir")
			kafka, openSearch, valkey := te.ofAivenator("orders", func(s *corev1.Secret) { tc.change(te, s) })
			te.create(te.app("orders", func(a *v1.AivenApplication) { a.Spec.Valkey = []v1.ValkeySpec{{Instance: "cache"}} }))
			te.ready("orders")
			s := te.secret("orders-aiven")
			te.works(s)
			for _, mg := range te.managed(t.Context()) {
				if a := mg.GetAnnotations(); a[v1.AnnotationGeneratedUsername] != a["crossplane.io/external-name"] {
					t.Errorf("%s: %s is of user %s", tc.reason, mg.GetName(), a["crossplane.io/external-name"])
				}
			}
			te.delete(te.app("orders"))
			te.left(kafka, openSearch, valkey)
		})
	}
}

// TestForgedClaim: a person who writes managed resources gains nothing by the
// annotation, nor by how old the managed resource is.
func TestForgedClaim(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "forged")
	victim := h.Sim.AddUser(te.project, "kafka", "somebody")
	for name, claim := range map[string]string{
		"guess":   "0000000000000000000000000000000000000000000000000000000000000000",
		"another": username.Proof(te.namespace, "elsewhere", victim.Username, victim.Password),
	} {
		u := te.kafkaUser(name)
		u.Annotations = map[string]string{
			"crossplane.io/external-name": victim.Username, v1.AnnotationInherited: claim,
			"crossplane.io/external-create-pending": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339),
		}
		te.create(u)
		te.refused(u, v1.ReasonUsernameTaken)
		te.delete(u)
		gone(t, u)
	}
	nobody := te.kafkaUser("nobody")
	nobody.Annotations = map[string]string{"crossplane.io/external-name": "made-up", v1.AnnotationInherited: "x"}
	te.create(nobody)
	te.refused(nobody, v1.ReasonUsernameTaken)
	if _, found := h.Sim.User(te.project, "kafka", "made-up"); found {
		t.Error("a user of any name was made")
	}
	te.delete(nobody)
	gone(t, nobody)
	if _, found := h.Sim.User(te.project, "kafka", victim.Username); !found {
		t.Error("somebody's user was deleted")
	}
}

// made returns the names of all users but the built-in ones, however they were made.
func (te tenant) made() []string {
	var out []string
	for _, service := range []string{"kafka", te.openSearch(), te.valkey("sessions"), te.valkey("cache")} {
		for _, u := range h.Sim.Users(te.project, service) {
			if u.Type != "primary" {
				out = append(out, u.Username)
			}
		}
	}
	slices.Sort(out)
	return out
}

// left waits until Aiven has these users, and none but the built-in ones beside.
func (te tenant) left(users ...string) {
	te.t.Helper()
	slices.Sort(users)
	harness.Eventually(te.t, "the users at Aiven are as they should be", func(context.Context) error {
		if diff := cmp.Diff(users, te.made(), cmpopts.EquateEmpty()); diff != "" {
			return errors.Errorf("-want, +got:\n%s", diff)
		}
		return nil
	})
}

// builtIn returns the user that a service came with.
func (te tenant) builtIn(service string) aivensim.User {
	te.t.Helper()
	for _, u := range h.Sim.Users(te.project, service) {
		if u.Type == "primary" {
			return u
		}
	}
	te.t.Fatalf("%s has no built-in user", service)
	return aivensim.User{}
}
