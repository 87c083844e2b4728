// SPDX-License-Identifier: Apache-2.0

// Package imports holds the directions in which this project's packages may
// import one another and others.
package imports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

const (
	module = "github.com/provider-aiven/provider-aiven"
	sdk    = "github.com/aiven/aiven-go-client"
)

// A pkg is what go list tells of a package, without its tests.
type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string // What its files import.
	Deps       []string // What it imports through all levels.
}

// A rule forbids packages what they may not import.
type rule struct {
	name string

	// from are the packages the rule is about, and everything below them.
	// Names without a dot in the first element are within this module.
	from []string
	// except are packages below from that the rule is not about.
	except []string

	// deny are the packages they may not import, and everything below them.
	deny []string
	// standardOnly denies everything that is not of the standard library or
	// below from.
	standardOnly bool

	// direct looks only at what the files import themselves. Without it the
	// rule holds through all levels.
	direct bool
}

var rules = []rule{
	{
		name: "the simulator shares no code, and so no mistake, with what it tests",
		from: []string{"internal/aivensim"}, standardOnly: true,
	},
	{
		name: "the Aiven client does not know Kubernetes, Crossplane or the API types",
		from: []string{"internal/aiven"}, deny: []string{"k8s.io", "sigs.k8s.io", "github.com/crossplane", "apis"},
	},
	{
		name: "only the Aiven client imports Aiven's SDK",
		from: []string{""}, except: []string{"internal/aiven"}, deny: []string{sdk}, direct: true,
	},
	{
		name: "the API types import nothing of this project, and not Aiven's SDK",
		from: []string{"apis"}, deny: []string{"internal", "cmd", "cluster", "test", sdk},
	},
	{
		name: "decisions and renderings take values, not clients",
		from: []string{"internal/connection", "internal/keystore", "internal/username", "internal/revision", "internal/usage", "internal/grants"},
		deny: []string{
			"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "github.com/crossplane/crossplane-runtime", sdk,
			"net/http", "os", "internal/aiven", "internal/providerconfig", "internal/metrics",
		},
		direct: true,
	},
	{
		name: "service users do not know applications", from: []string{"internal/controller/serviceuser"},
		deny: []string{"internal/controller/application", "internal/controller/secret"},
	},
	{
		name: "applications know service users only through the API server", from: []string{"internal/controller/application"},
		deny: []string{"internal/controller/serviceuser"},
	},
	{
		name: "what controllers use does not import controllers; only internal/provider, which assembles them, does",
		from: []string{"internal"}, except: []string{"internal/controller", "internal/provider"}, deny: []string{"internal/controller"},
	},
	{
		name: "nothing internal imports programs, tests or the local environment",
		from: []string{"internal"}, deny: []string{"cmd", "cluster", "test"},
	},
	{
		name: "the provider does not contain the simulator",
		from: []string{"cmd/provider", "internal"}, except: []string{"internal/aivensim"}, deny: []string{"internal/aivensim"},
	},
}

func TestDirections(t *testing.T) {
	pkgs := list(t)
	for _, v := range violations(rules, pkgs) {
		t.Error(v)
	}
	// A rule about a package that was renamed would hold nothing.
	for _, r := range rules {
		for _, from := range append(slices.Clone(r.from), r.except...) {
			if !slices.ContainsFunc(pkgs, func(p pkg) bool { return below(p.ImportPath, full(from)) }) {
				t.Errorf("%s: there is no package %s", r.name, from)
			}
		}
	}
}

// violations returns what the packages import against the rules, as sentences.
func violations(rules []rule, pkgs []pkg) []string {
	standard := map[string]bool{"C": true, "unsafe": true}
	for _, p := range pkgs {
		standard[p.ImportPath] = p.Standard
	}
	var out []string
	for _, r := range rules {
		for _, p := range pkgs {
			if p.Standard || !r.concerns(p.ImportPath) {
				continue
			}
			imports := p.Deps
			if r.direct {
				imports = p.Imports
			}
			for _, i := range imports {
				if r.denies(i, standard[i]) {
					out = append(out, fmt.Sprintf("%s imports %s: %s", p.ImportPath, i, r.name))
				}
			}
		}
	}
	return out
}

func (r rule) concerns(path string) bool { return among(path, r.from) && !among(path, r.except) }

func (r rule) denies(path string, standard bool) bool {
	if r.standardOnly {
		return !standard && !among(path, r.from)
	}
	return among(path, r.deny)
}

// among reports whether a package is one of those named, or below one.
func among(path string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return below(path, full(n)) })
}

// below reports whether a package is the other or below it. A major version
// is part of the other's name.
func below(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || rest[0] == '/')
}

// full returns the import path of a name in a rule.
func full(name string) string {
	first, _, _ := strings.Cut(name, "/")
	switch {
	case name == "":
		return module
	case strings.Contains(first, "."), first == "net", first == "os":
		return name
	default:
		return module + "/" + name
	}
}

// list returns the packages of this module and all they depend on.
func list(t *testing.T) []pkg {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", module+"/...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestViolations(t *testing.T) {
	own := func(name string, imports ...string) pkg {
		return pkg{ImportPath: module + "/" + name, Imports: imports, Deps: imports}
	}
	cases := map[string]struct {
		reason string
		rules  []rule
		pkgs   []pkg
		want   []string
	}{
		"Denied": {
			reason: "A denied import is told, with the rule.",
			rules:  []rule{{name: "because", from: []string{"a"}, deny: []string{"b"}}},
			pkgs:   []pkg{own("a", module+"/b"), own("a/c", module+"/b/d"), own("e", module+"/b")},
			want:   []string{module + "/a imports " + module + "/b: because", module + "/a/c imports " + module + "/b/d: because"},
		},
		"PrefixOfName": {
			reason: "A name that only begins the same is another package.",
			rules:  []rule{{from: []string{"aiven"}, deny: []string{"b"}}},
			pkgs:   []pkg{own("aivensim", module+"/b"), own("aiven", module+"/bc")},
		},
		"Except": {
			reason: "What a rule excepts may import what others may not.",
			rules:  []rule{{name: "because", from: []string{""}, except: []string{"a"}, deny: []string{sdk}}},
			pkgs:   []pkg{own("a", sdk+"/v2"), own("b", sdk+"/v2")},
			want:   []string{module + "/b imports " + sdk + "/v2: because"},
		},
		"Through": {
			reason: "A rule holds through all levels.",
			rules:  []rule{{name: "because", from: []string{"a"}, deny: []string{"c"}}},
			pkgs:   []pkg{{ImportPath: module + "/a", Imports: []string{module + "/b"}, Deps: []string{module + "/b", module + "/c"}}},
			want:   []string{module + "/a imports " + module + "/c: because"},
		},
		"Direct": {
			reason: "A direct rule does not look beyond the first level.",
			rules:  []rule{{from: []string{"a"}, deny: []string{"c"}, direct: true}},
			pkgs:   []pkg{{ImportPath: module + "/a", Imports: []string{module + "/b"}, Deps: []string{module + "/b", module + "/c"}}},
		},
		"StandardOnly": {
			reason: "Only the standard library and the package's own subpackages are allowed.",
			rules:  []rule{{name: "because", from: []string{"a"}, standardOnly: true}},
			pkgs:   []pkg{{ImportPath: "net/http", Standard: true}, own("a", "net/http", module+"/a/b", "example.org/x")},
			want:   []string{module + "/a imports example.org/x: because"},
		},
		"StandardDenied": {
			reason: "A rule may deny a package of the standard library.",
			rules:  []rule{{name: "because", from: []string{"a"}, deny: []string{"net/http", "os"}}},
			pkgs:   []pkg{own("a", "net/http", "net/url", "os", "io")},
			want:   []string{module + "/a imports net/http: because", module + "/a imports os: because"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, violations(tc.rules, tc.pkgs)); diff != "" {
				t.Errorf("\n%s\nviolations(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
