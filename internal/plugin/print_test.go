// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTree(t *testing.T) {
	t.Parallel()
	tree := node{cells: []cell{bold.as("root"), good.as("Ready")}, children: []node{
		{cells: []cell{say("a"), say("one")}, children: []node{leaf(say("å"), say("x")), leaf(say("long"), poor.as("y"))}},
		leaf(say("bbb"), say("two")),
		leaf(say("only one cell")),
	}}
	cases := map[string]struct {
		reason string
		colour bool
		want   string
	}{
		"Plain": {
			reason: "Cells of siblings stand below each other, and nothing stands behind a line.",
			want: `root  Ready
├─ a    one
│  ├─ å     x
│  └─ long  y
├─ bbb  two
└─ only one cell
`,
		},
		"Colour": {
			reason: "Colours do not change where things stand.",
			colour: true,
			want: "\x1b[1mroot\x1b[0m  \x1b[32mReady\x1b[0m\n" + `├─ a    one
│  ├─ å     x
│  └─ long  ` + "\x1b[33my\x1b[0m" + `
├─ bbb  two
└─ only one cell
`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			printer{w: &b, colour: tc.colour}.tree(tree)
			if diff := cmp.Diff(tc.want, b.String()); diff != "" {
				t.Errorf("\n%s\ntree(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestPrintIsClean holds that what others wrote cannot steer a terminal.
func TestPrintIsClean(t *testing.T) {
	t.Parallel()
	const evil = "a\x1b[2Jb\nc\u202ed"
	var b strings.Builder
	p := printer{w: &b}
	p.printf("%s %s", evil, say("%s", evil))
	p.tree(leaf(say("%s", evil)))
	const harmless = "a\ufffd[2Jb c\ufffdd"
	if diff := cmp.Diff(harmless+" "+harmless+harmless+"\n", b.String()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		reason string
		t      *metav1.Time
		want   string
	}{
		"Never":  {reason: "No time is never.", want: "never"},
		"Future": {reason: "What comes is said with how soon.", t: &metav1.Time{Time: now.Add(3 * time.Hour)}, want: "2026-11-20 15:00 UTC (in 3h)"},
		"Past":   {reason: "What was is said with how long ago.", t: &metav1.Time{Time: now.Add(-72 * time.Hour)}, want: "2026-11-17 12:00 UTC (3d ago)"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, moment(tc.t, now)); diff != "" {
				t.Errorf("\n%s\nmoment(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
