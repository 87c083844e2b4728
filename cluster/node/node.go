// SPDX-License-Identifier: Apache-2.0

// Package node runs a cluster of one node, with Crossplane, on this machine. It
// offers two levels, of which Detect picks one: a real node, whose Pods run in
// containers, and, where that is not possible, the same control plane with
// Crossplane as processes under the rights of their service accounts. It can
// use a cluster that somebody else runs instead.
package node

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pkg/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane/assets"
)

// Options say how to start a cluster. The zero value is the highest level that
// the machine offers.
type Options struct {
	Level Level

	// Kubeconfig is the file, or the list of files as in the variable of that name,
	// whose current context is of a cluster that somebody else runs. It is used
	// instead of one of our own. It must never have had Crossplane, and its nodes
	// have the architecture of this machine. What is made there stays there, unless
	// RemoveCrossplane and RemoveKinds are called.
	Kubeconfig string

	// Host is the address of this machine, a private IPv4 address, as Pods and
	// kubelets of the cluster that Kubeconfig names reach it, with the port of the
	// registry or without, which is 5000. The cluster's container runtime has to
	// be told that the registry there speaks plain HTTP.
	Host string

	// Dir is the folder in which the cluster's own folder is made. Empty is the
	// system's folder for temporary files.
	Dir string

	// Failed is the folder to which logs and objects are written when Start fails;
	// see Dump. Empty is none. Nothing of a cluster that somebody else runs is.
	Failed string

	// Progress is told what is built and started. Nil is silent.
	Progress io.Writer
}

// A Cluster is a running cluster. Stop must be called.
type Cluster struct {
	level    Level
	progress *progress
	state    *state // Nil at LevelCluster, which changes nothing of the machine.
	record   record
	machine  machine
	bin      binaries
	network  network
	foreign  foreign // At LevelCluster.
	pki      *pki    // Else.
	services services
	pods     podSet
	registry *registry
	config   *rest.Config
	kube     kubernetes.Interface
	ports    ports

	// Stop may be called by whom an interrupt woke, too.
	stopping sync.Once
	stopErr  error
}

// Binaries makes sure that the programs of a level are there. Those that are
// not are built, which takes some seven minutes the first time.
func Binaries(ctx context.Context, l Level, progress io.Writer) error {
	_, err := ensure(ctx, l, progress)
	return err
}

// binaries are folders with programs, and the source of Crossplane, which has
// its chart.
type binaries struct {
	kubernetes string
	crossplane string
	source     assets.Source
}

func ensure(ctx context.Context, l Level, progress io.Writer) (binaries, error) {
	kube, xp := []string{"etcd", "kube-apiserver", "kube-controller-manager"}, []string{"crossplane", "helm"}
	if l == LevelNode {
		kube = append(kube, "kube-scheduler", "kube-proxy", "kubelet")
		xp = append(xp, "coredns", "pause")
	}
	var b binaries
	var err error
	if l != LevelCluster {
		if b.kubernetes, err = assets.Ensure(ctx, progress, kube...); err != nil {
			return binaries{}, errors.Wrap(err, "cannot get the programs of Kubernetes")
		}
	}
	if b.crossplane, err = assets.Ensure(ctx, progress, xp...); err != nil {
		return binaries{}, errors.Wrap(err, "cannot get the programs of Crossplane")
	}
	b.source, err = assets.SourceOf(ctx, "crossplane")
	return b, errors.Wrap(err, "cannot get Crossplane's chart")
}

// Start starts a cluster without Crossplane, and returns when the API server
// serves and, at LevelNode, the node is ready. This takes some four seconds once
// the programs are built. What a killed run left is removed first; one that
// still runs is an error, because the cluster uses things of which a machine has
// only one. Whatever was started is stopped again when it fails. A cluster that
// somebody else runs is connected to, and has no such things.
//
// The cluster lives as long as the calling process at most. If that is killed,
// processes go with it, and the rest with the next Start, or Down.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{level: o.Level, progress: newProgress(o.Progress), machine: look()}
	if err := c.choose(o); err != nil {
		return nil, err
	}
	var err error
	if c.bin, err = ensure(ctx, c.level, c.progress); err != nil {
		return nil, err
	}
	c.progress.restart()
	if err := c.lock(); err != nil {
		return nil, err
	}
	if err := c.start(ctx, o.Dir); err != nil {
		c.giveUp(ctx, o.Failed)
		return nil, err
	}
	return c, nil
}

// giveUp stops what was started, and before that keeps what may say why it did
// not go on.
func (c *Cluster) giveUp(ctx context.Context, dir string) {
	if dir != "" && c.record.Dir != "" && c.level != LevelCluster {
		// Whoever started it may be the one who does not wait any longer.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dumpTimeout)
		defer cancel()
		if err := c.Dump(ctx, dir); err != nil {
			c.progress.sayf("%v", err)
		}
		c.progress.sayf("logs and objects are in %s", dir)
	}
	if err := c.Stop(); err != nil {
		c.progress.sayf("%v", err)
	}
}

// lock makes sure that this is the only cluster of the machine.
func (c *Cluster) lock() error {
	if c.level == LevelCluster {
		return nil
	}
	var err error
	if c.state, err = acquire(); err != nil {
		return err
	}
	if err := c.state.reap(c.progress); err != nil {
		c.state.close()
		return err
	}
	return nil
}

// choose settles the level, and says which it is.
func (c *Cluster) choose(o Options) error {
	if o.Kubeconfig != "" || o.Host != "" || c.level == LevelCluster {
		return c.chooseForeign(o)
	}
	d := decide(c.machine)
	switch {
	case c.level == "":
		c.level = d.Level
	case c.level == LevelNode && d.Level != LevelNode:
		return errors.Errorf("cannot run a node here: %s", d.reasons())
	case c.level != LevelNode && c.level != LevelProcesses:
		return errors.Errorf("cannot start a cluster of level %q: the levels are %s, %s and %s", c.level, LevelNode, LevelProcesses, LevelCluster)
	}
	c.progress.sayf("level %s: %s", c.level, c.level.description())
	if d.Level != LevelNode {
		c.progress.sayf("a real node needs: %s", d.reasons())
	}
	return nil
}

func (c *Cluster) start(ctx context.Context, parent string) error {
	if err := c.prepare(parent); err != nil {
		return err
	}
	if err := c.startRegistry(ctx); err != nil {
		return err
	}
	if err := c.startControl(ctx); err != nil {
		return err
	}
	return c.waitForServiceAccount(ctx)
}

// startControl starts what Kubernetes consists of, or connects to it.
func (c *Cluster) startControl(ctx context.Context) error {
	if c.level == LevelCluster {
		return c.join(ctx)
	}
	if err := c.startPlane(ctx); err != nil || c.level != LevelNode {
		return err
	}
	return c.startNode(ctx)
}

// prepare makes the cluster's folder and, for a node, its network, after it wrote
// down how to undo both.
func (c *Cluster) prepare(parent string) error {
	dir, err := os.MkdirTemp(parent, "provider-aiven-node-")
	if err != nil {
		return errors.Wrap(err, "cannot make a folder for the cluster")
	}
	c.record = record{PID: os.Getpid(), Level: c.level, Dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig")}
	c.services.dir = c.LogDir()
	if c.level == LevelNode {
		if c.network, err = pickNetwork(); err != nil {
			return err
		}
		c.record.Bridge = c.network.Bridge
		c.record.remember()
	}
	if err := c.state.write(c.record); err != nil {
		return err
	}
	if err := os.Mkdir(c.LogDir(), 0o700); err != nil {
		return errors.Wrap(err, "cannot make the folder of the logs")
	}
	if c.level == LevelNode {
		return c.network.up()
	}
	return nil
}

// Level is what the cluster consists of.
func (c *Cluster) Level() Level { return c.level }

// Kubeconfig is the path of a kubeconfig file with all rights.
func (c *Cluster) Kubeconfig() string { return c.record.Kubeconfig }

// Config is for a client with all rights and a generous rate limit.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// LogDir is the folder with the logs of all processes.
func (c *Cluster) LogDir() string { return c.path("log") }

// HostAddress is the IP address of this machine at which Pods, and processes
// that stand for them, reach what listens there (or on all interfaces).
func (c *Cluster) HostAddress() string {
	switch c.level {
	case LevelNode:
		return c.network.gateway().String()
	case LevelCluster:
		return c.foreign.host.Addr().String()
	case LevelProcesses:
	}
	return "127.0.0.1"
}

// Stop stops every process and undoes every change to the machine, but none to a
// cluster that somebody else runs. It may be called more than once. The first
// error is returned, after everything was tried.
func (c *Cluster) Stop() error {
	c.stopping.Do(func() {
		begin := time.Now()
		// While they can still say farewell to the API server.
		c.pods.stop()
		// Without a kubelet containers stay dead, and without containers nobody
		// holds connections for which the API server would wait.
		err := c.services.remove(kubelet)
		keep := func(e error) {
			if err == nil {
				err = e
			}
		}
		if c.level == LevelNode {
			keep(killPods())
		}
		keep(c.services.stop())
		if c.registry != nil {
			keep(c.registry.close())
		}
		if restoreErr := c.record.restore(); restoreErr != nil {
			keep(restoreErr)
			c.state.close() // With the record, for Down to try again.
		} else {
			keep(c.state.release())
		}
		c.stopErr = err
		c.progress.sayf("stopped and removed in %.1fs", time.Since(begin).Seconds())
	})
	return c.stopErr
}

// path returns a path in the cluster's folder.
func (c *Cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.record.Dir}, elem...)...)
}
