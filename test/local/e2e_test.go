// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/provider-aiven/provider-aiven/cluster/local/demo"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// e is shared by all tests, which run in the order of TestExamples.
var e *demo.Environment

// TestExamples applies the examples, and takes them away again one by one.
func TestExamples(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var err error
	if e, err = demo.Start(t.Context(), demo.Options{Progress: t.Output(), Poll: 2 * time.Second}); err != nil {
		t.Fatalf("Start(...): %v", err)
	}
	// Also when a subtest ends the test.
	t.Cleanup(func() { _ = e.Stop() })

	for _, s := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"BecomeReady", becomeReady},
		{"HoldCompleteSecrets", holdCompleteSecrets},
		{"LogIn", logIn},
		{"ServeAivenatorsTools", serveAivenatorsTools},
		{"StandAlone", standAlone},
		{"HealSecret", healSecret},
		{"ReplaceVanishedUser", replaceVanishedUser},
		{"Rotate", rotate},
		{"AnswerKubectl", answerKubectl},
		{"RestartSilently", restartSilently},
		{"DeleteApplication", deleteApplication},
		{"KeepProtected", keepProtected},
		{"DeleteNamespace", deleteNamespace},
		{"LeakNothing", leakNothing},
	} {
		if !t.Run(s.name, s.test) {
			e.Explain(context.WithoutCancel(t.Context()), t.Output())
			t.FailNow()
		}
	}

	stops(t, tmp)
}

// becomeReady applies our examples and aivenator's.
func becomeReady(t *testing.T) {
	if err := e.Apply(t.Context(), "examples/*.yaml", "examples/aivenator/*.yaml"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	if err := e.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	demo.WriteTree(t.Output(), demo.Tree(objects(t)))
}

// stops checks that nothing is left of what ran.
func stops(t *testing.T, tmp string) {
	t.Helper()
	if got := processes(t, tmp); len(got) == 0 && onLinux() {
		t.Errorf("no process of the environment was found while it ran: the check below would be void")
	}
	if err := e.Stop(); err != nil {
		t.Errorf("Stop(): %v", err)
	}
	if got := processes(t, tmp); len(got) > 0 {
		t.Errorf("processes left after Stop(): %v", got)
	}
	left, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		t.Errorf("file left after Stop(): %s", l.Name())
	}
}

func onLinux() bool {
	_, err := os.Stat("/proc/self/cmdline")
	return err == nil
}

// processes returns the command lines that hold the name of a folder. It knows
// none where there is no /proc.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // It has ended since.
		}
		if line := strings.ReplaceAll(string(b), "\x00", " "); strings.Contains(line, dir) {
			out = append(out, line)
		}
	}
	return out
}

func objects(t *testing.T) demo.Objects {
	t.Helper()
	o, err := e.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o
}
