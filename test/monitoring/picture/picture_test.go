// SPDX-License-Identifier: Apache-2.0

package picture

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

func TestSVG(t *testing.T) {
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	got := string(SVG([]Chart{
		{Title: "a & b", Unit: "s", Lines: []Line{{Name: "<one>", Points: []Point{
			{noon, 1}, {noon.Add(time.Minute), math.NaN()}, {noon.Add(2 * time.Minute), 3}, {noon.Add(4 * time.Minute), 4},
		}}}},
		{Title: "nothing"},
	}))
	for d := xml.NewDecoder(strings.NewReader(got)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("it is no XML: %v\n%s", err, got)
		}
	}
	for what, want := range map[string]string{
		"the line, interrupted": `d="M56.0 146.5M251.0 71.5L446.0 34.0"`,
		"a title":               "a &amp; b",
		"a name":                "&lt;one&gt;",
		"the highest value":     ">4 s<",
		"the last time":         ">4m0s<",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing: %s\n%s", what, want, got)
		}
	}
}

func TestRoundUp(t *testing.T) {
	cases := map[string]struct {
		reason  string
		v, want float64
	}{
		"Nothing":   {reason: "An axis has a length.", v: 0, want: 1},
		"Exact":     {reason: "What is round stays.", v: 200, want: 200},
		"Between":   {reason: "The next step is taken.", v: 4.1, want: 8},
		"Small":     {reason: "Steps are the same below 1.", v: 0.03, want: 0.04},
		"NextDigit": {reason: "After the last step comes the next power.", v: 9.5, want: 10},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, roundUp(tc.v)); diff != "" {
				t.Errorf("\n%s\nroundUp(%g): -want, +got:\n%s", tc.reason, tc.v, diff)
			}
		})
	}
}
