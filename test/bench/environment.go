// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis"
	"github.com/provider-aiven/provider-aiven/cluster/controlplane"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/provider"
)

const (
	startTimeout = time.Minute
	startPoll    = 20 * time.Millisecond
	// quietPoll is how often it is looked whether something happened; a look
	// costs the API server some milliseconds.
	quietPoll = time.Second
)

// An Environment is a control plane, a simulator and a provider, each in
// processes of their own.
type Environment struct {
	// Kube reads and writes without a cache and without a limit.
	Kube client.Client
	// Rest is for what Kube cannot do.
	Rest *rest.Config
	// Simulator of Aiven.
	Simulator Simulator
	// Version of Kubernetes.
	Version string

	raw       rest.Interface
	dir       string
	plane     *controlplane.Environment
	simulator *Child
	provider  *Child
	apiserver int
	etcd      int
	fail      context.CancelCauseFunc
}

// setUp starts everything. The returned context ends, with a cause, when a
// process does that should not. Stop must be called in any case.
func setUp(ctx context.Context, p Programs, c Config) (context.Context, *Environment, error) {
	ctx, fail := context.WithCancelCause(ctx)
	e := &Environment{fail: fail}
	err := e.start(ctx, p, c)
	return ctx, e, err
}

func (e *Environment) start(ctx context.Context, p Programs, c Config) error {
	var err error
	if e.dir, err = os.MkdirTemp(p.Dir, "run-"); err != nil {
		return errors.Wrap(err, "cannot make a folder")
	}
	crds, err := crdFolder()
	if err != nil {
		return err
	}
	if e.plane, err = controlplane.Start(ctx, controlplane.Options{CRDs: []string{crds}, Progress: os.Stderr}); err != nil {
		return errors.Wrap(err, "cannot start the control plane")
	}
	// Before anything else is started that could have the same name.
	pids, err := children()
	if err != nil {
		return err
	}
	if e.apiserver, e.etcd = pids[controlplane.APIServer], pids[controlplane.Etcd]; e.apiserver == 0 || e.etcd == 0 {
		return errors.New("cannot find the processes of the control plane")
	}
	if err := e.connect(); err != nil {
		return err
	}
	if err := e.startSimulator(ctx, p, c); err != nil {
		return err
	}
	if err := prepare(ctx, e, c); err != nil {
		return err
	}
	return e.startProvider(ctx, p)
}

func (e *Environment) connect() error {
	e.Rest = rest.CopyConfig(e.plane.Config)
	e.Rest.QPS, e.Rest.Burst = -1, -1
	scheme, err := provider.NewScheme()
	if err == nil {
		err = apis.AddToScheme(scheme)
	}
	if err != nil {
		return errors.Wrap(err, "cannot make a scheme")
	}
	if e.Kube, err = client.New(e.Rest, client.Options{Scheme: scheme}); err != nil {
		return errors.Wrap(err, "cannot make a client")
	}
	cs, err := kubernetes.NewForConfig(e.Rest)
	if err != nil {
		return errors.Wrap(err, "cannot make a client")
	}
	e.raw = cs.Discovery().RESTClient()
	v, err := cs.Discovery().ServerVersion()
	if err != nil {
		return errors.Wrap(err, "cannot get the API server's version")
	}
	e.Version = v.GitVersion
	return nil
}

// ended is told of children that are gone.
func (e *Environment) ended(c *Child) {
	e.fail(errors.Errorf("%s has ended; the end of its log:\n%s", filepath.Base(c.cmd.Path), c.Tail()))
}

func (e *Environment) startSimulator(ctx context.Context, p Programs, c Config) error {
	b, err := json.Marshal(seed(c))
	if err != nil {
		return errors.Wrap(err, "cannot encode the seed")
	}
	file := filepath.Join(e.dir, "seed.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return errors.Wrap(err, "cannot write the seed")
	}
	log := filepath.Join(e.dir, "aivensim.log")
	if e.simulator, err = start(p.Simulator, log, nil, e.ended, "-listen=127.0.0.1:0", "-seed="+file, "-latency="+c.Latency.String(), fmt.Sprintf("-limit-per-minute=%d", c.CallsPerMinute)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return errors.Wrap(poll(ctx, startPoll, func(context.Context) (bool, error) {
		b, err := os.ReadFile(log)
		if err != nil {
			return false, errors.Wrap(err, "cannot read its log")
		}
		url, _, whole := strings.Cut(string(b), "\n")
		e.Simulator = Simulator{URL: url}
		return whole && strings.HasPrefix(url, "http://"), nil
	}), "cannot wait for the simulator")
}

// startProvider starts the provider, and waits until it watches what it
// reconciles.
func (e *Environment) startProvider(ctx context.Context, p Programs) error {
	kubeconfig := filepath.Join(e.dir, "kubeconfig")
	if err := e.plane.WriteKubeconfig(kubeconfig); err != nil {
		return err
	}
	if err := prepareConfiguration(ctx, e); err != nil {
		return err
	}
	var err error
	if e.provider, err = start(p.Provider, filepath.Join(e.dir, "provider.log"), []string{"KUBECONFIG=" + kubeconfig}, e.ended,
		"--no-leader-election", "--metrics-address=127.0.0.1:0", "--health-address=127.0.0.1:0"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return errors.Wrap(poll(ctx, quietPoll/2, func(ctx context.Context) (bool, error) {
		m, err := scrape(ctx, e.raw)
		if err != nil {
			return false, err
		}
		for _, r := range []string{applications, "kafkaserviceusers", "opensearchserviceusers", "valkeyserviceusers", "clusterproviderconfigs"} {
			if !m.Watched[r] {
				return false, nil
			}
		}
		return true, nil
	}), "cannot wait for the provider")
}

// CPU used so far.
func (e *Environment) CPU() (CPU, error) {
	var c CPU
	for pid, to := range map[int]*float64{e.provider.Pid(): &c.Provider, e.apiserver: &c.APIServer, e.etcd: &c.Etcd, e.simulator.Pid(): &c.Simulator} {
		s, err := cpuSeconds(pid)
		if err != nil {
			return CPU{}, err
		}
		*to = s
	}
	return c, nil
}

// Counts are requests to both sides since they started.
type Counts struct {
	// At is when they were taken.
	At         time.Time
	Kubernetes Requests
	Aiven      aivensim.Stats
}

// Counts of now.
func (e *Environment) Counts(ctx context.Context) (Counts, error) {
	at := time.Now()
	m, err := scrape(ctx, e.raw)
	if err != nil {
		return Counts{}, err
	}
	s, err := e.Simulator.Stats(ctx)
	return Counts{At: at, Kubernetes: m.Done, Aiven: s}, err
}

// Quiet waits until for some time nothing was written to Kubernetes and Aiven
// was not called, and returns the counts of then.
func (e *Environment) Quiet(ctx context.Context, rest time.Duration) (Counts, error) {
	var c Counts
	last, since := -1, time.Now()
	err := poll(ctx, quietPoll, func(ctx context.Context) (bool, error) {
		var err error
		if c, err = e.Counts(ctx); err != nil {
			return false, err
		}
		n := int(c.Aiven.Calls) + c.Kubernetes.count(func(k Request) bool { return isWrite(k) || isConflict(k) || isRefused(k) })
		if n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) >= rest, nil
	})
	return c, errors.Wrap(err, "cannot wait for quiet")
}

// Stop ends everything that was started.
func (e *Environment) Stop() {
	// What ends from now on is meant to.
	e.fail(errors.New("the run is over"))
	e.provider.Stop()
	e.simulator.Stop()
	if e.plane != nil {
		if err := e.plane.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	_ = os.RemoveAll(e.dir)
}

// crdFolder finds package/crds in or above the working directory.
func crdFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", errors.Wrap(err, "cannot find the working directory")
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		crds := filepath.Join(dir, "package", "crds")
		if _, err := os.Stat(crds); err == nil {
			return crds, nil
		}
	}
	return "", errors.New("cannot find package/crds: run this in the repository")
}
