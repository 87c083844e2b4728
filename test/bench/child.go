// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/pkg/errors"
)

const (
	module = "github.com/provider-aiven/provider-aiven"
	// stopTimeout is how long a child may take to end before it is killed.
	stopTimeout = 15 * time.Second
	// maxLogTail bounds how much of a child's log an error shows, in bytes.
	maxLogTail = 4096
)

// Programs are paths of what the benchmark runs beside the control plane, and
// the folder where they write.
type Programs struct {
	Dir, Provider, Simulator string
}

// build compiles the provider and the simulator into a folder.
func build(ctx context.Context, dir string) (Programs, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", dir+string(filepath.Separator), module+"/cmd/provider", module+"/cmd/aivensim")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return Programs{}, errors.Wrapf(err, "cannot build the programs: %s", out)
	}
	return Programs{Dir: dir, Provider: filepath.Join(dir, "provider"), Simulator: filepath.Join(dir, "aivensim")}, nil
}

// A Child is a process whose output goes to a log file. It ends when this
// process does, whatever ends that.
type Child struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // Closed when it is gone.
}

// start starts a program. Gone is called when it ends, wanted or not.
func start(program, log string, env []string, gone func(c *Child), args ...string) (*Child, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a log file")
	}
	defer func() { _ = f.Close() }() // The child has its own descriptor.

	cmd := exec.Command(program, args...) //nolint:noctx // It is stopped in order, by Stop.
	cmd.Stdout, cmd.Stderr = f, f
	cmd.Env = append(os.Environ(), env...)
	// In a group of its own: an interrupt typed at the terminal reaches this
	// process only, which then stops its children in order.
	cmd.SysProcAttr = dieWithParent(&syscall.SysProcAttr{Setpgid: true})
	c := &Child{cmd: cmd, log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The system means the thread when it says parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait()
		close(c.done)
		gone(c)
	}()
	return c, errors.Wrapf(<-started, "cannot start %s", filepath.Base(program))
}

// Pid of the process.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Stop ends the process and waits until it is gone.
func (c *Child) Stop() {
	if c == nil || c.cmd.Process == nil {
		return
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	t := time.NewTimer(stopTimeout)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// Tail returns the end of the log.
func (c *Child) Tail() string {
	f, err := os.Open(c.log)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-maxLogTail), io.SeekStart)
	}
	b, _ := io.ReadAll(f)
	return string(b)
}

// Errors counts the lines of the log that are about errors.
func (c *Child) Errors() int {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return 0
	}
	return strings.Count(string(b), `"level":"error"`)
}

// poll calls fn until it is done or fails, or the context ends.
func poll(ctx context.Context, every time.Duration, fn func(ctx context.Context) (bool, error)) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		done, err := fn(ctx)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Wrap(context.Cause(ctx), "cannot wait any longer")
		case <-t.C:
		}
	}
}
