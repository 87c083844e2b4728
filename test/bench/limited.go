// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// callsEach is about how many calls an application takes, to know how long a
	// run will be.
	callsEach = 3.5
	// overtakers are how many applications are made while the others wait.
	overtakers   = 8
	overtakePoll = 100 * time.Millisecond
)

// A Limited is what a run measured in which Aiven allows so many calls a minute.
type Limited struct {
	// Applications that were created at once, and CallsPerMinute that are allowed.
	Applications, CallsPerMinute int
	// All is the time from the first creation to the last Secret.
	All time.Duration
	// Overtakers are the times of applications that were created one by one while
	// the others waited, shortest first.
	Overtakers []time.Duration
	// Cost of all.
	Cost Cost
	// Check of everything at the end.
	Check Check
}

// measureLimited does one run with a limit.
func measureLimited(ctx context.Context, p Programs, c Config, n int) (Limited, error) {
	r := Limited{Applications: n, CallsPerMinute: c.CallsPerMinute}
	expected := time.Duration(callsEach * float64(n) / float64(c.CallsPerMinute) * float64(time.Minute))
	c.Timeout = max(c.Timeout, 2*expected)
	ctx, e, err := setUp(ctx, p, c)
	defer e.Stop()
	if err != nil {
		return r, err
	}
	arrivals, err := watchArrivals(ctx, e.Rest)
	if err != nil {
		return r, err
	}
	before, err := e.Counts(ctx)
	if err != nil {
		return r, err
	}
	apps := burst(n, c.Teams)
	sayf("creating; this takes about %s", expected.Round(time.Minute))
	within, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	l := &Load{e: e, arrivals: arrivals, created: make(map[types.NamespacedName]time.Time)}
	first := time.Now()
	g, gctx := errgroup.WithContext(within)
	g.Go(func() error {
		_, _, err := l.Run(gctx, c.Creators, apps)
		return err
	})
	g.Go(func() error { return r.overtake(gctx, c, l, expected/(overtakers+2)) })
	if err := g.Wait(); err != nil {
		return r, err
	}
	last := first
	for _, a := range apps {
		if at := arrivals.Of(secretName(a)); at.After(last) {
			last = at
		}
	}
	r.All = last.Sub(first)
	slices.Sort(r.Overtakers)
	after, err := e.Counts(ctx)
	if err != nil {
		return r, err
	}
	if r.Cost, err = spent(ctx, e, before, after); err != nil {
		return r, err
	}
	for _, op := range slices.Sorted(maps.Keys(r.Cost.Aiven.ByOperation)) {
		s := r.Cost.Aiven.ByOperation[op]
		sayf("%s: %d calls, %d of them failed", op, s.Calls, s.Errors)
	}
	for name, n := range writesByName(r.Cost.Requests) {
		sayf("%s: %.2f writes per application", name, float64(n)/float64(r.Applications))
	}
	all := apps
	for i := range r.Overtakers {
		all = append(all, application(team(i%c.Teams), overtaker(i)))
	}
	r.Check, err = verify(ctx, e, all)
	return r, err
}

func overtaker(i int) string { return fmt.Sprintf("late-%02d", i) }

// overtake creates applications one by one, and measures each.
func (r *Limited) overtake(ctx context.Context, c Config, l *Load, every time.Duration) error {
	for i := range overtakers {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(every):
		}
		a := application(team(i%c.Teams), overtaker(i))
		at := time.Now()
		if err := l.e.Kube.Create(ctx, a); err != nil {
			return errors.Wrap(err, "cannot create an application")
		}
		err := poll(ctx, overtakePoll, func(context.Context) (bool, error) { return !l.arrivals.Of(secretName(a)).IsZero(), nil })
		if err != nil {
			return errors.Wrap(err, "cannot wait for an application that came later")
		}
		r.Overtakers = append(r.Overtakers, time.Since(at))
		sayf("one more after %s, while %d of %d Secrets were there", seconds(r.Overtakers[i]), l.arrivals.Count(), r.Applications)
	}
	return nil
}

// limits has a row for each run with a limit.
func (r Report) limits(b *strings.Builder) {
	head(b, "Creation while Aiven allows so many calls a minute. Times are in seconds; what came later was created one by one while the others waited", "Applications",
		"Calls a minute allowed", "Calls a minute made", "Aiven calls", "429s", "429s in %", "All Secrets", "Each that came later, min to max",
		"Kubernetes writes per application", "Peak MiB provider")
	for _, x := range r.Limited {
		calls := float64(x.Cost.Aiven.Calls)
		row(b, fmt.Sprint(x.Applications), fmt.Sprint(x.CallsPerMinute), fmt.Sprintf("%.0f", calls/x.All.Minutes()), fmt.Sprint(x.Cost.Aiven.Calls),
			fmt.Sprint(x.Cost.Limited), fmt.Sprintf("%.2f", 100*float64(x.Cost.Limited)/calls), seconds(x.All), samples(x.Overtakers),
			fmt.Sprintf("%.2f", float64(x.Cost.Requests.count(isWrite))/float64(x.Applications)), fmt.Sprint(x.Cost.PeakMemory>>20))
	}
}
