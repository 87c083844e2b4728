// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestParse(t *testing.T) {
	defaults := Config{
		Applications: []int{1000}, Teams: 20, Latency: 50 * time.Millisecond, Creators: 16, Samples: 5,
		Rest: 7 * time.Second, Timeout: 10 * time.Minute,
	}
	several := defaults
	several.Applications, several.Teams, several.Output = []int{1, 100}, 3, "f.md"
	cases := map[string]struct {
		reason string
		args   []string
		want   Config
		fails  bool
	}{
		"Defaults":       {reason: "Without flags it measures what the targets are for.", want: defaults},
		"Several":        {reason: "A list has one run each.", args: []string{"-applications", "1, 100", "-teams", "3", "-o", "f.md"}, want: several},
		"NoNumber":       {reason: "What is not a number is refused.", args: []string{"-applications", "1,many"}, fails: true},
		"NoApplications": {reason: "Nothing cannot be measured.", args: []string{"-applications", "0"}, fails: true},
		"NoTeams":        {reason: "Applications need a namespace.", args: []string{"-teams", "0"}, fails: true},
		"Unknown":        {reason: "Unknown flags are refused.", args: []string{"-unknown"}, fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tc.args)
			if (err != nil) != tc.fails {
				t.Fatalf("\n%s\nparse(%q): %v", tc.reason, tc.args, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nparse(%q): -want, +got:\n%s", tc.reason, tc.args, diff)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     []int
		q      float64
		want   int
	}{
		"None":       {"There is no quantile of nothing.", nil, 0.5, 0},
		"One":        {"One value is every quantile.", []int{7}, 0.95, 7},
		"OddMedian":  {"The median of an odd number is the one in the middle.", []int{1, 2, 3, 4, 5}, 0.5, 3},
		"EvenMedian": {"Half of them do not exceed the lower one in the middle.", []int{1, 2, 3, 4}, 0.5, 2},
		"P95":        {"95 of 100 do not exceed the 95th.", hundred(), 0.95, 95},
		"Least":      {"0 is the least.", []int{1, 2, 3}, 0, 1},
		"Largest":    {"1 is the largest.", []int{1, 2, 3}, 1, 3},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := quantile(tc.in, tc.q); got != tc.want {
				t.Errorf("\n%s\nquantile(%v, %v): want %d, got %d", tc.reason, tc.in, tc.q, tc.want, got)
			}
		})
	}
}

func hundred() []int {
	out := make([]int, 0, 100)
	for i := range 100 {
		out = append(out, i+1)
	}
	return out
}

func TestSince(t *testing.T) {
	before := aivensim.Stats{Calls: 2, BytesIn: 10, BytesOut: 20, ByOperation: map[string]aivensim.OperationStats{
		"GetService": {Calls: 2, BytesIn: 10, BytesOut: 20},
	}}
	now := aivensim.Stats{Calls: 5, BytesIn: 40, BytesOut: 70, ByOperation: map[string]aivensim.OperationStats{
		"GetService": {Calls: 2, BytesIn: 10, BytesOut: 20},
		"CreateUser": {Calls: 3, BytesIn: 30, BytesOut: 50, Errors: 1},
	}}
	want := aivensim.Stats{Calls: 3, BytesIn: 30, BytesOut: 50, ByOperation: map[string]aivensim.OperationStats{
		"CreateUser": {Calls: 3, BytesIn: 30, BytesOut: 50, Errors: 1},
	}}
	if diff := cmp.Diff(want, since(now, before)); diff != "" {
		t.Errorf("since(...): -want, +got:\n%s", diff)
	}
}

func TestMarkdown(t *testing.T) {
	r := Report{
		Config:  Config{Teams: 2, Latency: 50 * time.Millisecond, Creators: 16},
		Machine: Machine{Cores: 2, Go: "go1", Kubernetes: "v1"},
		Results: []Result{{
			Applications: 2, All: 1500 * time.Millisecond, Each: []time.Duration{time.Second, 1200 * time.Millisecond},
			NewTeam: []time.Duration{100 * time.Millisecond}, SameTeam: []time.Duration{90 * time.Millisecond},
			CPU: CPU{Provider: 1, APIServer: 2, Etcd: 0.5},
			Cost: Cost{
				PeakMemory: 50 << 20,
				Aiven:      aivensim.Stats{Calls: 7, BytesIn: 1000, BytesOut: 5000, ByOperation: map[string]aivensim.OperationStats{"CreateUser": {Calls: 6, BytesOut: 4000}}},
				Limited:    1,
				Requests: Requests{
					{Verb: "POST", Resource: "secrets", Code: "201"}: 6,
					{Verb: "PUT", Resource: "widgets", Code: "409"}:  1,
					{Verb: "GET", Resource: "secrets", Code: "200"}:  8,
				},
			},
			Rotation: Rotation{
				Published: 2 * time.Second, Retired: 3 * time.Second, Looks: Looks{Taken: 12},
				Cost: Cost{
					PeakMemory: 60 << 20,
					Aiven:      aivensim.Stats{Calls: 12, BytesOut: 8000, ByOperation: map[string]aivensim.OperationStats{"DeleteUser": {Calls: 6}}},
					Requests:   Requests{{Verb: "DELETE", Resource: "widgets", Code: "200"}: 4},
				},
			},
		}},
	}
	got := r.Markdown()
	for _, want := range []string{
		"| 2 | 1.50 | 1.00 | 1.20 | 1.20 | 0.10 (0.10 to 0.10) | 0.09 (0.09 to 0.09) |\n",
		"| 2 | 3.50 | 3.0 | 1 | 3.00 | 0.50 | 4.00 | 1.0 | 2.0 | 0.5 | 50 |\n",
		"| 2 | 2.00 | 3.00 | 6.00 | 4.0 | 0 | 2.00 | 0.00 | 60 | 12 | 0 |\n",
		"| 2 | 0, 0, 0 | 0, 0, 0 | 0, 0, 0 | 0, 0, 0 | 0, 0, 0 |\n",
		"| POST secrets | 3.000 |\n",
		"| PUT widgets (conflict) | 0.500 |\n",
		"| CreateUser | 6 |\n",
		"| CreateUser, kB | 4 |\n",
		"| DELETE widgets | 2.000 |\n",
		"| DeleteUser | 6 |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("Markdown() lacks %q:\n%s", want, got)
		}
	}
	if got != r.Markdown() {
		t.Error("Markdown() of the same report differs")
	}
	if err := r.Lost(); err != nil {
		t.Errorf("Lost() of a run that lost nothing: %v", err)
	}
	for name, lose := range map[string]func(r *Result){
		"rules at the end":               func(r *Result) { r.Final.LostRules = 1 },
		"a user after the rotation":      func(r *Result) { r.Rotation.Check.ExcessUsers = -1 },
		"access for a moment of it":      func(r *Result) { r.Rotation.Looks.Refused = 1 },
		"a Secret as soon as it started": func(r *Result) { r.Check.Missing = 1 },
	} {
		x := r.Results[0]
		lose(&x)
		if x.lost() == nil {
			t.Errorf("lost() of a run that lost %s: no error", name)
		}
	}
}

func TestReplaceTables(t *testing.T) {
	cases := map[string]struct {
		reason  string
		content string
		want    string
		fails   bool
	}{
		"Replaced":     {"What stands between the markers is replaced, and nothing else.", "a\n" + beginMarker + "old\n" + endMarker + "b\n", "a\n" + beginMarker + "\nnew\n\n" + endMarker + "b\n", false},
		"NoMarkers":    {"A file without markers is refused.", "a\n", "", true},
		"NoEnd":        {"So is one whose end is missing.", beginMarker, "", true},
		"WrongOrdered": {"So is one whose markers are in the wrong order.", endMarker + beginMarker, "", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "f.md")
			if err := os.WriteFile(file, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := replaceTables(file, "new\n")
			if (err != nil) != tc.fails {
				t.Fatalf("\n%s\nreplaceTables(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("\n%s\nreplaceTables(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
