// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pkg/errors"
)

const (
	// stopTimeout is how long an interrupted build may take to end before it is killed.
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

// tail returns the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
