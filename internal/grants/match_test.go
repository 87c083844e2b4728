// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"math/rand"
	"slices"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	cases := map[string]struct {
		reason                   string
		pattern, namespace, text string
		want                     bool
	}{
		"Same":           {"A text matches itself.", "orders.v1", "a", "orders.v1", true},
		"Longer":         {"All of the text has to match.", "orders", "a", "orders.v1", false},
		"Shorter":        {"All of the pattern has to match.", "orders.v1", "a", "orders", false},
		"Star":           {"* stands for any characters.", "a.*.c", "a", "a.b.b.c", true},
		"StarForNothing": {"* may stand for nothing.", "a*", "a", "a", true},
		"StarAgain":      {"The first way to match need not be the right one.", "*ab*abc", "a", "abababc", true},
		"Question":       {"? stands for one character.", "a?c", "a", "abc", true},
		"QuestionNone":   {"? does not stand for nothing.", "ac?", "a", "ac", false},
		"Unicode":        {"? stands for a character, not for a byte of it.", "a?", "a", "aé", true},
		"Dot":            {"A dot is a dot.", "a.c", "a", "abc", false},
		"Namespace":      {"{namespace} stands for the namespace.", "{namespace}.*", "team-a", "team-a.orders", true},
		"Twice":          {"In every place.", "{namespace}-{namespace}", "a", "a-a", true},
		"OtherNamespace": {"And for no other.", "{namespace}.*", "team-a", "team-b.orders", false},
		"StarNamespace":  {"What a namespace is called is no pattern.", "{namespace}", "*", "orders", false},
		"StarIsText":     {"A * in a text is not a wildcard.", "orders", "a", "*", false},
		"QuestionIsText": {"Nor is a ?.", "ab", "a", "a?", false},
		"Lines":          {"A line's end is a character.", "a*", "a", "a\nb", true},
		"Empty":          {"Nothing matches nothing.", "", "a", "", true},
		"Broken":         {"What is not quite {namespace} stands for itself.", "{namespace", "a", "{namespace", true},
		"Case":           {"Upper and lower case differ.", "Orders", "a", "orders", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Match(tc.pattern, tc.namespace, tc.text); got != tc.want {
				t.Errorf("%s: Match(%q, %q, %q): got %t", tc.reason, tc.pattern, tc.namespace, tc.text, got)
			}
		})
	}
}

func TestCoversAndOverlaps(t *testing.T) {
	cases := map[string]struct {
		reason                        string
		pattern, namespace, requested string
		covers, overlaps              bool
	}{
		"Name":             {"A name within the pattern.", "{namespace}.*", "a", "a.orders", true, true},
		"Pattern":          {"A pattern within the pattern.", "{namespace}.*", "a", "a.orders*", true, true},
		"Itself":           {"A pattern covers itself.", "a.*-?", "a", "a.*-?", true, true},
		"Wider":            {"A * of the request needs a * of the pattern.", "a.orders", "a", "a.*", false, true},
		"All":              {"All topics are more than those of a namespace.", "{namespace}.*", "a", "*", false, true},
		"BeginsWithStar":   {"Also when the rest looks like the namespace's.", "{namespace}.*", "a", "*a.orders", false, true},
		"QuestionByStar":   {"A ? of the request lies within a *.", "a*", "a", "a?", true, true},
		"QuestionByLetter": {"But not within a letter.", "ab", "a", "a?", false, true},
		"StarByQuestion":   {"A * lies within no number of ?.", "a??", "a", "a*", false, true},
		"LetterByQuestion": {"A letter lies within a ?.", "a?", "a", "ab", true, true},
		"Elsewhere":        {"Another namespace's.", "{namespace}.*", "a", "b.*", false, false},
		"NoCommonEnd":      {"Two wildcards are not enough to meet.", "a*b", "a", "a*c", false, false},
		"Meet":             {"Two patterns meet in a name that neither spells out.", "a*c", "a", "*b*", false, true},
		"TooShort":         {"A name that both match has to be long enough for both.", "a??", "a", "a?", false, false},
		"Empty":            {"* may stand for nothing on both sides.", "*", "a", "*", true, true},
		"NoPlaceHolder":    {"{namespace} has no meaning in a request.", "{namespace}", "a", "{namespace}", false, false},
		"Conservative":     {"Two ways to write the same: no is the safe answer.", "?*", "a", "*?", false, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Covers(tc.pattern, tc.namespace, tc.requested); got != tc.covers {
				t.Errorf("%s: Covers(%q, %q, %q): got %t", tc.reason, tc.pattern, tc.namespace, tc.requested, got)
			}
			if got := Overlaps(tc.pattern, tc.namespace, tc.requested); got != tc.overlaps {
				t.Errorf("%s: Overlaps(%q, %q, %q): got %t", tc.reason, tc.pattern, tc.namespace, tc.requested, got)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	cases := map[string]struct {
		reason     string
		pattern    string
		text       string
		namespaces []string
		holder     string
		want       string
	}{
		"One":           {"It belongs to the namespace that it fits.", "{namespace}-*", "a-x", []string{"a", "b"}, "", "a"},
		"Longest":       {"Of several the longest.", "{namespace}-*", "a-b-x", []string{"a", "a-b", "a-b-c"}, "", "a-b"},
		"Holder":        {"Unless it is held already.", "{namespace}-*", "a-b-x", []string{"a", "a-b"}, "a", "a"},
		"HolderNotFit":  {"A holder that came by it in another way does not count.", "{namespace}-*", "a-b-x", []string{"a", "a-b"}, "z", "a-b"},
		"HolderUnknown": {"A holder exists, whether it is listed or not.", "{namespace}-*", "a-b-x", nil, "a", "a"},
		"None":          {"It may fit nobody.", "{namespace}-*", "z", []string{"a"}, "", ""},
		"Tie":           {"Wildcards make ties; order is as good as any rule, and the same for all.", "*{namespace}*", "b-a", []string{"b", "a"}, "", "a"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Owner(tc.namespaces, tc.holder, func(n string) bool { return Match(tc.pattern, n, tc.text) })
			if got != tc.want {
				t.Errorf("%s: want %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}

func TestFitsInstance(t *testing.T) {
	cases := map[string]struct {
		reason                   string
		pattern, namespace, name string
		want                     bool
	}{
		"Default":    {"The rest is the instance.", "opensearch-{namespace}-{instance}", "a", "opensearch-a-logs", true},
		"Dashes":     {"It may hold dashes.", "opensearch-{namespace}-{instance}", "a", "opensearch-a-b-c", true},
		"None":       {"It may not be empty.", "opensearch-{namespace}-{instance}", "a", "opensearch-a-", false},
		"Letters":    {"It has the letters of an instance.", "opensearch-{namespace}-{instance}", "a", "opensearch-a-X", false},
		"Other":      {"The namespace has to be the right one.", "opensearch-{namespace}-{instance}", "a", "opensearch-b-logs", false},
		"Middle":     {"An instance may stand anywhere.", "{instance}.of.{namespace}", "a", "logs.of.a", true},
		"Twice":      {"An instance is the same in both places.", "{instance}-{instance}", "a", "ab-ab", true},
		"TwiceOther": {"And not two.", "{instance}-{instance}", "a", "ab-cd", false},
		"Short":      {"A name shorter than the pattern.", "opensearch-{namespace}-{instance}", "a", "o", false},
		"NoInstance": {"Without {instance} there is one name.", "shared-{namespace}", "a", "shared-a", true},
		"Made":       {"What the namespace makes of the pattern is no place for an instance.", "{in{namespace}ance}-{instance}", "st", "x-y", false},
		"Unicode":    {"Other characters are those of the pattern.", "é{instance}é", "a", "éxé", true},
		"Star":       {"The pattern has no wildcards.", "*-{instance}", "a", "x-y", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := fitsInstance(tc.pattern, tc.namespace, tc.name); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}

// naive is Match as one would write it down, exponential in the worst case.
func naive(pattern, text []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(text) == 0
	case pattern[0] == '*':
		return naive(pattern[1:], text) || len(text) > 0 && naive(pattern, text[1:])
	case len(text) == 0:
		return false
	default:
		return (pattern[0] == '?' || pattern[0] == text[0]) && naive(pattern[1:], text[1:])
	}
}

// naiveOverlaps goes through both patterns at once.
func naiveOverlaps(a, b []rune) bool {
	switch {
	case len(a) == 0:
		return strings.Trim(string(b), "*") == ""
	case len(b) == 0:
		return strings.Trim(string(a), "*") == ""
	case a[0] == '*':
		return naiveOverlaps(a[1:], b) || naiveOverlaps(a, b[1:])
	case b[0] == '*':
		return naiveOverlaps(a, b[1:]) || naiveOverlaps(a[1:], b)
	default:
		return (a[0] == b[0] || a[0] == '?' || b[0] == '?') && naiveOverlaps(a[1:], b[1:])
	}
}

// expand returns a text that the pattern stands for.
func expand(r *rand.Rand, pattern string) string {
	var b strings.Builder
	for _, c := range pattern {
		switch c {
		case '*':
			for range r.Intn(4) {
				b.WriteByte(letters[r.Intn(len(letters))])
			}
		case '?':
			b.WriteByte(letters[r.Intn(len(letters))])
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

const letters = "ab.-"

// short texts keep the naive ways within bounds.
const short = 8

func FuzzMatch(f *testing.F) {
	for _, s := range [][3]string{{"a*b?c", "a", "axxbyc"}, {"{namespace}-*", "a-b", "a-b-c"}, {"*a*a*a", "a", "aaaaab"}, {"**", "", ""}, {"?", "a", "é"}, {"{namespace}", "*", "x"}, {"\xff", "a", "?"}} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, pattern, namespace, text string) {
		got := Match(pattern, namespace, text)
		if len(pattern) > short || len(text) > short || strings.ContainsAny(namespace, wildcards) {
			return
		}
		if want := naive([]rune(strings.ReplaceAll(pattern, placeNamespace, namespace)), []rune(text)); got != want {
			t.Errorf("Match(%q, %q, %q): want %t, got %t", pattern, namespace, text, want, got)
		}
	})
}

func FuzzCovers(f *testing.F) {
	for _, s := range []struct{ pattern, namespace, requested string }{
		{"{namespace}.*", "a", "a.*"},
		{"a*b*", "a", "a?b*"},
		{"?*", "a", "*?"},
		{"*-*", "a", "*-?-*"},
		{"a?", "a", "a*"},
		{"{namespace}*", "a-b", "a-b*"},
		{strings.Repeat("*a", 124), "a", strings.Repeat("?*", 124)},
		{strings.Repeat("*a", 124) + "b", "a", strings.Repeat("a", 249)},
		{strings.Repeat("*?", 124), "a", strings.Repeat("a*", 124)},
	} {
		f.Add(s.pattern, s.namespace, s.requested, int64(1))
	}
	f.Fuzz(func(t *testing.T, pattern, namespace, requested string, seed int64) {
		r := rand.New(rand.NewSource(seed))
		covers, overlaps := Covers(pattern, namespace, requested), Overlaps(pattern, namespace, requested)
		if covers && !overlaps {
			t.Errorf("Covers(%q, %q, %q) without Overlaps", pattern, namespace, requested)
		}
		for range 20 {
			text := expand(r, requested)
			matches := Match(pattern, namespace, text)
			if covers && !matches {
				t.Errorf("Covers(%q, %q, %q), but %q does not match", pattern, namespace, requested, text)
			}
			if matches && !overlaps {
				t.Errorf("no Overlaps(%q, %q, %q), but %q matches both", pattern, namespace, requested, text)
			}
		}
		if len(pattern) > short || len(requested) > short || strings.ContainsAny(namespace, wildcards) {
			return
		}
		if want := naiveOverlaps([]rune(strings.ReplaceAll(pattern, placeNamespace, namespace)), []rune(requested)); overlaps != want {
			t.Errorf("Overlaps(%q, %q, %q): want %t, got %t", pattern, namespace, requested, want, overlaps)
		}
	})
}

func FuzzOwner(f *testing.F) {
	for _, s := range [][5]string{
		{"{namespace}-*", "a-b-c", "a", "a-b", ""},
		{"*{namespace}*", "b-a", "a", "b", ""},
		{"{namespace}*", "a1", "a", "a1", "a"},
		{"x-{namespace}-{namespace}?", "x-a-a-a", "a", "a-a", "z"},
		{"{namespace}.*", strings.Repeat("a", 63) + ".", strings.Repeat("a", 63), strings.Repeat("a", 62), ""},
	} {
		f.Add(s[0], s[1], s[2], s[3], s[4])
	}
	f.Fuzz(func(t *testing.T, pattern, text, a, b, holder string) {
		fits := func(n string) bool { return Match(pattern, n, text) }
		got := Owner([]string{a, b}, holder, fits)
		if other := Owner([]string{b, a}, holder, fits); got != other {
			t.Errorf("pattern %q, text %q: %q of %q and %q, but %q the other way round", pattern, text, got, a, b, other)
		}
		if got != "" && !fits(got) {
			t.Errorf("pattern %q does not fit owner %q of %q", pattern, got, text)
		}
		if got == "" && slices.ContainsFunc([]string{a, b}, func(n string) bool { return n != "" && fits(n) }) {
			t.Errorf("pattern %q, text %q: nobody of %q and %q", pattern, text, a, b)
		}
		if holder != "" && fits(holder) && got != holder {
			t.Errorf("pattern %q, text %q: %q instead of holder %q", pattern, text, got, holder)
		}
	})
}
