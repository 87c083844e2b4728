// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/username"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// TestReasons breaks one thing at a time. Each must have its own reason and a
// message that names what to mend, and pass by itself when it is mended.
func TestReasons(t *testing.T) {
	t.Parallel()
	blocker := func(te tenant) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-aiven", Namespace: te.namespace}, Data: map[string][]byte{"mine": []byte("untouched")}}
	}

	cases := map[string]struct {
		reason  string
		app     func(a *v1.AivenApplication)
		breaks  func(te tenant)
		mends   func(te tenant)
		want    xpv2.ConditionReason
		message string
	}{
		"PoolNotConfigured": {
			reason:  "A pool that the configuration does not list is refused.",
			app:     func(a *v1.AivenApplication) { a.Spec.Kafka.Pool = "other" },
			want:    v1.ReasonPoolNotConfigured,
			message: "other",
			mends: func(te tenant) {
				te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) {
					s.KafkaPools = append(s.KafkaPools, v1alpha1.KafkaPool{Name: "other", Project: te.project})
				})
			},
		},
		"NoProject": {
			reason: "OpenSearch and Valkey need a project.",
			breaks: func(te tenant) {
				te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) { s.Project = "" })
			},
			want: v1.ReasonInvalidConfiguration, message: "has no project",
			mends: func(te tenant) {
				te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) { s.Project = te.project })
			},
		},
		"InstanceDoesNotExist": {
			reason: "An instance without a service at Aiven is named.",
			breaks: func(te tenant) { h.Sim.RemoveService(te.project, te.valkey("cache")) },
			want:   v1.ReasonServiceNotFound, message: "has no service",
			mends: func(te tenant) {
				h.Sim.AddService(te.project, aivensim.Service{Name: te.valkey("cache"), Type: "valkey"})
			},
		},
		"PoweredOff": {
			reason: "A service that is powered off is waited for.",
			breaks: func(te tenant) { h.Sim.SetServiceState(te.project, te.openSearch(), "POWEROFF") },
			want:   v1.ReasonServiceNotRunning, message: "is not running",
			mends: func(te tenant) { h.Sim.SetServiceState(te.project, te.openSearch(), "RUNNING") },
		},
		"Quota": {
			reason: "A service without room for a user says so.",
			breaks: func(te tenant) { h.Sim.SetUserLimit(te.project, "kafka", 1) },
			want:   v1.ReasonQuotaExceeded, message: "no room",
			mends: func(te tenant) { h.Sim.SetUserLimit(te.project, "kafka", 50) },
		},
		"SecretConflict": {
			reason: "A Secret that is not ours is not touched.",
			breaks: func(te tenant) { te.create(blocker(te)) },
			want:   v1.ReasonSecretConflict, message: "not touched",
			mends: func(te tenant) {
				if got := string(te.secret("orders-aiven").Data["mine"]); got != "untouched" {
					te.t.Errorf("somebody else's Secret was changed: %q", got)
				}
				if err := h.Kube.Delete(te.t.Context(), blocker(te)); err != nil {
					te.t.Fatal(err)
				}
			},
		},
		"TokenRejected": {
			reason: "A token that Aiven does not accept is told without its value, and a new one works without a restart.",
			breaks: func(te tenant) { te.edit("token", "a-token-that-nobody-knows") },
			want:   v1.ReasonTokenRejected, message: "token",
			mends: func(te tenant) { te.edit("token", te.token) },
		},
		"NoToken": {
			reason: "An empty token is no token.",
			breaks: func(te tenant) { te.edit("token", " \n") },
			want:   v1.ReasonNoToken, message: "no Aiven token",
			mends: func(te tenant) { te.edit("token", te.token) },
		},
		"NoConfig": {
			reason:  "A configuration that does not exist is named.",
			app:     func(a *v1.AivenApplication) { a.Spec.ProviderConfigRef.Name += "-later" },
			want:    v1.ReasonNoToken,
			message: "ClusterProviderConfig",
			mends: func(te tenant) {
				pc := &v1alpha1.ClusterProviderConfig{}
				if err := h.Kube.Get(te.t.Context(), client.ObjectKey{Name: te.config}, pc); err != nil {
					te.t.Fatal(err)
				}
				te.create(&v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: te.config + "-later"}, Spec: pc.Spec})
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			te := newTenant(t, "reasons")
			if tc.breaks != nil {
				tc.breaks(te)
			}
			a := te.app("orders")
			if tc.app != nil {
				tc.app(a)
			}
			te.create(a)
			c := te.notReady("orders", tc.want)
			if !strings.Contains(c.Message, tc.message) {
				t.Errorf("%s: message %q does not contain %q", tc.reason, c.Message, tc.message)
			}
			if strings.Contains(c.Message, te.token) {
				t.Errorf("the message contains the token")
			}
			tc.mends(te)
			te.ready("orders")
			te.works(te.secret("orders-aiven"))
		})
	}
}

func TestCreateWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
	}{
		"ServerError":      {"A 500 after the user was made.", aivensim.Fault{Operation: "CreateUser", Status: 500, Message: "oops", After: true, Count: 1}},
		"ConnectionClosed": {"The connection closes after the user was made.", aivensim.Fault{Operation: "CreateUser", CloseConnection: true, After: true, Count: 1}},
		"CutBody":          {"The answer is cut in the middle.", aivensim.Fault{Operation: "CreateUser", CutBody: true, Count: 1}},
		"EmptyBody":        {"A 200 without a body.", aivensim.Fault{Operation: "CreateUser", EmptyBody: true, After: true, Count: 1}},
		"Hang":             {"No answer at all.", aivensim.Fault{Operation: "CreateUser", Hang: true, After: true, Count: 1}},
		"ServerErrorFirst": {"A 503 before anything was done.", aivensim.Fault{Operation: "CreateUser", Status: 503, HTML: true, Count: 2}},
		// A lower limit than this one, which is believed, would be used up by the polls, which are fast here.
		"RateLimited": {"A 429 with a hint in the text.", aivensim.Fault{Operation: "CreateUser", Status: 429, Message: "The user has sent too many requests in a given amount of time: Rate limit 1200 exceeded - try again in 1s", Count: 1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			te := newTenant(t, "lost")
			tc.fault.Project, tc.fault.Service = te.project, "kafka"
			t.Cleanup(h.Sim.Inject(tc.fault))
			te.create(te.app("orders"))
			te.ready("orders")
			te.works(te.secret("orders-aiven"))
			if n := te.users("kafka"); len(n) != 1 {
				t.Errorf("%s: want one user, got %v", tc.reason, n)
			}
		})
	}
}

func TestUsernameOfSomebodyElse(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "taken")
	a := te.app("orders", func(a *v1.AivenApplication) {
		a.Spec.OpenSearch, a.Spec.Valkey = nil, nil
		a.Spec.Kafka.Pool = "later"
	})
	te.create(a)
	te.notReady("orders", v1.ReasonPoolNotConfigured)

	// The name that the application is about to choose is taken.
	in := username.Input{Namespace: te.namespace, Name: "orders", UID: string(a.GetUID()), Service: "kafka@" + te.project + "/kafka", Revision: 1}
	first := username.For(in)
	other := h.Sim.AddUser(te.project, "kafka", first)
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.Kafka.Pool = "pool" })
	te.ready("orders")
	s := te.secret("orders-aiven")
	te.works(s)
	if got := string(s.Data["KAFKA_SCHEMA_REGISTRY_USER"]); got == first || !strings.HasPrefix(got, username.Prefix(te.namespace, "orders")) {
		t.Errorf("username: got %s, want another one than %s with the same prefix", got, first)
	}
	if err := h.Kube.Delete(t.Context(), te.app("orders")); err != nil {
		t.Fatal(err)
	}
	te.nobodyLeft()
	if u, ok := h.Sim.User(te.project, "kafka", first); !ok || u.Password != other.Password {
		t.Error("the user of somebody else was changed or deleted")
	}
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "redacted")
	te.create(te.app("orders"))
	te.ready("orders")
	before := te.secret("orders-aiven")

	h.Sim.AddToken(aivensim.Token{Token: te.token + "-ro", Permissions: "read_only"})
	te.edit("token", te.token+"-ro")
	c := te.notReady("orders", v1.ReasonCredentialsRedacted)
	if !strings.Contains(c.Message, "service:secrets:read") {
		t.Errorf("message %q does not say which right is missing", c.Message)
	}
	after := te.secret("orders-aiven")
	te.works(after)
	if after.GetResourceVersion() != before.GetResourceVersion() {
		t.Error("a complete Secret was changed although nothing better was known")
	}
}

func TestOpenSearchRulesUnderLoad(t *testing.T) {
	t.Parallel()
	const n = 200
	te := newTenant(t, "rules")
	addRow := func(acl aivensim.OpenSearchACLConfig, user string) {
		acl.ACLs = append(slices.Clone(acl.ACLs), aivensim.OpenSearchACL{Username: user, Rules: []aivensim.OpenSearchACLRule{{Index: "x", Permission: "read"}}})
		h.Sim.SetOpenSearchACL(te.project, te.openSearch(), acl)
	}
	addRow(h.Sim.OpenSearchACL(te.project, te.openSearch()), "before")

	// A person adds a row whenever the provider is about to read the document.
	var people atomic.Int64
	t.Cleanup(h.Sim.Inject(aivensim.Fault{
		Operation: "GetOpenSearchACL", Project: te.project, Count: 3,
		Hook: func(*http.Request) {
			addRow(h.Sim.OpenSearchACL(te.project, te.openSearch()), fmt.Sprintf("person-%d", people.Add(1)))
		},
	}))
	var stale aivensim.OpenSearchACLConfig
	for i := range n {
		te.create(te.app(fmt.Sprintf("app-%d", i), func(a *v1.AivenApplication) { a.Spec.Kafka, a.Spec.Valkey = nil, nil }))
		switch i {
		case n / 2:
			harness.Eventually(t, "somebody has added a row", func(context.Context) error {
				stale = h.Sim.OpenSearchACL(te.project, te.openSearch())
				if !slices.ContainsFunc(stale.ACLs, func(r aivensim.OpenSearchACL) bool { return r.Username == "person-1" }) {
					return errors.Errorf("there is none among %d", len(stale.ACLs))
				}
				return nil
			})
		case n - 1:
			// Somebody writes back a document that was read long ago, also just
			// before the provider reads it.
			t.Cleanup(h.Sim.Inject(aivensim.Fault{
				Operation: "GetOpenSearchACL", Project: te.project, Count: 1,
				Hook: func(*http.Request) { addRow(stale, "late") },
			}))
		}
	}
	// So many applications take a slow machine longer than one does.
	harness.Within(t, 3*harness.Patience, "every user has its rules", func(context.Context) error {
		users, rows := te.users(te.openSearch()), map[string]int{}
		for _, r := range h.Sim.OpenSearchACL(te.project, te.openSearch()).ACLs {
			rows[r.Username]++
		}
		missing := 0
		for _, u := range users {
			if rows[u] != 1 {
				missing++
			}
		}
		if len(users) != n || missing > 0 || rows["before"] != 1 || rows["late"] != 1 || rows["person-1"] != 1 {
			return errors.Errorf("%d users, %d of them without rules; rows of others: before %d, late %d, person-1 %d", len(users), missing, rows["before"], rows["late"], rows["person-1"])
		}
		return nil
	})
}
