// SPDX-License-Identifier: Apache-2.0

// Package monitoring holds the tests of what cluster/install/monitoring has for
// Prometheus and Grafana.
package monitoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"
)

const rulesFile = root + "/cluster/install/monitoring/rules.yaml"

// A rule is an alert.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// groups are the content of a file of rules.
type groups struct {
	Groups []group `json:"groups"`
}

type group struct {
	Name  string `json:"name"`
	Rules []rule `json:"rules"`
}

// rules returns the rules as Prometheus reads them, of the PrometheusRule.
func rules(t *testing.T) groups {
	t.Helper()
	var o struct {
		Spec groups `json:"spec"`
	}
	read(t, rulesFile, &o)
	if len(o.Spec.Groups) == 0 {
		t.Fatalf("%s has no rules", rulesFile)
	}
	return o.Spec
}

func (g groups) byName() map[string]rule {
	out := make(map[string]rule)
	for _, g := range g.Groups {
		for _, r := range g.Rules {
			out[r.Alert] = r
		}
	}
	return out
}

// cases are a file of tests as promtool reads it, as far as it matters here.
//
//nolint:tagliatelle // The names are promtool's.
type cases struct {
	Files    []string `json:"rule_files"`
	Interval string   `json:"evaluation_interval,omitempty"`
	Tests    []struct {
		Name     string `json:"name"`
		Interval string `json:"interval"`
		Series   []struct {
			Series string `json:"series"`
			Values string `json:"values"`
		} `json:"input_series"`
		Alerts []struct {
			Name string          `json:"alertname"`
			At   string          `json:"eval_time"`
			Want []expectedAlert `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	} `json:"tests"`
}

//nolint:tagliatelle // As above.
type expectedAlert struct {
	Labels      map[string]string `json:"exp_labels"`
	Annotations map[string]string `json:"exp_annotations"`
}

// TestAlerts has promtool check the rules, and try each alert where it must fire and
// where it must not.
func TestAlerts(t *testing.T) {
	promtool, all, dir := program(t, "promtool"), rules(t), t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), all)
	run(t, promtool, "check", "rules", filepath.Join(dir, "rules.yaml"))

	files, err := filepath.Glob("cases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases found: %v", err)
	}
	alerts := all.byName()
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		var c cases
		read(t, f, &c)
		c.Files = []string{"rules.yaml"}
		for _, test := range c.Tests {
			for _, a := range test.Alerts {
				r, ok := alerts[a.Name]
				if !ok {
					t.Errorf("%s: there is no alert %s", f, a.Name)
				}
				fires[a.Name] = fires[a.Name] || len(a.Want) > 0
				silent[a.Name] = silent[a.Name] || len(a.Want) == 0
				for _, w := range a.Want {
					w.complete(r)
				}
			}
		}
		path := filepath.Join(dir, filepath.Base(f))
		write(t, path, c)
		t.Run(filepath.Base(f), func(t *testing.T) {
			t.Parallel()
			run(t, promtool, "test", "rules", path)
		})
	}
	for name := range alerts {
		if !fires[name] || !silent[name] {
			t.Errorf("%s: want a case in which it fires (%t) and one in which it does not (%t)", name, fires[name], silent[name])
		}
	}
}

// complete adds the annotations that are the same whenever an alert fires.
func (a expectedAlert) complete(r rule) {
	rest := maps.Clone(r.Annotations)
	maps.DeleteFunc(rest, func(k, v string) bool { return k == "summary" || strings.Contains(v, "{{") })
	maps.Copy(a.Annotations, rest)
}

// page is where people read on.
const page = "https://github.com/provider-aiven/provider-aiven/blob/main/docs/runbook.md"

// TestDescribed: who is woken up finds what it means, what to do, and where to read
// on.
func TestDescribed(t *testing.T) {
	b, err := os.ReadFile(root + "/docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]string{} // Their headings.
	for line := range strings.Lines(string(b)) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			heading = strings.TrimSpace(heading)
			anchors["#"+strings.ReplaceAll(strings.ToLower(heading), " ", "-")] = heading
		}
	}
	seen := map[string]bool{}
	for _, g := range rules(t).Groups {
		for _, r := range g.Rules {
			if seen[r.Alert] {
				t.Errorf("%s: there are two of that name", r.Alert)
			}
			seen[r.Alert] = true
			switch r.Labels["severity"] {
			case "critical", "warning", "info":
			default:
				t.Errorf("%s: severity %q is not critical, warning or info", r.Alert, r.Labels["severity"])
			}
			for _, k := range []string{"summary", "consequence", "action", "runbook_url"} {
				if r.Annotations[k] == "" {
					t.Errorf("%s: annotation %s is missing", r.Alert, k)
				}
			}
			anchor, _ := strings.CutPrefix(r.Annotations["runbook_url"], page)
			if anchors[anchor] == "" {
				t.Errorf("%s: the runbook has no heading for %s", r.Alert, r.Annotations["runbook_url"])
			}
			if row := fmt.Sprintf("| `%s` | %s | [%s](%s) |\n", r.Alert, r.Labels["severity"], anchors[anchor], anchor); !strings.Contains(string(b), row) {
				t.Errorf("%s: the runbook lacks the line: %s", r.Alert, row)
			}
		}
	}
}

// run fails the test unless a command succeeds.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args[:2], " "), err, out)
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// write writes a file of YAML, which JSON is too.
func write(t *testing.T, path string, content any) {
	t.Helper()
	b, err := json.Marshal(content)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
