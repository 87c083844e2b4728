// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/cluster/node"
)

const (
	// ours is a label of the tests' namespaces.
	ours = "e2e.example.org/test"

	// dumpTimeout and cleanTimeout are less than margin, together.
	dumpTimeout  = 20 * time.Second
	cleanTimeout = 2 * time.Minute
)

var (
	// running is the suite for whoever ends it from outside.
	running atomic.Pointer[suite]
	// ending is held by who ends it.
	ending sync.Mutex
)

// watch ends the tests when they are interrupted, and before go test would kill them
// with everything left as it is.
func watch(cancel context.CancelFunc, dir string) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() { abort(cancel, dir, (<-interrupts).String()) }()
	var timeout time.Duration
	if g, ok := flag.Lookup("test.timeout").Value.(flag.Getter); ok {
		timeout, _ = g.Get().(time.Duration)
	}
	if d := patience(timeout); d > 0 {
		time.AfterFunc(d, func() {
			abort(cancel, dir, fmt.Sprintf("the tests did not end within %s of their -timeout of %s", d, timeout))
		})
	}
}

// abort writes down what there is, stops everything and ends the process: there is no
// other way to end tests that run. What is just being started fails instead.
func abort(cancel context.CancelFunc, dir, why string) {
	ending.Lock() // For ever.
	fmt.Fprintln(os.Stderr, "FAIL: aborted:", why)
	cancel()
	s := running.Load()
	if s == nil {
		ending.Unlock()
		return
	}
	s.explain(dir)
	if err := s.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "cannot stop:", err)
	}
	os.Exit(1)
}

// explain writes logs and objects to a folder, as far as they can be had soon.
func (s *suite) explain(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), dumpTimeout)
	defer cancel()
	if err := s.Dump(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, "cannot write all logs and objects:", err)
	}
	fmt.Fprintln(os.Stderr, "logs and objects are in", dir)
}

// stop ends everything. It may be called more than once.
func (s *suite) stop() error {
	s.stopping.Do(func() {
		keep := func(err error) {
			if s.stopErr == nil {
				s.stopErr = err
			}
		}
		if s.vacant && s.Level() == node.LevelCluster {
			ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
			defer cancel()
			fmt.Fprintln(os.Stderr, "removing from the cluster what the tests made")
			keep(errors.Wrap(s.clean(ctx), "something of the tests is left in the cluster"))
		}
		if s.Cluster != nil {
			keep(s.Stop())
		}
		if s.server != nil {
			s.server.CloseClientConnections()
			s.server.Close()
		}
	})
	return s.stopErr
}

// look makes sure that a cluster that somebody else runs has nothing that the tests
// would take for theirs, and remove.
func (s *suite) look(ctx context.Context) error {
	for _, what := range []string{"customresourcedefinition/aivenapplications.aiven.nais.io", "namespace/" + standaloneSystem, "namespace/" + documentNamespace} {
		out, err := s.try(ctx, "get", what, "--ignore-not-found", "-o", "name")
		if err != nil {
			return err
		}
		if out != "" {
			return errors.Errorf("cannot use the cluster: it has the %s; use a new one", strings.TrimSpace(out))
		}
	}
	s.vacant = true
	return nil
}

// clean removes what the tests made in the cluster, and Crossplane. As long as a
// provider runs it ends applications in order; after that nobody is asked.
func (s *suite) clean(ctx context.Context) error {
	// Kinds that are not there, and objects that wait for a provider that does
	// not run, are no errors: what is left goes below.
	for _, args := range [][]string{
		{"aivenapplications", "-A", "--all", "--timeout=20s"},
		{"namespaces", "-l", ours, "--timeout=20s"},
		{"namespace", documentNamespace, "--ignore-not-found", "--timeout=20s"},
		{"clusterproviderconfigs", "--all", "--timeout=10s"},
		{"-k", filepath.Join(root, "cluster", "install", "crossplane"), "--ignore-not-found", "--wait=false"},
		{"-k", filepath.Join(root, "cluster", "install", "standalone"), "--ignore-not-found", "--wait=false"},
	} {
		_, _ = s.try(ctx, append([]string{"delete"}, args...)...)
	}
	if err := s.loseSecrets(ctx); err != nil {
		return err
	}
	if err := s.RemoveCrossplane(ctx); err != nil {
		return err
	}
	s.core = false
	if err := s.RemoveKinds(ctx, v1alpha1.Group, "e2e.example.org"); err != nil {
		return err
	}
	if _, err := s.try(ctx, "wait", "--for=delete", "namespaces", "-l", ours, "--timeout=1m"); err != nil {
		return err
	}
	_, err := s.try(ctx, "wait", "--for=delete", "namespace/"+standaloneSystem, "--timeout=1m")
	return err
}

// loseSecrets deletes the Secrets that the provider holds: those that it has published
// as long as pods use them, and that with the token.
func (s *suite) loseSecrets(ctx context.Context) error {
	l := &corev1.SecretList{}
	if err := s.kube.List(ctx, l); err != nil {
		return errors.Wrap(err, "cannot list Secrets")
	}
	held := func(finalizer string) bool { return strings.HasPrefix(finalizer, v1alpha1.Group+"/") }
	for i := range l.Items {
		o := &l.Items[i]
		if !slices.ContainsFunc(o.Finalizers, held) {
			continue
		}
		if err := client.IgnoreNotFound(s.kube.Delete(ctx, o)); err != nil {
			return errors.Wrap(err, "cannot delete Secret")
		}
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
		if err := client.IgnoreNotFound(s.kube.Patch(ctx, o, patch)); err != nil {
			return errors.Wrap(err, "cannot release Secret")
		}
	}
	return nil
}
