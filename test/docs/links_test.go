// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	code   = regexp.MustCompile("(?ms)^```.*?^```|`[^`\n]*`")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	hidden = regexp.MustCompile(`\]\([^)]*\)`)
	spoken = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// prose returns a page without what is code.
func prose(text []byte) string { return code.ReplaceAllString(string(text), "") }

// anchors returns what GitHub calls the headings of a page.
func anchors(text []byte) map[string]bool {
	out := map[string]bool{}
	inside := false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "```") {
			inside = !inside
		}
		heading := strings.TrimLeft(line, "#")
		if inside || heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		heading = spoken.ReplaceAllString(hidden.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "]"), "")
		out["#"+strings.ReplaceAll(heading, " ", "-")] = true
	}
	return out
}

// TestLinks: what README and docs link to in this repository exists, headings of
// pages too.
func TestLinks(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no docs: %v", err)
	}
	for _, file := range append(files, filepath.Join(root, "README.md")) {
		b := read(t, file)
		for _, m := range link.FindAllStringSubmatch(prose(b), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			there, linked := b, ""
			if target != "" {
				linked = filepath.Join(filepath.Dir(file), target)
				if _, err := os.Stat(linked); err != nil {
					t.Errorf("%s links to %s: %v", file, m[1], err)
					continue
				}
			}
			if anchor == "" {
				continue
			}
			if target != "" {
				there = read(t, linked)
			}
			if !anchors(there)["#"+anchor] {
				t.Errorf("%s links to %s: there is no such heading", file, m[1])
			}
		}
	}
}

// TestAnchors holds what GitHub makes of headings.
func TestAnchors(t *testing.T) {
	cases := map[string]struct {
		reason  string
		text    string
		want    string
		without string
	}{
		"Words":   {reason: "Words are joined, in small letters.", text: "## A year, and a kill at every write\n", want: "#a-year-and-a-kill-at-every-write"},
		"Code":    {reason: "What marks code is left out.", text: "### `doctor -A`\n", want: "#doctor--a"},
		"Link":    {reason: "Of a link the text is left.", text: "## See [this](that.md)\n", want: "#see-this"},
		"Comment": {reason: "A comment in a block is no heading.", text: "```console\n# not this\n```\n", without: "#not-this"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := anchors([]byte(tc.text))
			if tc.want != "" && !got[tc.want] || got[tc.without] {
				t.Errorf("\n%s\nanchors(%q): got %v, want %q and not %q", tc.reason, tc.text, got, tc.want, tc.without)
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
