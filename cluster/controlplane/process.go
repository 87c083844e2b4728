// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/pkg/errors"
)

const (
	// stopTimeout is how long a process may take to end before it is killed.
	stopTimeout = 20 * time.Second
	// maxLogTail bounds how much of a log an error shows, in bytes.
	maxLogTail = 2048
)

// A process is a running child whose output goes to a log file.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // Closed when the child is gone.
}

// startProcess starts a program. The child is in a process group of its own,
// so that an interrupt typed at the terminal reaches only this process, which
// then stops its children in order.
func startProcess(path, log string, args ...string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, errors.Wrap(err, "cannot make the log file")
	}
	defer func() { _ = f.Close() }()

	// Its life is that of the Environment, not that of the call that starts it.
	cmd := exec.Command(path, args...) //nolint:noctx // See above.
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Wrap(err, "cannot start the program")
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait()
	}()
	return p, nil
}

// exited reports whether the process is gone.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends the process and waits until it is gone.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Wrap(err, "cannot signal the process")
	}
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-p.done:
		return nil
	case <-timeout.C:
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Wrap(err, "cannot kill the process")
	}
	<-p.done
	return nil
}

// logTail returns the end of a log file, or nothing when it cannot be read.
func logTail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if len(b) > maxLogTail {
		b = b[len(b)-maxLogTail:]
	}
	return string(bytes.TrimSpace(b))
}
