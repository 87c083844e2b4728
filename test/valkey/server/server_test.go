// SPDX-License-Identifier: Apache-2.0

package server

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestRules(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     aivensim.Account
		want   string
	}{
		"Nothing": {
			reason: "A user without a password cannot log in, and one without rules may do nothing.",
			want:   "reset allchannels",
		},
		"Everything": {
			reason: "Categories come before commands, each in their order.",
			in: aivensim.Account{Username: "app", Password: "secret", AccessControl: aivensim.AccessControl{
				Categories: []string{"-@all", "+@read"}, Commands: []string{"-get", "+info"}, Keys: []string{"a:*", "b"}, Channels: []string{"c"},
			}},
			want: "reset on >secret ~a:* ~b &c -@all +@read -get +info",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			all := rules(tc.in)
			own, taken := all[:len(all)-len(disabled)], all[len(all)-len(disabled):]
			if diff := cmp.Diff(tc.want, strings.Join(own, " ")); diff != "" {
				t.Errorf("\n%s\nrules(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff("-"+strings.Join(disabled, " -"), strings.Join(taken, " ")); diff != "" {
				t.Errorf("\nWhat nobody may use comes last.\nrules(...): -want, +got:\n%s", diff)
			}
		})
	}
}
