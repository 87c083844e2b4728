// SPDX-License-Identifier: Apache-2.0

// Package assets finds, or builds from published Go modules and caches, the
// programs of a cluster. Small modules of their own pin what is built:
// cluster/binaries and cluster/node/binaries.
package assets

import (
	"bytes"
	"context"
	"encoding/json"
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

// Ensure returns a folder that holds the named programs, which are of one
// pinning module: etcd, kube-apiserver, kube-controller-manager, kube-proxy,
// kube-scheduler, kubectl and kubelet of one, coredns, crossplane, helm and
// pause of the other. Of the former it is KUBEBUILDER_ASSETS when that holds all
// of them. Else it is a folder of the user's cache, in which those that are
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
	m, err := moduleOf(want...)
	if err != nil {
		return "", err
	}
	if dir := os.Getenv(m.env); m.env != "" && dir != "" {
		absent := missing(dir, want)
		if len(absent) == 0 {
			return dir, nil
		}
		fmt.Fprintf(progress, "%s lacks %s, looking in the cache instead\n", m.env, strings.Join(absent, ", "))
	}
	root, err := tree()
	if err != nil {
		return "", err
	}
	dir, err := cacheDir(m.in(root))
	if err != nil {
		return "", err
	}
	if len(missing(dir, want)) == 0 {
		return dir, nil
	}
	b := builder{recipe: m, module: m.in(root), dir: dir, progress: progress}
	return dir, errors.Wrap(b.build(ctx, want), "cannot build the binaries")
}

// A Source is the published source of a program.
type Source struct {
	Version string `json:"Version"` //nolint:tagliatelle // It is go's.
	Dir     string `json:"Dir"`     //nolint:tagliatelle // The module's files; not to be changed.
}

// SourceOf returns the source of what the named program is released with, which
// go keeps in its module cache and downloads first if need be.
func SourceOf(ctx context.Context, program string) (Source, error) {
	m, err := moduleOf(program)
	if err != nil {
		return Source{}, err
	}
	root, err := tree()
	if err != nil {
		return Source{}, err
	}
	out, err := output(goCommand(ctx, m.in(root), "mod", "download", "-json", m.released))
	if err != nil {
		return Source{}, errors.Wrapf(err, "cannot download %s", m.released)
	}
	var s Source
	return s, errors.Wrap(json.Unmarshal(out, &s), "cannot read what go mod download says")
}

// A builder builds programs of one pinning module into one folder.
type builder struct {
	recipe   module
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
	version, err := output(goCommand(ctx, b.module, "list", "-m", "-f", "{{.Version}}", b.recipe.released))
	if err != nil {
		return errors.Wrapf(err, "cannot ask for the pinned version of %s", b.recipe.released)
	}
	ldflags := b.recipe.ldflags(string(version))
	fmt.Fprintf(b.progress, "building %s into %s (once; a few minutes)\n", strings.Join(absent, ", "), b.dir)
	for _, name := range absent {
		if err := b.buildOne(ctx, name, ldflags); err != nil {
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
func (b builder) buildOne(ctx context.Context, name, ldflags string) error {
	tmp, err := os.MkdirTemp(b.dir, ".build-")
	if err != nil {
		return errors.Wrap(err, "cannot make a build folder")
	}
	defer func() { _ = os.RemoveAll(tmp) }()

	built := filepath.Join(tmp, name)
	var out bytes.Buffer
	cmd := goCommand(ctx, b.module, "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", built, b.recipe.packages[name])
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

// output returns what a command writes to its standard output, without white
// space around it.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	return bytes.TrimSpace(out), errors.Wrapf(err, "%s", tail(stderr.Bytes()))
}

// tail returns the end of a command's output.
func tail(out []byte) string {
	if len(out) > maxOutput {
		out = out[len(out)-maxOutput:]
	}
	return string(bytes.TrimSpace(out))
}

func seconds(since time.Time) int { return int(time.Since(since).Seconds()) }
