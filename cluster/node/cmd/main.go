// SPDX-License-Identifier: Apache-2.0

// Command cmd runs a cluster with Crossplane on this machine for people:
//
//	up       start it, and run it until it is interrupted
//	down     end the one that runs, or remove what a killed one left
//	status   say which one there is
//	detect   say what this machine offers
//	prepare  build the programs that up needs
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/cluster/node"
)

type options struct {
	level      string
	dir        string
	crossplane bool
	activate   string
	once       bool
}

func main() {
	var o options
	flag.StringVar(&o.level, "level", "", "node or processes, for prepare also cluster; empty is the highest that the machine offers")
	flag.StringVar(&o.dir, "dir", "", "folder in which the cluster's own folder is made")
	flag.BoolVar(&o.crossplane, "crossplane", true, "install Crossplane")
	flag.StringVar(&o.activate, "activate", "*", "activations of Crossplane's default policy, separated by commas; empty is no policy")
	flag.BoolVar(&o.once, "once", false, "end when everything is ready, instead of waiting for an interrupt")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Usage: go run ./cluster/node/cmd [flags] up|down|status|detect|prepare")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Stdout, flag.Arg(0), o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, command string, o options) error {
	switch command {
	case "up":
		return up(ctx, out, o)
	case "down":
		return node.Down(ctx, out) //nolint:wrapcheck // It says what cannot be done.
	case "status":
		return status(out)
	case "detect":
		detect(out)
		return nil
	case "prepare":
		level := node.Level(o.level)
		if level == "" {
			level = node.Detect().Level
		}
		return node.Binaries(ctx, level, out) //nolint:wrapcheck // It says what cannot be built.
	}
	return errors.Errorf("cannot %s: the commands are up, down, status, detect and prepare", command)
}

func up(ctx context.Context, out io.Writer, o options) (err error) {
	c, err := node.Start(ctx, node.Options{Level: node.Level(o.level), Dir: o.dir, Progress: out})
	if err != nil {
		return err //nolint:wrapcheck // It says what cannot be started.
	}
	defer func() {
		if stopErr := c.Stop(); err == nil {
			err = stopErr
		}
	}()
	if o.crossplane {
		if err := c.InstallCrossplane(ctx, activations(o.activate)); err != nil {
			return err //nolint:wrapcheck // It says what cannot be installed.
		}
	}
	fmt.Fprintf(out, "\n  export KUBECONFIG=%s\n\nRegistry: %s\nLogs:     %s\n", c.Kubeconfig(), c.Registry(), c.LogDir())
	if o.once {
		return nil
	}
	fmt.Fprintln(out, "Press Ctrl-C to stop everything and remove it.")
	<-ctx.Done()
	return nil
}

func activations(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func status(out io.Writer) error {
	s, err := node.Get()
	if err != nil {
		return err //nolint:wrapcheck // It says what cannot be read.
	}
	switch {
	case s == nil:
		fmt.Fprintln(out, "no cluster")
	case s.Running:
		fmt.Fprintf(out, "level %s, run by process %d\n\n  export KUBECONFIG=%s\n", s.Level, s.PID, s.Kubeconfig)
	default:
		fmt.Fprintf(out, "level %s, whose process %d was killed: remove what it left by the command down\n", s.Level, s.PID)
	}
	return nil
}

func detect(out io.Writer) {
	d := node.Detect()
	fmt.Fprintf(out, "level %s\n", d.Level)
	for _, m := range d.Missing {
		fmt.Fprintf(out, "level %s needs %s\n", node.LevelNode, m)
	}
}
