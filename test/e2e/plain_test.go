// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// changed returns what is different between two contents of a Secret, without what
// stands in it.
func changed(before, after map[string][]byte) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(before)) {
		value, ok := after[key]
		switch {
		case !ok:
			out = append(out, key+" is gone")
		case !bytes.Equal(before[key], value):
			out = append(out, key+" has changed")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[key]; !ok {
			out = append(out, key+" is new")
		}
	}
	return out
}

func TestChanged(t *testing.T) {
	before := map[string][]byte{"A": []byte("1"), "B": []byte("2")}
	cases := map[string]struct {
		reason string
		after  map[string][]byte
		want   []string
	}{
		"Same":    {reason: "What is equal has not changed.", after: map[string][]byte{"A": []byte("1"), "B": []byte("2")}},
		"Value":   {reason: "Another value is a change.", after: map[string][]byte{"A": []byte("1"), "B": []byte("3")}, want: []string{"B has changed"}},
		"Emptied": {reason: "A value that is empty now is a change.", after: map[string][]byte{"A": {}, "B": []byte("2")}, want: []string{"A has changed"}},
		"Lost":    {reason: "A key that is not there any more is a change.", after: map[string][]byte{"B": []byte("2")}, want: []string{"A is gone"}},
		"Nothing": {reason: "A Secret that has nothing any more has lost all.", want: []string{"A is gone", "B is gone"}},
		"Added":   {reason: "A key that was not there is a change.", after: map[string][]byte{"A": []byte("1"), "B": []byte("2"), "C": nil}, want: []string{"C is new"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, changed(before, tc.after)); diff != "" {
				t.Errorf("\n%s\nchanged(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// margin is how long before the end of its time a run ends itself: long enough to
// write down what there is, and to remove it.
const margin = 3 * time.Minute

// patience returns how long a run may take whose -timeout is the given one. Zero is
// for ever.
func patience(timeout time.Duration) time.Duration {
	return max(timeout-margin, timeout/2)
}

func TestPatience(t *testing.T) {
	cases := map[string]struct {
		reason        string
		timeout, want time.Duration
	}{
		"Usual": {reason: "What is left is enough to clean up.", timeout: 40 * time.Minute, want: 37 * time.Minute},
		"Short": {reason: "A short time is not all for that.", timeout: 4 * time.Minute, want: 2 * time.Minute},
		"None":  {reason: "Without a limit there is none.", timeout: 0, want: 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := patience(tc.timeout); got != tc.want {
				t.Errorf("\n%s\npatience(%s): got %s, want %s", tc.reason, tc.timeout, got, tc.want)
			}
		})
	}
}
