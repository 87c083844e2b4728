// SPDX-License-Identifier: Apache-2.0

// Package provider assembles the provider: a manager with its caches, metrics
// and controllers.
package provider

import (
	"context"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/statemetrics"
	"github.com/pkg/errors"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/provider-aiven/provider-aiven/apis"
	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	ourcontroller "github.com/provider-aiven/provider-aiven/internal/controller"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
	"github.com/provider-aiven/provider-aiven/internal/metrics"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/usage"
)

// minLeaseDuration is how long a lease is at least. Less would be lost all the time.
const minLeaseDuration = 2 * time.Second

// shutdownTimeout is how long what is on its way may take when the provider ends.
// Calls are cut, since each is on record before it is made.
const shutdownTimeout = 20 * time.Second

// errChanged says that what the provider may do has changed, and that it has to
// begin anew.
var errChanged = errors.New("what the provider may do has changed")

// Run runs the provider until the context ends. It finds out first what it can do
// with what the API server serves and lets it, and does that. When that changes
// it begins anew, as a new process would.
func Run(ctx context.Context, cfg *rest.Config, o Options) error {
	o = o.withDefaults()
	if err := checkNamespaces(o.WatchNamespaces); err != nil {
		return err
	}
	if err := checkPassword(o.KeyStorePassword); err != nil {
		return err
	}
	if o.LeaseDuration < minLeaseDuration {
		return errors.Errorf("cannot elect a leader: a lease of %s is shorter than %s", o.LeaseDuration, minLeaseDuration)
	}
	cfg = rest.CopyConfig(cfg)
	// The API server has priority and fairness to protect itself. A limit here
	// would make a burst of applications wait for nothing.
	cfg.QPS, cfg.Burst = -1, -1
	s, err := newSurveyor(cfg, o)
	if err != nil {
		return err
	}
	events, err := newBroadcasters(cfg, o.Logger)
	if err != nil {
		return err
	}
	defer events.shutdown()
	t := &teller{log: o.Logger, record: events.own(), pod: podOf(o.Namespace), metric: metrics.NewMissingRights()}
	registry := &registrations{Registerer: o.Registry}
	defer registry.unregister()
	if err := registry.Register(t.metric); err != nil {
		return errors.Wrap(err, "cannot register metrics of missing rights")
	}
	for {
		f, err := s.survey(ctx)
		if err != nil {
			return errors.Wrap(err, "cannot find out what the provider may do")
		}
		t.tell(f)
		err = runWith(ctx, cfg, o, f, setting{surveyor: s, teller: t, events: events})
		if !errors.Is(err, errChanged) {
			return err
		}
		o.Logger.Info("The provider begins anew, because what it may do has changed")
	}
}

// A setting is what stays when the provider begins anew.
type setting struct {
	*surveyor
	*teller

	events broadcasters
}

// runWith runs the provider with what was found, until that changes, which
// errChanged says, or the context ends.
func runWith(ctx context.Context, cfg *rest.Config, o Options, f findings, s setting) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	registry := &registrations{Registerer: o.Registry}
	defer registry.unregister()
	o.Registry = registry

	waitsFor := f.waitsFor(o.WatchNamespaces)
	h := &health{waitsFor: waitsFor, leaseDuration: o.LeaseDuration}
	if o.LeaderElection && len(waitsFor) == 0 {
		var err error
		if h.lock, err = newLock(cfg, o, s.events.own()); err != nil {
			return err
		}
	}
	mgr, err := newManager(cfg, o, f, h.lock)
	if err != nil {
		return err
	}
	mgr = &recordingManager{Manager: mgr, events: s.events}
	h.synced = mgr.GetCache().WaitForCacheSync
	if err := h.addTo(mgr); err != nil {
		return err
	}
	if err := mgr.Add(anyReplica(func(ctx context.Context) error {
		if s.untilChanged(ctx, f, func() { s.repeat(f) }); ctx.Err() == nil {
			cancel(errChanged)
		}
		return nil
	})); err != nil {
		return errors.Wrap(err, "cannot watch what the provider may do")
	}
	if len(waitsFor) == 0 {
		if err := addControllers(ctx, mgr, o, f); err != nil {
			return err
		}
	}
	err = mgr.Start(ctx)
	if err == nil && errors.Is(context.Cause(ctx), errChanged) {
		return errChanged
	}
	return errors.Wrap(err, "cannot run controllers")
}

// anyReplica is a function that runs whether or not this is the leader.
type anyReplica func(ctx context.Context) error

// Start runs the function.
func (f anyReplica) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection says no.
func (anyReplica) NeedLeaderElection() bool { return false }

// addControllers adds all controllers, with their metrics.
func addControllers(ctx context.Context, mgr ctrl.Manager, o Options, f findings) error {
	now := time.Now
	if o.Clock != nil {
		now = o.Clock.Now
	}
	m := metrics.New(now)
	mrMetrics, stateMetrics := managed.NewMRMetricRecorder(), statemetrics.NewMRStateMetrics()
	if err := m.Register(o.Registry); err != nil {
		return err //nolint:wrapcheck // It says what cannot be registered.
	}
	orphaned, users := metrics.NewOrphans(), metrics.NewServiceUsers()
	for _, c := range []prometheus.Collector{mrMetrics, stateMetrics, orphaned, users} {
		if err := o.Registry.Register(c); err != nil {
			return errors.Wrap(err, "cannot register metrics of managed resources")
		}
	}
	features := &feature.Flags{}
	features.Enable(feature.EnableBetaManagementPolicies)
	err := ourcontroller.Setup(ctx, mgr, controller.Options{
		Logger:                  o.Logger,
		PollInterval:            o.PollInterval,
		MaxConcurrentReconciles: o.Workers,
		Features:                features,
		MetricOptions: &controller.MetricOptions{
			PollStateMetricInterval: o.StateMetricInterval, MRMetrics: mrMetrics, MRStateMetrics: stateMetrics,
		},
	}, ourcontroller.Dependencies{
		NewClient: newClient(o, m), BaseURLs: o.BaseURLs, Metrics: m,
		ChosenNamespaces: o.WatchNamespaces, WatchNamespaces: f.namespaces(o.WatchNamespaces),
		Janitor: janitor.Policy{Grace: o.JanitorGrace, DryRun: o.JanitorDryRun, Blind: f.lacks(forWorkloads)}, Now: now, NewQueue: newQueue(o.Clock),
		Orphans: orphaned, ServiceUsers: users, Namespace: recordsNamespace(o, f), OrphanInterval: o.OrphanInterval,
		Absent: f.kinds(), NamespacesUnknown: len(o.WatchNamespaces) == 0 && f.lacks(forNamespaces), KeyStorePassword: o.KeyStorePassword,
	})
	return errors.Wrap(err, "cannot set up controllers")
}

// recordsNamespace returns where records are kept of the users that this cluster
// made. None are, and so no orphan is deleted, when they cannot be written or some
// managed resources cannot exist for now.
func recordsNamespace(o Options, f findings) string {
	if f.lacks(forRecords) || len(f.absent) > 0 {
		return ""
	}
	return o.Namespace
}

// newQueue returns a function that makes work queues of a clock, nil for the
// machine's.
func newQueue(c clock.WithTicker) func(string, workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	if c == nil {
		return nil
	}
	return func(name string, l workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
		return workqueue.NewTypedRateLimitingQueueWithConfig(l, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Name: name, Clock: c})
	}
}

func newClient(o Options, m *metrics.Metrics) providerconfig.ClientFn {
	documents := &aiven.Documents{}
	return func(k providerconfig.Key, l aiven.Limits) (*aiven.Client, error) {
		opts := aiven.Options{
			Token: k.Token, BaseURL: k.BaseURL, Limits: l, UserAgent: o.UserAgent,
			PollInterval: o.PollInterval, Recorder: m, Logger: o.Logger, Documents: documents,
		}
		if o.Aiven != nil {
			o.Aiven(&opts)
		}
		return aiven.New(opts) //nolint:wrapcheck // The caller does.
	}
}

// NewScheme returns a scheme of all objects that the provider reads and writes.
func NewScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		return nil, errors.Wrap(err, "cannot add Kubernetes APIs to scheme")
	}
	return s, errors.Wrap(apis.AddToScheme(s), "cannot add provider APIs to scheme")
}

func newManager(cfg *rest.Config, o Options, f findings, lock *watchedLock) (ctrl.Manager, error) {
	scheme, err := NewScheme()
	if err != nil {
		return nil, err
	}
	opts := ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:        o.HealthAddress,
		PprofBindAddress:              o.PprofAddress,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &o.LeaseDuration,
		RenewDeadline:                 new(renewDeadline(o.LeaseDuration)),
		RetryPeriod:                   new(retryPeriod(o.LeaseDuration)),
		GracefulShutdownTimeout:       new(shutdownTimeout),
		Controller:                    ctrlconfig.Controller{SkipNameValidation: new(true)},
		Client: client.Options{Cache: &client.CacheOptions{
			// Secrets are read from the API server: a cache of all Secrets of the
			// cluster is memory and rights that nobody wants to give.
			DisableFor: []client.Object{&corev1.Secret{}},
		}},
		NewCache: newCache(f.namespaces(o.WatchNamespaces), f.kinds()),
		Cache: cache.Options{
			SyncPeriod:       &o.SyncInterval,
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject:         cached(),

			DefaultWatchErrorHandler: tellForbidden(o.Logger),
		},
	}
	if lock != nil {
		opts.LeaderElection, opts.LeaderElectionID, opts.LeaderElectionResourceLockInterface = true, leaseName, lock
	}
	mgr, err := ctrl.NewManager(cfg, opts)
	return mgr, errors.Wrap(err, "cannot make a manager")
}

// published selects the Secrets that applications published.
var published = func() labels.Selector {
	r, err := labels.NewRequirement(v1.LabelApplication, selection.Exists, nil)
	if err != nil {
		panic(err) // The label is a constant.
	}
	return labels.NewSelector().Add(*r)
}()

// cached says what is kept in memory of objects that are not ours.
func cached() map[client.Object]cache.ByObject {
	out := map[client.Object]cache.ByObject{
		// Metadata of the Secrets that we published, to see them change.
		&corev1.Secret{}: {Label: published},
	}
	// Of workloads, which Secrets they refer to.
	for _, o := range janitor.Kinds() {
		out[o] = cache.ByObject{Transform: usage.Strip}
	}
	return out
}
