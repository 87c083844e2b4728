// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/provider"
)

// operations is the page that has the table of flags.
const operations = "../../docs/operations.md"

// TestDocumented: the table of flags in docs/operations.md is that of --help.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- flags -->\n", "<!-- end of flags -->"
	_, rest, ok := strings.Cut(string(doc), begin)
	got, _, ends := strings.Cut(rest, end)
	if !ok || !ends {
		t.Fatalf("%s has no table of flags between %q and %q", operations, begin, end)
	}
	if diff := cmp.Diff(table(), got); diff != "" {
		t.Errorf("%s: -want, +got:\n%s\nThe table should be:\n%s", operations, diff, table())
	}
}

// table returns a table of all flags that a person may set.
func table() string {
	app, _ := flags()
	_, _ = app.Parse(nil) // It names the variables.
	var b strings.Builder
	b.WriteString("| flag | environment | default | |\n|---|---|---|---|\n")
	for _, f := range app.Model().Flags {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			continue
		}
		value := ""
		if len(f.Default) > 0 {
			value = "`" + strings.Join(f.Default, ",") + "`"
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | %s | %s |\n", f.Name, f.Envar, value, f.Help)
	}
	return b.String()
}

func TestFlags(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
		env    map[string]string
		want   func(s *settings) string
	}{
		"Defaults": {
			reason: "The flags' defaults are those of the package that they are for.",
			want: func(s *settings) string {
				o := s.options()
				if o.LeaseDuration != provider.DefaultLeaseDuration || o.PollInterval != provider.DefaultPollInterval || !o.LeaderElection || o.WatchNamespaces != nil || s.verbose() {
					return fmt.Sprintf("%+v", o)
				}
				return ""
			},
		},
		"Lists": {
			reason: "Lists are separated by commas.",
			args:   []string{"--watch-namespaces=a,b", "--allowed-base-urls=https://x"},
			want: func(s *settings) string {
				return cmp.Diff([]string{"a", "b", "https://x"}, append(s.options().WatchNamespaces, s.options().BaseURLs.Allowed...))
			},
		},
		"Password": {
			reason: "Key stores have the password that they always had, unless another is given.",
			want: func(s *settings) string {
				return cmp.Diff(connection.DefaultKeyStorePassword, s.options().KeyStorePassword)
			},
		},
		"AnotherPassword": {
			reason: "It can be given in the environment, where the list of processes does not show it.",
			env:    map[string]string{"PROVIDER_KEY_STORE_PASSWORD": "another"},
			want:   func(s *settings) string { return cmp.Diff("another", s.options().KeyStorePassword) },
		},
		"Debug": {
			reason: "The short way to say it is the same.", args: []string{"-d"},
			want: func(s *settings) string { return cmp.Diff(true, s.verbose()) },
		},
		"Level": {
			reason: "The level says it.", args: []string{"--log-level=debug", "--lease-duration=15s"},
			want: func(s *settings) string {
				return cmp.Diff(true, s.verbose()) + cmp.Diff(15*time.Second, s.options().LeaseDuration)
			},
		},
		"NoLeader": {
			reason: "A single replica needs no lease.", args: []string{"--no-leader-election"},
			want: func(s *settings) string { return cmp.Diff(false, s.options().LeaderElection) },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			app, s := flags()
			if _, err := app.Parse(tc.args); err != nil {
				t.Fatal(err)
			}
			if diff := tc.want(s); diff != "" {
				t.Errorf("\n%s\nflags(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
