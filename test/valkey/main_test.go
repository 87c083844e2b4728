// SPDX-License-Identifier: Apache-2.0

// Package valkey logs in at a real Valkey or Redis server with what the provider publishes.
package valkey

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

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
	harness.Parallel(parallel)
	harness.Exit(run(m))
}

func run(m *testing.M) (code int, err error) {
	if _, missing = server.Program(); missing != nil {
		return m.Run(), nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	interrupted = ctx //nolint:fatcontext // It is made once.
	if h, err = harness.New(ctx); err != nil {
		return 1, err
	}
	undo := context.AfterFunc(ctx, func() {
		_ = h.Stop()
		os.Exit(1)
	})
	h.LogLibraries(zap.Level(harness.MostVerbose))
	h.StartProvider()
	code = m.Run()
	if !undo() {
		select {} // It ends the process.
	}
	return h.End(code, map[string]string{"the log": h.Log.String()}), nil
}
