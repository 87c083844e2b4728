// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"context"
	"flag"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/provider-aiven/provider-aiven/test/harness"
	"github.com/provider-aiven/provider-aiven/test/monitoring/dashboard"
	"github.com/provider-aiven/provider-aiven/test/monitoring/picture"
)

var drawing = flag.String("picture", "", "SVG file to draw what the dashboard shows of a longer run, such as ../../docs/dashboard.svg")

// empty are the selectors that find nothing in the run, and why that is right.
var empty = map[string]string{
	`kube_pod_status_ready{condition="true", pod=~"provider-aiven-.*"}`:                                                 "kube-state-metrics has it, and the provider runs in no pod here",
	`provider_aiven_application_not_ready_since_timestamp_seconds{reason=~"CredentialsIncomplete|CredentialsRedacted"}`: "Aiven delivers all credentials",
}

// selector finds the selectors of a query, by how the metrics are called that there
// are.
var selector = regexp.MustCompile(`\b((provider_aiven|crossplane|controller_runtime|workqueue|leader_election|process|go|kube)_\w+|up\b|ALERTS\b)({[^}]*})?`)

// TestQueries: everything that the dashboard and the alerts ask for is there when the
// provider runs, under the names and labels that they use.
func TestQueries(t *testing.T) {
	h, err := harness.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.LogLibraries()
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	})
	// So that there are rights that it lacks.
	reduced, err := h.Reduced(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address := harness.FreeAddress(t)
	h.StartProvider(func(p *harness.Process) {
		p.Registry, p.MetricsAddress, p.StateMetricInterval = ctrlmetrics.Registry, address, step
		p.LeaderElection, p.LeaderElectionNamespace = true, "default"
		p.Config = reduced
	})
	s, te := start(t, address), newTeam(t, h)
	// What is counted before the first scrape is no increase.
	s.answers(t, "provider_aiven_application_first_secret_seconds_count")
	te.odd()
	rounds, applications := 1, 6
	if *drawing != "" {
		rounds, applications = 5, 12
	}
	for range rounds {
		te.live(applications)
	}
	te.hurry()

	for _, q := range queries() {
		t.Run(q.name, func(t *testing.T) { s.answers(t, q.expr) })
	}
	t.Run("Rules", func(t *testing.T) { s.evaluates(t) })
	t.Run("NoSecrets", func(t *testing.T) { public(t, te, "http://"+address+"/metrics") })
	if *drawing != "" {
		draw(t, s, *drawing)
	}
}

// TestDocumented: whoever reads a query finds what its metrics mean.
func TestDocumented(t *testing.T) {
	b, err := os.ReadFile(root + "/docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all := queries()
	for _, g := range rules(t).Groups {
		for _, r := range g.Rules {
			all = append(all, query{r.Alert, r.Expr})
		}
	}
	for _, q := range all {
		for _, m := range selector.FindAllStringSubmatch(q.expr, -1) {
			name := strings.TrimSuffix(m[1], "_bucket")
			if name != "ALERTS" && !strings.Contains(string(b), "`"+name+"`") {
				t.Errorf("%s: docs/metrics.md does not have %s", q.name, name)
			}
		}
	}
}

type query struct{ name, expr string }

// queries returns those of the dashboard, and the selectors of the alerts: an alert's
// own answer is empty while all is well.
func queries() []query {
	var out []query
	for _, r := range dashboard.Rows {
		for _, p := range r.Panels {
			for _, q := range p.Queries {
				out = append(out, query{"Dashboard/" + p.Title, q.Expr})
			}
		}
	}
	return append(out, query{"HonorLabels", `provider_aiven_config_healthy{kind="ClusterProviderConfig", namespace=""}`})
}

// longest is longer than the run.
const longest = "1h"

// answers waits until a query has an answer that is a number.
func (s server) answers(t *testing.T, expr string) {
	t.Helper()
	harness.Eventually(t, "there is data", func(ctx context.Context) error {
		l, err := s.lines(ctx, expr, longest, "")
		if err == nil && len(l) == 0 {
			err = errors.Errorf("there is none: %s", inRun(expr, longest))
		}
		return err
	})
}

// evaluates checks that Prometheus finds no fault with the rules, and that there is
// what they ask for.
func (s server) evaluates(t *testing.T) {
	t.Helper()
	harness.Eventually(t, "all rules are evaluated", func(ctx context.Context) error {
		b, err := s.broken(ctx)
		if err == nil && len(b) > 0 {
			err = errors.New(strings.Join(b, ", "))
		}
		return err
	})
	var all []string
	for _, g := range rules(t).Groups {
		for _, r := range g.Rules {
			found := selector.FindAllString(r.Expr, -1)
			if len(found) == 0 {
				t.Errorf("%s: no selector was found: %s", r.Alert, r.Expr)
			}
			all = append(all, found...)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, expr := range all {
		if _, ok := empty[expr]; !ok {
			s.answers(t, expr)
		}
	}
	for expr, why := range empty {
		if !slices.Contains(all, expr) {
			t.Errorf("no rule has %s", expr)
		}
		if l, err := s.lines(t.Context(), expr, longest, ""); err != nil || len(l) > 0 {
			t.Errorf("%s should have no data (%s): %d series, %v", expr, why, len(l), err)
		}
	}
}

// public checks that metrics tell neither credentials nor usernames.
func public(t *testing.T, te *team, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fetch(req)
	if err != nil {
		t.Fatal(err)
	}
	if found := te.Scan(map[string]string{"the metrics": string(b)}); len(found) > 0 {
		t.Errorf("credentials were found: %v", found)
	}
	names := te.usernames()
	if len(names) == 0 {
		t.Error("there are no users: the check below is void")
	}
	for _, n := range names {
		if strings.Contains(string(b), n) {
			t.Errorf("the metrics hold the username %s", n)
		}
	}
}

// drawn are the titles of the panels in the picture.
var drawn = []string{
	"Applications by reason", "Time to the first Secret", "Published revisions by reason", "Users and limit by service",
	"Calls by operation", "Calls that failed, by code", "Latency, 95 of 100", "Wait for the limiter, 90 of 100",
	"Decisions of the janitor", "Managed resources",
}

// draw draws what panels of the dashboard show of the run.
func draw(t *testing.T, s server, file string) {
	t.Helper()
	var charts []picture.Chart
	for _, r := range dashboard.Rows {
		for _, p := range r.Panels {
			if !slices.Contains(drawn, p.Title) {
				continue
			}
			c := picture.Chart{Title: p.Title, Unit: p.Unit}
			for _, q := range p.Queries {
				l, err := s.lines(t.Context(), q.Expr, "10s", q.Legend)
				if err != nil {
					t.Fatal(err)
				}
				c.Lines = append(c.Lines, l...)
			}
			charts = append(charts, c)
		}
	}
	if err := os.WriteFile(file, picture.SVG(charts), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("drew %d charts of %s", len(charts), time.Since(s.begin).Round(time.Second))
}
