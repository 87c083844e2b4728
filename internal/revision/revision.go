// SPDX-License-Identifier: Apache-2.0

// Package revision decides which sets of credentials of an application should be
// alive, which of them is published, when the next one is due, and why.
//
// Everything here is pure: state and clock go in, a decision comes out, and the
// same input gives the same decision. What the decisions need to be remembered
// is in v1.CredentialsStatus.
package revision

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// Defaults of a Policy.
const (
	DefaultInterval = 30 * 24 * time.Hour
	DefaultOverlap  = 24 * time.Hour
)

// certificateLead is how long before its end a certificate is replaced, or a
// third of its life if that is shorter. Aiven: certificates of Kafka users last
// 820 days, and Aiven itself makes a new one 90 days before the end.
const certificateLead = 30 * 24 * time.Hour

// certified is the service whose users have certificates, in the words of
// v1.UserStatus.Service.
const certified = "kafka"

// A Policy says how often credentials are replaced.
type Policy struct {
	// Interval is the longest time that credentials are in use. 0 disables
	// rotation by time.
	Interval time.Duration
	// Overlap is how long replaced credentials stay valid at least.
	Overlap time.Duration
}

// NewPolicy returns a policy of what was chosen, nil being no choice. An overlap
// is never longer than the interval: two sets of credentials are valid at a time.
func NewPolicy(interval, overlap *metav1.Duration) Policy {
	p := Policy{Interval: DefaultInterval, Overlap: DefaultOverlap}
	if interval != nil {
		p.Interval = interval.Duration
	}
	if overlap != nil {
		p.Overlap = overlap.Duration
	}
	if p.Interval > 0 {
		p.Overlap = min(p.Overlap, p.Interval)
	}
	return p
}

// An Input is all that matters to when an application gets new credentials.
type Input struct {
	// UID of the application, which decides at what time of the day it rotates.
	UID string
	// Policy of the application.
	Policy Policy
	// Status is what was remembered. nil and a status without IssuedAt mean that
	// nothing is published.
	Status *v1.CredentialsStatus
	// Requested is whether somebody asks for a rotation who was not heard before.
	Requested bool
	// Certified is whether a user has a certificate.
	Certified bool
	// Deleted are the services whose Secret was deleted, Vanished those whose user
	// is gone, in the words of v1.UserStatus.Service.
	Deleted, Vanished []string
}

// A Decision says what is to be done now, and what time alone will bring.
type Decision struct {
	// Next is the revision that should be in the making, nil when none should. It is that of
	// the status when that one goes on.
	Next *v1.NextStatus
	// DropPrevious asks to retire the users before the present ones now, whoever
	// holds them: a revision is due, and no more than two may be alive.
	DropPrevious bool
	// Due is when the next revision is due by time, and DueReason why. Zero when
	// time brings none. It stays in the past while what is due cannot be done.
	Due       time.Time
	DueReason v1.RotationReason
	// Waits is until when a revision that is due has to wait for the one before
	// the present one, zero when it need not.
	Waits time.Time
}

// Decide returns what is to be done about the credentials of an application.
//
// A revision that is under way goes on, whatever becomes due meanwhile. What was
// lost is replaced at once, and nothing else with it. All other reasons replace
// all users, and wait until the users before the present ones had their overlap.
func Decide(in Input, now time.Time) Decision {
	c := in.Status
	if c == nil || c.IssuedAt == nil {
		return Decision{}
	}
	var d Decision
	d.Due, d.DueReason = due(in)
	if next := lost(in, now); next != nil {
		d.Next = next
		return d
	}
	if c.Next != nil && c.Next.Reason != v1.RotationUserVanished {
		d.Next = c.Next
		return d
	}
	if c.Next != nil {
		return d // The users that were gone are there again.
	}
	reason, is := dueNow(in, d, now)
	if !is {
		return d
	}
	switch {
	case c.Previous != nil && now.Before(c.Previous.RetireAfter.Time):
		d.Waits = c.Previous.RetireAfter.Time
	case c.Previous != nil:
		d.DropPrevious = true
	default:
		d.Next = &v1.NextStatus{Revision: c.Revision + 1, Reason: reason, Since: Stamp(now)}
	}
	return d
}

// lost returns the revision that replaces what was lost, nil when nothing was.
func lost(in Input, now time.Time) *v1.NextStatus {
	services := union(in.Deleted, in.Vanished)
	if len(services) == 0 {
		return nil
	}
	c := in.Status
	if c.Next != nil && (c.Next.Reason == v1.RotationSecretDeleted || c.Next.Reason == v1.RotationUserVanished && len(in.Deleted) == 0) {
		next := c.Next.DeepCopy()
		next.Services = union(next.Services, services)
		return next
	}
	next := &v1.NextStatus{Revision: c.Revision + 1, Reason: v1.RotationUserVanished, Since: Stamp(now), Services: services}
	if c.Next != nil {
		// Users of that one may have been published, and revoked with the Secret:
		// their names are not used again.
		next.Revision = c.Next.Revision + 1
		if Urgent(c.Next.Reason) {
			next.Services = union(services, c.Next.Services)
		}
	}
	if len(in.Deleted) > 0 {
		next.Reason = v1.RotationSecretDeleted
	}
	return next
}

// Urgent tells whether credentials of the reason do not work any more.
func Urgent(r v1.RotationReason) bool {
	return r == v1.RotationSecretDeleted || r == v1.RotationUserVanished
}

func dueNow(in Input, d Decision, now time.Time) (v1.RotationReason, bool) {
	if in.Requested {
		return v1.RotationRequested, true
	}
	return d.DueReason, !d.Due.IsZero() && !now.Before(d.Due)
}

// due returns when time brings the next revision, and why: whichever is first.
func due(in Input) (time.Time, v1.RotationReason) {
	if in.Policy.Interval <= 0 {
		return time.Time{}, ""
	}
	c := in.Status
	at, reason := RotateAt(in.UID, c.IssuedAt.Time, in.Policy.Interval), v1.RotationScheduled
	if in.Certified && c.NotAfter != nil {
		lead := min(certificateLead, c.NotAfter.Sub(c.IssuedAt.Time)/3)
		if t := slot(in.UID, c.NotAfter.Add(-lead), spread); t.Before(at) {
			at, reason = t, v1.RotationCertificate
		}
	}
	for _, a := range c.Authorities {
		if !in.Certified || a.Until != nil || !a.Since.After(c.IssuedAt.Time) || !replacesAuthority(c, a) {
			continue
		}
		// Both authorities are trusted: there is time to spread over a day.
		if t := slot(in.UID, a.Since.Add(spread), spread); t.Before(at) {
			at, reason = t, v1.RotationAuthority
		}
	}
	return at, reason
}

// replacesAuthority tells whether a CA came after another one of the project that
// certificates are of. Any other is new because a service is.
func replacesAuthority(c *v1.CredentialsStatus, a v1.AuthorityStatus) bool {
	return slices.ContainsFunc(c.Users, func(u v1.UserStatus) bool { return u.Service == certified && u.Project == a.Project }) &&
		slices.ContainsFunc(c.Authorities, func(o v1.AuthorityStatus) bool { return o.Project == a.Project && o.Since.Before(&a.Since) })
}

// MayRetire tells whether users that are not published any more may go, which is
// when their overlap is over and nobody holds them.
func MayRetire(p v1.PreviousStatus, now time.Time) bool {
	return !now.Before(p.RetireAfter.Time) && len(p.HeldBy) == 0
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// Stamp cuts a time to what the API stores, whole seconds in UTC.
func Stamp(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }
