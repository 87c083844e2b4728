// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTail(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   string
	}{
		"Short": {reason: "A short text is shown whole.", text: "a\nb\n", want: "a\nb"},
		"Long":  {reason: "Of a long text the end is shown.", text: "a\nb\nc\nd\n", want: "c\nd"},
		"Empty": {reason: "Nothing is shown of nothing."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tail(tc.text, 2)); diff != "" {
				t.Errorf("\n%s\ntail(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestChild(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if _, err := startChild(exec.Command(filepath.Join(t.TempDir(), "nothing")), log); err == nil {
		t.Error("a program that does not exist: no error")
	}
	c, err := startChild(exec.Command("sh", "-c", "echo started; exec cat"), log)
	if err != nil {
		t.Fatal(err)
	}
	// cat has no input, and so ends by itself at once.
	<-c.done
	if err := c.stop(); err != nil {
		t.Errorf("stop() of a child that has ended: %v", err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(b)); got != "started" {
		t.Errorf("the log holds %q, want what the child wrote", got)
	}

	c, err = startChild(exec.Command("sleep", "600"), log)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.stop(); err != nil {
		t.Errorf("stop(): %v", err)
	}
	select {
	case <-c.done:
	default:
		t.Error("the child runs after stop()")
	}
}
