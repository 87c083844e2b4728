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
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/provider-aiven/provider-aiven/cluster/node"
)

var (
	level = flag.String("level", "", "node or processes; empty is the cluster of KUBECONFIG and E2E_HOST, or the highest that the machine offers")
	dump  = flag.String("dump", "", "folder for logs and objects when a test fails; empty is _output/e2e/failed")
)

// s is shared by all tests.
var s *suite

// suiteNow is s for whoever an interrupt wakes.
var suiteNow atomic.Pointer[suite]

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(logr.Discard()) // What the client says is in its errors, too.
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Nothing may stay behind when somebody loses his patience.
	go func() {
		<-interrupts
		cancel()
		if s := suiteNow.Load(); s != nil {
			_ = s.stop()
			os.Exit(1) // There is no other way to end tests that run.
		}
	}()
	o, note, err := clusterOptions(node.Level(*level), os.Getenv("KUBECONFIG"), os.Getenv("E2E_HOST"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot start:", err)
		return 2
	}
	if note != "" {
		fmt.Fprintln(os.Stderr, note)
	}
	if s, err = start(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "cannot start:", err)
		return 1
	}
	suiteNow.Store(s)
	code := m.Run()
	dir := *dump
	if dir == "" {
		dir = filepath.Join(s.out, "failed")
	}
	if leaks, _ := s.leaks(dir); len(leaks) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: credentials were found where none may be:", leaks)
		code = 1
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "logs and objects are in", dir)
	} else if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "cannot remove", dir)
	}
	if err := s.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: cannot stop:", err)
		code = 1
	}
	return code
}
