// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/secret-keys.md")

func names(docs []KeyDoc) []string {
	var out []string
	for _, d := range docs {
		out = append(out, d.Name)
	}
	return out
}

func TestKeys(t *testing.T) {
	cases := map[string]struct {
		reason string
		docs   []KeyDoc
		want   []string
	}{
		"Common": {
			reason: "These names are API.",
			docs:   CommonKeys(),
			want:   []string{"AIVEN_CA", "AIVEN_SECRET_UPDATED"},
		},
		"Kafka": {
			reason: "These names are API.",
			docs:   Keys(Kafka, "ignored"),
			want: []string{
				"KAFKA_BROKERS", "KAFKA_CA", "KAFKA_CERTIFICATE", "KAFKA_PRIVATE_KEY", "KAFKA_CREDSTORE_PASSWORD",
				"client.keystore.p12", "client.truststore.jks", "KAFKA_SECRET_UPDATED",
				"KAFKA_SCHEMA_REGISTRY", "KAFKA_SCHEMA_REGISTRY_USER", "KAFKA_SCHEMA_REGISTRY_PASSWORD",
			},
		},
		"OpenSearch": {
			reason: "These names are API.",
			docs:   Keys(OpenSearch, "ignored"),
			want: []string{
				"OPEN_SEARCH_USERNAME", "OPEN_SEARCH_PASSWORD", "OPEN_SEARCH_URI", "OPEN_SEARCH_HOST", "OPEN_SEARCH_PORT",
				"OPEN_SEARCH_DASHBOARD_URI", "OPEN_SEARCH_DASHBOARD_HOST", "OPEN_SEARCH_DASHBOARD_PORT",
			},
		},
		"Valkey": {
			reason: "These names are API.",
			docs:   Keys(Valkey, "my-cache1"),
			want: []string{
				"VALKEY_USERNAME_MY_CACHE1", "VALKEY_PASSWORD_MY_CACHE1", "VALKEY_URI_MY_CACHE1", "VALKEY_HOST_MY_CACHE1", "VALKEY_PORT_MY_CACHE1",
				"REDIS_USERNAME_MY_CACHE1", "REDIS_PASSWORD_MY_CACHE1", "REDIS_URI_MY_CACHE1", "REDIS_HOST_MY_CACHE1", "REDIS_PORT_MY_CACHE1",
				"VALKEY_REPLICA_URI_MY_CACHE1", "VALKEY_REPLICA_HOST_MY_CACHE1", "VALKEY_REPLICA_PORT_MY_CACHE1",
			},
		},
		"Unknown": {
			reason: "An unknown service has no keys.",
			docs:   Keys("Redis", "a"),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, names(tc.docs)); diff != "" {
				t.Errorf("\n%s\nKeys(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestOwned(t *testing.T) {
	cases := map[string]struct {
		reason   string
		key      string
		services []Service
		want     bool
	}{
		"Common":         {reason: "The CA is ours whatever the services.", key: "AIVEN_CA", want: true},
		"CommonStamp":    {reason: "The stamp is ours whatever the services.", key: "AIVEN_SECRET_UPDATED", want: true},
		"Kafka":          {reason: "A key of Kafka is ours.", key: "client.keystore.p12", services: []Service{Kafka}, want: true},
		"KafkaStamp":     {reason: "Kafka's stamp is ours.", key: "KAFKA_SECRET_UPDATED", services: Services(), want: true},
		"OtherService":   {reason: "A key of Kafka is not OpenSearch's.", key: "KAFKA_BROKERS", services: []Service{OpenSearch, Valkey}},
		"NoService":      {reason: "Without services only the common keys are owned.", key: "KAFKA_BROKERS"},
		"AnyInstance":    {reason: "A key of any Valkey instance is ours, also of one that is gone.", key: "REDIS_URI_GONE_1", services: Services(), want: true},
		"NoInstance":     {reason: "A key without an instance is not ours.", key: "VALKEY_URI", services: Services()},
		"EmptyInstance":  {reason: "A key with an empty instance is not ours.", key: "VALKEY_URI_", services: Services()},
		"LowerCase":      {reason: "A key that no instance gives is not ours.", key: "VALKEY_URI_gone", services: Services()},
		"Suffixed":       {reason: "Keys of the other services have no suffix.", key: "KAFKA_BROKERS_A", services: Services()},
		"Foreign":        {reason: "What others put into the Secret is not ours.", key: "MY_OWN_KEY", services: Services()},
		"UnknownService": {reason: "An unknown service owns nothing.", key: "KAFKA_BROKERS", services: []Service{"Redis"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Owned(tc.key, tc.services...); got != tc.want {
				t.Errorf("\n%s\nOwned(%q, %v): want %t, got %t", tc.reason, tc.key, tc.services, tc.want, got)
			}
		})
	}
}

func TestSuffix(t *testing.T) {
	cases := map[string]struct {
		reason   string
		instance string
		want     string
	}{
		"Plain":     {reason: "Lower case becomes upper case.", instance: "cache1", want: "CACHE1"},
		"Dash":      {reason: "A dash becomes an underscore.", instance: "my-cache", want: "MY_CACHE"},
		"UpperCase": {reason: "aivenator replaces before it changes case, so an upper-case letter is lost.", instance: "myCache", want: "MY_ACHE"},
		"Unicode":   {reason: "One character becomes one underscore, however many bytes it has.", instance: "blåbær", want: "BL_B_R"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Suffix(tc.instance); got != tc.want {
				t.Errorf("\n%s\nSuffix(%q): want %q, got %q", tc.reason, tc.instance, tc.want, got)
			}
		})
	}
}

func FuzzSuffix(f *testing.F) {
	for _, s := range []string{"", "a", "my-cache", "A.B", "blåbær", "\xff\xfe", "ſ", "a\nb"} {
		f.Add(s)
	}
	// A key of a Secret must be of these characters; an environment variable
	// of these less dot and dash.
	valid := regexp.MustCompile(`\A[A-Z0-9_]*\z`)
	f.Fuzz(func(t *testing.T, instance string) {
		got := Suffix(instance)
		if !valid.MatchString(got) {
			t.Errorf("Suffix(%q): %q is not the end of a key", instance, got)
		}
		if want := utf8.RuneCountInString(instance); len(got) != want {
			t.Errorf("Suffix(%q): want %d characters, got %q", instance, want, got)
		}
		i := 0
		for _, r := range instance {
			plain := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
			if kept := got[i] != '_'; kept != plain {
				t.Errorf("Suffix(%q): %q became %q", instance, r, got[i])
			}
			i++
		}
		for _, key := range names(Keys(Valkey, instance)) {
			if owned := Owned(key, Valkey); owned != (instance != "") {
				t.Errorf("Owned(%q, Valkey): got %t for instance %q", key, owned, instance)
			}
		}
	})
}

func TestHash(t *testing.T) {
	sum := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return hex.EncodeToString(h[:])
	}
	n := func(i int) string { return "\x00\x00\x00\x00\x00\x00\x00" + string(rune(i)) }

	cases := map[string]struct {
		reason string
		data   map[string][]byte
		want   string
	}{
		"Empty": {
			reason: "The hash of nothing is SHA-256's.",
			want:   sum(""),
		},
		"Sorted": {
			reason: "Keys should be in order, keys and values behind their length: published hashes must stay valid across versions.",
			data:   map[string][]byte{"b": []byte("22"), "a": nil},
			want:   sum(n(1) + "a" + n(0) + n(1) + "b" + n(2) + "22"),
		},
		"Boundaries": {
			reason: "What moves from value to key should change the hash.",
			data:   map[string][]byte{"b2": []byte("2"), "a": nil},
			want:   sum(n(1) + "a" + n(0) + n(2) + "b2" + n(1) + "2"),
		},
		"Stamps": {
			reason: "Stamps are no content.",
			data: map[string][]byte{
				"b": []byte("22"), "a": nil, "AIVEN_SECRET_UPDATED": []byte("now"), "KAFKA_SECRET_UPDATED": []byte("now"),
			},
			want: sum(n(1) + "a" + n(0) + n(1) + "b" + n(2) + "22"),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				if got := Hash(tc.data); got != tc.want {
					t.Fatalf("\n%s\nHash(...): want %s, got %s", tc.reason, tc.want, got)
				}
			}
		})
	}
}

// TestDocument keeps docs/secret-keys.md equal to the code. With -update it
// writes the tables instead.
func TestDocument(t *testing.T) {
	const path = "../../docs/secret-keys.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	want := string(b)
	tables := map[string][]KeyDoc{"common": CommonKeys()}
	for _, s := range Services() {
		docs := Keys(s, "instance")
		for i := range docs {
			docs[i].Name = strings.Replace(docs[i].Name, "_INSTANCE", "_<INSTANCE>", 1)
		}
		tables[string(s)] = docs
	}
	for name, docs := range tables {
		begin, end := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->", name)
		before, rest, ok := strings.Cut(want, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no table %q", path, name)
		}
		want = before + begin + table(docs) + end + after
	}

	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("%s differs from the code; run go test ./internal/connection -run TestDocument -update: -want, +got:\n%s", path, diff)
	}
}

func table(docs []KeyDoc) string {
	var b strings.Builder
	b.WriteString("\n| Key | Meaning | Present | aivenator |\n|---|---|---|---|\n")
	for _, d := range docs {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Description, d.Present, d.Aivenator)
	}
	b.WriteString("\n")
	return b.String()
}
