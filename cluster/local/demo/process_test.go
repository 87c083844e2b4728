// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTail(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   string
	}{
		"Short": {reason: "A short text is shown whole.", text: "a\nb\n", want: "a\nb"},
		"Long":  {reason: "Of a long text the end is shown.", text: "a\nb\nc\nd\n", want: "c\nd"},
		"Empty": {reason: "Nothing is shown of nothing."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tail(tc.text, 2)); diff != "" {
				t.Errorf("\n%s\ntail(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
