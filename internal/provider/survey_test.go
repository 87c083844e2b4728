// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/provider-aiven/provider-aiven/internal/metrics"
)

var (
	listPods    = right{feature: forWorkloads, verb: "list", resource: "pods"}
	listSecrets = right{feature: forSecrets, verb: "list", resource: "secrets", required: true}
	inTeamA     = right{feature: forSecrets, verb: "list", resource: "secrets", namespace: "team-a", required: true}
	takeLease   = right{feature: forLeader, verb: "create", resource: "leases", group: "coordination.k8s.io", namespace: "team-a", required: true}
	listApps    = right{feature: forApplications, verb: "list", resource: "aivenapplications", group: "aiven.nais.io", required: true}
)

// aCluster is what a surveyor asks.
type aCluster struct {
	absent  []string
	refused []right
	err     error
}

// surveyorOf returns a surveyor that asks what a cluster is like now.
func surveyorOf(now *atomic.Pointer[aCluster], rights ...right) *surveyor {
	return &surveyor{
		rights: rights, interval: time.Second,
		served: func(context.Context) ([]string, error) {
			var out []string
			c := now.Load()
			for r := range ourKinds {
				if !slices.Contains(c.absent, r) {
					out = append(out, r)
				}
			}
			return out, c.err
		},
		may: func(_ context.Context, r right) (bool, error) {
			c := now.Load()
			return !slices.Contains(c.refused, r), c.err
		},
	}
}

func TestSurvey(t *testing.T) {
	errBoom := errors.New("boom")
	cases := map[string]struct {
		reason string
		in     aCluster
		want   findings
		err    error
	}{
		"All":     {reason: "Nothing is missing."},
		"Rights":  {reason: "What is refused is missing.", in: aCluster{refused: []right{listPods}}, want: findings{missing: []right{listPods}}},
		"Kinds":   {reason: "What is not served is absent, sorted.", in: aCluster{absent: []string{"valkeyserviceusers", "aivenapplications"}}, want: findings{absent: []string{"aivenapplications", "valkeyserviceusers"}}},
		"Failure": {reason: "Nothing is concluded from no answer.", in: aCluster{err: errBoom}, err: errBoom},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var now atomic.Pointer[aCluster]
			now.Store(&tc.in)
			got, err := surveyorOf(&now, listPods, listSecrets).survey(t.Context())
			if diff := cmp.Diff(tc.err, err, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("\n%s\nsurvey(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(findings{}, right{})); diff != "" {
				t.Errorf("\n%s\nsurvey(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestUntilChanged(t *testing.T) {
	cases := map[string]struct {
		reason string
		was    findings
		// at are what the cluster is like from a second on.
		at   map[int]aCluster
		want int // the second in which it returns, 0 for never
	}{
		"Nothing":   {reason: "Nothing happens."},
		"Gained":    {reason: "What was missing is looked for every time.", was: findings{missing: []right{listPods}}, at: map[int]aCluster{0: {refused: []right{listPods}}, 7: {}}, want: 7},
		"Activated": {reason: "A kind that comes is seen at once.", was: findings{absent: []string{"valkeyserviceusers"}}, at: map[int]aCluster{0: {absent: []string{"valkeyserviceusers"}}, 3: {}}, want: 3},
		"Lost":      {reason: "A right that is lost is seen when everything is asked for, twice.", at: map[int]aCluster{10: {refused: []right{listPods}}}, want: patient + 1},
		"Moment":    {reason: "What is lost for a moment is not lost.", at: map[int]aCluster{patient: {absent: []string{"valkeyserviceusers"}}, patient + 1: {}}},
		"Silence":   {reason: "No answer is no change.", at: map[int]aCluster{2: {err: errors.New("boom")}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var now atomic.Pointer[aCluster]
				now.Store(new(tc.at[0]))
				s := surveyorOf(&now, listPods, listSecrets)
				ctx, cancel := context.WithTimeout(t.Context(), 3*patient*time.Second+time.Millisecond)
				defer cancel()
				for second, c := range tc.at {
					time.AfterFunc(time.Duration(second)*time.Second-time.Millisecond, func() { now.Store(&c) })
				}
				s.untilChanged(ctx, tc.was, func() {})
				got := int(time.Since(begin) / time.Second)
				if ctx.Err() != nil {
					got = 0
				}
				if got != tc.want {
					t.Errorf("\n%s\nuntilChanged(...): returned after %d s, want %d", tc.reason, got, tc.want)
				}
			})
		})
	}
}

// TestRepeat: what is told in events, which do not last, is told again before they are
// gone.
func TestRepeat(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     aCluster
		was    findings
		want   int // times within an hour and a minute
	}{
		"Missing": {reason: "What is missing still is told again.", in: aCluster{refused: []right{listPods}}, was: findings{missing: []right{listPods}}, want: 2},
		"Silence": {reason: "Nothing is told when nothing is known.", in: aCluster{err: errors.New("boom")}, was: findings{missing: []right{listPods}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var now atomic.Pointer[aCluster]
				now.Store(&tc.in)
				s := surveyorOf(&now, listPods, listSecrets)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour+time.Minute)
				defer cancel()
				recorder, metric := record.NewFakeRecorder(10), metrics.NewMissingRights()
				told := &teller{log: logging.NewNopLogger(), record: recorder, pod: &corev1.ObjectReference{Name: "provider"}, metric: metric}
				s.untilChanged(ctx, tc.was, func() { told.repeat(tc.was) })
				if got := len(recorder.Events); got != tc.want {
					t.Errorf("\n%s\nevents: got %d, want %d", tc.reason, got, tc.want)
				}
			})
		})
	}
}

func TestWaitsFor(t *testing.T) {
	cases := map[string]struct {
		reason string
		f      findings
		chosen []string
		want   []string
		able   []string
	}{
		"Nothing":  {reason: "Nothing is missing."},
		"Optional": {reason: "Much can be done without.", f: findings{missing: []right{listPods}, absent: []string{"valkeyserviceusers"}}},
		"Required": {reason: "Nothing can be done without.", f: findings{missing: []right{listPods, listSecrets}}, want: []string{"the right to list secrets"}},
		"Kinds":    {reason: "Nothing can be done without configurations.", f: findings{absent: []string{"providerconfigs"}}, want: []string{"providerconfigs.aiven.nais.io"}},
		"Unserved": {reason: "Nobody needs a right to what is not served.", f: findings{absent: []string{"aivenapplications"}, missing: []right{listApps}}},
		"Some": {
			reason: "A namespace without rights is left out.", chosen: []string{"team-a", "team-b"},
			f: findings{missing: []right{inTeamA}}, able: []string{"team-b"},
		},
		"None": {
			reason: "No namespace is not all of them.", chosen: []string{"team-a"},
			f: findings{missing: []right{inTeamA}}, want: []string{"the right to list secrets -n team-a"},
		},
		"Lease": {
			reason: "A lease is needed wherever it is.", chosen: []string{"team-a"},
			f: findings{missing: []right{takeLease}}, want: []string{"the right to create leases.coordination.k8s.io -n team-a"}, able: []string{"team-a"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.f.waitsFor(tc.chosen)); diff != "" {
				t.Errorf("\n%s\nwaitsFor(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(strings.Join(tc.able, " "), strings.Join(tc.f.namespaces(tc.chosen), " ")); diff != "" {
				t.Errorf("\n%s\nnamespaces(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
