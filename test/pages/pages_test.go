// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const fence = "```"

// example has everything that can be marked.
var example = strings.Join([]string{
	"# Page", "",
	"<!-- file: some/a.yaml -->", fence + "yaml", "a: $ 1", fence, "",
	fence + "console", "not marked", fence, "<!-- run -->", fence + "console", "cat some/a.yaml |", "  tr a b", "X=1", "HERS=1 true", "f() { echo f; }", fence, "",
	"## Two", "",
	"<!-- run: fails -->", fence + "console", "$ cd some", "answer", "$ read -r asked; echo $X $asked; f; env | grep -c ^X= || true; ls ../page.md MINE; false; echo on", fence, "",
	"### Three", "",
	"<!-- run -->", "no block", "",
}, "\n")

func TestSplit(t *testing.T) {
	t.Parallel()
	want := []section{
		{blocks: []block{{file: "some/a.yaml", text: "a: $ 1\n"}, {text: "cat some/a.yaml |\n  tr a b\nX=1\nHERS=1 true\nf() { echo f; }\n"}}},
		{heading: "Two", blocks: []block{{fails: true, text: "cd some\nread -r asked; echo $X $asked; f; env | grep -c ^X= || true; ls ../page.md MINE; false; echo on\n"}}},
		{heading: "Three"},
	}
	if diff := cmp.Diff(want, split(example), cmp.AllowUnexported(section{}, block{})); diff != "" {
		t.Errorf("split(...): -want, +got:\n%s", diff)
	}
	sections, broken := Marked(example)
	if diff := cmp.Diff([]string{"", "Two"}, sections); diff != "" || broken != 1 {
		t.Errorf("Marked(...): %d broken, want 1; sections: -want, +got:\n%s", broken, diff)
	}
}

// TestPage: blocks see what those before them left, and the folder is the same for all.
func TestPage(t *testing.T) {
	t.Parallel()
	path := write(t, example)
	dir := filepath.Dir(path)
	p := Open(t, path, Options{
		Dir: dir, Env: append(os.Environ(), "X=of somebody else", "MY_TOKEN=secret", "HERS=kept"), Output: io.Discard, Input: "typed\n",
		Replace: strings.NewReplacer("MINE", "a.yaml"),
		Amend:   func(name, text string) string { return "# " + name + "\n" + text },
	})
	if diff := cmp.Diff("# some/b.ybml\nb: $ 1\n", p.Next("cat")); diff != "" {
		t.Errorf("the first block: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff("1 typed\nf\n0\n../page.md\na.yaml\n", p.In("Two").Next("cd")); diff != "" {
		t.Errorf("the second block: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff("page.md\nsome\nkept\n", p.Run("ls; echo $HERS")); diff != "" {
		t.Errorf("the folder after it: -want, +got:\n%s", diff)
	}
	kept, err := os.ReadFile(filepath.Join(p.scratch, state))
	if text := string(kept); err != nil || strings.Contains(text, "secret") || !strings.Contains(text, "X=") {
		t.Errorf("the environment is kept, or what was set is not: %v\n%s", err, text)
	}
	p.Skip("Two")
}

// TestPatience: what takes longer is cut short.
func TestPatience(t *testing.T) {
	t.Parallel()
	p := Open(t, write(t, "# Page\n"), Options{Dir: t.TempDir(), Env: os.Environ(), Output: io.Discard, Patience: 10 * time.Millisecond})
	if _, err := p.Try("exec sleep 600"); err == nil {
		t.Error("it should not end well")
	}
}

// TestStart: what is started goes on until the test ends, and no longer.
func TestStart(t *testing.T) {
	t.Parallel()
	path := write(t, strings.Join([]string{
		"# Page", "",
		"## Start", "",
		"<!-- run -->", fence + "console", "echo not yet", "echo at PORT", "tail -f /dev/null > alive", "echo never", fence, "",
		"<!-- run -->", fence + "console", "echo next", fence, "",
	}, "\n"))
	fifo := filepath.Join(filepath.Dir(path), "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var alive *os.File // As long as something has it open there is no end.
	t.Run("Started", func(t *testing.T) {
		p := Open(t, path, Options{Dir: filepath.Dir(path), Env: os.Environ(), Output: io.Discard, Replace: strings.NewReplacer("PORT", "8090")})
		if diff := cmp.Diff("at 8090", p.Start("tail", "at ")); diff != "" {
			t.Errorf("what it wrote: -want, +got:\n%s", diff)
		}
		var err error
		if alive, err = os.Open(fifo); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("next\n", p.Next("echo")); diff != "" {
			t.Errorf("the block after it: -want, +got:\n%s", diff)
		}
	})
	defer func() { _ = alive.Close() }()
	ended := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(alive)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("nothing of it should be left: %v", err)
		}
	case <-time.After(startTimeout):
		t.Error("something of it is left")
	}
}

// write writes a page.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
