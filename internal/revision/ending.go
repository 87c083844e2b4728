// SPDX-License-Identifier: Apache-2.0

package revision

import (
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// When people are warned of an end.
const (
	dayBefore  = 24 * time.Hour
	hourBefore = time.Hour
)

// An Ending is the nearest end of access that nothing is done about.
type Ending struct {
	// Reason of the condition Expiring. ReasonNotExpiring: there is none soon.
	Reason xpv2.ConditionReason
	// At is when access ends, zero when it is not about to.
	At time.Time
	// Look is when the answer changes by time alone, zero when it does not.
	Look time.Time
}

// Ends tells whether the access of an application is about to end: at expiresAt,
// or with a certificate that will not be replaced because rotation is disabled.
// Either time may be zero.
func Ends(expiresAt, notAfter time.Time, p Policy, now time.Time) Ending {
	if e := endsAt(expiresAt, now); e.Reason != v1.ReasonNotExpiring || notAfter.IsZero() || p.Interval > 0 {
		return e
	}
	warn := notAfter.Add(-certificateLead)
	switch {
	case !now.Before(notAfter):
		return Ending{Reason: v1.ReasonCertificateEnded, At: notAfter, Look: endsAt(expiresAt, now).Look}
	case !now.Before(warn):
		return Ending{Reason: v1.ReasonCertificateEnding, At: notAfter, Look: first(notAfter, endsAt(expiresAt, now).Look)}
	default:
		return Ending{Reason: v1.ReasonNotExpiring, Look: first(warn, endsAt(expiresAt, now).Look)}
	}
}

func endsAt(at, now time.Time) Ending {
	day, hour := at.Add(-dayBefore), at.Add(-hourBefore)
	switch {
	case at.IsZero():
		return Ending{Reason: v1.ReasonNotExpiring}
	case now.Before(day):
		return Ending{Reason: v1.ReasonNotExpiring, Look: day}
	case now.Before(hour):
		return Ending{Reason: v1.ReasonEndsWithinDay, At: at, Look: hour}
	default:
		return Ending{Reason: v1.ReasonEndsWithinHour, At: at, Look: at}
	}
}

// first returns the earlier of two times, of which a zero one does not count.
func first(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}
