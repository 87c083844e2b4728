// SPDX-License-Identifier: Apache-2.0

// Package demo runs the provider on this machine as it runs in a cluster: a real
// control plane, the provider as a process of its own, and a simulated Aiven.
// The local environment shows what comes of the examples there, and the end to
// end tests check it.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis"
	"github.com/provider-aiven/provider-aiven/cluster/controlplane"
	"github.com/provider-aiven/provider-aiven/cluster/controlplane/process"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// seedFile is what the simulator starts with, relative to the checkout.
const seedFile = "examples/aivensim-seed.json"

// defaultPoll of the provider: drift at the simulator is found soon.
const defaultPoll = 30 * time.Second

// janitorGrace of the provider: who deletes an application wants to see the rest
// go.
const janitorGrace = 5 * time.Second

// namespace of the provider's records, which holds its token too.
const namespace = "provider-aiven-system"

// Options of an Environment.
type Options struct {
	// Progress is told what is done. Nil is silent.
	Progress io.Writer
	// Poll is how often the provider looks at everything when nothing happens.
	// Default: 30 seconds.
	Poll time.Duration
}

// An Environment is a control plane, a simulated Aiven and a provider. Stop must
// be called.
type Environment struct {
	// Kube reads and writes with all rights and without a cache.
	Kube client.Client
	// Sim is the simulated Aiven, Seed what it started with, and URL where it
	// listens.
	Sim  *aivensim.Server
	Seed aivensim.Seed
	URL  string
	// Kubeconfig is the path of a kubeconfig file with all rights.
	Kubeconfig string
	// MetricsURL is where the provider serves its metrics.
	MetricsURL string

	progress io.Writer
	poll     time.Duration
	root     string
	dir      string
	plane    *controlplane.Environment
	server   *http.Server
	provider *process.Process
}

// Start starts everything, from a checkout that is the working directory or
// above it. The programs of the control plane and the provider are built first
// if need be, which takes minutes the first time; then it takes seconds.
// Whatever was started is stopped again when it fails.
func Start(ctx context.Context, o Options) (*Environment, error) {
	e := &Environment{progress: io.Discard, poll: cmp.Or(o.Poll, defaultPoll)}
	if o.Progress != nil {
		e.progress = &lockedWriter{w: o.Progress}
	}
	if err := e.start(ctx); err != nil {
		if stopErr := e.Stop(); stopErr != nil {
			e.sayf("%v", stopErr)
		}
		return nil, err
	}
	return e, nil
}

func (e *Environment) start(ctx context.Context) error {
	var err error
	if e.root, err = checkout(); err != nil {
		return err
	}
	if e.dir, err = os.MkdirTemp("", "provider-aiven-local-"); err != nil {
		return errors.Wrap(err, "cannot make a folder")
	}
	if err := e.startSimulator(ctx); err != nil {
		return err
	}
	// Two programs on a first run, and a matter of a second later.
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		e.sayf("building the provider")
		return buildProvider(gctx, e.root, e.providerPath())
	})
	g.Go(func() error { return e.startControlPlane(gctx) })
	if err := g.Wait(); err != nil {
		return err //nolint:wrapcheck // It says what could not be started.
	}
	return e.StartProvider(ctx)
}

// startSimulator serves the simulated Aiven on a free port.
func (e *Environment) startSimulator(ctx context.Context) error {
	f, err := os.Open(filepath.Join(e.root, filepath.FromSlash(seedFile)))
	if err != nil {
		return errors.Wrap(err, "cannot open the simulator's seed")
	}
	e.Seed, err = aivensim.ReadSeed(f)
	_ = f.Close()
	if err != nil {
		return errors.Wrap(err, "cannot read the simulator's seed")
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Wrap(err, "cannot listen for the simulator")
	}
	e.Sim = aivensim.New(aivensim.WithSeed(e.Seed))
	e.URL = "http://" + l.Addr().String()
	e.server = &http.Server{Handler: e.Sim, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = e.server.Serve(l) }() // Until Stop closes it.
	e.sayf("simulated Aiven listens at %s", e.URL)
	return nil
}

// startControlPlane starts the control plane with the provider's definitions.
func (e *Environment) startControlPlane(ctx context.Context) error {
	// Building both at once would make neither faster.
	names := []string{controlplane.Etcd, controlplane.APIServer, controlplane.ControllerManager}
	if _, err := controlplane.Binaries(ctx, e.progress, names...); err != nil {
		return err //nolint:wrapcheck // It says what cannot be built.
	}
	e.sayf("starting etcd, kube-apiserver and kube-controller-manager")
	var err error
	e.plane, err = controlplane.Start(ctx, controlplane.Options{
		CRDs: []string{filepath.Join(e.root, "package", "crds")}, ControllerManager: true, Progress: e.progress,
	})
	if err != nil {
		return errors.Wrap(err, "cannot start the control plane")
	}
	e.Kubeconfig = filepath.Join(e.dir, "kubeconfig")
	if err := e.plane.WriteKubeconfig(e.Kubeconfig); err != nil {
		return err //nolint:wrapcheck // It says what cannot be written.
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return errors.Wrap(err, "cannot add Kubernetes APIs to scheme")
	}
	if err := apis.AddToScheme(scheme); err != nil {
		return errors.Wrap(err, "cannot add provider APIs to scheme")
	}
	e.Kube, err = client.New(e.plane.Config, client.Options{Scheme: scheme})
	return errors.Wrap(err, "cannot make a client")
}

// StartProvider starts the provider as a process that knows the cluster by a
// kubeconfig file. Start has done so already; it is there for a restart after
// KillProvider.
func (e *Environment) StartProvider(ctx context.Context) error {
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	e.MetricsURL = "http://" + address + "/metrics"
	// Its life is that of the Environment, not that of the call that starts it.
	cmd := exec.Command(e.providerPath(), //nolint:noctx // See above.
		"--debug",
		"--no-leader-election",
		"--poll="+e.poll.String(),
		"--namespace="+namespace,
		"--janitor-grace="+janitorGrace.String(),
		"--base-url="+e.URL,
		"--metrics-address="+address,
		"--health-address=0",
	)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+e.Kubeconfig)
	e.provider, err = process.Start(cmd, e.logPath())
	if err != nil {
		return errors.Wrap(err, "cannot start the provider")
	}
	e.sayf("provider runs with process id %d", e.provider.ID())
	return nil
}

// KillProvider ends the provider without giving it a chance to do anything.
func (e *Environment) KillProvider() error {
	return errors.Wrap(e.provider.Kill(), "cannot kill the provider")
}

// Stop stops every process and removes every file of the environment. It may be
// called more than once. The first error is returned, after everything was
// tried.
func (e *Environment) Stop() error {
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	if e.provider != nil {
		keep(errors.Wrap(e.provider.End(), "cannot stop the provider"))
		e.provider = nil
	}
	if e.plane != nil {
		keep(errors.Wrap(e.plane.Stop(), "cannot stop the control plane"))
		e.plane = nil
	}
	if e.server != nil {
		keep(errors.Wrap(e.server.Close(), "cannot stop the simulator"))
		e.server = nil
	}
	if e.dir != "" {
		keep(errors.Wrap(os.RemoveAll(e.dir), "cannot remove the environment's folder"))
	}
	return first
}

// Exited is closed when the provider has ended.
func (e *Environment) Exited() <-chan struct{} { return e.provider.Done() }

// Log returns what the provider has logged so far.
func (e *Environment) Log() (string, error) {
	b, err := os.ReadFile(e.logPath())
	return string(b), errors.Wrap(err, "cannot read the provider's log")
}

func (e *Environment) logPath() string      { return filepath.Join(e.dir, "provider.log") }
func (e *Environment) providerPath() string { return filepath.Join(e.dir, "provider") }

func (e *Environment) sayf(format string, args ...any) {
	fmt.Fprintf(e.progress, format+"\n", args...)
}

// A lockedWriter is a writer for several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write writes.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p) //nolint:wrapcheck // It is the other's.
}

// Kubectl returns how to call kubectl: by its name when it is on the PATH, else
// by the path of one that is kept, and built first if need be, beside the
// programs of the control plane.
func Kubectl(ctx context.Context, progress io.Writer) (string, error) {
	if _, err := exec.LookPath(controlplane.Kubectl); err == nil {
		return controlplane.Kubectl, nil
	}
	dir, err := controlplane.Binaries(ctx, progress, controlplane.Kubectl)
	return filepath.Join(dir, controlplane.Kubectl), errors.Wrap(err, "cannot get kubectl")
}

// checkout returns the root of the source tree.
func checkout() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", errors.Wrap(err, "cannot get the working directory")
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(seedFile))); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("cannot find " + seedFile + " in the working directory or above it: run this inside a checkout")
		}
	}
}

// freeAddress returns an address of the loopback interface that is free now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", errors.Wrap(err, "cannot find a free port")
	}
	return l.Addr().String(), errors.Wrap(l.Close(), "cannot find a free port")
}
