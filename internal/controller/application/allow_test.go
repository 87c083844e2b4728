// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
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

// TestQuotaAvailable is about what an application says of the room that services
// have, of which the configuration keeps some for rotations.
func TestQuotaAvailable(t *testing.T) {
	limits := func(limit, headroom int32) *v1alpha1.ServiceUsers {
		return &v1alpha1.ServiceUsers{Limit: limit, Headroom: headroom}
	}
	spec := v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "pool"}}
	full := func(mg composed) { mg.SetConditions(v1.NotReady(v1.ReasonQuotaExceeded, "full")) }
	const within, none, exceeded = "True WithinLimit", "True NoLimit", "False QuotaExceeded"
	const refused = exceeded + ", tried again"
	type want struct {
		quota, ready string
		users        int // managed resources
		says         string
	}
	cases := map[string]struct {
		reason   string
		spec     v1.AivenApplicationSpec
		limits   *v1alpha1.ServiceUsers
		users    int // The service has, with the built-in one.
		c        *v1.CredentialsStatus
		existing []composed
		want     want
	}{
		"NewUnder":       {"One that is new gets what is left when the headroom stays.", spec, limits(6, 2), 3, nil, nil, want{within, "False Creating", 1, ""}},
		"NewAt":          {"It gets nothing of the headroom.", spec, limits(6, 2), 4, nil, nil, want{exceeded, refused, 0, "has 4 users of at most 6, 2 of which are kept for rotations"}},
		"NewOver":        {"Nor when rotations use some of it.", spec, limits(6, 2), 5, nil, nil, want{exceeded, refused, 0, "has 5 users of at most 6"}},
		"NewNoHeadroom":  {"Without headroom the last place is for anybody.", spec, limits(6, 0), 5, nil, nil, want{within, "False Creating", 1, ""}},
		"NewFull":        {"And there is no more than that.", spec, limits(6, 0), 6, nil, nil, want{exceeded, refused, 0, "has 6 users of at most 6, 0 of which"}},
		"NewBeyond":      {"Also when there are more users than the configuration knows that Aiven allows.", spec, limits(6, 2), 9, nil, nil, want{exceeded, refused, 0, "has 9 users of at most 6"}},
		"NewNoLimit":     {"Nobody counts without a limit.", spec, nil, 9, nil, nil, want{none, "False Creating", 1, ""}},
		"NewValkey":      {"Aiven: users of Valkey are not limited.", v1.AivenApplicationSpec{Valkey: []v1.ValkeySpec{{Instance: "a"}}}, limits(6, 2), 9, nil, nil, want{none, "False Creating", 1, ""}},
		"NewWithOthers":  {"Where one service has no room, users of none are made.", v1.AivenApplicationSpec{Kafka: spec.Kafka, Valkey: []v1.ValkeySpec{{Instance: "a"}}}, limits(6, 2), 4, nil, nil, want{exceeded, refused, 0, "kafka: "}},
		"HasUnder":       {"One that has its users needs no room.", spec, limits(6, 2), 3, credentials(1, first[:1]), making("kafka-1"), want{within, "True Available", 1, ""}},
		"HasAt":          {"Not even when there is none.", spec, limits(6, 2), 4, credentials(1, first[:1]), making("kafka-1"), want{within, "True Available", 1, ""}},
		"HasFull":        {"Not even for a rotation.", spec, limits(6, 2), 6, credentials(1, first[:1]), making("kafka-1"), want{within, "True Available", 1, ""}},
		"HasNoLimit":     {"Nor a limit.", spec, nil, 6, credentials(1, first[:1]), making("kafka-1"), want{none, "True Available", 1, ""}},
		"HasBegun":       {"One whose users are on their way has its room.", spec, limits(6, 2), 4, nil, []composed{made("kafka-1", unready(v1.ReasonCreating))}, want{within, "False Creating", 1, ""}},
		"HasGoing":       {"One whose users go needs room like a new one.", spec, limits(6, 2), 4, nil, []composed{made("kafka-1", deleting)}, want{exceeded, refused, 1, "has 4 users of at most 6"}},
		"RotationFull":   {"A rotation for which there is no room is told of, while what is published works.", spec, limits(6, 2), 6, credentials(1, first[:1], coming(2, v1.RotationScheduled)), []composed{made("kafka-1"), made("kafka-2", full)}, want{exceeded, "True Available", 2, "full"}},
		"CreatedTooLate": {"As is a user whose place another one took before it was made.", spec, limits(6, 2), 4, nil, []composed{made("kafka-1", full)}, want{exceeded, "False QuotaExceeded", 1, "full"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := application(tc.spec)
			app.Status.Credentials = tc.c
			r := newRig(t, app)
			r.limits = tc.limits
			r.serves(target{"kafka-proj", "the-kafka"}, "kafka", tc.users)
			for _, mg := range tc.existing {
				goes := meta.WasDeleted(mg)
				mg.SetDeletionTimestamp(nil)
				if r.store(mg); goes {
					r.delete(mg)
				}
			}
			app, _, err := r.reconcile()
			quota, ready := app.GetCondition(v1.TypeQuotaAvailable), app.GetCondition(xpv2.TypeReady)
			got := want{string(quota.Status) + " " + string(quota.Reason), string(ready.Status) + " " + string(ready.Reason), len(r.users()), tc.want.says}
			if err != nil {
				got.ready += ", tried again"
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if !strings.Contains(quota.Message, tc.want.says) || tc.want.says == "" && quota.Message != "" {
				t.Errorf("%s: want ... %s ..., got %q", tc.reason, tc.want.says, quota.Message)
			}
			if ready.Reason == quota.Reason && ready.Message != quota.Message {
				t.Errorf("QuotaAvailable does not say the same as Ready: %q, %q", quota.Message, ready.Message)
			}
		})
	}
}
