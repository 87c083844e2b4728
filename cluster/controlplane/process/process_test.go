// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStart(t *testing.T) {
	cases := map[string]struct {
		reason string
		script string
		end    func(*Process) error
		log    string
	}{
		"Asked":  {reason: "A process that ends when asked to says so.", script: `trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.01; done`, end: (*Process).Stop, log: "before\nhello\nbye"},
		"Killed": {reason: "A process that is killed is not asked.", script: `trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.01; done`, end: (*Process).Kill, log: "before\nhello"},
		"Ended":  {reason: "To stop a process that is gone is no error.", script: `echo hello`, end: func(p *Process) error { <-p.Done(); return p.Stop() }, log: "before\nhello"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(log, []byte("before\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := Start(exec.Command("sh", "-c", tc.script), log)
			if err != nil {
				t.Fatalf("\n%s\nStart(...): %v", tc.reason, err)
			}
			// The process has set its trap when it has said hello.
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for LogTail(log) == "before" {
				<-tick.C
			}
			if err := tc.end(p); err != nil {
				t.Errorf("\n%s\nend: %v", tc.reason, err)
			}
			if !p.Exited() {
				t.Errorf("\n%s\nExited(): false", tc.reason)
			}
			if diff := cmp.Diff(tc.log, p.LogTail()); diff != "" {
				t.Errorf("\n%s\nLogTail(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	if _, err := Start(exec.Command(filepath.Join(t.TempDir(), "nothing")), filepath.Join(t.TempDir(), "log")); err == nil {
		t.Error("Start(...) of a program that is not there: no error")
	}
}

func TestEnd(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if _, err := Start(exec.Command(filepath.Join(t.TempDir(), "nothing")), log); err == nil {
		t.Error("a program that does not exist: no error")
	}
	c, err := Start(exec.Command("sh", "-c", "echo started; exec cat"), log)
	if err != nil {
		t.Fatal(err)
	}
	// cat has no input, and so ends by itself at once.
	<-c.Done()
	if err := c.End(); err != nil {
		t.Errorf("End() of a child that has ended: %v", err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(b)); got != "started" {
		t.Errorf("the log holds %q, want what the child wrote", got)
	}

	c, err = Start(exec.Command("sleep", "600"), log)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.End(); err != nil {
		t.Errorf("End(): %v", err)
	}
	select {
	case <-c.Done():
	default:
		t.Error("the child runs after End()")
	}
}
