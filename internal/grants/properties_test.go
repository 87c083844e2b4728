// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"hash/crc32"
	"math/rand"
	"strings"
	"testing"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

const (
	seed   = 20260101
	rounds = 400
)

// hostile are namespaces whose names run into one another's: by dashes, by what is cut off,
// by what is left out.
var hostile = []string{
	"a", "b", "a-b", "b-c", "a-b-c", "aa", "ab", "1", "1-1", "11", "team", "team-a", "team-a-b", "teama", "namespace",
	"abcdefghijklmnopqrst", "abcdefghijklmnopqrst-u", "abcdefghijklmnopqrs-t", "abcdefghijklmnopqrs",
	strings.Repeat("a", 63), strings.Repeat("a", 62), strings.Repeat("a-", 31) + "a", strings.Repeat("a", 31) + "-" + strings.Repeat("b", 31),
}

func pick(r *rand.Rand, from []string) string { return from[r.Intn(len(from))] }

// name returns one that is made of hostile names, so that it fits several of them often.
func name(r *rand.Rand) string {
	parts := []string{pick(r, []string{"", "opensearch-", "x-"})}
	for range 1 + r.Intn(3) {
		parts = append(parts, pick(r, hostile), pick(r, []string{"", "-", "-", "."}))
	}
	return strings.Join(parts, "")
}

func TestNobodySharesAService(t *testing.T) {
	r := rand.New(rand.NewSource(seed))
	patterns := []string{"opensearch-{namespace}-{instance}", "{namespace}-{instance}", "{instance}-{namespace}", "{namespace}{instance}", "x-{instance}-{namespace}-{instance}"}
	globs := []string{"{namespace}-*", "*-{namespace}", "*{namespace}*", "{namespace}?*", "x-{namespace}*", "{namespace}", "{namespace}-{namespace}*"}
	for range rounds {
		rules := []Rules{cluster(func(c *Rules) { c.Project, c.InstanceNames.OpenSearch = "p", pick(r, patterns) })}
		for _, s := range []v1alpha1.ServicePattern{{ServiceName: pick(r, globs)}, {Project: pick(r, globs)}, {Project: pick(r, globs), ServiceName: pick(r, globs)}} {
			rules = append(rules, cluster(func(c *Rules) { c.Services = []v1alpha1.ServicePattern{s} }))
		}
		holder := ""
		if r.Intn(2) == 0 {
			holder = pick(r, hostile)
		}
		projects, service := []string{"p", name(r), name(r), name(r)}, name(r)
		for i, c := range rules {
			var allowed []string
			for _, n := range hostile {
				if c.Service(Target{n, OpenSearch, projects[i], service}, Cluster{Namespaces: hostile, Holder: holder}) == nil {
					allowed = append(allowed, n)
				}
			}
			if len(allowed) > 1 {
				t.Fatalf("service %s/%s is that of %v: instanceNames %v, services %v, holder %q", projects[i], service, allowed, c.InstanceNames, c.Services, holder)
			}
		}
	}
}

func TestNobodySharesATopic(t *testing.T) {
	r := rand.New(rand.NewSource(seed))
	globs := []string{"{namespace}-*", "*-{namespace}-*", "*{namespace}*", "{namespace}.*", "x-{namespace}?*", "{namespace}", "{namespace}-{namespace}*"}
	granted := 0
	for range rounds / 5 {
		pattern := pick(r, globs)
		rules := cluster(func(c *Rules) {
			c.KafkaPools = []v1alpha1.KafkaPool{{Name: "p", ServiceName: "kafka", Topics: []string{pattern}}}
		})
		// What two namespaces are granted has no name in common.
		var texts, owners []string
		for _, n := range hostile {
			for range 4 {
				// A request that has a chance: something that the pattern stands for, made a
				// pattern again.
				asked := ask(r, strings.ReplaceAll(pattern, placeNamespace, n))
				if rules.Topics(Target{n, Kafka, "p", "kafka"}, []string{asked}, nil, Cluster{Namespaces: hostile}) == nil {
					texts, owners = append(texts, asked), append(owners, n)
				}
			}
		}
		granted += len(texts)
		for i := range texts {
			for j := range i {
				if owners[i] != owners[j] && Overlaps(texts[j], "", texts[i]) {
					t.Fatalf("pattern %s grants %s to %s and %s to %s", pattern, texts[i], owners[i], texts[j], owners[j])
				}
			}
		}
	}
	if granted < rounds {
		t.Errorf("only %d requests were granted: the test shows little", granted)
	}
}

// ask returns a name or a pattern, most often within the supplied one.
func ask(r *rand.Rand, pattern string) string {
	var b strings.Builder
	for _, c := range pattern {
		switch {
		case c == '*':
			b.WriteString(pick(r, []string{"", "*", "?", "b", "b-", "b-c-", "c-*", "?-*", name(r)}))
		case r.Intn(40) == 0:
			b.WriteByte('?')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func TestMatchesAgree(t *testing.T) {
	r := rand.New(rand.NewSource(seed))
	random := func(alphabet string) string {
		b := make([]byte, r.Intn(short))
		for i := range b {
			b[i] = alphabet[r.Intn(len(alphabet))]
		}
		return string(b)
	}
	for range 20 * rounds {
		pattern, requested, text := random("ab*?"), random("ab*?"), random("ab")
		if got, want := Match(pattern, "", text), naive([]rune(pattern), []rune(text)); got != want {
			t.Fatalf("Match(%q, %q): got %t", pattern, text, got)
		}
		overlaps := naiveOverlaps([]rune(pattern), []rune(requested))
		if got := Overlaps(pattern, "", requested); got != overlaps {
			t.Fatalf("Overlaps(%q, %q): got %t", pattern, requested, got)
		}
		if Covers(pattern, "", requested) && !Match(pattern, "", expand(r, requested)) {
			t.Fatalf("Covers(%q, %q) is wrong", pattern, requested)
		}
	}
	// Places go beyond one word.
	for range rounds {
		pattern, requested := strings.Repeat(random("ab*?"), 20), strings.Repeat(random("ab*?"), 20)
		both := expand(r, requested)
		if Match(pattern, "", both) && !Overlaps(pattern, "", requested) {
			t.Fatalf("no Overlaps(%q, %q), but %q matches both", pattern, requested, both)
		}
		if both = expand(r, pattern); Match(requested, "", both) && !Overlaps(pattern, "", requested) {
			t.Fatalf("no Overlaps(%q, %q), but %q matches both", pattern, requested, both)
		}
		if Overlaps(pattern, "", requested) != Overlaps(requested, "", pattern) {
			t.Fatalf("Overlaps(%q, %q) depends on the order", pattern, requested)
		}
	}
}

func TestNobodySharesAUsername(t *testing.T) {
	r := rand.New(rand.NewSource(seed))
	rules := cluster()
	apps := append([]string{"app", "a-app", "team-a-app", "x_y", "app_0123abcd", "-app", "a.b", "Ä", strings.Repeat("b", 30), strings.Repeat("b", 31)}, hostile...)
	// A checksum can be forged: by an application's name that is made for it.
	for _, n := range hostile[:4] {
		apps = append(apps, strings.TrimSuffix(username.Prefix(n, "app"), "_"), strings.TrimPrefix(username.Prefix(n, "app"), n+"_")+"z")
	}
	for range 20 * rounds {
		u, v := User{Namespace: pick(r, hostile), Application: pick(r, apps)}, User{Namespace: pick(r, hostile), Resource: pick(r, apps)}
		// Names beyond what is made up, to reach from one into another.
		name := username.Prefix(u.Namespace, u.Application) + pick(r, []string{"abc", "", "_abc", "x_" + username.Prefix(v.Namespace, v.Resource), "0123abcd_abc"})
		u.Username, v.Username = name, name
		if rules.Username(u) == nil && rules.Username(v) == nil && username.Prefix(u.Namespace, u.Application) != username.Prefix(v.Namespace, v.Resource) {
			t.Fatalf("user %s is that of %s/%s and of %s/%s", name, u.Namespace, u.Application, v.Namespace, v.Resource)
		}
	}
}

// A checksum of namespace and name together is the same for "a"+"bc" and "ab"+"c"; what
// tells them apart stands before it.
func TestChecksumsThatAreTheSame(t *testing.T) {
	if crc32.ChecksumIEEE([]byte("a"+"bc")) != crc32.ChecksumIEEE([]byte("ab"+"c")) {
		t.Fatal("they are not")
	}
	name := username.Prefix("a", "bc") + "abc"
	if err := cluster().Username(User{Namespace: "ab", Resource: "c", Username: name}); err == nil {
		t.Errorf("user %s of a/bc is granted to ab/c", name)
	}
}

// Patterns of all the length that the API allows, made to take long, for as many topics as it
// allows: with backtracking this test would not end.
func TestHostilePatterns(t *testing.T) {
	stars := strings.Repeat("*a", 119) + "-{namespace}"
	rules := cluster(func(c *Rules) {
		c.KafkaPools = []v1alpha1.KafkaPool{{Name: "p", ServiceName: "kafka", Topics: []string{stars, "*-{namespace}-*", "*"}}}
		c.Services = []v1alpha1.ServicePattern{{ServiceName: strings.Repeat("*a", 26) + "{namespace}"}}
	})
	var topics []string
	for range 128 {
		topics = append(topics, strings.Repeat("?x", 60)+"-a-"+strings.Repeat("*x", 60), strings.Repeat("a", 249))
	}
	target := Target{"a", Kafka, "p", strings.Repeat("a", 249)}
	if err := rules.Topics(target, topics, topics, Cluster{Namespaces: hostile}); err == nil {
		t.Error("subjects are granted, of which none is listed")
	}
	_ = rules.Service(target, Cluster{Namespaces: hostile})
}
