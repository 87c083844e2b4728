// SPDX-License-Identifier: Apache-2.0

// Command bench measures what a burst of AivenApplications costs in time, in
// calls to Aiven and in writes to Kubernetes, and checks that nothing was lost.
// docs/benchmarks.md says what is measured and how.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// A Config says what to measure.
type Config struct {
	// Applications of each run, all at least 1.
	Applications []int
	// Teams, at least 1, is over how many namespaces they are spread.
	Teams int
	// Latency of every answer of the simulator.
	Latency time.Duration
	// CallsPerMinute that Aiven allows, 0 for any number. With a limit only the
	// creation is measured, and applications that come later.
	CallsPerMinute int
	// Creators, at least 1, is how many applications are created at a time.
	Creators int
	// Samples is how often one more application is measured.
	Samples int
	// Rest is how long nothing may happen before the system counts as quiet.
	Rest time.Duration
	// Timeout bounds each wait.
	Timeout time.Duration
	// Output is a Markdown file with markers between which the tables go. Empty
	// means none.
	Output string
}

func main() {
	c, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		log.SetLogger(zap.New(zap.WriteTo(io.Discard))) // The libraries' logs; without it they complain.
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, c)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (Config, error) {
	c := Config{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	applications := f.String("applications", "1000", "how many applications are created at once; a list such as 1,100,1000 for one run each")
	f.IntVar(&c.Teams, "teams", 20, "namespaces over which they are spread; each has an OpenSearch and a Valkey of its own, the Kafka is shared by all")
	f.DurationVar(&c.Latency, "latency", 50*time.Millisecond, "delay of every answer of the simulated Aiven API")
	f.IntVar(&c.CallsPerMinute, "calls-per-minute", 0, "calls that the simulated Aiven allows the token in a minute, 0 for any number; with a limit only the creation is measured")
	f.IntVar(&c.Creators, "creators", 16, "applications that are being created at a time")
	f.IntVar(&c.Samples, "samples", 5, "how often one more application is measured at rest, in a new team and in one that exists")
	f.DurationVar(&c.Rest, "rest", 7*time.Second, "how long nothing may happen before the system counts as at rest")
	f.DurationVar(&c.Timeout, "timeout", 10*time.Minute, "how long to wait for the Secrets, and for the system to come to rest")
	f.StringVar(&c.Output, "o", "", "Markdown file whose tables are replaced, such as docs/benchmarks.md")
	if err := f.Parse(args); err != nil {
		return Config{}, errors.Wrap(err, "cannot parse flags")
	}
	for s := range strings.SplitSeq(*applications, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			return Config{}, errors.Errorf("cannot parse flags: %q is not a number of applications", s)
		}
		c.Applications = append(c.Applications, n)
	}
	if c.Teams < 1 || c.Creators < 1 || c.Samples < 1 {
		return Config{}, errors.New("cannot parse flags: teams, creators and samples are at least 1")
	}
	return c, nil
}

// run does every run that c asks for, each on an environment of its own, and
// prints the tables. It fails when something was lost, after printing them.
func run(ctx context.Context, c Config) error {
	if c.Output != "" { // Said now rather than after minutes of work.
		if _, err := replaceTables(c.Output, ""); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "provider-aiven-bench-")
	if err != nil {
		return errors.Wrap(err, "cannot make a folder")
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs, err := build(ctx, dir)
	if err != nil {
		return err
	}
	r := Report{Config: c, Machine: Machine{Cores: runtime.NumCPU(), Model: cpuModel(), Go: runtime.Version()}}
	for _, n := range c.Applications {
		fmt.Fprintf(os.Stderr, "%d applications:\n", n)
		if c.CallsPerMinute > 0 {
			limited, err := measureLimited(ctx, programs, c, n)
			if err != nil {
				return errors.Wrapf(err, "cannot measure %d applications", n)
			}
			r.Limited = append(r.Limited, limited)
			continue
		}
		result, err := measure(ctx, programs, c, n)
		if err != nil {
			return errors.Wrapf(err, "cannot measure %d applications", n)
		}
		r.Machine.Kubernetes = result.Kubernetes
		r.Results = append(r.Results, result)
	}
	tables := r.Markdown()
	_, _ = os.Stdout.WriteString(tables)
	if c.Output != "" {
		content, err := replaceTables(c.Output, tables)
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.Output, content, 0o644); err != nil {
			return errors.Wrap(err, "cannot write the tables")
		}
	}
	return r.Lost()
}
