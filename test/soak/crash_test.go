// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const (
	// tail is for how many looks an end state must stay as it is.
	tail = 10
	// doubt is for how many more one must that nobody knows yet: all others will be
	// compared with it.
	doubt = 30
)

// TestCrash kills the provider before and after each write that it makes in the
// life of an application. A restart leads to the same end each time.
func TestCrash(t *testing.T) {
	m := newMatrix(t)
	began := time.Now()
	for _, scenarios := range lives {
		m.live(scenarios)
	}
	m.plan(orDefault(*points, 14, -1))
	for {
		scenarios := m.busiest()
		if scenarios == nil {
			break
		}
		m.live(scenarios)
	}
	m.kill()
	m.report(time.Since(began))
}

// A matrix is all points at which the provider is killed.
type matrix struct {
	*world
	trials map[*scenario]*trial
}

// A trial is what is known of a scenario.
type trial struct {
	// writes of the run in which nobody was killed, and the end that it came to.
	writes, end []string
	// left are the points that are still to be tried.
	left []point
	// before and after count the points that were tried, missed those that were
	// not reached. hit are the writes, each once, that somebody was killed at.
	before, after, missed int
	hit                   map[string]bool
}

// A point is a write of a scenario, and on which side of it the provider is killed.
type point struct {
	write int
	after bool
}

func (p point) String() string {
	if p.after {
		return fmt.Sprintf("after write %d", p.write)
	}
	return fmt.Sprintf("before write %d", p.write)
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{world: newWorld(t, *seed), trials: make(map[*scenario]*trial)}
	m.namespace("crash")
	m.start()
	harness.Within(t, patience, "the provider is at rest", func(ctx context.Context) error {
		pc := &v1alpha1.ClusterProviderConfig{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Name: "default"}, pc); err != nil {
			return err
		}
		if len(pc.GetFinalizers()) == 0 {
			return errors.New("it has not looked at its configuration")
		}
		return nil
	})
	m.pass(tail)
	return m
}

// plan chooses points, as many of each scenario and spread evenly over its writes and
// both sides of them. Negative means all.
func (m *matrix) plan(n int) {
	all := scenarios()
	for i, s := range all {
		t := m.trials[s]
		writes := len(t.writes)
		share := (n + len(all) - 1 - i) / len(all)
		if n < 0 || share > 2*writes {
			share = 2 * writes
		}
		if share == 0 {
			continue
		}
		first := m.rng.IntN(2 * writes / share)
		for j := range share {
			k := first + j*2*writes/share
			if k < writes {
				t.left = append(t.left, point{write: k + 1})
			} else { // Not the same writes again when there are few points.
				t.left = append(t.left, point{write: (k+writes/2)%writes + 1, after: true})
			}
		}
	}
}

// busiest returns the life with the scenario that has most points left, nil when
// none has any.
func (m *matrix) busiest() []*scenario {
	var out []*scenario
	most := 0
	for _, l := range lives {
		for _, s := range l {
			if n := len(m.trials[s].left); n > most {
				out, most = l, n
			}
		}
	}
	return out
}

// live leads one application through its life, and kills the provider once in
// each scenario that has a point left.
func (m *matrix) live(scenarios []*scenario) {
	m.t.Helper()
	m.count["applications"]++
	l := &life{world: m.world, key: types.NamespacedName{Namespace: m.namespaces[0], Name: fmt.Sprintf("app-%d", m.count["applications"])}}
	for _, s := range scenarios {
		h.Sim.ResetRequests()
		if s.prepare != nil {
			s.prepare(l)
			l.survive(s.name+", its start", nil, func() []string { return nil })
		}
		if t := m.trials[s]; t == nil {
			m.rehearse(l, s)
		} else {
			m.try(l, s, t)
		}
	}
	l.bury()
}

// rehearse runs a scenario without a kill, to know its writes and its end.
func (m *matrix) rehearse(l *life, s *scenario) {
	m.t.Helper()
	m.notef("%s: rehearsed", s.name)
	m.gate.ShutAt(0, false)
	s.trigger(l)
	var end []string
	still := 0
	l.survive(s.name+", without a kill", s.hasten, func() []string {
		if s.over != nil && !s.over(l) {
			return []string{"it is not over"}
		}
		now := l.portrait()
		if left := slices.Concat(differences(end, now), l.uncollected()); len(left) > 0 {
			end, still = now, 0
			return left
		}
		if still++; still < doubt {
			return []string{"it may not be over"}
		}
		return nil
	})
	m.trials[s] = &trial{writes: m.gate.Writes(), end: end, hit: make(map[string]bool)}
}

// try runs a scenario, kills the provider at its next point, and starts another:
// it must come to the same end.
func (m *matrix) try(l *life, s *scenario, t *trial) {
	m.t.Helper()
	same := func() []string { return differences(t.end, l.portrait()) }
	p, what := point{}, s.name+", without a kill"
	if len(t.left) > 0 {
		p, t.left = t.left[0], t.left[1:]
		what = fmt.Sprintf("%s, to be killed %s of %d", s.name, p, len(t.writes))
	}
	m.notef("%s", what)
	m.gate.ShutAt(p.write, p.after)
	s.trigger(l)
	l.converge(what, s.hasten, same)
	writes := m.gate.Writes()
	if p.write == 0 || len(writes) < p.write {
		m.gate.ShutAt(0, false)
		t.missed += min(p.write, 1)
		return
	}
	<-m.gate.Killed()
	write := writes[p.write-1]
	what = fmt.Sprintf("%s, killed %s of %d: %s", s.name, p, len(t.writes), write)
	m.notef("%s", what)
	m.kill()
	m.frozen()
	l.awake(what)
	l.survive(what, s.hasten, same)
	t.hit[l.anonymous(write)] = true
	if p.after {
		t.after++
	} else {
		t.before++
	}
}

// report tells what was tried.
func (m *matrix) report(d time.Duration) {
	var before, after, missed int
	for _, s := range scenarios() {
		t := m.trials[s]
		before, after, missed = before+t.before, after+t.after, missed+t.missed
		m.t.Logf("%-10s %2d writes; killed before %d and after %d, at %d different ones; %d points were not reached", s.name+":", len(t.writes), t.before, t.after, len(t.hit), t.missed)
		if *verbose {
			m.t.Logf("the writes:\n  %s\nthe end:\n  %s", strings.Join(t.writes, "\n  "), strings.Join(t.end, "\n  "))
		}
	}
	m.t.Logf("%d points (%d before a write, %d after) and %d that were not reached, in %s; %v", before+after, before, after, missed, d.Round(time.Second), counts(m.count))
}

// A life is one application from its creation to its end.
type life struct {
	*world
	key types.NamespacedName
	// pod that runs with its Secret, nil when none does.
	pod *pod
}

// survive is converge for a provider that nobody kills.
func (l *life) survive(what string, hasten func(*life), missing func() []string) {
	l.t.Helper()
	l.converge(what, hasten, missing)
	if l.killed() {
		l.fail(what + ": a provider was killed that nobody kills")
	}
}

// converge lets time pass until all is as it should be and nothing is missing,
// and stays so for a while, or until the provider is killed.
func (l *life) converge(what string, hasten func(*life), missing func() []string) {
	l.t.Helper()
	end := time.Now().Add(patience)
	every := time.NewTicker(tick)
	defer every.Stop()
	for same := 0; same < tail; {
		l.look()
		if l.killed() {
			return
		}
		left := l.unmet()
		if len(left) == 0 {
			left = missing()
		}
		if same++; len(left) > 0 {
			same = 0
		}
		if time.Now().After(end) {
			l.fail(what+": "+l.key.String()+" does not come to its end", append(left, "application "+l.key.Name)...)
		}
		if hasten != nil {
			hasten(l)
		}
		<-every.C
		clock.Step(second)
	}
}

// awake starts a provider and waits until it has looked at what there is.
func (l *life) awake(what string) {
	l.t.Helper()
	before := reconciles()
	l.start()
	end := time.Now().Add(patience)
	for len(l.view.apps)+len(l.view.secrets) > 0 && reconciles() == before {
		if time.Now().After(end) {
			l.fail(what + ": a new provider does nothing")
		}
		l.pass(1)
	}
}

// reconciles returns how often applications and Secrets were reconciled, by all
// providers that ran.
func reconciles() (n int) {
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		return -1
	}
	for _, f := range families {
		if f.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				if v := label.GetValue(); label.GetName() == "controller" && (v == "aivenapplication" || v == "secret") {
					n += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return n
}

// bury removes what is left of an application, and checks that nothing stays.
func (l *life) bury() {
	l.t.Helper()
	l.gate.ShutAt(0, false)
	if l.pod != nil {
		l.end(l.pod, false)
		l.pod = nil
	}
	if l.apps[l.key] != nil {
		l.remove(l.key)
	}
	l.survive("the end of "+l.key.Name, (*life).skip, l.nothingLeft)
}

// random is the part of a username that differs from application to application.
var random = regexp.MustCompile(`_[0-9a-f]{8}_[0-9a-z]{3}`)

// anonymous takes the name of the application and what is random out of a text.
func (l *life) anonymous(text string) string {
	return random.ReplaceAllString(strings.NewReplacer(l.key.Name, "app", l.key.Namespace, "ns").Replace(text), "_*")
}

// differences returns the lines that only one of two portraits has.
func differences(want, got []string) []string {
	if cmp.Equal(want, got) {
		return nil
	}
	var out []string
	for _, w := range want {
		if !slices.Contains(got, w) {
			out = append(out, "missing:    "+w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			out = append(out, "unexpected: "+g)
		}
	}
	if len(out) == 0 {
		out = append(out, "something is there more often, or less often: "+cmp.Diff(want, got))
	}
	return out
}

// secretKey returns the Secret that the application is published in.
func (l *life) secretKey() client.ObjectKey {
	return client.ObjectKey{Namespace: l.key.Namespace, Name: l.key.Name + "-aiven"}
}
