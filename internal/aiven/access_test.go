// SPDX-License-Identifier: Apache-2.0

package aiven

import "testing"

func TestAccessControlEqual(t *testing.T) {
	cases := map[string]struct {
		reason string
		a, b   AccessControl
		want   bool
	}{
		"NilAndEmpty":   {"Aiven leaves out lists without values", AccessControl{}, AccessControl{Categories: []string{}, Keys: []string{}}, true},
		"KeysAsSet":     {"Aiven may order keys and name them once", AccessControl{Keys: []string{"b", "a", "b"}}, AccessControl{Keys: []string{"a", "b"}}, true},
		"ChannelsAsSet": {"the same goes for channels", AccessControl{Channels: []string{"b", "a"}}, AccessControl{Channels: []string{"a", "b"}}, true},
		"Categories":    {"their order matters", AccessControl{Categories: []string{"-@all", "+@read"}}, AccessControl{Categories: []string{"+@read", "-@all"}}, false},
		"Commands":      {"their order matters", AccessControl{Commands: []string{"-get", "+get"}}, AccessControl{Commands: []string{"+get", "-get"}}, false},
		"OtherKeys":     {"another key is another access", AccessControl{Keys: []string{"a"}}, AccessControl{Keys: []string{"b"}}, false},
		"KeysChannels":  {"keys are not channels", AccessControl{Keys: []string{"a"}}, AccessControl{Channels: []string{"a"}}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.a.Equal(tc.b); got != tc.want {
				t.Errorf("%s: a.Equal(b): got %t", tc.reason, got)
			}
			if got := tc.b.Equal(tc.a); got != tc.want {
				t.Errorf("%s: b.Equal(a): got %t", tc.reason, got)
			}
		})
	}
}

func TestEqualRules(t *testing.T) {
	cases := map[string]struct {
		reason string
		a, b   []Rule
		want   bool
	}{
		"NilAndEmpty": {"no rules are no rules", nil, []Rule{}, true},
		"Order":       {"the order has no meaning", rules("a", "read", "b", "write"), rules("b", "write", "a", "read"), true},
		"Twice":       {"naming one twice has none either", rules("a", "read", "a", "read"), rules("a", "read"), true},
		"Permission":  {"another permission is another rule", rules("a", "read"), rules("a", "write"), false},
		"More":        {"one more is more", rules("a", "read", "b", "read"), rules("a", "read"), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := EqualRules(tc.a, tc.b); got != tc.want {
				t.Errorf("%s: EqualRules(a, b): got %t", tc.reason, got)
			}
		})
	}
}
