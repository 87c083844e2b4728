// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/grants"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// A namesFn says whose usernames are.
type namesFn func(owner types.NamespacedName, pattern string) error

func (f namesFn) Check(_ context.Context, owner types.NamespacedName, pattern string) error {
	return f(owner, pattern)
}

func everybody(types.NamespacedName, string) error { return nil }

// A grantsFn says what an application may have.
type grantsFn func(u providerconfig.Use) (int, error)

func (f grantsFn) Allow(_ context.Context, _ providerconfig.Access, u providerconfig.Use) (providerconfig.Granted, error) {
	atMost, err := f(u)
	return providerconfig.Granted{AtMost: atMost}, err
}

// simulated are configurations that lead to one client.
type simulated struct {
	Configurations
	client *aiven.Client
}

func (s simulated) Connect(context.Context, providerconfig.Access) (*aiven.Client, error) {
	return s.client, nil
}

func TestAllow(t *testing.T) {
	sim := aivensim.New()
	sim.AddService("p", aivensim.Service{Name: "kafka", Type: "kafka", Users: []string{"a", "b"}}) // And the built-in one.
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	client, err := aiven.New(aiven.Options{Token: "t", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)

	kafka := func(service string) section { return section{service: "Kafka", target: target{"p", service}} }
	granted := func(atMost int) grantsFn { return func(providerconfig.Use) (int, error) { return atMost, nil } }
	cases := map[string]struct {
		reason   string
		grants   grantsFn
		names    namesFn
		sections []section
		existing []composed
		want     xpv2.ConditionReason
		says     string
	}{
		"Nothing":   {reason: "Who asks for nothing may have it.", grants: granted(0)},
		"NoLimit":   {reason: "Without a limit nobody looks at the service.", grants: granted(0), sections: []section{kafka("absent")}},
		"Room":      {reason: "There is room for one more.", grants: granted(4), sections: []section{kafka("kafka")}},
		"NoRoom":    {reason: "There is none.", grants: granted(3), sections: []section{kafka("kafka")}, want: v1.ReasonQuotaExceeded, says: "has 3 users of at most 5, 2 of which are kept for rotations"},
		"Exists":    {reason: "A user that is there needs no room.", grants: granted(3), sections: []section{sectionOf(made("kafka-1"))}, existing: []composed{made("kafka-1")}},
		"NoService": {reason: "What is wrong with a service its users say.", grants: granted(3), sections: []section{kafka("absent")}},
		"Refused": {
			reason: "One section that is refused is enough.", sections: []section{kafka("kafka"), kafka("other")},
			grants: func(u providerconfig.Use) (int, error) {
				if u.Service == "other" {
					return 0, errors.Wrap(grants.ErrRefused, "boom")
				}
				return 0, nil
			},
			want: v1.ReasonNotAllowed, says: "boom",
		},
		"NotReady": {
			reason: "An instance that is not ready is waited for.", sections: []section{kafka("kafka")},
			grants: func(providerconfig.Use) (int, error) { return 0, providerconfig.ErrInstanceNotReady },
			want:   v1.ReasonInstanceNotReady, says: "goes on by itself",
		},
		"Topics": {
			reason: "What is asked for of Kafka is asked for by name, and by application.", sections: []section{kafka("kafka")},
			grants: func(u providerconfig.Use) (int, error) {
				return 0, errors.Wrap(grants.ErrRefused, fmt.Sprintf("%s/%s %s %v %v %t", u.Namespace, u.Application, u.Type, u.Topics, u.Subjects, u.Exists))
			},
			want: v1.ReasonNotAllowed, says: "team-a/orders kafka [t] [s] false",
		},
		"Name": {
			reason: "Nothing else matters when the name is another's.", sections: []section{kafka("kafka")}, grants: granted(3),
			names: func(types.NamespacedName, string) error { return namesakes.ErrConflict },
			want:  v1.ReasonNameConflict, says: "choose another name",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.names == nil {
				tc.names = everybody
			}
			app := &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "orders"}}
			app.Spec.Kafka = &v1.KafkaSpec{ACL: []v1.KafkaTopicAccess{{Topic: "t"}}, SchemaRegistry: []v1.KafkaSubjectAccess{{Subject: "s"}}}
			l := &life{app: app, sections: tc.sections, existing: map[string]composed{}}
			l.settings.ServiceUsers = &v1alpha1.ServiceUsers{Limit: 5, Headroom: 2}
			for _, mg := range tc.existing {
				l.existing[key(mg)] = mg
			}
			r := &Reconciler{configs: simulated{client: client}, grants: tc.grants, names: tc.names}
			err := r.allow(t.Context(), l)
			if (err != nil) != (tc.want != "") {
				t.Fatalf("%s: want reason %q, got error %v", tc.reason, tc.want, err)
			}
			if err == nil {
				return
			}
			reason, message := explain(err)
			if reason != tc.want || !strings.Contains(message, tc.says) {
				t.Errorf("%s: want %s: ... %s ..., got %s: %s", tc.reason, tc.want, tc.says, reason, message)
			}
		})
	}
}

func TestQuotaCondition(t *testing.T) {
	limits := &v1alpha1.ServiceUsers{Limit: 5}
	full := v1.NotRotated(v1.ReasonQuotaExceeded, "full")
	cases := map[string]struct {
		reason  string
		limits  *v1alpha1.ServiceUsers
		service string
		outcome outcome
		want    xpv2.ConditionReason
	}{
		"NoLimit":   {reason: "Nobody knows of a limit.", service: "Kafka", want: v1.ReasonNoLimit},
		"Within":    {reason: "It is known, and not reached.", service: "Kafka", limits: limits, want: v1.ReasonWithinLimit},
		"Unlimited": {reason: "Aiven: users of Valkey are not limited.", service: "Valkey", limits: limits, want: v1.ReasonNoLimit},
		"Exceeded":  {reason: "It is reached, also when only Aiven knew.", service: "Kafka", outcome: outcome{reason: v1.ReasonQuotaExceeded, message: "full"}, want: v1.ReasonQuotaExceeded},
		"Rotation":  {reason: "A rotation that has no room is told of.", service: "Kafka", outcome: outcome{reason: v1.ReasonAvailable, rotated: &full}, want: v1.ReasonQuotaExceeded},
		"Failed":    {reason: "What failed for another reason says nothing about it.", service: "Kafka", outcome: outcome{reason: v1.ReasonSyncFailed, err: errBoom}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := &life{app: &v1.AivenApplication{}, sections: []section{{service: connection.Service(tc.service)}}}
			l.settings.ServiceUsers = tc.limits
			var got xpv2.ConditionReason
			if c := quotaCondition(l, tc.outcome); c != nil {
				got = c.Reason
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
