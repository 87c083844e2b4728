// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/pkg/errors"
)

// waitInterval is how often objects are looked at. A look is five calls to an
// API server on this machine.
const waitInterval = 100 * time.Millisecond

// WaitReady waits until all applications and managed resources are ready as they
// are specified, and tells progress of every change on the way. It fails when the
// context ends, or the provider does.
func (e *Environment) WaitReady(ctx context.Context) error {
	tick := time.NewTicker(waitInterval)
	defer tick.Stop()
	told := make(map[string]string)
	for {
		o, err := e.Objects(ctx)
		if err != nil {
			return err
		}
		tree := Tree(o)
		for _, line := range changes(tree, told) {
			e.sayf("%s", line)
		}
		left := unsettled(tree)
		if left == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-e.Exited():
			return errors.New("cannot wait for readiness: the provider has ended")
		case <-ctx.Done():
			return errors.Wrapf(ctx.Err(), "cannot wait for readiness: %d objects are not ready", left)
		}
	}
}

// changes returns a line for every object whose state differs from what was told
// of it, and remembers what it tells. Managed resources of applications are told
// of only by their application.
func changes(tree []Node, told map[string]string) []string {
	var out []string
	for _, n := range tree {
		k := n.Kind + " " + qualified(n.Namespace, n.Name)
		if s := n.state(); told[k] != s {
			told[k] = s
			out = append(out, k+": "+s)
		}
	}
	return out
}

// unsettled counts the objects that are not ready.
func unsettled(tree []Node) int {
	left := 0
	for _, n := range tree {
		if !n.settled() {
			left++
		}
	}
	return left
}

// Explain writes what helps to find out why something failed: the objects that
// are not ready, and the end of the provider's log.
func (e *Environment) Explain(ctx context.Context, w io.Writer) {
	o, err := e.Objects(ctx)
	if err != nil {
		fmt.Fprintln(w, err)
	}
	WriteConditions(w, Tree(o))
	log, err := e.Log()
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintf(w, "\nThe last %d lines of the provider's log:\n%s\n", shownLog, tail(log, shownLog))
}
