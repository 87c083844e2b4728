// SPDX-License-Identifier: Apache-2.0

// Package assets finds, or builds from published Go modules and caches, the
// programs of a control plane. The module cluster/binaries pins what is built.
package assets

import (
	"bytes"
	"context"
	"fmt"
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

// EnvAssets is the environment variable that names a folder with ready
// binaries, as Kubernetes' own test environment reads it.
const EnvAssets = "KUBEBUILDER_ASSETS"

const (
	// heartbeat is how often a build says that it goes on.
	heartbeat = 10 * time.Second
	// lockPoll is how often a lock that another process holds is tried.
	lockPoll = 250 * time.Millisecond
	// maxOutput bounds how much of a failed command's output is shown, in bytes.
	maxOutput = 4096
)

// Root returns the folder that keeps every built binary. Removing it costs
// the time to build them again, and nothing else.
func Root() (string, error) { return cacheRoot() }

// Ensure returns a folder that holds the named programs (etcd, kube-apiserver,
// kube-controller-manager, kubectl). That is KUBEBUILDER_ASSETS when it holds
// all of them, and else a folder of the user's cache, in which those that are
// missing are built first: about three and a half minutes on two cores for a
// control plane, once for each version of the pinning module.
//
// It tells progress what it builds, at least every 15 seconds; a nil progress
// is silent. Several processes may call it at once: one builds, the others
// wait. A failed or cancelled build leaves nothing that a later call takes for
// a program. It fails on a name it has no recipe for.
func Ensure(ctx context.Context, progress io.Writer, want ...string) (string, error) {
	if progress == nil {
		progress = io.Discard
	}
	if dir := os.Getenv(EnvAssets); dir != "" {
		absent := missing(dir, want)
		if len(absent) == 0 {
			return dir, nil
		}
		fmt.Fprintf(progress, "%s lacks %s, looking in the cache instead\n", EnvAssets, strings.Join(absent, ", "))
	}
	if err := known(want); err != nil {
		return "", err
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", errors.Wrap(err, "cannot get the working directory")
	}
	module, err := moduleDir(wd)
	if err != nil {
		return "", err
	}
	dir, err := cacheDir(module)
	if err != nil {
		return "", err
	}
	if len(missing(dir, want)) == 0 {
		return dir, nil
	}
	b := builder{module: module, dir: dir, progress: progress}
	return dir, errors.Wrap(b.build(ctx, want), "cannot build the control plane's binaries")
}

// A builder builds programs of one pinning module into one folder.
type builder struct {
	module   string
	dir      string
	progress io.Writer
}

// build builds those of want that are missing, one process at a time.
func (b builder) build(ctx context.Context, want []string) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return errors.Wrap(err, "cannot make the cache folder")
	}
	unlock, err := b.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()

	// Another process may have built them while this one waited.
	absent := missing(b.dir, want)
	if len(absent) == 0 {
		return nil
	}
	version, err := kubernetesVersion(ctx, b.module)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.progress, "building %s into %s (once; a few minutes)\n", strings.Join(absent, ", "), b.dir)
	for _, name := range absent {
		if err := b.buildOne(ctx, name, version); err != nil {
			return errors.Wrapf(err, "cannot build %s", name)
		}
	}
	return nil
}

// lock takes the folder's lock, which the system frees if this process dies.
func (b builder) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(b.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errors.Wrap(err, "cannot open the lock file")
	}
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	start, told := time.Now(), time.Time{}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, errors.Wrap(err, "cannot lock the cache folder")
		}
		if time.Since(told) >= heartbeat {
			told = time.Now()
			fmt.Fprintf(b.progress, "waiting for another process that builds these binaries (%ds)\n", seconds(start))
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, errors.Wrap(ctx.Err(), "cannot lock the cache folder")
		case <-poll.C:
		}
	}
}

// buildOne builds one program beside its place and moves it there whole.
func (b builder) buildOne(ctx context.Context, name, version string) error {
	tmp, err := os.MkdirTemp(b.dir, ".build-")
	if err != nil {
		return errors.Wrap(err, "cannot make a build folder")
	}
	defer func() { _ = os.RemoveAll(tmp) }()

	built := filepath.Join(tmp, name)
	var out bytes.Buffer
	cmd := goCommand(ctx, b.module, "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags(version), "-o", built, packages[name])
	cmd.Stdout, cmd.Stderr = &out, &out

	start := time.Now()
	stop := b.beat(name, start)
	err = cmd.Run()
	stop()
	if err != nil {
		return errors.Wrapf(err, "cannot run go build: %s", tail(out.Bytes()))
	}
	fmt.Fprintf(b.progress, "built %s in %ds\n", name, seconds(start))
	return errors.Wrap(os.Rename(built, filepath.Join(b.dir, name)), "cannot move the program into place")
}

// beat reports that a build goes on until the returned function is called.
func (b builder) beat(name string, start time.Time) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(heartbeat)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				fmt.Fprintf(b.progress, "building %s (%ds)\n", name, seconds(start))
			}
		}
	}()
	return func() { close(done); <-ended }
}

// goCommand is the ordinary go command, told to take nothing from the caller's
// environment that changes what is built.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	// An interrupt goes to go, which stops its compilers; killing it would
	// leave them running for a while.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// tail returns the end of a command's output.
func tail(out []byte) string {
	if len(out) > maxOutput {
		out = out[len(out)-maxOutput:]
	}
	return string(bytes.TrimSpace(out))
}

func seconds(since time.Time) int { return int(time.Since(since).Seconds()) }
