// SPDX-License-Identifier: Apache-2.0

// Package soak runs the whole provider for a simulated year, and kills it at
// every write that it makes.
package soak

import (
	"context"
	"flag"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

var (
	full         = flag.Bool("soak.full", false, "run the long year (200 applications, 1000 steps) and the whole crash matrix, unless the other flags say otherwise")
	applications = flag.Int("soak.applications", 0, "applications that there are at most (default 12)")
	steps        = flag.Int("soak.steps", 0, "steps of the year (default 16)")
	seed         = flag.Uint64("soak.seed", 1, "seed of the year")
	points       = flag.Int("soak.points", 0, "points of the crash matrix to try, spread evenly; negative means all (default 14)")
	verbose      = flag.Bool("soak.verbose", false, "print what happens as it happens")
)

// orDefault returns what a flag says, or what it means by default.
func orDefault(value, short, long int) int {
	switch {
	case value != 0:
		return value
	case *full:
		return long
	default:
		return short
	}
}

var (
	// h is shared by both tests, which do not run in parallel and leave nothing
	// behind.
	h *harness.Harness
	// clock of the simulator and the provider.
	clock = harness.NewClock()
)

func TestMain(m *testing.M) {
	flag.Parse()
	ctrllog.SetLogger(logr.New(witness{}))
	klog.SetLogger(logr.Discard()) // It tells of events that a killed provider cannot write.
	harness.Exit(run(m))
}

func run(m *testing.M) (code int, err error) {
	if h, err = harness.New(context.Background(), aivensim.WithClock(clock.Now)); err != nil {
		return 1, err
	}
	h.Log.Limit = 4 << 20
	return h.End(m.Run(), nil), nil
}
