// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

// kafkaEntries are the entries of one pattern of usernames. Pure.
type kafkaEntries struct {
	// want is asked for, have is there, ours is what of that the provider wrote or
	// was about to write, the latter without an ID.
	want, have, ours []aiven.KafkaEntry
	// needed is what other managed resources ask for, for the same pattern.
	needed []aiven.KafkaEntry
}

// recall finds what is ours. What was recorded and is not there any more was
// removed by somebody else, unless it has yet to be written.
func (e *kafkaEntries) recall(recorded []aiven.KafkaEntry) {
	for _, r := range recorded {
		k, found := r, r.ID == ""
		for _, h := range e.have {
			if r.ID == h.ID || r.ID == "" && sameGrant(r)(h) {
				k, found = h, true
				break
			}
		}
		if found && !slices.Contains(e.ours, k) {
			e.ours = append(e.ours, k)
		}
	}
	// What is there needs no record of having been about to be written.
	e.ours = slices.DeleteFunc(e.ours, func(k aiven.KafkaEntry) bool {
		return k.ID == "" && slices.ContainsFunc(e.ours, func(o aiven.KafkaEntry) bool { return o.ID != "" && sameGrant(k)(o) })
	})
}

// missing are those that are asked for and not there.
func (e *kafkaEntries) missing() []aiven.KafkaEntry {
	var out []aiven.KafkaEntry
	for _, w := range e.want {
		if !slices.ContainsFunc(e.have, sameGrant(w)) {
			out = append(out, w)
		}
	}
	return out
}

// surplus are those of ours that are there and nobody asks for, and all but the
// first of several that grant the same.
func (e *kafkaEntries) surplus() []aiven.KafkaEntry {
	var out []aiven.KafkaEntry
	for i, k := range e.present(e.ours) {
		wanted := slices.ContainsFunc(e.want, sameGrant(k)) || slices.ContainsFunc(e.needed, sameGrant(k))
		if !wanted || slices.ContainsFunc(e.present(e.ours)[:i], sameGrant(k)) {
			out = append(out, k)
		}
	}
	return out
}

// unneeded are those of ours that are there and no other managed resource asks for.
func (e *kafkaEntries) unneeded() []aiven.KafkaEntry {
	return slices.DeleteFunc(e.present(e.ours), func(k aiven.KafkaEntry) bool { return slices.ContainsFunc(e.needed, sameGrant(k)) })
}

// present are those of some that are there.
func (e *kafkaEntries) present(some []aiven.KafkaEntry) []aiven.KafkaEntry {
	var out []aiven.KafkaEntry
	for _, k := range some {
		if k.ID != "" {
			out = append(out, k)
		}
	}
	return out
}

// intended returns what is ours once the missing ones are about to be written.
func (e *kafkaEntries) intended(missing []aiven.KafkaEntry) []aiven.KafkaEntry {
	out := slices.Clone(e.ours)
	for _, m := range missing {
		if !slices.ContainsFunc(out, sameGrant(m)) {
			out = append(out, m)
		}
	}
	e.ours = out
	return out
}

// wrote takes note of an entry that is there now. One that somebody else wrote in
// the meantime is his; if that was another managed resource of ours, its record says so.
func (e *kafkaEntries) wrote(k aiven.KafkaEntry, ours bool) {
	e.have = append(slices.Clone(e.have), k)
	i := slices.IndexFunc(e.ours, func(o aiven.KafkaEntry) bool { return o.ID == "" && sameGrant(k)(o) })
	switch {
	case i >= 0 && ours:
		e.ours = slices.Clone(e.ours)
		e.ours[i] = k
	case i >= 0:
		e.ours = slices.Delete(slices.Clone(e.ours), i, i+1)
	}
}

// refused takes note of entries that are not written, because the first of them
// could not be, which leaves open whether that one is there when Aiven did not answer. If
// somebody else writes one of the others, it is not ours.
func (e *kafkaEntries) refused(missing []aiven.KafkaEntry, err error) {
	if errors.Is(err, aiven.ErrUnavailable) {
		missing = missing[1:]
	}
	e.ours = slices.DeleteFunc(slices.Clone(e.ours), func(o aiven.KafkaEntry) bool {
		return o.ID == "" && slices.ContainsFunc(missing, sameGrant(o))
	})
}

// sameGrant tells whether entries grant the same.
func sameGrant(a aiven.KafkaEntry) func(aiven.KafkaEntry) bool {
	a.ID = ""
	return func(b aiven.KafkaEntry) bool {
		b.ID = ""
		return a == b
	}
}

func wantedEntries(mg *v1alpha1.KafkaServiceUser, pattern string) []aiven.KafkaEntry {
	p := mg.Spec.ForProvider
	var out []aiven.KafkaEntry
	for _, a := range p.ACL {
		out = append(out, aiven.KafkaEntry{Pattern: pattern, Resource: a.Topic, Permission: a.Permission})
	}
	for _, a := range p.SchemaRegistry {
		out = append(out, aiven.KafkaEntry{Registry: true, Pattern: pattern, Resource: a.Subject, Permission: a.Permission})
	}
	return out
}

func recordedEntries(mg *v1alpha1.KafkaServiceUser, pattern string) []aiven.KafkaEntry {
	var out []aiven.KafkaEntry
	for _, g := range mg.Status.AtProvider.Grants {
		k := aiven.KafkaEntry{ID: g.ID, Pattern: pattern, Resource: g.Topic, Permission: g.Permission}
		if g.Subject != "" {
			k.Registry, k.Resource = true, g.Subject
		}
		out = append(out, k)
	}
	return out
}

func grantsOf(entries []aiven.KafkaEntry) []v1alpha1.KafkaGrant {
	var out []v1alpha1.KafkaGrant
	for _, k := range entries {
		g := v1alpha1.KafkaGrant{ID: k.ID, Permission: k.Permission, Topic: k.Resource}
		if k.Registry {
			g.Topic, g.Subject = "", k.Resource
		}
		out = append(out, g)
	}
	return out
}
