// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/pkg/errors"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
)

// renewDeadline returns how long the renewal of a lease may take before its holder
// gives up, well before anybody else takes it.
func renewDeadline(lease time.Duration) time.Duration { return lease * 2 / 3 }

// retryPeriod returns how often a lease is renewed, and looked at by those that
// wait for it: this is how long a lease that is given back lies around.
func retryPeriod(lease time.Duration) time.Duration { return min(lease*2/15, 4*time.Second) }

// A watchedLock is a lock that remembers when it was last seen and held.
type watchedLock struct {
	resourcelock.Interface

	now func() time.Time

	mu         sync.Mutex
	seen, held time.Time
}

// newLock returns the lock of the provider's lease.
func newLock(cfg *rest.Config, o Options, events record.EventRecorder) (*watchedLock, error) {
	if o.LeaderElectionNamespace == "" {
		return nil, errors.New("cannot elect a leader: the provider is in no pod, so --leader-election-namespace must say where the lease is")
	}
	pod, err := podName()
	if err != nil {
		return nil, err
	}
	cfg = rest.AddUserAgent(rest.CopyConfig(cfg), "leader-election")
	// A request that hangs must not cost the lease.
	cfg.Timeout = max(renewDeadline(o.LeaseDuration)/2, time.Second)
	core, err := corev1client.NewForConfig(cfg)
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a client for leader election")
	}
	coordination, err := coordinationv1client.NewForConfig(cfg)
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a client for leader election")
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, o.LeaderElectionNamespace, leaseName, core, coordination,
		resourcelock.ResourceLockConfig{Identity: pod + "_" + uuid.NewString(), EventRecorder: events})
	return &watchedLock{Interface: lock, now: time.Now}, errors.Wrap(err, "cannot make the lock of the lease")
}

// Get reads the lease.
func (l *watchedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	r, raw, err := l.Interface.Get(ctx)
	if err == nil {
		l.note(r.HolderIdentity)
	}
	return r, raw, err //nolint:wrapcheck // A decorator.
}

// Create makes the lease.
func (l *watchedLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Create(ctx, r)
	if err == nil {
		l.note(r.HolderIdentity)
	}
	return err //nolint:wrapcheck // A decorator.
}

// Update renews, takes or releases the lease.
func (l *watchedLock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Update(ctx, r)
	if err == nil {
		l.note(r.HolderIdentity)
	}
	return err //nolint:wrapcheck // A decorator.
}

// note notes that the lease was seen, and who held it then.
func (l *watchedLock) note(holder string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = l.now()
	if holder == l.Identity() {
		l.held = l.seen
	}
}

// ages returns how long ago the lease was seen and held.
func (l *watchedLock) ages() (seen, held time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	return now.Sub(l.seen), now.Sub(l.held)
}
