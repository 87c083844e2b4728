// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"context"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// locked is a Metrics that may be looked at while the sweeper runs.
type locked struct {
	mu      sync.Mutex
	deletes int
	sweeps  int
}

func (l *locked) Orphaned(string, string, int, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweeps++
}

func (l *locked) OrphanDeleted(string, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deletes++
}

func (l *locked) ServiceGone(string, string) {}

func (l *locked) counts() (deletes, sweeps int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deletes, l.sweeps
}

// TestStart runs the sweeper as the manager does, with one user that is left
// over and one that was kept on purpose at the last moment.
func TestStart(t *testing.T) {
	t.Parallel()
	m := &locked{}
	r := newRig(t, func(d *Dependencies) {
		d.Interval, d.Metrics = 20*time.Millisecond, m
		d.Kinds = []client.Object{&v1alpha1.KafkaServiceUser{}}
	})
	informers := &informertest.FakeInformers{Scheme: r.kube.Scheme()}
	r.informers = informers
	r.policy(v1alpha1.OrphansDelete)
	left, kept := r.claim("left"), r.claim("kept")
	r.claim("claimed")
	r.note1()

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx) }()
	until(t, "the first sweep", func() bool { _, n := m.counts(); return n > 0 })

	kept.Spec.ManagementPolicies = keepsUser
	informer, err := informers.FakeInformerFor(ctx, kept)
	if err != nil {
		t.Fatal(err)
	}
	informer.Delete(kept)
	for _, o := range []client.Object{kept, left} {
		if err := r.kube.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the deletion of what is left over", func() bool { n, _ := m.counts(); return n > 0 })
	_, before := m.counts()
	until(t, "some more sweeps", func() bool { _, n := m.counts(); return n > before+4 })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Start(...): %v", err)
	}
	if r.has(kafka, generated("left")) || !r.has(kafka, generated("kept")) || !r.has(kafka, generated("claimed")) {
		t.Error("want just the user deleted that was left over")
	}
	if !r.NeedLeaderElection() {
		t.Error("two sweepers at one time would write over one another")
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 30 seconds", what)
		}
	}
}
