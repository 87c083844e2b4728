// SPDX-License-Identifier: Apache-2.0

package janitor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// An Action is what to do about a Secret.
type Action string

// Actions.
const (
	// Keep it as it is.
	Keep Action = "Keep"
	// Mark it as unused, since now.
	Mark Action = "Mark"
	// Unmark it, and keep it.
	Unmark Action = "Unmark"
	// Remove it, which revokes the access that it holds.
	Remove Action = "Remove"
)

// Reasons of a Decision. They are labels of metrics and reasons of events.
const (
	// ReasonWanted: an application names the Secret.
	ReasonWanted = "Wanted"
	// ReasonProtected: only a person removes the Secret.
	ReasonProtected = "Protected"
	// ReasonInUse: a workload refers to the Secret.
	ReasonInUse = "InUse"
	// ReasonUnused: nothing refers to the Secret.
	ReasonUnused = "Unused"
	// ReasonGracePeriod: nothing refers to the Secret, but not for long yet.
	ReasonGracePeriod = "GracePeriod"
	// ReasonDryRun: the Secret would be removed, were this not a dry run.
	ReasonDryRun = "DryRun"
	// ReasonBlind: it is not known what refers to the Secret.
	ReasonBlind = "WorkloadsUnknown"
	// ReasonExpired: the access that the Secret holds has ended.
	ReasonExpired = "Expired"
)

// mentioned is how many workloads a message names.
const mentioned = 3

// soon is when a Secret that was just marked is looked at again at the earliest:
// it is never removed in the pass that marks it, however short the grace period.
const soon = time.Second

// A Secret is all that matters to whether a published Secret stays.
type Secret struct {
	// Wanted is whether an application names it.
	Wanted bool
	// Protected is whether only a person may remove it.
	Protected bool
	// ExpiresAt is when access ends, whoever uses it. Zero: never.
	ExpiresAt time.Time
	// UnusedSince is when it was marked as unused. Zero: it is not.
	UnusedSince time.Time
	// Uses are the workloads that refer to it, in any order.
	Uses []Use
}

// A Policy says how patient the janitor is.
type Policy struct {
	// Grace is how long a Secret stays that nothing uses.
	Grace time.Duration
	// DryRun only tells what would be removed. It does not extend access that
	// has expired: that ends because its owner said so.
	DryRun bool
	// Blind: it cannot be seen which workloads refer to a Secret. Only what has
	// expired is removed.
	Blind bool
}

// A Decision is what to do about a Secret, and why.
type Decision struct {
	Action Action
	// Reason is one of the reasons above.
	Reason string
	// Message says the same to people. It does not change with time, so that
	// events of one decision are counted together.
	Message string
	// After is when to look again. 0: time alone does not change the decision.
	After time.Duration
}

// Decide returns what to do about a published Secret. It is removed when access
// has expired, or when it was marked as unused a grace period ago and still
// nothing holds it.
func Decide(s Secret, p Policy, now time.Time) Decision {
	if !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt) {
		return Decision{Action: Remove, Reason: ReasonExpired, Message: "The access that it holds has expired"}
	}
	d, held := holds(s, p)
	if !held {
		d = unused(s, p, now)
	}
	if !s.ExpiresAt.IsZero() && d.Action != Remove {
		d.After = earlier(d.After, s.ExpiresAt.Sub(now))
	}
	return d
}

// holds returns the decision about a Secret that stays because of what it is or
// who uses it or may use it, and whether that is so.
func holds(s Secret, p Policy) (Decision, bool) {
	d := Decision{Action: Keep}
	if !s.UnusedSince.IsZero() {
		d.Action = Unmark
	}
	switch {
	case s.Wanted:
		d.Reason, d.Message = ReasonWanted, "An application names it"
	case s.Protected:
		d.Reason, d.Message = ReasonProtected, "It is protected"
	case len(s.Uses) > 0:
		d.Reason, d.Message = ReasonInUse, "Used by "+list(s.Uses)
	case p.Blind:
		d.Reason, d.Message = ReasonBlind, "The provider may not see all workloads, one of which may use it"
	default:
		return Decision{}, false
	}
	return d, true
}

func unused(s Secret, p Policy, now time.Time) Decision {
	grace := duration.HumanDuration(p.Grace)
	if s.UnusedSince.IsZero() {
		return Decision{
			Action: Mark, Reason: ReasonUnused, After: max(p.Grace, soon),
			Message: fmt.Sprintf("No application names it and no workload refers to it. It goes after a grace period of %s", grace),
		}
	}
	// A clock that went wrong makes the grace period longer, not endless.
	since := now.Sub(s.UnusedSince)
	if rest := p.Grace - max(since, 0); rest > 0 {
		return Decision{
			Action: Keep, Reason: ReasonGracePeriod, After: rest,
			Message: fmt.Sprintf("Unused, but not yet for the grace period of %s", grace),
		}
	}
	if p.DryRun {
		return Decision{Action: Keep, Reason: ReasonDryRun, Message: fmt.Sprintf("Unused for the grace period of %s. It would be removed, but this is a dry run", grace)}
	}
	return Decision{Action: Remove, Reason: ReasonUnused, Message: fmt.Sprintf("Unused for the grace period of %s", grace)}
}

// earlier returns the shorter of two times to wait, of which 0 for a does not count.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// list names the first of the supplied uses and counts the others:
// "deployment/a, pod/b, pod/c and 2 more". The order in which they come does not matter.
func list(uses []Use) string {
	uses = slices.SortedFunc(slices.Values(uses), compare)
	texts := make([]string, 0, mentioned+1)
	for _, u := range uses[:min(len(uses), mentioned)] {
		texts = append(texts, u.String())
	}
	if more := len(uses) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("%d more", more))
	}
	last := len(texts) - 1
	if last == 0 {
		return texts[0]
	}
	return strings.Join(texts[:last], ", ") + " and " + texts[last]
}

// compare orders uses by kind and name.
func compare(a, b Use) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}
