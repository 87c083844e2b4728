// SPDX-License-Identifier: Apache-2.0

// Package pages runs the commands of docs as they are written there, in their order:
// the fenced blocks below a comment <!-- run -->, or <!-- run: fails -->. Of a block with
// prompts only the lines behind "$ " are run. What stands below <!-- file: NAME --> is
// saved under that name before the next block is run.
package pages

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
)

// Options of a page. Dir, Env and Output have no default.
type Options struct {
	// Dir is the folder in which somebody follows the page.
	Dir string
	// Env is the environment of all commands, but for the variables that the page sets.
	Env []string
	// Output is where everything goes that they write. After Start they do so at any time, also
	// several at once.
	Output io.Writer
	// Input is what is typed when a command asks for it.
	Input string
	// Patience is how long a block may take. Zero: as long as the test.
	Patience time.Duration
	// Replace replaces what stands for the reader's own, in commands and files. nil:
	// nothing.
	Replace *strings.Replacer
	// Amend returns what is saved instead of a file. nil: what is on the page.
	Amend func(name, text string) string
}

// A Page is one whose blocks are run one after the other, section by section.
type Page struct {
	Options

	t        *testing.T
	path     string
	scratch  string // A folder of the page's own.
	sections []section
	now      int // The section that is followed, an index.
}

// A block of a page that is marked.
type block struct {
	file  string // that it is saved as; empty: it is run.
	fails bool
	text  string
}

// A section is what stands between a heading and the next one, of any level.
type section struct {
	heading string
	blocks  []block
}

var (
	marked   = regexp.MustCompile("(?m)^<!-- (run|run: fails|file: (\\S+)) -->\n```\\w+\n((?s:.*?)\n)```$")
	comments = regexp.MustCompile(`(?m)^<!-- (run|file)\b`)
	headings = regexp.MustCompile(`(?m)^##+ (.*)$`)
)

// Marked returns the headings of a page's sections in which something is marked, and
// how many comments there are that mark nothing. What stands before the first heading has none, an
// empty one.
func Marked(text string) (sections []string, broken int) {
	broken = len(comments.FindAllString(text, -1))
	for _, s := range split(text) {
		if broken -= len(s.blocks); len(s.blocks) > 0 {
			sections = append(sections, s.heading)
		}
	}
	return sections, broken
}

// split returns the sections of a page. A line of a block that begins with ## would be taken
// for a heading: none does.
func split(text string) []section {
	at := append(headings.FindAllStringSubmatchIndex(text, -1), []int{len(text)})
	out := []section{{blocks: blocks(text[:at[0][0]])}}
	for i, m := range at[:len(at)-1] {
		out = append(out, section{heading: text[m[2]:m[3]], blocks: blocks(text[m[1]:at[i+1][0]])})
	}
	return out
}

func blocks(text string) []block {
	var out []block
	for _, m := range marked.FindAllStringSubmatch(text, -1) {
		out = append(out, block{file: m[2], fails: m[1] == "run: fails", text: commands(m[3])})
	}
	return out
}

// commands returns what is typed, of a block that shows answers too.
func commands(text string) string {
	var typed []string
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(line, "$ "); ok {
			typed = append(typed, c)
		}
	}
	if len(typed) == 0 {
		return text
	}
	return strings.Join(typed, "")
}

// Open opens a page, of which the test then has to run all that is marked.
func Open(t *testing.T, path string, o Options) *Page {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{Options: o, t: t, path: path, scratch: t.TempDir(), sections: split(string(b))}
	set := assigned(p.sections)
	p.Env = slices.DeleteFunc(slices.Clone(o.Env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(set, name)
	})
	t.Cleanup(func() {
		for _, s := range p.sections {
			if len(s.blocks) > 0 && !t.Failed() {
				t.Errorf("%s: a marked block was not run:\n%s", path, s.blocks[0].text)
			}
		}
	})
	return p
}

// assignments finds the variables that commands set, and not those that are set for one
// command.
var assignments = regexp.MustCompile(`(?m)^(\w+)=\S*$`)

func assigned(sections []section) []string {
	var out []string
	for _, s := range sections {
		for _, b := range s.blocks {
			for _, m := range assignments.FindAllStringSubmatch(b.text, -1) {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// In goes to the section of a heading, of which Next runs the blocks from then on,
// and then those of the sections behind it.
func (p *Page) In(heading string) *Page {
	p.t.Helper()
	if p.now = slices.IndexFunc(p.sections, func(s section) bool { return s.heading == heading }); p.now < 0 {
		p.t.Fatalf("%s: there is no section %q", p.path, heading)
	}
	return p
}

// Skip leaves the section of a heading to somebody else.
func (p *Page) Skip(heading string) {
	p.t.Helper()
	p.In(heading)
	p.sections[p.now].blocks = nil
	p.now = 0
}

// Next runs the next marked block, in which a text has to stand, and returns what it
// wrote. Files before it are saved.
func (p *Page) Next(has string) string {
	p.t.Helper()
	b := p.next(has)
	out, err := p.Try(b.text)
	if failed := err != nil; failed != b.fails || errors.Is(err, context.DeadlineExceeded) {
		p.t.Fatalf("%s: it should fail: %t. It ended with %v:\n%s\n%s", p.path, b.fails, err, b.text, out)
	}
	return out
}

const (
	// startTimeout is how long a block may take to write what it should.
	startTimeout = 10 * time.Minute
	// stopTimeout is how long what has to end may take.
	stopTimeout = 20 * time.Second
)

// Start starts the next marked block, in which a text has to stand, and returns the first
// line that it writes with another one. It goes on until the test ends, which stops it as
// Ctrl-C does. What other blocks set it does not see.
func (p *Page) Start(has, line string) string {
	p.t.Helper()
	text := p.replaced(p.next(has).text)
	ctx, cancel := context.WithCancel(p.t.Context())
	late := time.AfterFunc(startTimeout, cancel)
	cmd := p.bash(ctx, text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	var said []string
	lines := bufio.NewScanner(io.TeeReader(out, p.Output))
	for lines.Scan() {
		if said = append(said, lines.Text()); !strings.Contains(lines.Text(), line) {
			continue
		}
		late.Stop()
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(p.Output, out) // Else it would stand still one day.
		}()
		p.t.Cleanup(func() {
			cancel()
			select {
			case <-read:
			case <-time.After(stopTimeout):
			}
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // What did not care.
			<-read
			_ = cmd.Wait() // It was interrupted.
		})
		return lines.Text()
	}
	cancel()
	p.t.Fatalf("%s: it should go on, and write %q. It ended with %v:\n%s\n%s", p.path, line, cmd.Wait(), text, strings.Join(said, "\n"))
	return ""
}

// next returns the next marked block that is run, in which a text has to stand. Files
// before it are saved.
func (p *Page) next(has string) block {
	p.t.Helper()
	b, ok := p.take()
	for ; ok && b.file != ""; b, ok = p.take() {
		p.save(b.file, b.text)
	}
	if !ok || !strings.Contains(b.text, has) {
		p.t.Fatalf("%s: the next marked block should have %q. It is %q", p.path, has, b.text)
	}
	return b
}

// take returns the next block.
func (p *Page) take() (block, bool) {
	for ; p.now < len(p.sections); p.now++ {
		if s := &p.sections[p.now]; len(s.blocks) > 0 {
			b := s.blocks[0]
			s.blocks = s.blocks[1:]
			return b, true
		}
	}
	return block{}, false
}

func (p *Page) save(name, text string) {
	p.t.Helper()
	text = p.replaced(text)
	if p.Amend != nil {
		text = p.Amend(name, text)
	}
	path := filepath.Join(p.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// replaced returns a text with the reader's own.
func (p *Page) replaced(text string) string {
	if p.Replace == nil {
		return text
	}
	return p.Replace.Replace(text)
}

// Run runs what is not on the page, and returns what it wrote.
func (p *Page) Run(script string) string {
	p.t.Helper()
	out, err := p.Try(script)
	if err != nil {
		p.t.Fatalf("%s: %v:\n%s\n%s", p.path, err, script, out)
	}
	return out
}

// Files of a page's own: a block, what is typed when it asks, and the
// variables and functions of those before it.
const (
	script = "block"
	input  = "input"
	state  = "state"
)

// step runs a block with the variables and functions of those before it, and keeps its
// own, all in the folder $0. The environment and where it goes meanwhile are not kept.
const step = `known=" $(compgen -v | tr '\n' ' ') known name "
. "$0/state"
. "$0/block" < "$0/input"
{
  declare -f
  for name in $(compgen -v); do [[ $known == *" $name "* ]] || declare -p "$name"; done
} > "$0/state"`

// Try runs commands, with the variables and functions of those before. The first that
// fails ends it.
func (p *Page) Try(commands string) (string, error) {
	before, err := os.ReadFile(filepath.Join(p.scratch, state))
	if err != nil && !os.IsNotExist(err) {
		return "", err
	}
	for name, text := range map[string]string{script: p.replaced(commands), input: p.Input, state: string(before)} {
		if err := os.WriteFile(filepath.Join(p.scratch, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	ctx := p.t.Context()
	if p.Patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Patience)
		defer cancel()
	}
	out, err := p.bash(ctx, step, p.scratch).CombinedOutput()
	_, _ = p.Output.Write(out) // What cannot be written is in the answer.
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(out), err
}

// bash returns a shell that ends with the first command that fails, in the page's folder.
func (p *Page) bash(ctx context.Context, script string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", append([]string{"-euo", "pipefail", "-c", script}, args...)...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = p.Dir, p.Env, stopTimeout
	return cmd
}
