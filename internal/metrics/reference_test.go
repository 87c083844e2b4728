// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

const (
	reference = "../../docs/metrics.md"
	begin     = "<!-- Made of the code: go test ./internal/metrics -update -->\n"
	end       = "<!-- End of what is made. -->\n"
)

var update = flag.Bool("update", false, "write the reference of metrics")

// TestReference: docs/metrics.md lists the metrics that there are.
func TestReference(t *testing.T) {
	b, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	_, tail, found := strings.Cut(rest, end)
	if !ok || !found {
		t.Fatalf("%s has no place for the table", reference)
	}
	want := head + begin + table(t) + end + tail
	if *update {
		if err := os.WriteFile(reference, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("%s: -want, +got:\n%s\nWrite it with: go test ./internal/metrics -update", reference, diff)
	}
}

// table returns all metrics as Markdown, by name.
func table(t *testing.T) string {
	t.Helper()
	described := described(t)
	families := everything(t)
	if n := strings.Count(described, "Desc{"); n != len(families) {
		t.Errorf("%d metrics are described and %d have a value: give each one below", n, len(families))
	}
	var b strings.Builder
	b.WriteString("| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n")
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), unit(f.GetName()), strings.Join(labels, ", "), f.GetHelp())
	}
	return b.String()
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
	for _, c := range append(m.collectors(), NewOrphans(), NewServiceUsers(), NewMissingRights()) {
		c.Describe(ch)
	}
	close(ch)
	var b strings.Builder
	for d := range ch {
		b.WriteString(d.String())
	}
	return b.String()
}

// unit of a metric, which its name ends with.
func unit(name string) string {
	name = strings.TrimSuffix(name, "_total")
	switch {
	case strings.HasSuffix(name, "_timestamp_seconds"):
		return "seconds since 1970"
	case strings.HasSuffix(name, "_seconds"):
		return "seconds"
	case strings.HasSuffix(name, "_bytes"), strings.HasSuffix(name, "_aiven_bytes"):
		return "bytes"
	case strings.HasSuffix(name, "_healthy"):
		return "0 or 1"
	default:
		return "number"
	}
}

// everything returns every metric with a value, by name.
func everything(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	m := New(func() time.Time { return noon })
	m.Call("GetService", 200, time.Second, 1, 1)
	m.LimiterWait(aiven.ClassEdit, time.Second)
	m.Published(time.Second)
	m.Rotated("Requested")
	m.Janitor("deleted", "Unused")
	m.Application("a", "one", Application{Reason: "Creating", Since: noon, RotationDue: noon, NotAfter: noon, ExpiresAt: noon})
	m.Config("ProviderConfig", "a", "own", true, "TokenAccepted")
	o, u, rights := NewOrphans(), NewServiceUsers(), NewMissingRights()
	o.Orphaned("p", "s", 1, 1)
	u.From(func() []ServiceUsage {
		return []ServiceUsage{{Project: "p", Service: "s", Type: "kafka", Used: 1, Limit: 2}}
	})
	rights.WithLabelValues("workloads", "list", "deployments.apps", "").Set(1)
	r := prometheus.NewPedanticRegistry()
	for _, c := range append(m.collectors(), o, u, rights) {
		if err := r.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return families
}
