// SPDX-License-Identifier: Apache-2.0

// Package orphans finds users at Aiven whose names are ours and that no managed
// resource claims, reports them, and deletes those that this cluster made where a
// ClusterProviderConfig says so.
//
// Users of other clusters look the same. What tells them apart are records: each
// managed resource that has a user it would delete in the end is noted, so that a
// deletion that somebody cut short by removing a finalizer can be completed. What
// was not noted is never deleted.
package orphans

import (
	"context"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/pkg/errors"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// Defaults of Dependencies.
const (
	DefaultInterval       = 5 * time.Minute
	DefaultRecordInterval = time.Minute
)

const (
	name = "orphans"

	// settle is how soon a change that takes away a proof is recorded.
	settle = time.Second
	// sweepTimeout ends a sweep that hangs. What it has not done, the next does.
	sweepTimeout = 10 * time.Minute
)

// Configurations connect to Aiven.
type Configurations interface {
	Connect(ctx context.Context, a providerconfig.Access) (*aiven.Client, error)
}

// Metrics count orphaned users.
type Metrics interface {
	// Orphaned is told how many orphaned users a service has.
	Orphaned(project, service string, proven, unproven int)
	// OrphanDeleted is told of each that was deleted.
	OrphanDeleted(project, service string)
	// ServiceGone is told when nothing is to be known of a service any more.
	ServiceGone(project, service string)
}

// Dependencies of the sweep.
type Dependencies struct {
	// Configs connect to Aiven.
	Configs Configurations
	// Lists are empty lists of all kinds of managed resources, and Kinds empty
	// managed resources of these kinds.
	Lists []client.ObjectList
	Kinds []client.Object
	// Metrics count.
	Metrics Metrics
	// Namespace holds the records of the users that this cluster made. Empty:
	// none are kept, nothing can be proven, and so nothing is deleted.
	Namespace string
	// WatchNamespaces are those that the manager's cache is of. Empty: all.
	WatchNamespaces []string
	// Interval of the sweeps. A user is deleted after two in which nobody
	// claimed it. Default: DefaultInterval.
	Interval time.Duration
	// RecordInterval is how often it is recorded which users this cluster made.
	// Default: DefaultRecordInterval, and never longer than Interval.
	RecordInterval time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Setup adds the sweep of orphaned users. It runs where the controllers run, in
// the leader.
func Setup(mgr ctrl.Manager, o controller.Options, d Dependencies) error {
	s := newSweeper(mgr.GetClient(), mgr.GetAPIReader(), d)
	s.log = &teller{log: o.Logger.WithValues("controller", name), told: make(map[string]string)}
	s.ledgers.log = s.log
	s.record = event.NewAPIRecorder(mgr.GetEventRecorderFor(name)) //nolint:staticcheck // The runtime has no other yet.
	s.informers = mgr.GetCache()
	return errors.Wrap(mgr.Add(s), "cannot add the sweep of orphaned users")
}

func newSweeper(kube client.Client, live client.Reader, d Dependencies) *Sweeper {
	if d.Interval <= 0 {
		d.Interval = DefaultInterval
	}
	if d.RecordInterval <= 0 {
		d.RecordInterval = DefaultRecordInterval
	}
	d.RecordInterval = min(d.RecordInterval, d.Interval)
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Sweeper{
		Dependencies: d, kube: kube, live: live,
		ledgers: &ledgers{kube: kube, live: live, namespace: d.Namespace, watched: d.WatchNamespaces},
		before:  make(map[ledgerKey]map[string]bool),
		known:   make(map[aiven.ServiceRef]bool),
		said:    make(map[string]said),
		spared:  newSpared(),
		wake:    make(chan struct{}, 1),
	}
}

var (
	_ manager.LeaderElectionRunnable = &Sweeper{}
	_ manager.Runnable               = &Sweeper{}
)

// A Sweeper looks for orphaned users.
type Sweeper struct {
	Dependencies

	kube      client.Client
	live      client.Reader
	informers cache.Informers
	record    event.Recorder
	log       *teller
	ledgers   *ledgers
	spared    *spared
	wake      chan struct{}

	before map[ledgerKey]map[string]bool // the orphans of the sweep before
	known  map[aiven.ServiceRef]bool     // services that there are metrics of
	said   map[string]said               // events, by configuration and reason
}

// NeedLeaderElection makes the sweep run in the leader only.
func (s *Sweeper) NeedLeaderElection() bool { return true }

// Start sweeps until the context ends. It never fails: no failure here is worth
// stopping the provider.
func (s *Sweeper) Start(ctx context.Context) error {
	for _, k := range s.Kinds {
		if err := s.watch(ctx, k); err != nil {
			s.log.Tell("watch", "Cannot watch managed resources: users that are kept on purpose may be taken for orphans, so none is deleted", err)
			s.ledgers.namespace = ""
		}
	}
	sweep, record := time.NewTicker(s.Interval), time.NewTicker(s.RecordInterval)
	defer sweep.Stop()
	defer record.Stop()
	soon := false
	s.run(ctx, s.Sweep)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
			if !soon {
				record.Reset(min(settle, s.RecordInterval))
				soon = true
			}
		case <-record.C:
			if soon {
				record.Reset(s.RecordInterval)
				soon = false
			}
			s.run(ctx, s.Record)
		case <-sweep.C:
			s.run(ctx, s.Sweep)
		}
	}
}

func (s *Sweeper) run(ctx context.Context, fn func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	if err := fn(ctx); err != nil && ctx.Err() == nil {
		s.log.Tell("sweep", "Cannot look for orphaned users", err)
		return
	}
	s.log.Passed("sweep")
}

// watch sees which managed resources go that are to leave their users behind.
// The records would not tell: between a change of the policies and the deletion
// there may be no time at all.
func (s *Sweeper) watch(ctx context.Context, kind client.Object) error {
	informer, err := s.informers.GetInformer(ctx, kind)
	if err != nil {
		return errors.Wrap(err, "cannot get informer")
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{DeleteFunc: func(o any) {
		if unknown, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
			o = unknown.Obj
		}
		if mg, ok := o.(serviceUser); ok {
			s.gone(mg)
		}
	}})
	return errors.Wrap(err, "cannot watch")
}

// gone takes note of a managed resource that went without its user.
func (s *Sweeper) gone(mg serviceUser) {
	u := providerconfig.UserOf(mg)
	if !spares(mg) || !username.IsGenerated(u.Username) || !s.spared.add(u) {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
