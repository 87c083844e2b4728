// SPDX-License-Identifier: Apache-2.0

package application

import (
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/revision"
)

func TestFinish(t *testing.T) {
	const (
		upToDate = "UpToDate"
		waits    = "WaitingForOverlap"
		none     = "NotExpiring"
	)
	issuedAt := func(d time.Duration) func(c *v1.CredentialsStatus) {
		return func(c *v1.CredentialsStatus) { c.IssuedAt = new(at(d)) }
	}
	scheduled := func(issued time.Duration) *metav1.Time {
		return new(metav1.NewTime(revision.RotateAt("uid", noon.Add(issued), 30*day)))
	}
	rotateAt := func(a *metav1.Time) func(c *v1.CredentialsStatus) {
		return func(c *v1.CredentialsStatus) { c.RotateAt = a }
	}
	rotates, overdue := rotateAt(scheduled(-10*day)), rotateAt(scheduled(-31*day))
	held := func(c *v1.CredentialsStatus) { c.Previous.HeldBy = []string{"pod"} }
	notAfter := func(d time.Duration) func(c *v1.CredentialsStatus) {
		return func(c *v1.CredentialsStatus) { c.NotAfter = new(at(d)) }
	}
	type want struct {
		rotateAt          *metav1.Time
		again             bool
		look              time.Time
		rotated, expiring string
	}
	cases := map[string]struct {
		reason  string
		c       *v1.CredentialsStatus
		change  func(l *life)
		outcome outcome
		want    want
	}{
		"NothingIssued": {
			reason: "Before the first publication time brings nothing.",
			want:   want{rotated: "Creating", expiring: none},
		},
		"Ended": {
			reason: "Nor after the end.",
			c:      &v1.CredentialsStatus{Revision: 1},
			want:   want{rotated: "Creating", expiring: none},
		},
		"Stays": {
			reason:  "What is published works, though a user stays that should not.",
			c:       &v1.CredentialsStatus{Revision: 1},
			outcome: outcome{stays: errors.New("boom")},
			want:    want{look: noon.Add(staysAgain), rotated: "SyncFailed", expiring: none},
		},
		"Issued": {
			reason: "The first publication was not there when it was decided, and says when it is rotated.",
			c:      credentials(1, first, issuedAt(0)),
			want:   want{rotateAt: scheduled(0), look: scheduled(0).Time, rotated: upToDate, expiring: none},
		},
		"Later": {
			reason: "It stays so.",
			c:      credentials(1, first, rotates),
			want:   want{rotateAt: scheduled(-10 * day), look: scheduled(-10 * day).Time, rotated: upToDate, expiring: none},
		},
		"NothingToWaitFor": {
			reason: "A revision that had to wait is looked at again at once when nothing is left to wait for.",
			c:      credentials(2, second, overdue),
			change: func(l *life) { l.credentials().IssuedAt = new(at(-31 * day)) },
			want:   want{rotateAt: scheduled(-31 * day), again: true, rotated: waits, expiring: none},
		},
		"Completed": {
			reason:  "A revision that was completed has a time of its own, not that of the one before.",
			c:       credentials(2, second, issuedAt(0), rotateAt(scheduled(-30*day)), previous(1, 0, first...)),
			outcome: outcome{completed: &v1.NextStatus{Revision: 2, Reason: v1.RotationScheduled}},
			want:    want{rotateAt: scheduled(0), look: noon.Add(day), rotated: upToDate, expiring: none},
		},
		"ShorterInterval": {
			reason: "A change of the interval counts from when the credentials were issued.",
			c:      credentials(1, first, rotates), change: func(l *life) { l.policy.Interval = 20 * day },
			want: want{
				rotateAt: new(metav1.NewTime(revision.RotateAt("uid", noon.Add(-10*day), 20*day))), look: revision.RotateAt("uid", noon.Add(-10*day), 20*day),
				rotated: upToDate, expiring: none,
			},
		},
		"Disabled": {
			reason: "Without rotation by time there is nothing to look for.",
			c:      credentials(1, first, rotates), change: func(l *life) { l.policy.Interval = 0 },
			want: want{rotated: "RotationDisabled", expiring: none},
		},
		"Making": {
			reason: "While a revision is made its users tell when to go on, and time does not.",
			c:      credentials(1, first, rotates, coming(2, v1.RotationRequested)),
			want:   want{rotateAt: scheduled(-10 * day), rotated: "Rotating", expiring: none},
		},
		"Previous": {
			reason: "Users before the present ones are looked at when their overlap ends.",
			c:      credentials(2, second, rotates, previous(1, -day+time.Minute, first...)),
			want:   want{rotateAt: scheduled(-10 * day), look: noon.Add(time.Minute), rotated: upToDate, expiring: none},
		},
		"Held": {
			reason: "Those that pods hold are looked at every few minutes after it, and not all the time before.",
			c:      credentials(2, second, rotates, previous(1, -day+time.Minute, first...), held),
			want:   want{rotateAt: scheduled(-10 * day), look: noon.Add(heldAgain), rotated: upToDate, expiring: none},
		},
		"HeldForLong": {
			reason: "Before the end of the overlap it does not matter who holds them.",
			c:      credentials(2, second, rotates, previous(1, -time.Hour, first...), held),
			want:   want{rotateAt: scheduled(-10 * day), look: noon.Add(23 * time.Hour), rotated: upToDate, expiring: none},
		},
		"Going": {
			reason: "Users that are being deleted tell when they are gone; somebody looks all the same.",
			c:      credentials(2, second, rotates, previous(1, -2*day, first...)),
			want:   want{rotateAt: scheduled(-10 * day), look: noon.Add(heldAgain), rotated: upToDate, expiring: none},
		},
		"Waits": {
			reason: "A revision that is due waits for the overlap, and is begun at its end; its time stays in the past until it is made.",
			c:      credentials(2, second, issuedAt(-31*day), overdue, previous(1, -time.Hour, first...)),
			want:   want{rotateAt: scheduled(-31 * day), look: noon.Add(23 * time.Hour), rotated: waits, expiring: none},
		},
		"Drops": {
			reason: "Then the users before have to be gone first.",
			c:      credentials(2, second, issuedAt(-31*day), overdue, previous(1, -2*day, first...), held),
			want:   want{rotateAt: scheduled(-31 * day), look: noon.Add(heldAgain), rotated: waits, expiring: none},
		},
		"Dropped": {
			reason: "When what a due revision waited for is gone it is begun at once.",
			c:      credentials(2, second, issuedAt(-31*day), overdue),
			want:   want{rotateAt: scheduled(-31 * day), again: true, rotated: waits, expiring: none},
		},
		"DroppedForNothing": {
			reason: "Unless it is not due any more.",
			c:      credentials(2, second, rotates),
			want:   want{rotateAt: scheduled(-10 * day), look: scheduled(-10 * day).Time, rotated: upToDate, expiring: none},
		},
		"LostMeanwhile": {
			reason: "What was lost is for the next look, which sees it as it is then: not all that is gone now was lost.",
			c:      credentials(1, first), change: func(l *life) { clear(l.existing) },
			want: want{rotateAt: scheduled(-10 * day), look: scheduled(-10 * day).Time, rotated: upToDate, expiring: none},
		},
		"Expires": {
			reason: "People are warned in time of an end that somebody set.",
			c:      credentials(1, first, rotates), change: func(l *life) { l.app.Spec.ExpiresAt = new(at(2 * day)) },
			want: want{rotateAt: scheduled(-10 * day), look: noon.Add(day), rotated: upToDate, expiring: none},
		},
		"ExpiresNow": {
			reason: "And the end itself is not missed.",
			c:      credentials(1, first, rotates), change: func(l *life) { l.app.Spec.ExpiresAt = new(at(time.Second)) },
			want: want{rotateAt: scheduled(-10 * day), look: noon.Add(time.Second), rotated: upToDate, expiring: "EndsWithinHour"},
		},
		"CertificateEnds": {
			reason: "They are warned of the end of a certificate that nothing replaces.",
			c:      credentials(1, first, notAfter(40*day)), change: func(l *life) { l.policy.Interval = 0 },
			want: want{look: noon.Add(10 * day), rotated: "RotationDisabled", expiring: none},
		},
		"SoonerLook": {
			reason: "A look that something else needs sooner stays.",
			c:      credentials(1, first, rotates), outcome: outcome{look: noon.Add(time.Minute), again: true},
			want: want{rotateAt: scheduled(-10 * day), again: true, look: noon.Add(time.Minute), rotated: upToDate, expiring: none},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := lifeOf(tc.c, append(making(first...), making(second...)...)...)
			if tc.change != nil {
				tc.change(l)
			}
			o := tc.outcome
			o.finish(l, noon)
			got := want{l.credentials().RotateAt, o.again, o.look, string(o.rotated.Reason), string(o.expiring.Reason)}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRotatedCondition(t *testing.T) {
	full := func(mg composed) { mg.SetConditions(v1.NotReady(v1.ReasonQuotaExceeded, "The service is full.")) }
	cases := map[string]struct {
		reason  string
		c       *v1.CredentialsStatus
		policy  revision.Policy
		decided revision.Decision
		coming  []liveUser
		want    xpv2.Condition
	}{
		"UpToDate": {
			reason: "Nothing is due.",
			c:      credentials(1, first), policy: revision.Policy{Interval: day},
			want: v1.Rotated(v1.ReasonUpToDate),
		},
		"Disabled": {
			reason: "Nothing ever will be.",
			c:      credentials(1, first),
			want:   v1.Rotated(v1.ReasonRotationDisabled),
		},
		"None": {
			reason: "Without credentials there are none that are new.",
			policy: revision.Policy{Interval: day},
			want:   v1.NotRotated(v1.ReasonCreating, "There are no credentials yet."),
		},
		"Ended": {
			reason: "The same where there were some once.",
			c:      &v1.CredentialsStatus{Revision: 3}, policy: revision.Policy{Interval: day},
			want: v1.NotRotated(v1.ReasonCreating, "There are no credentials yet."),
		},
		"Making": {
			reason: "Users that are being made are nothing to worry about.",
			c:      credentials(1, first, coming(2, v1.RotationScheduled)), coming: alive(made("kafka-2", unready(v1.ReasonCreating))),
			want: v1.NotRotated(v1.ReasonRotating, "Revision 2 is being made: Scheduled."),
		},
		"Made": {
			reason: "Nor are those that are ready, before they are published.",
			c:      credentials(1, first, coming(2, v1.RotationScheduled)), coming: alive(making(second...)...),
			want: v1.NotRotated(v1.ReasonRotating, "Revision 2 is being made: Scheduled."),
		},
		"Blocked": {
			reason: "What is in the way of one is said, and that nothing is lost.",
			c:      credentials(1, first, coming(2, v1.RotationRequested)), coming: alive(made("kafka-2"), made("opensearch-2", full)),
			want: v1.NotRotated(v1.ReasonQuotaExceeded, "Revision 2 is being made: Requested. The present credentials stay as they are. opensearch: The service is full."),
		},
		"Waits": {
			reason: "How long a request has to wait is said.",
			c:      credentials(2, second, previous(1, -time.Hour, first...)), decided: revision.Decision{Waits: noon.Add(23 * time.Hour)},
			want: v1.NotRotated(v1.ReasonWaitingForOverlap, "A revision is due. The users that were replaced stay valid until 2026-11-21T11:00:00Z; it is made then."),
		},
		"Drops": {
			reason: "And what for, when it is not for time.",
			c:      credentials(2, second, previous(1, -2*day, first...)), decided: revision.Decision{DropPrevious: true},
			want: v1.NotRotated(v1.ReasonWaitingForOverlap, "A revision is due. It is made when the users of the one before the present one are deleted at Aiven."),
		},
		"DueWhenDisabled": {
			reason: "A request is due also where nothing is due by time.",
			c:      credentials(2, second), decided: revision.Decision{Next: &v1.NextStatus{Revision: 3, Reason: v1.RotationRequested}},
			want: v1.NotRotated(v1.ReasonWaitingForOverlap, "A revision is due. It is made when the users of the one before the present one are deleted at Aiven."),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := lifeOf(tc.c)
			l.policy = tc.policy
			if diff := cmp.Diff(tc.want, rotatedCondition(l, tc.decided, tc.coming)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestExpiringCondition(t *testing.T) {
	end := noon.In(time.FixedZone("", 3600))
	const certificate = "The first certificate ends at 2026-11-20T12:00:00Z and is not replaced, because rotation is disabled. Request a rotation, or set spec.rotation.interval."
	const access = "The access ends at 2026-11-20T12:00:00Z. To keep it, move spec.expiresAt."
	cases := map[string]struct {
		reason string
		ending revision.Ending
		want   xpv2.Condition
	}{
		"Never":            {"What does not end soon needs no words.", revision.Ending{Reason: v1.ReasonNotExpiring, Look: end}, v1.Expiring(v1.ReasonNotExpiring, "")},
		"Day":              {"Who has a day left learns what to do.", revision.Ending{Reason: v1.ReasonEndsWithinDay, At: end}, v1.Expiring(v1.ReasonEndsWithinDay, access)},
		"Hour":             {"Who has an hour left too.", revision.Ending{Reason: v1.ReasonEndsWithinHour, At: end}, v1.Expiring(v1.ReasonEndsWithinHour, access)},
		"Certificate":      {"Of a certificate it is another thing.", revision.Ending{Reason: v1.ReasonCertificateEnding, At: end}, v1.Expiring(v1.ReasonCertificateEnding, certificate)},
		"CertificateEnded": {"And stays so after its end.", revision.Ending{Reason: v1.ReasonCertificateEnded, At: end}, v1.Expiring(v1.ReasonCertificateEnded, certificate)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, expiringCondition(tc.ending)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
