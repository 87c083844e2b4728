// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const file = "../../../cluster/install/monitoring/dashboard.json"

var update = flag.Bool("update", false, "write the dashboard")

// TestUpToDate: what is installed is what is made here.
func TestUpToDate(t *testing.T) {
	want, err := JSON()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: -want, +got:\n%s\nWrite it with: go test ./test/monitoring/dashboard -update", file, diff)
	}
}

// TestPanels: each can be told from the others and says what it is of.
func TestPanels(t *testing.T) {
	titles := map[string]bool{}
	for _, r := range Rows {
		for _, p := range r.Panels {
			if titles[p.Title] {
				t.Errorf("%s: there are two of that title", p.Title)
			}
			titles[p.Title] = true
			if p.Description == "" || p.Unit == "" || p.Width < 1 || p.Width > columns || len(p.Queries) == 0 {
				t.Errorf("%s: want a description, a unit, a width of up to %d columns and queries", p.Title, columns)
			}
			for _, q := range p.Queries {
				if (p.Kind == Lines || p.Kind == Bars) && q.Legend == "" {
					t.Errorf("%s: a query has no legend: %s", p.Title, q.Expr)
				}
				if p.Kind != Lines && strings.Contains(q.Expr, "$__rate_interval") {
					t.Errorf("%s: an instant query knows no interval: %s", p.Title, q.Expr)
				}
			}
		}
	}
}
