// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// Of two processes one has the lock; the other is told who.
func TestAcquireIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "of", "ours", "state.json")
	first, err := acquireAt(path)
	if err != nil {
		t.Fatalf("acquireAt(...): %v", err)
	}
	if err := first.write(record{PID: 42, Dir: "/nowhere"}); err != nil {
		t.Fatal(err)
	}
	_, err = acquireAt(path)
	if !errors.Is(err, ErrRunning) {
		t.Errorf("acquireAt(...) of a locked file: %v, want one that is %v", err, ErrRunning)
	}
	if diff := cmp.Diff("process 42: "+ErrRunning.Error(), text(err)); diff != "" {
		t.Errorf("acquireAt(...) of a locked file: -want error, +got error:\n%s", diff)
	}
	if err := first.release(); err != nil {
		t.Errorf("release(): %v", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("the state's folder after release(): %v, want one that is %v", err, os.ErrNotExist)
	}
	again, err := acquireAt(path)
	if err != nil {
		t.Fatalf("acquireAt(...) after release(): %v", err)
	}
	again.close()
}

// What a killed process left is removed by the next, which finds its record.
func TestReap(t *testing.T) {
	dir := t.TempDir()
	path, left := filepath.Join(dir, "state.json"), filepath.Join(dir, "cluster")
	killed, err := acquireAt(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := killed.write(record{PID: 42, Level: LevelProcesses, Dir: left, Kubeconfig: "a rather long path"}); err != nil {
		t.Fatal(err)
	}
	killed.close() // As the system does.

	next, err := acquireAt(path)
	if err != nil {
		t.Fatalf("acquireAt(...): %v", err)
	}
	defer next.close()
	if err := next.reap(newProgress(t.Output())); err != nil {
		t.Errorf("reap(...): %v", err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the folder after reap(...): %v, want one that is %v", err, os.ErrNotExist)
	}
	want := record{PID: 43, Dir: "short"}
	if err := next.write(want); err != nil {
		t.Fatal(err)
	}
	got, err := next.read()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read() of a shorter record: -want, +got:\n%s", diff)
	}
}
