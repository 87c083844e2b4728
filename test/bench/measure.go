// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// A Result is what one run measured.
type Result struct {
	// Applications that were created at once.
	Applications int
	// Kubernetes is the API server's version.
	Kubernetes string
	// All is the time from the first creation to the last Secret.
	All time.Duration
	// Each is the time from the creation of an application to its Secret,
	// shortest first.
	Each []time.Duration
	// CPU used during All.
	CPU CPU
	// Cost from the first creation until all was handed over to the Secrets, and
	// quiet.
	Cost Cost
	// Rotation of all these applications, after that.
	Rotation Rotation
	// NewTeam and SameTeam are the times of one more application at rest, in a
	// namespace whose services the provider has not seen, and in another,
	// shortest first.
	NewTeam, SameTeam []time.Duration
	// Check of everything at the end of the burst, and Final at the end of the
	// run.
	Check, Final Check
}

// A Cost is what was spent in some time.
type Cost struct {
	// Requests to the API server, less the creations or patches of the driver.
	Requests Requests
	// Aiven is what was called.
	Aiven aivensim.Stats
	// Limited is how many of these calls were answered with 429.
	Limited int
	// PeakMemory of the provider, in bytes, from its start to the end of the time.
	PeakMemory uint64
}

// measure does one run.
func measure(ctx context.Context, p Programs, c Config, n int) (Result, error) {
	ctx, e, err := setUp(ctx, p, c)
	defer e.Stop()
	if err != nil {
		return Result{}, err
	}
	arrivals, err := watchArrivals(ctx, e.Rest)
	if err != nil {
		return Result{}, err
	}
	l := &Load{e: e, arrivals: arrivals, created: make(map[types.NamespacedName]time.Time)}
	r := Result{Applications: n, Kubernetes: e.Version}
	apps := burst(n, c.Teams)
	if err := r.burst(ctx, c, l, apps); err != nil {
		return Result{}, err
	}
	sayf("all Secrets after %s", seconds(r.All))
	if err := r.Rotation.rotate(ctx, c, e, apps); err != nil {
		return Result{}, err
	}
	sayf("all users replaced after %s; one more, %d times", seconds(r.Rotation.Retired), 2*c.Samples)
	late, err := r.single(ctx, c, l)
	if err != nil {
		return Result{}, err
	}
	if _, err := quiet(ctx, c, e); err != nil {
		return Result{}, err
	}
	r.Final, err = verify(ctx, e, slices.Concat(apps, late))
	return r, err
}

// single measures one application after the other, and returns them.
func (r *Result) single(ctx context.Context, c Config, l *Load) ([]*v1.AivenApplication, error) {
	var apps []*v1.AivenApplication
	for i := range c.Samples {
		for _, team := range []string{"", team(i % c.Teams)} {
			a, d, err := oneMore(ctx, c, l, team, i)
			if err != nil {
				return nil, err
			}
			apps = append(apps, a)
			if team == "" {
				r.NewTeam = append(r.NewTeam, d)
			} else {
				r.SameTeam = append(r.SameTeam, d)
			}
		}
	}
	slices.Sort(r.NewTeam)
	slices.Sort(r.SameTeam)
	return apps, nil
}

// burst creates the applications and measures until all is handed over to the
// Secrets, and quiet.
func (r *Result) burst(ctx context.Context, c Config, l *Load, apps []*v1.AivenApplication) error {
	e := l.e
	before, err := quiet(ctx, c, e)
	if err != nil {
		return err
	}
	cpu, err := e.CPU()
	if err != nil {
		return err
	}
	sayf("creating")
	within, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if r.Each, r.All, err = l.Run(within, c.Creators, apps); err != nil {
		return err
	}
	now, err := e.CPU()
	if err != nil {
		return err
	}
	slices.Sort(r.Each)
	r.CPU = now.minus(cpu)

	if err := waitForOwners(ctx, c, e, usersEach*len(apps)); err != nil {
		return err
	}
	after, err := quiet(ctx, c, e)
	if err != nil {
		return err
	}
	created := Request{Verb: verbPost, Group: v1.Group, Resource: applications, Code: "201"}
	if r.Cost, err = spent(ctx, e, before, after); err != nil {
		return err
	}
	r.Cost.Requests = r.Cost.Requests.without(created, len(apps))
	r.Check, err = verify(ctx, e, apps)
	return err
}

// waitForOwners waits until Secrets own so many managed resources. It begins to
// watch these only now, when no time is measured.
func waitForOwners(ctx context.Context, c Config, e *Environment, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := watch(ctx, e, c.Timeout)
	if err != nil {
		return err
	}
	return w.HandedOver(ctx, n)
}

// spent returns the cost of the time between two counts, with the driver's own
// requests.
func spent(ctx context.Context, e *Environment, before, after Counts) (Cost, error) {
	c := Cost{Requests: after.Kubernetes.minus(before.Kubernetes), Aiven: since(after.Aiven, before.Aiven)}
	var err error
	if c.Limited, err = limited(ctx, e, before.At); err != nil {
		return Cost{}, err
	}
	c.PeakMemory, err = peakMemory(e.provider.Pid())
	return c, err
}

// oneMore waits for quiet and measures one application. Without a team it makes
// one, with services of its own.
func oneMore(ctx context.Context, c Config, l *Load, team string, i int) (*v1.AivenApplication, time.Duration, error) {
	if team == "" {
		team = fmt.Sprintf("late-%02d", i)
		for _, svc := range services(team) {
			if err := l.e.Simulator.AddService(ctx, project, svc); err != nil {
				return nil, 0, err
			}
		}
		if err := makeNamespace(ctx, l.e, team); err != nil {
			return nil, 0, err
		}
	}
	if _, err := quiet(ctx, c, l.e); err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	a := application(team, fmt.Sprintf("late-%02d", i))
	each, _, err := l.Run(ctx, 1, []*v1.AivenApplication{a})
	if err != nil {
		return nil, 0, err
	}
	return a, each[0], nil
}

func quiet(ctx context.Context, c Config, e *Environment) (Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return e.Quiet(ctx, c.Rest)
}

// limited counts calls from some time on that were answered with 429.
func limited(ctx context.Context, e *Environment, from time.Time) (int, error) {
	calls, err := e.Simulator.Requests(ctx)
	n := 0
	for _, c := range calls {
		if c.Status == http.StatusTooManyRequests && !c.Time.Before(from) {
			n++
		}
	}
	return n, err
}

// since returns what was counted since before.
func since(now, before aivensim.Stats) aivensim.Stats {
	out := aivensim.Stats{
		Calls: now.Calls - before.Calls, BytesIn: now.BytesIn - before.BytesIn, BytesOut: now.BytesOut - before.BytesOut,
		ByOperation: map[string]aivensim.OperationStats{},
	}
	for name, n := range now.ByOperation {
		b := before.ByOperation[name]
		d := aivensim.OperationStats{Calls: n.Calls - b.Calls, BytesIn: n.BytesIn - b.BytesIn, BytesOut: n.BytesOut - b.BytesOut, Errors: n.Errors - b.Errors}
		if d.Calls > 0 {
			out.ByOperation[name] = d
		}
	}
	return out
}

// quantile returns the smallest value that at least the share q of all, which
// are sorted, do not exceed. It is the zero value when there are none.
func quantile[T cmp.Ordered](sorted []T, q float64) T {
	var zero T
	if len(sorted) == 0 {
		return zero
	}
	i := int(q * float64(len(sorted)))
	if float64(i) == q*float64(len(sorted)) {
		i--
	}
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// lost returns an error that says what was lost, if anything was.
func (r *Result) lost() error {
	if l := r.Rotation.Looks; l.Refused > 0 {
		return errors.Errorf("with %d applications %d of %d Secrets looked at during the rotation did not work", r.Applications, l.Refused, l.Taken)
	}
	for _, c := range []Check{r.Check, r.Rotation.Check, r.Final} {
		if c != (Check{}) {
			return errors.Errorf("with %d applications something was lost: %+v", r.Applications, c)
		}
	}
	return nil
}

func sayf(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }
