// SPDX-License-Identifier: Apache-2.0

// Package valkey logs in at a real Valkey or Redis server with what the provider publishes.
package valkey

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/provider-aiven/provider-aiven/test/harness"
	"github.com/provider-aiven/provider-aiven/test/valkey/server"
)

// requireAll set to 1 makes a test fail for which something is missing on the machine.
const requireAll = "PROVIDER_AIVEN_REQUIRE_ALL"

// parallel tests run at a time unless -parallel says otherwise: they wait more than they compute.
const parallel = 6

var (
	// h is shared by all tests of the package: each has a namespace, a project and a server of its own.
	h *harness.Harness
	// interrupted ends the servers.
	interrupted context.Context
	// missing says why nothing can be tested here.
	missing error
)

func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		_ = flag.Set("test.parallel", strconv.Itoa(parallel))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if _, missing = server.Program(); missing != nil {
		return m.Run()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	interrupted = ctx //nolint:fatcontext // It is made once.
	var err error
	if h, err = harness.New(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	undo := context.AfterFunc(ctx, func() {
		_ = h.Stop()
		os.Exit(1)
	})
	zl := zap.New(zap.WriteTo(h.Log), zap.Level(harness.MostVerbose))
	ctrl.SetLogger(zl)
	klog.SetLogger(zl)
	h.StartProvider()
	code := m.Run()
	if !undo() {
		select {} // It ends the process.
	}
	if leaks := h.Scan(map[string]string{"the log": h.Log.String()}); len(leaks) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: credentials were found where none may be:", leaks)
		code = 1
	}
	if err := h.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	if code != 0 && os.Getenv("HARNESS_LOG") != "" {
		fmt.Fprintln(os.Stderr, h.Log.String())
	}
	return code
}
