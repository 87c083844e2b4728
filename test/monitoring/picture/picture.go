// SPDX-License-Identifier: Apache-2.0

// Package picture draws lines over time as SVG.
package picture

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Chart is lines over time.
type Chart struct {
	Title string
	// Unit of the values: s, percentunit, Bps, or anything else for plain numbers.
	Unit  string
	Lines []Line
}

// A Line is values over time, in the order of time. Where one is NaN the line is
// interrupted.
type Line struct {
	Name   string
	Points []Point
}

// A Point is a value at a time.
type Point struct {
	At    time.Time
	Value float64
}

const (
	perRow        = 2
	width, height = 460, 250
	left, right   = 56, 14
	top, bottom   = 34, 66
	letter        = 6.2 // Width of a letter of a legend.
	ticks         = 4
)

var colours = []string{"#3b78c2", "#d97b29", "#3f9e57", "#c23b4b", "#7b58b5", "#8a6d5b", "#cf6fb0", "#6d7680", "#a8a228", "#2aa5b3"}

// SVG draws charts, two beside one another.
func SVG(charts []Chart) []byte {
	var b strings.Builder
	rows := (len(charts) + perRow - 1) / perRow
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", perRow*width, rows*height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", perRow*width, rows*height)
	for i, c := range charts {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%perRow*width, i/perRow*height)
		c.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func (c Chart) draw(b *strings.Builder) {
	fmt.Fprintf(b, `<text x="%d" y="20" font-size="13" font-weight="bold" fill="#222">%s</text>`+"\n", left, html.EscapeString(c.Title))
	from, to, most := c.extent()
	x := func(t time.Time) float64 {
		return left + float64(t.Sub(from))/max(float64(to.Sub(from)), 1)*(width-left-right)
	}
	y := func(v float64) float64 { return height - bottom - v/most*(height-top-bottom) }
	for i := range ticks + 1 {
		v := most * float64(i) / ticks
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#555">%s</text>`+"\n",
			left, y(v), width-right, left-6, y(v)+4, html.EscapeString(format(v, c.Unit)))
	}
	for i := range ticks + 1 {
		t := from.Add(to.Sub(from) * time.Duration(i) / ticks)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#555">%s</text>`+"\n", x(t), height-bottom+16, t.Sub(from).Round(time.Second))
	}
	at, line := float64(left), height-bottom+34
	for i, l := range c.Lines {
		colour := colours[i%len(colours)]
		if d := path(l.Points, x, y); d != "" {
			fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.6"/>`+"\n", d, colour)
		}
		if space := 22 + letter*float64(len(l.Name)); at > left && at+space > width-right {
			at, line = left, line+14
		}
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="10" height="4" fill="%s"/><text x="%.1f" y="%d" fill="#333">%s</text>`+"\n",
			at, line-6, colour, at+14, line, html.EscapeString(l.Name))
		at += 26 + letter*float64(len(l.Name))
	}
}

// extent returns the first and the last time, and a round number that is no less than
// any value.
func (c Chart) extent() (from, to time.Time, most float64) {
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if from.IsZero() || p.At.Before(from) {
				from = p.At
			}
			if p.At.After(to) {
				to = p.At
			}
			if !math.IsNaN(p.Value) {
				most = max(most, p.Value)
			}
		}
	}
	return from, to, roundUp(most)
}

// roundUp returns the next of 1, 2, 4, 8 and 10 times a power of ten, 1 for 0.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	steps := []float64{1, 2, 4, 8, 10}
	if i := slices.IndexFunc(steps, func(s float64) bool { return s*power >= v }); i >= 0 {
		return steps[i] * power
	}
	return 10 * power
}

// path returns a line as SVG draws it.
func path(points []Point, x func(time.Time) float64, y func(float64) float64) string {
	var b strings.Builder
	pen := "M"
	for _, p := range points {
		if math.IsNaN(p.Value) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, x(p.At), y(max(p.Value, 0)))
		pen = "L"
	}
	return b.String()
}

// format returns a value with its unit.
func format(v float64, unit string) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	switch {
	case unit == "percentunit":
		return number(100*v) + "%"
	case unit == "s" && v > 0 && v < 1:
		return number(1000*v) + " ms"
	case unit == "s":
		return number(v) + " s"
	case unit == "Bps" && v >= 1000:
		return number(v/1000) + " kB/s"
	case unit == "Bps":
		return number(v) + " B/s"
	case strings.HasSuffix(unit, "ps"):
		return number(v) + "/s"
	default:
		return number(v)
	}
}
