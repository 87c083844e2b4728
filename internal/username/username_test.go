// SPDX-License-Identifier: Apache-2.0

package username

import (
	"regexp"
	"strings"
	"testing"
)

func TestPrefix(t *testing.T) {
	cases := map[string]struct {
		reason          string
		namespace, name string
		want            string
	}{
		"Plain":         {"Namespace, name, checksum.", "orders", "api", "orders_api_04ba87e9_"},
		"TeamPrefix":    {"NAIS leaves out a leading \"team\" of the team.", "team-rocket", "api", "rocket_api_4b8861a2_"},
		"OnlyTeam":      {"Unless nothing would be left.", "team", "api", "team_api_e228c591_"},
		"AppBeginsTeam": {"The application's name goes without the team's.", "rocket", "rocket-fuel", "rocket_fuel_64a2cfba_"},
		"AppIsTeam":     {"Unless nothing would be left.", "rocket", "rocket", "rocket_rocket_"},
		"LongTeam":      {"A team has at most 20 characters and no dash at the end.", "abcdefghijklmnopqrs-uvw", "a", "abcdefghijklmnopqrs_a_"},
		"LongApp":       {"An application has at most 30.", "x", "abcdefghijklmnopqrstuvwxyz0123456789", "x_abcdefghijklmnopqrstuvwxyz0123_"},
		"DashesInBoth":  {"Leading dashes go.", "n", "n--app", "n_app_"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Prefix(tc.namespace, tc.name); !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s: want %s…, got %s", tc.reason, tc.want, got)
			}
		})
	}
}

func TestFor(t *testing.T) {
	base := Input{Namespace: "orders", Name: "api", UID: "1", Service: "kafka", Revision: 1}
	if a, b := For(base), For(base); a != b {
		t.Errorf("the same input gave %s and %s", a, b)
	}
	cases := map[string]struct {
		reason string
		change func(i *Input)
	}{
		"UID":      {"An object of the same name later gets another user.", func(i *Input) { i.UID = "2" }},
		"Service":  {"Services are told apart.", func(i *Input) { i.Service = "valkey/a" }},
		"Revision": {"A new revision is a new user.", func(i *Input) { i.Revision = 2 }},
		"Attempt":  {"A name that is taken leads to another.", func(i *Input) { i.Attempt = 1 }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			other := base
			tc.change(&other)
			if a, b := For(base), For(other); a == b || a[:len(a)-suffixLength] != b[:len(b)-suffixLength] {
				t.Errorf("%s: got %s and %s", tc.reason, a, b)
			}
		})
	}
}

func TestIsGenerated(t *testing.T) {
	generated := func(namespace, name string) string {
		return For(Input{Namespace: namespace, Name: name, UID: "1", Service: "kafka", Revision: 1})
	}
	cases := map[string]struct {
		reason string
		name   string
		want   bool
	}{
		"Ours":          {"What For returns is recognised.", generated("orders", "api"), true},
		"Dots":          {"Names of applications may hold dots.", generated("orders", "api.v1.internal"), true},
		"DotFirst":      {"A dot may come first when the team's name is cut.", generated("orders", "orders.api"), true},
		"Long":          {"As long as names can be.", generated(strings.Repeat("a", 63), strings.Repeat("b", 253)), true},
		"DashesCut":     {"Dashes at both ends are cut.", generated("team-a---b", "team-a---b---c"), true},
		"Digits":        {"Digits alone are names too.", generated("0", "9"), true},
		"Aivenators":    {"aivenator makes the same names.", "team2_app_7c5d8385_rgu", true},
		"BuiltIn":       {"Aiven's own user.", "avnadmin", false},
		"Person":        {"What a person made up.", "made-by-hand", false},
		"Empty":         {"No name at all.", "", false},
		"NoSuffix":      {"The prefix of a name is none.", Prefix("orders", "api"), false},
		"LongSuffix":    {"A suffix has three characters.", generated("orders", "api") + "x", false},
		"NoTeam":        {"Every part is there.", "_api_04ba87e9_abc", false},
		"UpperCase":     {"Names are in lower case.", "Orders_api_04ba87e9_abc", false},
		"ShortChecksum": {"A checksum has eight digits.", "orders_api_4ba87e9_abc", false},
		"NoChecksum":    {"A checksum is hexadecimal.", "orders_api_04ba87eg_abc", false},
		"MoreParts":     {"There are four parts.", "orders_api_old_04ba87e9_abc", false},
		"LongTeam":      {"A team has at most 20 characters.", strings.Repeat("a", 21) + "_api_04ba87e9_abc", false},
		"LineAfter":     {"Nothing may follow.", "orders_api_04ba87e9_abc\n", false},
		"LineBefore":    {"Nothing may precede.", "x\norders_api_04ba87e9_abc", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := IsGenerated(tc.name); got != tc.want {
				t.Errorf("%s: IsGenerated(%q): got %t", tc.reason, tc.name, got)
			}
		})
	}
}

func FuzzFor(f *testing.F) {
	f.Add("team-a", "orders", "uid", int64(1), 0)
	f.Add("a", "-", "", int64(-1), 99)
	f.Add(strings.Repeat("a", 63), strings.Repeat("b", 253), "x", int64(7), 3)
	valid := regexp.MustCompile(`^[-._a-z0-9]{1,64}$`)
	input := regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	f.Fuzz(func(t *testing.T, namespace, name, uid string, revision int64, attempt int) {
		if !input.MatchString(namespace) || !input.MatchString(name) {
			t.Skip("not names that Kubernetes allows")
		}
		got := For(Input{Namespace: namespace, Name: name, UID: uid, Service: "kafka", Revision: revision, Attempt: attempt})
		if !valid.MatchString(got) {
			t.Errorf("For(%q, %q) = %q", namespace, name, got)
		}
		// Kubernetes: a name has at most 253 characters, a namespace 63 and no dots.
		if len(namespace) <= 63 && !strings.Contains(namespace, ".") && len(name) <= 253 && !IsGenerated(got) {
			t.Errorf("IsGenerated(%q) is false, of For(%q, %q)", got, namespace, name)
		}
	})
}
