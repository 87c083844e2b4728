// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// TestNeedsAreGranted: what is asked for at the start is what cluster/install/rbac
// grants, all and nothing else.
func TestNeedsAreGranted(t *testing.T) {
	const tokens = "secrets/aiven-token"
	granted := map[string]bool{}
	for _, dir := range []string{"roles", "base"} {
		files, err := filepath.Glob(filepath.Join("../../cluster/install/rbac", dir, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no manifests in %s: %v", dir, err)
		}
		for _, f := range files {
			for _, r := range rulesIn(t, f) {
				for _, n := range names(r) {
					granted[n] = true
				}
			}
		}
	}
	for _, verb := range []string{"get", "list", "watch", "patch"} {
		delete(granted, verb+" "+tokens) // Configurations say which.
	}
	needed := map[string]bool{}
	for _, namespaces := range [][]string{nil, {"team-a"}} {
		for _, r := range rightsFor(Options{WatchNamespaces: namespaces, Namespace: "own", LeaderElection: true, LeaderElectionNamespace: "own"}) {
			r.namespace = ""
			needed[r.String()] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(granted)), slices.Sorted(maps.Keys(needed))); diff != "" {
		t.Errorf("rights: -granted, +needed:\n%s", diff)
	}
}

// names returns the rights of a rule, without where.
func names(rule rbacv1.PolicyRule) []string {
	var out []string
	for _, g := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				for _, name := range append(rule.ResourceNames, "")[:max(len(rule.ResourceNames), 1)] {
					out = append(out, right{group: g, resource: resource, verb: verb, name: name}.String())
				}
			}
		}
	}
	return out
}

func rulesIn(t *testing.T, path string) []rbacv1.PolicyRule {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []rbacv1.PolicyRule
	for d := yaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		var o struct {
			Rules []rbacv1.PolicyRule `json:"rules"`
		}
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, o.Rules...)
	}
}

// TestWithout: it is told of each missing right what does not work.
func TestWithout(t *testing.T) {
	for _, n := range needs {
		if without[n.feature] == "" {
			t.Errorf("nothing says what does not work without %s", n.feature)
		}
	}
}

func TestRightsFor(t *testing.T) {
	cases := map[string]struct {
		reason  string
		o       Options
		with    []string
		without []string
	}{
		"All": {
			reason:  "All namespaces are watched.",
			o:       Options{Namespace: "own", LeaderElection: true, LeaderElectionNamespace: "own"},
			with:    []string{"list pods", "list namespaces", "watch jobs.batch", "create configmaps -n own", "create leases.coordination.k8s.io -n own", "update leases.coordination.k8s.io/" + leaseName + " -n own"},
			without: []string{"get namespaces", "create events -n team-a"},
		},
		"Chosen": {
			reason:  "Namespaces are chosen.",
			o:       Options{Namespace: "own", WatchNamespaces: []string{"a", "b"}},
			with:    []string{"list pods -n a", "list pods -n b", "get namespaces -n a", "list clusterproviderconfigs.aiven.nais.io", "update aivenapplications.aiven.nais.io/status -n b"},
			without: []string{"list namespaces", "list pods", "create leases.coordination.k8s.io -n own"},
		},
		"OutOfCluster": {
			reason:  "There is no namespace of one's own.",
			with:    []string{"list secrets"},
			without: []string{"create configmaps"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range rightsFor(tc.o) {
				got = append(got, r.String())
			}
			for _, s := range tc.with {
				if !slices.Contains(got, s) {
					t.Errorf("\n%s\nrightsFor(...): lacks %q of\n%s", tc.reason, s, strings.Join(got, "\n"))
				}
			}
			for _, s := range tc.without {
				if slices.Contains(got, s) {
					t.Errorf("\n%s\nrightsFor(...): has %q", tc.reason, s)
				}
			}
		})
	}
}
