// SPDX-License-Identifier: Apache-2.0

// Command local starts everything that is needed to try the provider on a
// machine that has Go and git: a control plane, a simulated Aiven, the provider
// and the examples. It shows what came of them, and goes on until it is
// interrupted. Nothing is left behind but the cache of built programs.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/cluster/local/demo"
)

// readyTimeout is how long the examples may take to be ready.
const readyTimeout = 2 * time.Minute

type options struct {
	// once ends the run when the examples are ready.
	once bool
}

func main() {
	var o options
	flag.BoolVar(&o.once, "once", false, "end when the examples are ready, instead of waiting for an interrupt")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) (err error) {
	begin := time.Now()
	// First, because building it would only delay what is shown at the end.
	kubectl, err := demo.Kubectl(ctx, out)
	if err != nil {
		return err //nolint:wrapcheck // It says what cannot be got.
	}
	e, err := demo.Start(ctx, demo.Options{Progress: out})
	if err != nil {
		return err //nolint:wrapcheck // It says what cannot be started.
	}
	defer func() {
		fmt.Fprintln(out, "stopping")
		if stopErr := e.Stop(); err == nil {
			err = stopErr
		}
	}()

	summary, err := provision(ctx, e)
	if err != nil {
		if ctx.Err() == nil {
			e.Explain(context.WithoutCancel(ctx), out)
		}
		return err
	}
	summary.Kubectl, summary.Took = kubectl, time.Since(begin)
	demo.WriteSummary(out, summary)
	if o.once {
		return nil
	}

	fmt.Fprintln(out, "Press Ctrl-C to stop everything and remove it.")
	select {
	case <-ctx.Done():
		return nil
	case <-e.Exited():
		e.Explain(context.WithoutCancel(ctx), out)
		return errors.New("the provider has ended")
	}
}

// provision applies the examples and returns what came of them.
func provision(ctx context.Context, e *demo.Environment) (demo.Summary, error) {
	begin := time.Now()
	if err := e.Apply(ctx, "examples/*.yaml"); err != nil {
		return demo.Summary{}, err //nolint:wrapcheck // It says what cannot be applied.
	}
	wait, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := e.WaitReady(wait); err != nil {
		return demo.Summary{}, err //nolint:wrapcheck // It says what is waited for.
	}
	took := time.Since(begin)
	o, err := e.Objects(ctx)
	if err != nil {
		return demo.Summary{}, err //nolint:wrapcheck // It says what cannot be listed.
	}
	return demo.Summary{
		Tree: demo.Tree(o), Kubeconfig: e.Kubeconfig, URL: e.URL, MetricsURL: e.MetricsURL,
		Provisioned: took, Calls: e.Sim.Stats().Calls,
	}, nil
}
