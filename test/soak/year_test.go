// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pkg/errors"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const year = 365 * day

// TestYear lets a year pass in which people, pods, Aiven and the provider do
// what they do, and checks after each step that nothing is wrong.
func TestYear(t *testing.T) {
	w := newWorld(t, *seed)
	w.most = orDefault(*applications, 12, 200)
	n := orDefault(*steps, 16, 1000)
	for i := range max(2, w.most/20) {
		w.namespace(fmt.Sprintf("year-%d", i))
	}
	w.start()
	for range w.most * 9 / 10 {
		w.createApplication()
	}
	w.until()
	began, started := clock.Now(), time.Now()
	for i := range n {
		w.step(i, n)
	}
	w.finish()
	t.Logf("seed %d: %d steps, %d days, in %s; %v", *seed, n, clock.Since(began)/day, time.Since(started).Round(time.Second), counts(w.count))
}

// step lets time pass, has something happen, and waits until the world has
// settled.
func (w *world) step(i, n int) {
	w.t.Helper()
	w.notef("step %d", i)
	h.Sim.ResetRequests()
	if w.gate == nil && w.down == 0 {
		w.start()
	}
	w.restartSome(0.6)
	w.advance(n)
	w.restartSome(0.6)
	if w.gate != nil && w.rng.IntN(8) == 0 {
		after := w.rng.IntN(2) == 0
		w.gate.ShutAt(1+w.rng.IntN(25), after)
		w.notef("the provider will be killed (after the write: %t)", after)
	}
	disturbed := w.rng.IntN(5) == 0
	if disturbed {
		w.disturb()
	}
	for range 1 + w.rng.IntN(3) {
		w.act()
	}
	if disturbed {
		w.pass(10 + w.rng.IntN(40))
		w.lift()
	}
	w.until()
}

// until waits until the world has settled, or the provider stays down.
func (w *world) until() {
	w.t.Helper()
	for w.gate == nil || !w.settle() {
		if w.gate != nil {
			w.kill()
			w.count["kills"]++
			w.down = w.rng.IntN(3)
			w.notef("the provider was killed, for %d steps", w.down)
		} else {
			w.down--
		}
		w.frozen()
		if w.down > 0 {
			return
		}
		w.start()
	}
}

// advance lets minutes pass, or days: about a year in all steps.
func (w *world) advance(steps int) {
	d := time.Duration(math.Exp(w.rng.Float64()*math.Log(720))) * time.Minute
	if w.rng.IntN(2) == 0 {
		mean := 2 * year / time.Duration(steps)
		d = mean/2 + time.Duration(w.rng.Int64N(int64(mean)))
	}
	d = d.Truncate(second)
	w.idle()
	clock.Step(d)
	w.noteEnds()
	w.notef("%s pass", d)
}

// idle waits until no controller is at work that plans by the clock: a leap between
// a look at the clock and the plan that follows from it would put that off by as much.
func (w *world) idle() {
	w.t.Helper()
	harness.Within(w.t, patience, "no controller is at work", func(context.Context) error {
		families, err := ctrlmetrics.Registry.Gather()
		if err != nil {
			return err
		}
		for _, f := range families {
			if f.GetName() != "controller_runtime_active_workers" {
				continue
			}
			for _, m := range f.GetMetric() {
				if name := m.GetLabel()[0].GetValue(); m.GetGauge().GetValue() > 0 && (name == "aivenapplication" || name == "secret") {
					return errors.Errorf("controller %s is", name)
				}
			}
		}
		return nil
	})
}

// restartSome restarts pods whose Secret has changed, as tools do.
func (w *world) restartSome(share float64) {
	w.t.Helper()
	for _, key := range w.podKeys() {
		if p := w.pods[key]; p.outdated() && w.rng.Float64() < share {
			w.restart(p)
			w.count["restarts"]++
		}
	}
}

// finish deletes everything, and waits until nothing is left.
func (w *world) finish() {
	w.t.Helper()
	w.notef("the end")
	w.lift()
	if w.gate == nil {
		w.start()
	}
	w.gate.ShutAt(0, false)
	for _, key := range w.keys() {
		w.remove(key)
	}
	for _, key := range w.podKeys() {
		w.end(w.pods[key], false)
	}
	if !w.settle() {
		w.t.Fatal("a provider was killed that nobody kills")
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.view.secrets), compareKeys) {
		// What was protected stays until a person deletes it.
		if s := w.view.secrets[key]; s != nil && s.GetAnnotations()[v1.AnnotationProtected] == "true" {
			w.revoke(s)
		}
	}
	end := time.Now().Add(patience)
	every := time.NewTicker(tick)
	defer every.Stop()
	for left := w.nothingLeft(); len(left) > 0; left = w.nothingLeft() {
		if time.Now().After(end) {
			w.fail("something is left when everything was deleted", left...)
		}
		w.look()
		<-every.C
		clock.Step(10 * second)
	}
	w.kill()
}

func counts(m map[string]int) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s: %d", k, m[k]))
	}
	return out
}
