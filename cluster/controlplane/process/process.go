// SPDX-License-Identifier: Apache-2.0

// Package process starts programs as children that live no longer than this
// process.
package process

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/pkg/errors"
)

const (
	// stopTimeout is how long a process may take to end before it is killed.
	stopTimeout = time.Minute
	// maxLogTail bounds how much of a log an error shows, in bytes.
	maxLogTail = 2048
)

// A Process is a child whose output goes to the end of a file.
type Process struct {
	process *os.Process
	log     string
	done    chan struct{} // Closed when the child is gone.
}

// Start starts a program whose output is appended to the file log. Its life is
// not that of a context: Stop ends it, and on Linux the end of this process
// does, in whatever way it comes. The child is in a process group of its own,
// so that an interrupt typed at the terminal reaches only this process, which
// then stops its children in order.
func Start(cmd *exec.Cmd, log string) (*Process, error) {
	f, err := os.OpenFile(filepath.Clean(log), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, errors.Wrap(err, "cannot open the log file")
	}
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = f, f, attributes()
	p := &Process{log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.done)
		// Linux ties the life of the child to the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = f.Close()
		p.process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, errors.Wrap(err, "cannot start the program")
	}
	return p, nil
}

// ID is the process' number.
func (p *Process) ID() int { return p.process.Pid }

// Done is closed when the process is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exited reports whether the process is gone.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// errKilled says that a process did not end when it was asked to.
var errKilled = errors.New("cannot stop the process in time: it was killed")

// Stop ends the process, and returns when it is gone. It may be called more
// than once.
func (p *Process) Stop() error {
	if err := p.End(); !errors.Is(err, errKilled) {
		return err
	}
	return nil
}

// End is Stop for who wants to know when the process had to be killed: that is an
// error.
func (p *Process) End() error {
	if err := p.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Wrap(err, "cannot signal the process")
	}
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-p.done:
		return nil
	case <-timeout.C:
	}
	if err := p.Kill(); err != nil {
		return err
	}
	return errKilled
}

// Kill ends the process without asking it, and returns when it is gone.
func (p *Process) Kill() error {
	if err := p.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Wrap(err, "cannot kill the process")
	}
	<-p.done
	return nil
}

// LogTail returns the end of the log, or nothing when it cannot be read.
func (p *Process) LogTail() string { return LogTail(p.log) }

// LogTail returns the end of a log file, or nothing when it cannot be read.
func LogTail(path string) string {
	b, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return ""
	}
	if len(b) > maxLogTail {
		b = b[len(b)-maxLogTail:]
	}
	return string(bytes.TrimSpace(b))
}
