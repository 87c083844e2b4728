// SPDX-License-Identifier: Apache-2.0

package janitor

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	day := Policy{Grace: 24 * time.Hour}
	blind := Policy{Grace: 24 * time.Hour, Blind: true}
	dry := Policy{Grace: 24 * time.Hour, DryRun: true}
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	used := []Use{{Kind: "deployment", Name: "x"}}

	const (
		unusedText  = "No application names it and no workload refers to it. It goes after a grace period of 24h"
		graceText   = "Unused, but not yet for the grace period of 24h"
		removeText  = "Unused for the grace period of 24h"
		dryText     = "Unused for the grace period of 24h. It would be removed, but this is a dry run"
		blindText   = "The provider may not see all workloads, one of which may use it"
		expiredText = "The access that it holds has expired"
	)

	cases := map[string]struct {
		reason string
		secret Secret
		policy Policy
		want   Decision
	}{
		"Wanted": {
			reason: "What an application names stays.",
			secret: Secret{Wanted: true}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonWanted, Message: "An application names it"},
		},
		"WantedAgain": {
			reason: "What an application names again is not unused any more, however long it was.",
			secret: Secret{Wanted: true, UnusedSince: ago(48 * time.Hour)}, policy: day,
			want: Decision{Action: Unmark, Reason: ReasonWanted, Message: "An application names it"},
		},
		"WantedBeforeAll": {
			reason: "That an application names it says the most, and should be told first.",
			secret: Secret{Wanted: true, Protected: true, Uses: used}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonWanted, Message: "An application names it"},
		},
		"Protected": {
			reason: "What is protected stays though nothing uses it.",
			secret: Secret{Protected: true}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonProtected, Message: "It is protected"},
		},
		"ProtectedLater": {
			reason: "What was marked before it was protected stays.",
			secret: Secret{Protected: true, UnusedSince: ago(48 * time.Hour)}, policy: day,
			want: Decision{Action: Unmark, Reason: ReasonProtected, Message: "It is protected"},
		},
		"ProtectedAndUsed": {
			reason: "Protection does not depend on who uses it, and should be told before them.",
			secret: Secret{Protected: true, Uses: used}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonProtected, Message: "It is protected"},
		},
		"InUse": {
			reason: "What a workload refers to stays.",
			secret: Secret{Uses: used}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonInUse, Message: "Used by deployment/x"},
		},
		"InUseAgain": {
			reason: "A grace period begins anew after a use.",
			secret: Secret{Uses: used, UnusedSince: ago(48 * time.Hour)}, policy: day,
			want: Decision{Action: Unmark, Reason: ReasonInUse, Message: "Used by deployment/x"},
		},
		"InUseDryRun": {
			reason: "A dry run spares nothing that would not be spared without.",
			secret: Secret{Uses: used}, policy: dry,
			want: Decision{Action: Keep, Reason: ReasonInUse, Message: "Used by deployment/x"},
		},
		"Unused": {
			reason: "What nothing uses should be marked before anything else happens.",
			secret: Secret{}, policy: day,
			want: Decision{Action: Mark, Reason: ReasonUnused, Message: unusedText, After: 24 * time.Hour},
		},
		"UnusedDryRun": {
			reason: "A dry run marks too, so that it can tell what would be removed.",
			secret: Secret{}, policy: dry,
			want: Decision{Action: Mark, Reason: ReasonUnused, Message: unusedText, After: 24 * time.Hour},
		},
		"UnusedWithoutGrace": {
			reason: "Without a grace period it should be looked at twice all the same, and soon.",
			secret: Secret{}, policy: Policy{},
			want: Decision{
				Action: Mark, Reason: ReasonUnused, After: time.Second,
				Message: "No application names it and no workload refers to it. It goes after a grace period of 0s",
			},
		},
		"JustMarked": {
			reason: "The whole grace period is left.",
			secret: Secret{UnusedSince: now}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonGracePeriod, Message: graceText, After: 24 * time.Hour},
		},
		"Grace": {
			reason: "It should be looked at again when the grace period is over.",
			secret: Secret{UnusedSince: ago(20 * time.Hour)}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonGracePeriod, Message: graceText, After: 4 * time.Hour},
		},
		"GraceAlmostOver": {
			reason: "The grace period lasts to its end.",
			secret: Secret{UnusedSince: ago(24*time.Hour - 1)}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonGracePeriod, Message: graceText, After: 1},
		},
		"GraceOver": {
			reason: "What nothing used for the grace period goes.",
			secret: Secret{UnusedSince: ago(24 * time.Hour)}, policy: day,
			want: Decision{Action: Remove, Reason: ReasonUnused, Message: removeText},
		},
		"LongUnused": {
			reason: "The message should not tell the time that passes.",
			secret: Secret{UnusedSince: ago(1000 * time.Hour)}, policy: day,
			want: Decision{Action: Remove, Reason: ReasonUnused, Message: removeText},
		},
		"MarkedWithoutGrace": {
			reason: "Without a grace period the second look removes.",
			secret: Secret{UnusedSince: now}, policy: Policy{},
			want: Decision{Action: Remove, Reason: ReasonUnused, Message: "Unused for the grace period of 0s"},
		},
		"ShorterGrace": {
			reason: "A grace period that was shortened holds for what is marked already.",
			secret: Secret{UnusedSince: ago(2 * time.Hour)}, policy: Policy{Grace: time.Hour},
			want: Decision{Action: Remove, Reason: ReasonUnused, Message: "Unused for the grace period of 60m"},
		},
		"MarkedInTheFuture": {
			reason: "A mark by a clock that is ahead counts as made now.",
			secret: Secret{UnusedSince: now.Add(72 * time.Hour)}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonGracePeriod, Message: graceText, After: 24 * time.Hour},
		},
		"MarkedInTheFutureWithoutGrace": {
			reason: "A mark in the future that counts as made now has no grace period to wait for.",
			secret: Secret{UnusedSince: now.Add(time.Hour)}, policy: Policy{},
			want: Decision{Action: Remove, Reason: ReasonUnused, Message: "Unused for the grace period of 0s"},
		},
		"DryRun": {
			reason: "A dry run should say what would be removed, and remove nothing.",
			secret: Secret{UnusedSince: ago(24 * time.Hour)}, policy: dry,
			want: Decision{Action: Keep, Reason: ReasonDryRun, Message: dryText},
		},
		"DryRunGrace": {
			reason: "A dry run waits as long.",
			secret: Secret{UnusedSince: ago(time.Hour)}, policy: dry,
			want: Decision{Action: Keep, Reason: ReasonGracePeriod, Message: graceText, After: 23 * time.Hour},
		},
		"Blind": {
			reason: "Who cannot see what uses a Secret removes none.",
			secret: Secret{}, policy: blind,
			want: Decision{Action: Keep, Reason: ReasonBlind, Message: blindText},
		},
		"BlindSince": {
			reason: "A grace period begins anew when it can be seen again that nothing uses it.",
			secret: Secret{UnusedSince: ago(48 * time.Hour)}, policy: blind,
			want: Decision{Action: Unmark, Reason: ReasonBlind, Message: blindText},
		},
		"BlindExpired": {
			reason: "Expiry waits for no workload, seen or not.",
			secret: Secret{ExpiresAt: ago(time.Second)}, policy: blind,
			want: Decision{Action: Remove, Reason: ReasonExpired, Message: expiredText},
		},
		"Expired": {
			reason: "Expiry waits for no workload, application or protection.",
			secret: Secret{ExpiresAt: ago(time.Second), Wanted: true, Protected: true, Uses: used}, policy: day,
			want: Decision{Action: Remove, Reason: ReasonExpired, Message: expiredText},
		},
		"ExpiredNow": {
			reason: "Access ends at the time that was set, not after it.",
			secret: Secret{ExpiresAt: now, Uses: used}, policy: day,
			want: Decision{Action: Remove, Reason: ReasonExpired, Message: expiredText},
		},
		"ExpiredDryRun": {
			reason: "The end of access was asked for, and a dry run does not put it off.",
			secret: Secret{ExpiresAt: ago(time.Hour)}, policy: dry,
			want: Decision{Action: Remove, Reason: ReasonExpired, Message: expiredText},
		},
		"ExpiredInGrace": {
			reason: "A grace period does not extend access.",
			secret: Secret{ExpiresAt: now, UnusedSince: ago(time.Hour)}, policy: day,
			want: Decision{Action: Remove, Reason: ReasonExpired, Message: expiredText},
		},
		"ExpiresWanted": {
			reason: "What stays should be looked at when access ends.",
			secret: Secret{ExpiresAt: now.Add(time.Hour), Wanted: true}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonWanted, Message: "An application names it", After: time.Hour},
		},
		"ExpiresProtected": {
			reason: "What stays should be looked at when access ends.",
			secret: Secret{ExpiresAt: now.Add(time.Hour), Protected: true, UnusedSince: ago(time.Hour)}, policy: day,
			want: Decision{Action: Unmark, Reason: ReasonProtected, Message: "It is protected", After: time.Hour},
		},
		"ExpiresInUse": {
			reason: "What stays should be looked at when access ends.",
			secret: Secret{ExpiresAt: now.Add(time.Hour), Uses: used}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonInUse, Message: "Used by deployment/x", After: time.Hour},
		},
		"ExpiresBeforeGrace": {
			reason: "Access that ends within the grace period should end on time.",
			secret: Secret{ExpiresAt: now.Add(time.Hour)}, policy: day,
			want: Decision{Action: Mark, Reason: ReasonUnused, Message: unusedText, After: time.Hour},
		},
		"ExpiresWithinGrace": {
			reason: "Access that ends within the rest of the grace period should end on time.",
			secret: Secret{ExpiresAt: now.Add(time.Hour), UnusedSince: ago(time.Hour)}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonGracePeriod, Message: graceText, After: time.Hour},
		},
		"ExpiresAfterGrace": {
			reason: "The grace period may be over first.",
			secret: Secret{ExpiresAt: now.Add(100 * time.Hour), UnusedSince: ago(time.Hour)}, policy: day,
			want: Decision{Action: Keep, Reason: ReasonGracePeriod, Message: graceText, After: 23 * time.Hour},
		},
		"ExpiresUnused": {
			reason: "What nothing uses goes before its access ends.",
			secret: Secret{ExpiresAt: now.Add(time.Hour), UnusedSince: ago(24 * time.Hour)}, policy: day,
			want: Decision{Action: Remove, Reason: ReasonUnused, Message: removeText},
		},
		"ExpiresDryRun": {
			reason: "What a dry run spares should be looked at when access ends.",
			secret: Secret{ExpiresAt: now.Add(time.Hour), UnusedSince: ago(24 * time.Hour)}, policy: dry,
			want: Decision{Action: Keep, Reason: ReasonDryRun, Message: dryText, After: time.Hour},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, Decide(tc.secret, tc.policy, now)); diff != "" {
				t.Errorf("\n%s\nDecide(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDecideNamesUses(t *testing.T) {
	t.Parallel()
	a, b := Use{Kind: "deployment", Name: "a"}, Use{Kind: "deployment", Name: "b"}
	c := Use{Kind: "pod", Name: "c", Started: time.Unix(1, 0)}
	d, e := Use{Kind: "pod", Name: "d"}, Use{Kind: "replicaset", Name: "a"}
	cases := map[string]struct {
		reason string
		uses   []Use
		want   string
	}{
		"One":   {reason: "One is named.", uses: []Use{a}, want: "Used by deployment/a"},
		"Two":   {reason: "Two are named.", uses: []Use{a, c}, want: "Used by deployment/a and pod/c"},
		"Three": {reason: "Three are named.", uses: []Use{a, b, c}, want: "Used by deployment/a, deployment/b and pod/c"},
		"Four":  {reason: "More are counted.", uses: []Use{a, b, c, d}, want: "Used by deployment/a, deployment/b, pod/c and 1 more"},
		"Mixed": {reason: "The order in which they come should not show.", uses: []Use{e, d, b, c, a}, want: "Used by deployment/a, deployment/b, pod/c and 2 more"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(tc.uses)
			got := Decide(Secret{Uses: tc.uses}, Policy{}, time.Unix(100, 0))
			if diff := cmp.Diff(tc.want, got.Message); diff != "" {
				t.Errorf("\n%s\nDecide(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before, tc.uses); diff != "" {
				t.Errorf("Decide(...) should not modify its input: -want, +got:\n%s", diff)
			}
		})
	}
}
