// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
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
	// stopTimeout is how long the provider may take to end before it is killed.
	stopTimeout = 20 * time.Second
	// shownLog is how many lines of the provider's log a failure shows.
	shownLog = 40
)

// buildProvider builds the provider of a checkout. It uses the flags of plain
// go build, so that what this program shares with it is compiled only once.
func buildProvider(ctx context.Context, root, path string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/provider")
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &out, &out
	// What an interrupted build leaves goes with the folder.
	cmd.Env = append(os.Environ(), "GOTMPDIR="+filepath.Dir(path))
	// With a group of its own, go's compilers are told, too, and by us alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = stopTimeout
	err := cmd.Run()
	if ctx.Err() != nil {
		return errors.Wrap(ctx.Err(), "cannot build the provider")
	}
	return errors.Wrapf(err, "cannot build the provider: %s", tail(out.String(), shownLog))
}

// A child is a running process whose output goes to the end of a file.
type child struct {
	process *os.Process
	done    chan struct{} // Closed when it is gone.
}

// startChild starts a program that lives no longer than this process. It is in a
// process group of its own, so that an interrupt typed at the terminal reaches
// only this process, which then stops everything in order.
func startChild(cmd *exec.Cmd, log string) (*child, error) {
	f, err := os.OpenFile(filepath.Clean(log), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, errors.Wrap(err, "cannot make the log file")
	}
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = f, f, processAttributes()
	c := &child{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(c.done)
		// Linux ties the life of the child to the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = f.Close()
		c.process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, errors.Wrap(err, "cannot start the program")
	}
	return c, nil
}

// stop ends the process, and returns when it is gone.
func (c *child) stop() error {
	if err := c.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Wrap(err, "cannot signal the process")
	}
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-c.done:
		return nil
	case <-timeout.C:
	}
	if err := c.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Wrap(err, "cannot kill the process")
	}
	<-c.done
	return errors.New("cannot stop the process in time: it was killed")
}

// tail returns the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
