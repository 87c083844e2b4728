// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// TestAlerts: every alert asks for metrics that exist, and says what follows, what
// to do and where to read on.
func TestAlerts(t *testing.T) {
	files, err := filepath.Glob("../../cluster/install/monitoring/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules found: %v", err)
	}
	known := described(t)
	names := regexp.MustCompile(`provider_aiven_[a-z_]+`)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var rule struct {
			Spec struct {
				Groups []struct {
					Rules []struct {
						Alert, Expr string
						Annotations map[string]string
					}
				}
			}
		}
		if err := yaml.Unmarshal(b, &rule); err != nil {
			t.Fatal(err)
		}
		for _, g := range rule.Spec.Groups {
			for _, r := range g.Rules {
				for _, n := range names.FindAllString(r.Expr, -1) {
					if !strings.Contains(known, `"`+strings.TrimSuffix(n, "_bucket")+`"`) {
						t.Errorf("%s: there is no metric %s", r.Alert, n)
					}
				}
				for _, k := range []string{"summary", "consequence", "action", "runbook_url"} {
					if r.Annotations[k] == "" {
						t.Errorf("%s: annotation %s is missing", r.Alert, k)
					}
				}
				runbook(t, r.Alert, r.Annotations["runbook_url"])
			}
		}
	}
}

// described returns the descriptions of all our metrics.
func described(t *testing.T) string {
	t.Helper()
	m := New(time.Now)
	r := prometheus.NewPedanticRegistry()
	if err := m.Register(r); err != nil {
		t.Fatal(err)
	}
	ch := make(chan *prometheus.Desc, 100)
	for _, c := range []prometheus.Collector{m.calls, m.seconds, m.bytes, m.wait, m.published, m.rotated, m.janitor, m, NewOrphans(), NewServiceUsers()} {
		c.Describe(ch)
	}
	close(ch)
	var b strings.Builder
	for d := range ch {
		b.WriteString(d.String())
	}
	return b.String()
}

// runbook checks that a link leads to a heading of the runbook.
func runbook(t *testing.T, alert, url string) {
	t.Helper()
	_, anchor, _ := strings.Cut(url, "docs/runbook.md#")
	b, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		heading := strings.TrimSpace(strings.TrimLeft(line, "#"))
		if strings.HasPrefix(line, "#") && strings.ReplaceAll(strings.ToLower(heading), " ", "-") == anchor {
			return
		}
	}
	t.Errorf("%s: the runbook has no heading for %s", alert, url)
}
