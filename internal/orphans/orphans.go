// SPDX-License-Identifier: Apache-2.0

// Package orphans decides which users of a service at Aiven are left over: their
// names are ours, and nothing claims them. Pure.
package orphans

import (
	"iter"
	"maps"
	"slices"

	"github.com/provider-aiven/provider-aiven/internal/username"
)

// A User of a service at Aiven.
type User struct {
	Name string
	// BuiltIn users come with the service. They are never orphans.
	BuiltIn bool
}

// An Input is what a decision about one service depends on.
type Input struct {
	// Users that the service has. It must have been looked at before it was
	// looked at who claims them.
	Users iter.Seq[User]
	// Claimed tells whether a managed resource has the user of that name.
	Claimed func(name string) bool
	// Made has the names of the users that this cluster recorded as made by
	// itself. Other clusters may have made the others.
	Made map[string]string
	// Before has the names of the orphans of the decision before this one.
	Before map[string]bool

	// Delete allows to delete, and Limit says how many.
	Delete bool
	Limit  int
}

// A Decision is what to do about one service. All lists are sorted.
type Decision struct {
	// Proven are orphans that this cluster made. Unproven ones may be in use by
	// whoever made them.
	Proven, Unproven []string
	// Delete are those of the proven ones that were orphans before already.
	Delete []string
	// Forget are names that were recorded and that neither Aiven has nor anybody
	// claims.
	Forget []string
}

// Decide decides what to do about one service.
func Decide(in Input) Decision {
	var d Decision
	forget := make(map[string]bool, len(in.Made))
	for name := range in.Made {
		forget[name] = !in.Claimed(name)
	}
	for u := range in.Users {
		delete(forget, u.Name)
		if u.BuiltIn || !username.IsGenerated(u.Name) || in.Claimed(u.Name) {
			continue
		}
		if _, ok := in.Made[u.Name]; ok {
			d.Proven = append(d.Proven, u.Name)
			continue
		}
		d.Unproven = append(d.Unproven, u.Name)
	}
	maps.DeleteFunc(forget, func(_ string, yes bool) bool { return !yes })
	d.Forget = slices.Sorted(maps.Keys(forget))
	slices.Sort(d.Proven)
	slices.Sort(d.Unproven)
	for _, name := range d.Proven {
		if in.Delete && in.Before[name] && len(d.Delete) < in.Limit {
			d.Delete = append(d.Delete, name)
		}
	}
	return d
}

// Orphans returns the names of all orphans, for the Before of the next decision.
func (d Decision) Orphans() map[string]bool {
	out := make(map[string]bool, len(d.Proven)+len(d.Unproven))
	for _, name := range slices.Concat(d.Proven, d.Unproven) {
		out[name] = true
	}
	return out
}
