// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/yaml"
)

// A style of text. It never says more than the text itself does.
type style string

const (
	plain style = ""
	bold  style = "\x1b[1m"
	faint style = "\x1b[2m"
	good  style = "\x1b[32m"
	poor  style = "\x1b[33m"
	bad   style = "\x1b[31m"

	reset = "\x1b[0m"
)

// A cell is a piece of a line.
type cell struct {
	text  string
	style style
}

// say returns a cell of plain text.
func say(format string, args ...any) cell { return cell{text: fmt.Sprintf(format, args...)} }

// as returns a cell of a style.
func (s style) as(format string, args ...any) cell {
	return cell{text: fmt.Sprintf(format, args...), style: s}
}

// A printer writes for people.
type printer struct {
	w      io.Writer
	colour bool
}

// printf writes text, of which the cells among the arguments have a style. What
// arguments hold cannot steer a terminal.
func (p printer) printf(format string, args ...any) {
	for i, a := range args {
		switch v := a.(type) {
		case cell:
			args[i] = p.paint(v, 0)
		case string:
			args[i] = clean(v)
		}
	}
	fmt.Fprintf(p.w, format, args...)
}

// paint returns a cell's text, filled up with blanks to a width.
func (p printer) paint(c cell, width int) string {
	text := clean(c.text)
	fill := strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
	if !p.colour || c.style == plain || text == "" {
		return text + fill
	}
	return string(c.style) + text + reset + fill
}

// clean returns text without what would steer a terminal: names and messages are
// what others wrote.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		default:
			return r
		}
	}, s)
}

// A node of a tree.
type node struct {
	cells    []cell
	children []node
}

func leaf(cells ...cell) node { return node{cells: cells} }

// tree writes a node and what is below it. The cells of siblings stand below
// each other.
func (p printer) tree(n node) {
	p.row("", n, nil)
	p.branches("", n.children)
}

func (p printer) branches(indent string, nodes []node) {
	var widths []int
	for _, n := range nodes {
		for i, c := range n.cells {
			if i == len(n.cells)-1 {
				break // The last one needs no room, and may be long.
			}
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(clean(c.text)))
		}
	}
	for i, n := range nodes {
		branch, below := "├─ ", "│  "
		if i == len(nodes)-1 {
			branch, below = "└─ ", "   "
		}
		p.row(indent+branch, n, widths)
		p.branches(indent+below, n.children)
	}
}

func (p printer) row(prefix string, n node, widths []int) {
	parts := make([]string, 0, len(n.cells))
	for i, c := range n.cells {
		width := 0
		if i < len(n.cells)-1 && i < len(widths) {
			width = widths[i]
		}
		parts = append(parts, p.paint(c, width))
	}
	fmt.Fprintln(p.w, strings.TrimRight(prefix+strings.Join(parts, "  "), " "))
}

// Formats of answers.
const (
	formatText = "text"
	formatJSON = "json"
	formatYAML = "yaml"
)

// A Header is the beginning of each answer in JSON. Fields are added to answers
// of one APIVersion, and neither change nor go.
type Header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

func header(kind string) Header {
	return Header{APIVersion: "kubectl.aiven.nais.io/v1", Kind: kind}
}

// bindFormat adds the flag that all reading commands have.
func bindFormat(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVarP(format, "output", "o", formatText, "Form of the answer: text, json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{formatText, formatJSON, formatYAML}, cobra.ShellCompDirectiveNoFileComp)) // The flag is there.
}

func checkFormat(format string) error {
	switch format {
	case formatText, formatJSON, formatYAML:
		return nil
	default:
		return errors.Errorf("unknown form %q: use text, json or yaml", format)
	}
}

// write writes an answer as JSON or YAML, or has text do it.
func (s *session) write(format string, answer any, text func(p printer)) error {
	switch format {
	case formatJSON:
		e := json.NewEncoder(s.streams.Out)
		e.SetIndent("", "  ")
		return errors.Wrap(e.Encode(answer), "cannot write the answer")
	case formatYAML:
		b, err := yaml.Marshal(answer)
		if err != nil {
			return errors.Wrap(err, "cannot write the answer")
		}
		_, err = s.streams.Out.Write(b)
		return errors.Wrap(err, "cannot write the answer")
	default:
		text(s.printer())
		return nil
	}
}

// moment returns a time and how far away it is: "2026-12-19 03:12 UTC (in 27d)".
func moment(t *metav1.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04 MST") + " (" + distance(t.Time, now) + ")"
}

// distance returns how far away a time is: "in 27d", "3h ago".
func distance(t, now time.Time) string {
	if t.After(now) {
		return "in " + duration.HumanDuration(t.Sub(now))
	}
	return duration.HumanDuration(now.Sub(t)) + " ago"
}

// count returns a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// shown is how many objects of many are named.
const shown = 5

// first returns the first few of many names, and says how many there are more.
func first(names []string) string {
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
