// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/username"
)

// Names as this or another cluster makes them.
const (
	a = "team_a_00000000_aaa"
	b = "team_b_00000000_bbb"
	c = "team_c_00000000_ccc"
)

func users(names ...string) iter.Seq[User] {
	return func(yield func(User) bool) {
		for _, name := range names {
			if !yield(User{Name: name}) {
				return
			}
		}
	}
}

func claimed(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

func set(names ...string) map[string]bool {
	out := map[string]bool{}
	for _, name := range names {
		out[name] = true
	}
	return out
}

func made(names ...string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		out[name] = "2026-11-20T12:00:00Z"
	}
	return out
}

func TestDecide(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     Input
		want   Decision
	}{
		"Nothing": {
			reason: "A service without users.",
			in:     Input{Users: users(), Claimed: claimed()},
		},
		"Claimed": {
			reason: "What is claimed is no orphan, whoever made it.",
			in:     Input{Users: users(a, b), Claimed: claimed(a, b), Made: made(a), Before: set(a, b), Delete: true, Limit: 9},
		},
		"Report": {
			reason: "Orphans are told apart by whether this cluster made them, and stay.",
			in:     Input{Users: users(c, b, a), Claimed: claimed(), Made: made(b), Before: set(a, b, c), Limit: 9},
			want:   Decision{Proven: []string{b}, Unproven: []string{a, c}},
		},
		"Delete": {
			reason: "Only what this cluster made is deleted.",
			in:     Input{Users: users(a, b), Claimed: claimed(), Made: made(b), Before: set(a, b), Delete: true, Limit: 9},
			want:   Decision{Proven: []string{b}, Unproven: []string{a}, Delete: []string{b}},
		},
		"FirstTime": {
			reason: "What was no orphan the time before stays until the next one.",
			in:     Input{Users: users(a, b), Claimed: claimed(), Made: made(a, b), Before: set(b), Delete: true, Limit: 9},
			want:   Decision{Proven: []string{a, b}, Delete: []string{b}},
		},
		"NotBefore": {
			reason: "After a restart nothing was an orphan before.",
			in:     Input{Users: users(a), Claimed: claimed(), Made: made(a), Delete: true, Limit: 9},
			want:   Decision{Proven: []string{a}},
		},
		"Limit": {
			reason: "No more are deleted at a time than allowed.",
			in:     Input{Users: users(c, b, a), Claimed: claimed(), Made: made(a, b, c), Before: set(a, b, c), Delete: true, Limit: 2},
			want:   Decision{Proven: []string{a, b, c}, Delete: []string{a, b}},
		},
		"LimitReached": {
			reason: "None when other services have used up what is allowed.",
			in:     Input{Users: users(a), Claimed: claimed(), Made: made(a), Before: set(a), Delete: true},
			want:   Decision{Proven: []string{a}},
		},
		"People": {
			reason: "Names that people make up are not ours, even when recorded.",
			in:     Input{Users: users("avnadmin", "made-by-hand", "team_a_old"), Claimed: claimed(), Made: made("made-by-hand"), Before: set("made-by-hand"), Delete: true, Limit: 9},
		},
		"BuiltIn": {
			reason: "A built-in user stays, whatever it is called.",
			in: Input{
				Users:   func(yield func(User) bool) { yield(User{Name: a, BuiltIn: true}) },
				Claimed: claimed(), Made: made(a), Before: set(a), Delete: true, Limit: 9,
			},
		},
		"Forget": {
			reason: "What is neither at Aiven nor claimed is forgotten.",
			in:     Input{Users: users(a), Claimed: claimed(b), Made: made(a, b, c)},
			want:   Decision{Proven: []string{a}, Forget: []string{c}},
		},
		"ForgetSorted": {
			reason: "Same input, same order.",
			in:     Input{Users: users(), Claimed: claimed(), Made: made(c, a, b)},
			want:   Decision{Forget: []string{a, b, c}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Decide(tc.in)); diff != "" {
				t.Errorf("\n%s\nDecide(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestOrphans(t *testing.T) {
	d := Decision{Proven: []string{a}, Unproven: []string{b}, Delete: []string{a}, Forget: []string{c}}
	if diff := cmp.Diff(set(a, b), d.Orphans()); diff != "" {
		t.Errorf("Orphans(): -want, +got:\n%s", diff)
	}
}

// Whatever the input, only what this cluster made, what nobody claims now and
// what nobody claimed before is ever deleted.
func FuzzDecide(f *testing.F) {
	f.Add(uint16(0), uint16(0xffff), uint16(0), uint16(0xffff), 3)
	f.Add(uint16(0x5555), uint16(0x3333), uint16(0x0f0f), uint16(0x00ff), 16)
	var names []string
	for i := range 14 {
		names = append(names, username.For(username.Input{Namespace: "team", Name: fmt.Sprint("app-", i)}))
	}
	names = append(names, "avnadmin", "made-by-hand")
	f.Fuzz(func(t *testing.T, there, mine, taken, before uint16, limit int) {
		pick := func(bits uint16) []string {
			var out []string
			for i, name := range names {
				if bits&(1<<i) != 0 {
					out = append(out, name)
				}
			}
			return out
		}
		in := Input{
			Users: users(pick(there)...), Claimed: claimed(pick(taken)...), Made: made(pick(mine)...),
			Before: set(pick(before)...), Delete: true, Limit: limit,
		}
		d := Decide(in)
		for _, name := range d.Delete {
			_, ok := in.Made[name]
			if !ok || in.Claimed(name) || !in.Before[name] || !username.IsGenerated(name) || !slices.Contains(d.Proven, name) {
				t.Errorf("%s is deleted", name)
			}
		}
		if len(d.Delete) > max(limit, 0) {
			t.Errorf("%d are deleted, at most %d may be", len(d.Delete), limit)
		}
		for _, name := range d.Forget {
			if in.Claimed(name) || slices.Contains(pick(there), name) {
				t.Errorf("%s is forgotten", name)
			}
		}
	})
}
