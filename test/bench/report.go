// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

const (
	beginMarker = "<!-- tables: begin -->\n"
	endMarker   = "<!-- tables: end -->\n"
	none        = "-"
)

// A Machine is what the numbers depend on.
type Machine struct {
	Cores                 int
	Model, Go, Kubernetes string
}

// A Report is what all runs measured.
type Report struct {
	Config  Config
	Machine Machine
	Results []Result
	Limited []Limited
}

// Lost returns an error when any run lost something.
func (r Report) Lost() error {
	for i := range r.Results {
		if err := r.Results[i].lost(); err != nil {
			return err
		}
	}
	for _, x := range r.Limited {
		if x.Check != (Check{}) {
			return errors.Errorf("with %d applications something was lost: %+v", x.Applications, x.Check)
		}
	}
	return nil
}

// Markdown renders the tables.
func (r Report) Markdown() string {
	b := &strings.Builder{}
	m := r.Machine
	fmt.Fprintf(b, "Machine: %d cores", m.Cores)
	if m.Model != "" {
		fmt.Fprintf(b, " (%s)", m.Model)
	}
	fmt.Fprintf(b, ", %s, Kubernetes %s.\n", m.Go, m.Kubernetes)
	fmt.Fprintf(b, "Load: %d teams, Aiven answers after %s, %d applications being created at a time.\n", r.Config.Teams, r.Config.Latency, r.Config.Creators)
	if len(r.Limited) > 0 {
		r.limits(b)
		return b.String()
	}
	r.times(b)
	r.costs(b)
	r.rotations(b)
	r.checks(b)
	r.kinds(b, "Creation", func(x Result) Cost { return x.Cost })
	r.kinds(b, "Rotation", func(x Result) Cost { return x.Rotation.Cost })
	return b.String()
}

// times has a row for each run.
func (r Report) times(b *strings.Builder) {
	head(b, "Creation. Time, in seconds", "Applications", "All Secrets", "p50", "p95", "max", "One more, new team", "One more, same team")
	for _, x := range r.Results {
		row(b, fmt.Sprint(x.Applications), seconds(x.All),
			seconds(quantile(x.Each, 0.5)), seconds(quantile(x.Each, 0.95)), seconds(quantile(x.Each, 1)),
			samples(x.NewTeam), samples(x.SameTeam))
	}
}

// costs has a row for each run.
func (r Report) costs(b *strings.Builder) {
	head(b, "Cost, the hand-over to the Secrets included. Calls, bytes, writes, conflicts and reads are per application; CPU and memory are totals", "Applications",
		"Aiven calls", "Aiven kB", "429s", "Kubernetes writes", "409s", "Secrets read",
		"CPU s provider", "CPU s API server", "CPU s etcd", "Peak MiB provider")
	for _, x := range r.Results {
		c := x.Cost
		row(b, slices.Concat([]string{fmt.Sprint(x.Applications)}, c.cells(x.Applications), []string{
			fmt.Sprintf("%.2f", float64(c.Requests.count(isSecretRead))/float64(x.Applications)),
			fmt.Sprintf("%.1f", x.CPU.Provider), fmt.Sprintf("%.1f", x.CPU.APIServer), fmt.Sprintf("%.1f", x.CPU.Etcd),
			fmt.Sprint(c.PeakMemory >> 20),
		})...)
	}
}

// cells are calls, kB, 429s, writes and conflicts, 429s of all applications
// together and the others of each.
func (c Cost) cells(applications int) []string {
	n := float64(applications)
	return []string{
		fmt.Sprintf("%.2f", float64(c.Aiven.Calls)/n), fmt.Sprintf("%.1f", float64(c.Aiven.BytesIn+c.Aiven.BytesOut)/n/1000), fmt.Sprint(c.Limited),
		fmt.Sprintf("%.2f", float64(c.Requests.count(isWrite))/n), fmt.Sprintf("%.2f", float64(c.Requests.count(isConflict))/n),
	}
}

// rotations has a row for each run.
func (r Report) rotations(b *strings.Builder) {
	head(b, "Rotation of all applications at once. Times are in seconds; calls, bytes, writes and conflicts are per application", "Applications",
		"All published", "All users before gone", "Aiven calls", "Aiven kB", "429s", "Kubernetes writes", "409s",
		"Peak MiB provider", "Secrets looked at meanwhile", "of these not working")
	for _, x := range r.Results {
		o := x.Rotation
		row(b, slices.Concat([]string{fmt.Sprint(x.Applications), seconds(o.Published), seconds(o.Retired)}, o.Cost.cells(x.Applications), []string{
			fmt.Sprint(o.Cost.PeakMemory >> 20), fmt.Sprint(o.Looks.Taken), fmt.Sprint(o.Looks.Refused),
		})...)
	}
}

// checks has a row for each run.
func (r Report) checks(b *strings.Builder) {
	head(b, "What must be 0, after the burst, after the rotation and at the end of the run", "Applications",
		"Secrets missing", "Secrets incomplete", "Credentials refused", "OpenSearch rules lost", "Users at Aiven too many or too few")
	for _, x := range r.Results {
		all := func(of func(c Check) int) string {
			return fmt.Sprintf("%d, %d, %d", of(x.Check), of(x.Rotation.Check), of(x.Final))
		}
		row(b, fmt.Sprint(x.Applications),
			all(func(c Check) int { return c.Missing }), all(func(c Check) int { return c.Incomplete }), all(func(c Check) int { return c.Refused }),
			all(func(c Check) int { return c.LostRules }), all(func(c Check) int { return c.ExcessUsers }))
	}
}

// kinds has the writes and calls of something that each run did.
func (r Report) kinds(b *strings.Builder, of string, cost func(x Result) Cost) {
	writes, calls := make([]map[string]int, len(r.Results)), make([]map[string]int, len(r.Results))
	for i, x := range r.Results {
		c := cost(x)
		writes[i], calls[i] = writesByName(c.Requests), callsByName(c.Aiven)
	}
	r.columns(b, of+": Kubernetes writes per application, by kind", writes, func(n, applications int) string {
		return fmt.Sprintf("%.3f", float64(n)/float64(applications))
	})
	r.columns(b, of+": Aiven calls, and kB sent and received, of all applications together", calls, func(n, _ int) string { return fmt.Sprint(n) })
}

func writesByName(r Requests) map[string]int {
	out := map[string]int{}
	for _, k := range []struct {
		name  string
		match func(Request) bool
	}{{"", isWrite}, {" (conflict)", isConflict}, {" (refused)", isRefused}} {
		maps.Copy(out, r.group(k.match, func(q Request) string { return q.name() + k.name }))
	}
	return out
}

func callsByName(s aivensim.Stats) map[string]int {
	out := map[string]int{}
	for name, o := range s.ByOperation {
		out[name] = int(o.Calls)
		out[name+", kB"] = int((o.BytesIn + o.BytesOut) / 1000)
		if o.Errors > 0 {
			out[name+", failed"] = int(o.Errors)
		}
	}
	return out
}

// columns renders a table with a row for each name and a column for each run.
func (r Report) columns(b *strings.Builder, title string, columns []map[string]int, render func(n, applications int) string) {
	names := map[string]bool{}
	header := []string{"Kind"}
	for i, c := range columns {
		header = append(header, fmt.Sprintf("%d applications", r.Results[i].Applications))
		for name := range c {
			names[name] = true
		}
	}
	head(b, title, header...)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		cells := []string{name}
		for i, c := range columns {
			cell := none
			if n, ok := c[name]; ok {
				cell = render(n, r.Results[i].Applications)
			}
			cells = append(cells, cell)
		}
		row(b, cells...)
	}
}

func head(b *strings.Builder, title string, names ...string) {
	fmt.Fprintf(b, "\n%s:\n\n", title)
	row(b, names...)
	fmt.Fprintln(b, strings.Repeat("|---", len(names))+"|")
}

func row(b *strings.Builder, cells ...string) {
	fmt.Fprintln(b, "| "+strings.Join(cells, " | ")+" |")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

// samples shows the median, and the least and the largest value.
func samples(sorted []time.Duration) string {
	return fmt.Sprintf("%s (%s to %s)", seconds(quantile(sorted, 0.5)), seconds(quantile(sorted, 0)), seconds(quantile(sorted, 1)))
}

// replaceTables returns the content of a file with other text between its
// markers.
func replaceTables(file, tables string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.Wrap(err, "cannot read the file for the tables")
	}
	before, rest, ok := bytes.Cut(b, []byte(beginMarker))
	_, after, ended := bytes.Cut(rest, []byte(endMarker))
	if !ok || !ended {
		return nil, errors.Errorf("cannot find the markers for the tables: %s and %s", strings.TrimSpace(beginMarker), strings.TrimSpace(endMarker))
	}
	return slices.Concat(before, []byte(beginMarker+"\n"+tables+"\n"+endMarker), after), nil
}
