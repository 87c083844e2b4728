// SPDX-License-Identifier: Apache-2.0

package revision

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

const day = 24 * time.Hour

// start is when the credentials of the tests were issued.
var start = time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) metav1.Time { return metav1.NewTime(start.Add(d)) }

// issued returns the status of credentials issued at start.
func issued(with ...func(c *v1.CredentialsStatus)) *v1.CredentialsStatus {
	c := &v1.CredentialsStatus{Revision: 3, IssuedAt: new(at(0))}
	for _, w := range with {
		w(c)
	}
	return c
}

func previous(retireAfter time.Duration, heldBy ...string) func(c *v1.CredentialsStatus) {
	return func(c *v1.CredentialsStatus) {
		c.Previous = &v1.PreviousStatus{Revision: 2, Since: at(0), RetireAfter: at(retireAfter), HeldBy: heldBy}
	}
}

func making(n v1.NextStatus) func(c *v1.CredentialsStatus) {
	return func(c *v1.CredentialsStatus) { c.Next = &n }
}

func TestDecide(t *testing.T) {
	monthly := Policy{Interval: 30 * day, Overlap: day}
	scheduled := RotateAt("uid", start, 30*day)
	due := scheduled.Sub(start)
	type want struct {
		next  *v1.NextStatus
		drop  bool
		due   time.Time
		why   v1.RotationReason
		waits time.Time
	}
	cases := map[string]struct {
		reason string
		in     Input
		now    time.Duration
		want   want
	}{
		"NothingIssued": {
			reason: "What was never issued is not rotated, however it is asked for.",
			in:     Input{Policy: monthly, Status: nil, Requested: true, Vanished: []string{"kafka"}},
		},
		"Ended": {
			reason: "Credentials that ended with the access have nothing to replace.",
			in:     Input{Policy: monthly, Status: &v1.CredentialsStatus{Revision: 3}, Requested: true},
		},
		"Fresh": {
			reason: "Time brings the next revision, and nothing else is to be done.",
			in:     Input{Policy: monthly, Status: issued()},
			now:    day,
			want:   want{due: scheduled, why: v1.RotationScheduled},
		},
		"JustBefore": {
			reason: "A second before its time nothing is due.",
			in:     Input{Policy: monthly, Status: issued()},
			now:    due - time.Second,
			want:   want{due: scheduled, why: v1.RotationScheduled},
		},
		"Scheduled": {
			reason: "At its time the revision is due, to the second.",
			in:     Input{Policy: monthly, Status: issued()},
			now:    due,
			want:   want{next: &v1.NextStatus{Revision: 4, Reason: v1.RotationScheduled, Since: at(due)}, due: scheduled, why: v1.RotationScheduled},
		},
		"LongDowntime": {
			reason: "A year without the provider leads to one revision, not to twelve.",
			in:     Input{Policy: monthly, Status: issued()},
			now:    365 * day,
			want:   want{next: &v1.NextStatus{Revision: 4, Reason: v1.RotationScheduled, Since: at(365 * day)}, due: scheduled, why: v1.RotationScheduled},
		},
		"Disabled": {
			reason: "An interval of 0 disables all that time brings, certificates included.",
			in:     Input{Policy: Policy{Overlap: day}, Status: issued(func(c *v1.CredentialsStatus) { c.NotAfter = new(at(40 * day)) }), Certified: true},
			now:    39 * day,
		},
		"DisabledRequested": {
			reason: "With rotation by time disabled a person may still ask for one.",
			in:     Input{Policy: Policy{Overlap: day}, Status: issued(), Requested: true},
			now:    day,
			want:   want{next: &v1.NextStatus{Revision: 4, Reason: v1.RotationRequested, Since: at(day)}},
		},
		"IntervalShortened": {
			reason: "A shorter interval counts from when the credentials were issued.",
			in:     Input{Policy: Policy{Interval: day, Overlap: time.Hour}, Status: issued()},
			now:    10 * day,
			want: want{
				next: &v1.NextStatus{Revision: 4, Reason: v1.RotationScheduled, Since: at(10 * day)},
				due:  RotateAt("uid", start, day), why: v1.RotationScheduled,
			},
		},
		"CertificateFirst": {
			reason: "A certificate that ends before the interval does is replaced a month before.",
			in:     Input{Policy: Policy{Interval: 2 * 365 * day, Overlap: day}, Status: issued(func(c *v1.CredentialsStatus) { c.NotAfter = new(at(400 * day)) }), Certified: true},
			now:    day,
			want:   want{due: slot("uid", start.Add(370*day), day), why: v1.RotationCertificate},
		},
		"ShortCertificate": {
			reason: "A certificate with a short life is not replaced all the time, but after two thirds of it.",
			in:     Input{Policy: monthly, Status: issued(func(c *v1.CredentialsStatus) { c.NotAfter = new(at(15 * day)) }), Certified: true},
			now:    day,
			want:   want{due: slot("uid", start.Add(10*day), day), why: v1.RotationCertificate},
		},
		"NewAuthority": {
			reason: "Users with certificates of the CA before are replaced within a day after it changed.",
			in: Input{Policy: monthly, Status: issued(func(c *v1.CredentialsStatus) {
				c.Authorities = []v1.AuthorityStatus{{Fingerprint: "new", Project: "p", Since: at(5 * day)}, {Fingerprint: "old", Project: "p", Since: at(0), Until: new(at(6 * day))}}
				c.Users = []v1.UserStatus{{Service: "kafka", Project: "p"}}
			}), Certified: true},
			now:  5 * day,
			want: want{due: slot("uid", start.Add(6*day), day), why: v1.RotationAuthority},
		},
		"AuthorityOfAnotherProject": {
			reason: "The CA of a project whose service came later signed nothing that is to be replaced.",
			in: Input{Policy: monthly, Status: issued(func(c *v1.CredentialsStatus) {
				c.Authorities = []v1.AuthorityStatus{{Fingerprint: "q", Project: "q", Since: at(5 * day)}, {Fingerprint: "p", Project: "p", Since: at(0)}}
				c.Users = []v1.UserStatus{{Service: "kafka", Project: "p"}, {Service: "valkey/a", Project: "q"}}
			}), Certified: true},
			now:  5 * day,
			want: want{due: scheduled, why: v1.RotationScheduled},
		},
		"MovedToAnotherProject": {
			reason: "Nor did the CA of a project that the Kafka user was moved to: its certificate is of that one.",
			in: Input{Policy: monthly, Status: issued(func(c *v1.CredentialsStatus) {
				c.Authorities = []v1.AuthorityStatus{{Fingerprint: "q", Project: "q", Since: at(5 * day)}, {Fingerprint: "p", Project: "p", Since: at(0), Until: new(at(6 * day))}}
				c.Users = []v1.UserStatus{{Service: "kafka", Project: "q"}}
			}), Certified: true},
			now:  5 * day,
			want: want{due: scheduled, why: v1.RotationScheduled},
		},
		"NewAuthorityWithoutCertificates": {
			reason: "Users without certificates have nothing that a CA signed.",
			in: Input{Policy: monthly, Status: issued(func(c *v1.CredentialsStatus) {
				c.Authorities = []v1.AuthorityStatus{{Fingerprint: "new", Since: at(5 * day)}}
			})},
			now:  7 * day,
			want: want{due: scheduled, why: v1.RotationScheduled},
		},
		"RequestedDuringOverlap": {
			reason: "The users before the present ones have their overlap, whoever asks.",
			in:     Input{Policy: monthly, Status: issued(previous(day)), Requested: true},
			now:    time.Hour,
			want:   want{due: scheduled, why: v1.RotationScheduled, waits: start.Add(day)},
		},
		"RequestedWhileHeld": {
			reason: "After the overlap the next revision takes the place of the one before, held or not.",
			in:     Input{Policy: monthly, Status: issued(previous(day, "pod")), Requested: true},
			now:    2 * day,
			want:   want{drop: true, due: scheduled, why: v1.RotationScheduled},
		},
		"GoesOn": {
			reason: "A revision that was begun goes on, also when its reason is gone.",
			in:     Input{Policy: monthly, Status: issued(making(v1.NextStatus{Revision: 4, Reason: v1.RotationRequested, Since: at(time.Hour)}))},
			now:    2 * time.Hour,
			want:   want{next: &v1.NextStatus{Revision: 4, Reason: v1.RotationRequested, Since: at(time.Hour)}, due: scheduled, why: v1.RotationScheduled},
		},
		"Vanished": {
			reason: "A user that is gone is replaced at once, and alone, whatever else is alive.",
			in:     Input{Policy: monthly, Status: issued(previous(day)), Vanished: []string{"valkey/b", "kafka"}},
			now:    time.Hour,
			want: want{
				next: &v1.NextStatus{Revision: 4, Reason: v1.RotationUserVanished, Since: at(time.Hour), Services: []string{"kafka", "valkey/b"}},
				due:  scheduled, why: v1.RotationScheduled,
			},
		},
		"VanishedMeanwhile": {
			reason: "What is lost goes before a revision that is not urgent, whose number is not used again.",
			in:     Input{Policy: monthly, Status: issued(making(v1.NextStatus{Revision: 4, Reason: v1.RotationScheduled, Since: at(0)})), Vanished: []string{"kafka"}},
			now:    time.Hour,
			want: want{
				next: &v1.NextStatus{Revision: 5, Reason: v1.RotationUserVanished, Since: at(time.Hour), Services: []string{"kafka"}},
				due:  scheduled, why: v1.RotationScheduled,
			},
		},
		"ThereAgain": {
			reason: "A user that is there again is not replaced.",
			in:     Input{Policy: monthly, Status: issued(making(v1.NextStatus{Revision: 4, Reason: v1.RotationUserVanished, Since: at(0), Services: []string{"kafka"}}))},
			now:    time.Hour,
			want:   want{due: scheduled, why: v1.RotationScheduled},
		},
		"SecretBack": {
			reason: "What a deleted Secret held is replaced although there is a Secret again: it may be the next one.",
			in:     Input{Policy: monthly, Status: issued(making(v1.NextStatus{Revision: 4, Reason: v1.RotationSecretDeleted, Since: at(0), Services: []string{"kafka"}}))},
			now:    time.Hour,
			want: want{
				next: &v1.NextStatus{Revision: 4, Reason: v1.RotationSecretDeleted, Since: at(0), Services: []string{"kafka"}},
				due:  scheduled, why: v1.RotationScheduled,
			},
		},
		"DeletedWhileVanished": {
			reason: "Users that may have been published are not made again under the same names.",
			in:     Input{Policy: monthly, Status: issued(making(v1.NextStatus{Revision: 4, Reason: v1.RotationUserVanished, Since: at(0), Services: []string{"kafka"}})), Deleted: []string{"valkey/a"}},
			now:    time.Hour,
			want: want{
				next: &v1.NextStatus{Revision: 5, Reason: v1.RotationSecretDeleted, Since: at(time.Hour), Services: []string{"kafka", "valkey/a"}},
				due:  scheduled, why: v1.RotationScheduled,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.in.UID = "uid"
			d := Decide(tc.in, start.Add(tc.now))
			got := want{d.Next, d.DropPrevious, d.Due, d.DueReason, d.Waits}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestSpread has 10,000 applications that were issued together, as after the
// migration of a cluster.
func TestSpread(t *testing.T) {
	const applications = 10000
	for _, interval := range []time.Duration{30 * day, 36 * time.Hour, time.Hour} {
		window := min(day, interval/2)
		var bins [24]int
		for i := range applications {
			uid := fmt.Sprintf("uid-%d", i)
			got := RotateAt(uid, start, interval)
			early := start.Add(interval).Sub(got)
			if early < 0 || early >= window {
				t.Fatalf("RotateAt(%s, …, %s) is %s before the end of the interval: want from 0 to %s", uid, interval, early, window)
			}
			bins[int(early*24/window)]++

			// From then on it rotates at the same time of the day.
			published := got.Add(3 * time.Second)
			next := RotateAt(uid, published, interval)
			if interval%window == 0 && next != got.Add(interval) {
				t.Fatalf("the rotation after %s is at %s: want %s", got, next, got.Add(interval))
			}
		}
		for i, n := range bins {
			if n < applications/24*8/10 || n > applications/24*12/10 {
				t.Errorf("interval %s: %d of %d applications in part %d of 24: want about %d", interval, n, applications, i, applications/24)
			}
		}
	}
}

// TestDowntime follows an application for a year with a provider that is
// away for weeks at a time.
func TestDowntime(t *testing.T) {
	c := issued()
	rotations := 0
	for day := range 365 {
		now := start.Add(time.Duration(day) * 24 * time.Hour)
		if day%90 < 60 {
			continue // Away.
		}
		d := Decide(Input{UID: "uid", Policy: Policy{Interval: 7 * 24 * time.Hour, Overlap: time.Hour}, Status: c}, now)
		if d.Next != nil {
			rotations++
			c = &v1.CredentialsStatus{Revision: d.Next.Revision, IssuedAt: new(metav1.NewTime(now))}
		}
	}
	// Four times a month of presence, with a rotation at its beginning and one
	// each week.
	if rotations < 17 || rotations > 20 {
		t.Errorf("%d rotations: want one after each absence and one a week after that", rotations)
	}
}

func TestNewPolicy(t *testing.T) {
	duration := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	cases := map[string]struct {
		reason            string
		interval, overlap *metav1.Duration
		want              Policy
	}{
		"Defaults": {reason: "Credentials are rotated unless somebody says otherwise.", want: Policy{DefaultInterval, DefaultOverlap}},
		"Chosen":   {reason: "What is chosen holds.", interval: duration(48 * time.Hour), overlap: duration(time.Hour), want: Policy{48 * time.Hour, time.Hour}},
		"Short":    {reason: "The default overlap fits a short interval.", interval: duration(2 * time.Hour), want: Policy{2 * time.Hour, 2 * time.Hour}},
		"Disabled": {reason: "Without rotation by time any overlap will do.", interval: duration(0), overlap: duration(72 * time.Hour), want: Policy{0, 72 * time.Hour}},
		"Longer":   {reason: "An overlap from elsewhere is cut to the interval.", interval: duration(time.Hour), overlap: duration(day), want: Policy{time.Hour, time.Hour}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, NewPolicy(tc.interval, tc.overlap)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMayRetire(t *testing.T) {
	cases := map[string]struct {
		reason string
		p      v1.PreviousStatus
		now    time.Duration
		want   bool
	}{
		"Overlap": {reason: "Users stay for their overlap, used or not.", p: v1.PreviousStatus{RetireAfter: at(day)}, now: day - time.Second},
		"Over":    {reason: "After it they go.", p: v1.PreviousStatus{RetireAfter: at(day)}, now: day, want: true},
		"Held":    {reason: "Unless a pod holds them.", p: v1.PreviousStatus{RetireAfter: at(day), HeldBy: []string{"pod"}}, now: 10 * day},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := MayRetire(tc.p, start.Add(tc.now)); got != tc.want {
				t.Errorf("%s: want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}

func TestEnds(t *testing.T) {
	monthly, disabled := Policy{Interval: 30 * day}, Policy{}
	cases := map[string]struct {
		reason              string
		expiresAt, notAfter time.Duration
		policy              Policy
		want                Ending
	}{
		"Never":           {reason: "Access without an end does not end.", policy: monthly, want: Ending{Reason: v1.ReasonNotExpiring}},
		"Far":             {reason: "People are warned a day before.", expiresAt: 3 * day, policy: monthly, want: Ending{Reason: v1.ReasonNotExpiring, Look: start.Add(2 * day)}},
		"Day":             {reason: "And again an hour before.", expiresAt: day, policy: monthly, want: Ending{Reason: v1.ReasonEndsWithinDay, At: start.Add(day), Look: start.Add(23 * time.Hour)}},
		"Hour":            {reason: "In the last hour they know.", expiresAt: time.Hour, policy: monthly, want: Ending{Reason: v1.ReasonEndsWithinHour, At: start.Add(time.Hour), Look: start.Add(time.Hour)}},
		"Rotated":         {reason: "A certificate that will be replaced is no end.", notAfter: day, policy: monthly, want: Ending{Reason: v1.ReasonNotExpiring}},
		"Certificate":     {reason: "One that will not is, a month before.", notAfter: 20 * day, policy: disabled, want: Ending{Reason: v1.ReasonCertificateEnding, At: start.Add(20 * day), Look: start.Add(20 * day)}},
		"CertificateFar":  {reason: "Before that nobody needs to know.", notAfter: 50 * day, policy: disabled, want: Ending{Reason: v1.ReasonNotExpiring, Look: start.Add(20 * day)}},
		"CertificateOver": {reason: "What has ended is said until it is mended.", notAfter: -day, policy: disabled, want: Ending{Reason: v1.ReasonCertificateEnded, At: start.Add(-day)}},
		"Both":            {reason: "The end of all access is what counts.", expiresAt: time.Hour, notAfter: 2 * time.Hour, policy: disabled, want: Ending{Reason: v1.ReasonEndsWithinHour, At: start.Add(time.Hour), Look: start.Add(time.Hour)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var expiresAt, notAfter time.Time
			if tc.expiresAt != 0 {
				expiresAt = start.Add(tc.expiresAt)
			}
			if tc.notAfter != 0 {
				notAfter = start.Add(tc.notAfter)
			}
			if diff := cmp.Diff(tc.want, Ends(expiresAt, notAfter, tc.policy, start)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
