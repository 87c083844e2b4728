// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// operations of the API that the provider uses.
var operations = []string{
	"ListProjects", "ListServices", "GetService", "GetProjectCA", "CreateUser", "UpdateUser", "DeleteUser",
	"GetOpenSearchACL", "UpdateOpenSearchACL", "GetOpenSearchSecurity",
	"AddKafkaACL", "DeleteKafkaACL", "AddSchemaRegistryACL", "DeleteSchemaRegistryACL",
}

// kafkaAccess asks for topics and subjects.
func kafkaAccess(a *v1.AivenApplication) {
	a.Spec.Kafka.ACL = []v1.KafkaTopicAccess{{Topic: "events", Access: v1.AccessReadWrite}}
	a.Spec.Kafka.SchemaRegistry = []v1.KafkaSubjectAccess{{Subject: "events-value", Access: v1.AccessWrite}}
}

// TestCanary has Aiven quote the token and passwords in its answers to every operation, throughout the
// life of an application: each goes wrong once for each thing that is done. At the end
// of all tests everything that was written for people is searched for them.
func TestCanary(t *testing.T) {
	t.Parallel()
	// There is nothing to delete of what Aiven says does not exist.
	believed := []string{"DeleteKafkaACL", "DeleteSchemaRegistryACL"}
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
		not    []string
	}{
		"ServerError": {"A text that nobody expected.", aivensim.Fault{}, nil},
		"Invalid":     {"A request that is refused is quoted.", aivensim.Fault{Status: http.StatusBadRequest, Message: "Invalid input"}, nil},
		"Forbidden":   {"So is the token that may not do it.", aivensim.Fault{Status: http.StatusForbidden}, nil},
		"Conflict":    {"Or what it gets in the way of.", aivensim.Fault{Status: http.StatusConflict, Message: "Conflicting request"}, nil},
		"NotFound":    {"Or one that does not.", aivensim.Fault{Status: http.StatusNotFound, Message: "Something does not exist"}, believed},
		"After":       {"The answer of what was done all the same.", aivensim.Fault{After: true}, nil},
		"In200":       {"Errors in an answer that is good otherwise.", aivensim.Fault{ErrorsIn200: true}, nil},
		"HTML":        {"A page of a proxy.", aivensim.Fault{HTML: true}, nil},
		"HTMLIn200":   {"A page that says that all is well.", aivensim.Fault{HTML: true, Status: http.StatusOK}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { // One at a time: each has everything tried again for a while.
			te := newTenant(t, "canary")
			used := slices.DeleteFunc(slices.Clone(operations), func(op string) bool { return slices.Contains(tc.not, op) })
			te.create(&corev1.Secret{ObjectMeta: te.user("brought").ObjectMeta, Data: map[string][]byte{"token": []byte(te.issue("brought"))}})
			round := 0
			goesWrong := func() {
				round++
				for _, op := range used {
					if op == "ListProjects" && round != 2 {
						continue // Before anything else is asked, and again after a minute only.
					}
					f := tc.fault
					f.Operation, f.EchoSecrets, f.Count = op, true, 1
					if op != "ListProjects" {
						f.Project = te.project
					}
					t.Cleanup(h.Sim.Inject(f))
				}
			}

			goesWrong()
			te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) {
				s.KafkaPools[0].Topics, s.KafkaPools[0].Subjects = []string{"events"}, []string{"events-value"}
			})
			te.create(te.app("orders", kafkaAccess, shortOverlap))
			te.create(te.app("billing", func(a *v1.AivenApplication) { a.Spec.AuthSecretRef = new(localSecretKey("brought", "token")) }))
			te.create(te.user("reports", func(u *v1alpha1.ValkeyServiceUser) { u.Spec.ForProvider.Categories = []string{"+@read"} }))
			te.ready("orders")
			te.ready("billing")
			te.becomes("reports", xpv2.TypeReady, corev1.ConditionTrue, "")

			goesWrong()
			te.change("orders", request("2026-01-01T00:00:00Z"))
			te.revision("orders", 2, true)

			// What is changed behind the provider's back is mended through answers that quote.
			goesWrong()
			changed := te.users(te.valkey("cache"))[0]
			h.Sim.SetAccessControl(te.project, te.valkey("cache"), changed, aivensim.AccessControl{})
			h.Sim.SetOpenSearchACL(te.project, te.openSearch(), aivensim.OpenSearchACLConfig{Enabled: true})
			te.change("orders", func(a *v1.AivenApplication) { a.Spec.Kafka.SchemaRegistry = nil })
			te.ready("orders")
			harness.Eventually(t, "it is mended", func(context.Context) error {
				if u, _ := h.Sim.User(te.project, te.valkey("cache"), changed); len(u.AccessControl.Categories) == 0 {
					return errors.Errorf("access of %s is %+v", changed, u.AccessControl)
				}
				if len(h.Sim.OpenSearchACL(te.project, te.openSearch()).ACLs) == 0 {
					return errors.New("there are no rules in OpenSearch")
				}
				return nil
			})

			// A token that is worth nothing any more is a credential all the same.
			bad := te.issue("bad")
			h.Sim.RevokeToken(bad)
			goesWrong()
			te.edit("token", bad)
			te.notReady("orders", v1.ReasonTokenRejected)
			te.edit("token", te.token)
			te.ready("orders")

			goesWrong()
			for _, o := range []client.Object{te.app("orders"), te.app("billing"), te.user("reports")} {
				te.delete(o)
			}
			gone(t, te.user("reports"))
			te.nobodyLeft()
			te.quoted(tc.fault, used)
		})
	}
	t.Cleanup(func() {
		if !strings.Contains(h.Log.String(), "[REDACTED]") {
			t.Error("nothing was redacted: the canary does not sing")
		}
	})
}

// quoted waits until each operation was answered with credentials, and nothing is left of what was
// granted.
func (te tenant) quoted(f aivensim.Fault, used []string) {
	te.t.Helper()
	harness.Eventually(te.t, "each operation quoted credentials", func(context.Context) error {
		requests := h.Sim.Requests()
		silent := slices.DeleteFunc(slices.Clone(used), func(op string) bool {
			return op == "ListProjects" || slices.ContainsFunc(requests, func(r aivensim.Request) bool {
				return r.Project == te.project && r.Operation == op && (r.Status >= http.StatusBadRequest || f.ErrorsIn200 || f.Status == http.StatusOK)
			})
		})
		if len(silent) > 0 {
			return errors.Errorf("%v did not", silent)
		}
		return nil
	})
	harness.Eventually(te.t, "no access is left", func(context.Context) error {
		for _, e := range h.Sim.KafkaACL(te.project, "kafka") {
			if e.Topic == "events" {
				return errors.Errorf("%s may %s %s", e.Username, e.Permission, e.Topic)
			}
		}
		for _, e := range h.Sim.SchemaRegistryACL(te.project, "kafka") {
			if strings.HasSuffix(e.Resource, ":events-value") {
				return errors.Errorf("%s may %s %s", e.Username, e.Permission, e.Resource)
			}
		}
		return nil
	})
}
