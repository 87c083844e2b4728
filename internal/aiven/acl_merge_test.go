// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"fmt"
	"slices"
	"testing"
	"time"

	sdk "github.com/aiven/aiven-go-client/v2"
	"github.com/google/go-cmp/cmp"
)

func TestMergeRules(t *testing.T) {
	row := newRow
	many := make([]sdk.OpenSearchACL, maxACLUsers)
	for i := range many {
		many[i] = row(fmt.Sprint("u", i), rules("a", "read"))
	}
	type want struct {
		rows    []sdk.OpenSearchACL
		changed bool
		refused []string
	}
	cases := map[string]struct {
		reason string
		rows   []sdk.OpenSearchACL
		wanted map[string][]Rule
		want   want
	}{
		"Add": {
			"new rows come last, in a stable order",
			[]sdk.OpenSearchACL{row("z", rules("z", "deny"))},
			map[string][]Rule{"b": rules("b", "read"), "a": rules("a", "read")},
			want{rows: []sdk.OpenSearchACL{row("z", rules("z", "deny")), row("a", rules("a", "read")), row("b", rules("b", "read"))}, changed: true},
		},
		"Replace": {
			"a row is replaced where it is, not added to",
			[]sdk.OpenSearchACL{row("a", rules("x", "read", "y", "read")), row("z", nil)},
			map[string][]Rule{"a": rules("x", "write")},
			want{rows: []sdk.OpenSearchACL{row("a", rules("x", "write")), row("z", nil)}, changed: true},
		},
		"Same": {
			"what says the same is not written",
			[]sdk.OpenSearchACL{row("a", rules("x", "read", "y", "read"))},
			map[string][]Rule{"a": rules("y", "read", "x", "read"), "gone": nil},
			want{rows: []sdk.OpenSearchACL{row("a", rules("x", "read", "y", "read"))}},
		},
		"Remove": {
			"nil and empty remove a row",
			[]sdk.OpenSearchACL{row("a", rules("x", "read")), row("b", nil), row("c", nil)},
			map[string][]Rule{"a": nil, "b": {}},
			want{rows: []sdk.OpenSearchACL{row("c", nil)}, changed: true},
		},
		"RemoveLast": {
			"the list is empty then, never null",
			[]sdk.OpenSearchACL{row("a", rules("x", "read"))},
			map[string][]Rule{"a": nil},
			want{rows: []sdk.OpenSearchACL{}, changed: true},
		},
		"Twice": {
			"a user has one row",
			[]sdk.OpenSearchACL{row("a", rules("x", "read")), row("b", nil), row("a", rules("y", "read"))},
			map[string][]Rule{"a": rules("x", "read")},
			want{rows: []sdk.OpenSearchACL{row("a", rules("x", "read")), row("b", nil)}, changed: true},
		},
		"TooManyRules": {
			"one that does not fit keeps no other back",
			[]sdk.OpenSearchACL{row("a", rules("x", "read"))},
			map[string][]Rule{"a": make([]Rule, maxACLRules+1), "b": rules("x", "read")},
			want{rows: []sdk.OpenSearchACL{row("a", rules("x", "read")), row("b", rules("x", "read"))}, changed: true, refused: []string{"a"}},
		},
		"TooManyUsers": {
			"a new one does not fit, others can change", many,
			map[string][]Rule{"new": rules("x", "read"), "u0": rules("x", "read")},
			want{rows: append([]sdk.OpenSearchACL{row("u0", rules("x", "read"))}, many[1:]...), changed: true, refused: []string{"new"}},
		},
		"RoomMade": {
			"one goes and one comes", many,
			map[string][]Rule{"new": rules("x", "read"), "u0": nil},
			want{rows: append(slices.Clone(many[1:]), row("new", rules("x", "read"))), changed: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(tc.rows)
			for _, flags := range []sdk.OpenSearchACLConfig{{}, {Enabled: true, ExtendedAcl: true}} {
				doc := flags
				doc.ACLs = tc.rows
				m := mergeRules(doc, tc.wanted)
				wantDoc := flags
				wantDoc.ACLs = tc.want.rows
				if diff := cmp.Diff(wantDoc, m.doc); diff != "" || m.changed != tc.want.changed {
					t.Errorf("%s: changed %t, -want, +got:\n%s", tc.reason, m.changed, diff)
				}
				var refused []string
				for name := range m.refused {
					refused = append(refused, name)
				}
				if diff := cmp.Diff(tc.want.refused, refused); diff != "" {
					t.Errorf("%s: refused: -want, +got:\n%s", tc.reason, diff)
				}
				for name, r := range tc.wanted {
					if !slices.Contains(refused, name) && !shows(m.doc, name, r) {
						t.Errorf("%s: the merged document does not show %s", tc.reason, name)
					}
				}
			}
			if diff := cmp.Diff(before, tc.rows); diff != "" {
				t.Errorf("%s: the document given was modified:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestChangedRows(t *testing.T) {
	doc := func(enabled bool, rows ...sdk.OpenSearchACL) sdk.OpenSearchACLConfig {
		return sdk.OpenSearchACLConfig{Enabled: enabled, ACLs: rows}
	}
	a, b := newRow("a", rules("x", "read")), newRow("b", rules("x", "read"))
	cases := map[string]struct {
		reason   string
		old, now sdk.OpenSearchACLConfig
		want     []string
	}{
		"Same":     {"order has no meaning", doc(true, a, b), doc(true, b, a), nil},
		"Added":    {"a new row", doc(true, a), doc(true, a, b), []string{"b"}},
		"Removed":  {"a row less", doc(true, a, b), doc(true, b), []string{"a"}},
		"Changed":  {"other rules", doc(true, a), doc(true, newRow("a", rules("x", "write"))), []string{"a"}},
		"Switched": {"it concerns all", doc(true, a, b), doc(false, a, b), []string{"a", "b"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, changedRows(tc.old, tc.now)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestACLSchedule(t *testing.T) {
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	const every = 5 * time.Second
	cases := map[string]struct {
		reason           string
		s                aclSchedule
		pending, written int
		action           aclAction
		at               time.Time
	}{
		"Idle":        {"nothing to do", aclSchedule{interval: every, lastStart: start}, 0, 0, aclIdle, time.Time{}},
		"First":       {"the first change is written at once", aclSchedule{interval: every}, 1, 0, aclBatch, time.Time{}},
		"Next":        {"further ones are gathered", aclSchedule{interval: every, lastStart: start, lastSubmit: start}, 3, 2, aclBatch, start.Add(every)},
		"Verify":      {"looked at once more, later", aclSchedule{interval: every, lastStart: start}, 0, 2, aclVerify, start.Add(10 * every)},
		"Busy":        {"the longer changes keep coming, the more are gathered", aclSchedule{interval: every, lastStart: start, lastSubmit: start.Add(8 * every), streak: 1}, 3, 0, aclBatch, start.Add(8 * every)},
		"Busiest":     {"up to twenty intervals", aclSchedule{interval: every, lastStart: start, lastSubmit: start.Add(19 * every), streak: 99}, 3, 0, aclBatch, start.Add(20 * every)},
		"Quiet":       {"when no more come, those that wait are written", aclSchedule{interval: every, lastStart: start, lastSubmit: start.Add(every), streak: 99}, 3, 0, aclBatch, start.Add(4 * every)},
		"Failed":      {"backing off begins shorter than the interval", aclSchedule{interval: every, lastStart: start, lastFail: start, failures: 1}, 1, 0, aclBatch, start.Add(firstBackoff)},
		"FailedMore":  {"it doubles", aclSchedule{interval: every, lastStart: start, lastFail: start, failures: 3}, 1, 0, aclBatch, start.Add(4 * firstBackoff)},
		"FailedOften": {"up to its longest", aclSchedule{interval: every, lastStart: start, lastFail: start, failures: 1000}, 1, 0, aclBatch, start.Add(lastBackoff)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			action, at := tc.s.next(tc.pending, tc.written)
			if action != tc.action || !at.Equal(tc.at) {
				t.Errorf("%s: got %v at %v, want %v at %v", tc.reason, action, at, tc.action, tc.at)
			}
		})
	}
}

func TestACLScheduleStreak(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	s := aclSchedule{interval: time.Second}
	var gaps []time.Duration
	for range 5 {
		s.started(now)
		gaps = append(gaps, s.gap())
		now = now.Add(s.gap())
	}
	if diff := cmp.Diff([]time.Duration{1e9, 8e9, 20e9, 20e9, 20e9}, gaps); diff != "" {
		t.Errorf("gaps while batch follows batch: -want, +got:\n%s", diff)
	}
	s.started(now.Add(time.Hour))
	if s.gap() != time.Second {
		t.Errorf("after a quiet time the gap is %v, want 1s", s.gap())
	}
}
