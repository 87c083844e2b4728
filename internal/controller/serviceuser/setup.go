// SPDX-License-Identifier: Apache-2.0

// Package serviceuser reconciles managed resources that are one Aiven service
// user each. One generic external client serves all kinds.
package serviceuser

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"github.com/crossplane/crossplane-runtime/v2/pkg/statemetrics"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const (
	// Back-off of a managed resource that fails, or was just created. The first
	// delay is short because the pass after a creation is a matter of course.
	firstDelay = 20 * time.Millisecond
	maxDelay   = time.Minute

	// unreadyPoll is how soon a user that is not ready is looked at again when
	// nothing else happens.
	unreadyPoll = 10 * time.Second

	jitter = 0.1
)

// Dependencies of the controllers of all kinds.
type Dependencies struct {
	// Resolver finds the Aiven client of a managed resource.
	Resolver *providerconfig.Resolver
	// Grants know what it may have.
	Grants Grants
	// Names know whose usernames are.
	Names Names
	// Clients tell which users changed at Aiven.
	Clients *providerconfig.Clients
	// Tokens tell which tokens changed.
	Tokens *providerconfig.TokenWatch
}

// Setup adds the controller of this kind of service user.
func (k Kind[T]) Setup(ctx context.Context, mgr ctrl.Manager, o controller.Options, d Dependencies) error {
	name := managed.ControllerName(k.GVK.GroupKind().String())
	if err := index(ctx, mgr, k); err != nil {
		return err
	}
	if o.MetricOptions != nil && o.MetricOptions.MRStateMetrics != nil {
		r := statemetrics.NewMRStateRecorder(mgr.GetClient(), o.Logger, o.MetricOptions.MRStateMetrics, k.NewList(), o.MetricOptions.PollStateMetricInterval)
		if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			// A list that fails once must not stop the provider.
			if err := r.Start(ctx); err != nil {
				o.Logger.Info("Cannot record the state of managed resources any more", "error", err, "kind", k.GVK.Kind)
			}
			return nil
		})); err != nil {
			return errors.Wrapf(err, "cannot record state metrics of %s", k.GVK.Kind)
		}
	}

	r, c := newReconciler(mgr, o, d, k)
	e := &enqueuer[T]{kind: k, reader: mgr.GetClient(), log: o.Logger}
	opts := o.ForControllerRuntime()
	opts.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstDelay, maxDelay)
	err := ctrl.NewControllerManagedBy(mgr).
		Named(name).
		WithOptions(opts).
		For(k.New(), builder.WithPredicates(resource.DesiredStateChanged())).
		Watches(k.New(), c.forgets()).
		Watches(&v1alpha1.ClusterProviderConfig{}, e.forConfig(), onSpec()).
		Watches(&v1alpha1.ProviderConfig{}, e.forConfig(), onSpec()).
		WatchesRawSource(e.fromAiven(d.Clients)).
		WatchesRawSource(e.fromTokens(d.Tokens)).
		Complete(r)
	return errors.Wrapf(err, "cannot set up the controller of %s", k.GVK.Kind)
}

// newReconciler returns the reconciler of a kind, and what it connects with.
func newReconciler[T ServiceUser](mgr ctrl.Manager, o controller.Options, d Dependencies, k Kind[T]) (*managed.Reconciler, *connector[T]) {
	name := managed.ControllerName(k.GVK.GroupKind().String())
	refused := &refusals{}
	c := &connector[T]{
		kind:     k,
		access:   k.NewAccess(mgr.GetClient()),
		clients:  d.Resolver,
		grants:   d.Grants,
		names:    d.Names,
		refusals: refused,
		attempts: newAttempts(),
		marks:    &annotations{client: mgr.GetClient()},
		usage:    resource.NewProviderConfigUsageTracker(mgr.GetClient(), &v1alpha1.ProviderConfigUsage{}),
		cache:    mgr.GetClient(),
	}
	opts := []managed.ReconcilerOption{
		managed.WithTypedExternalConnector(c),
		managed.WithInitializers(&initializer{client: mgr.GetClient()}),
		managed.WithCriticalAnnotationUpdater(&annotations{client: mgr.GetClient()}),
		managed.WithDeterministicExternalName(true),
		managed.WithCreationGracePeriod(0),
		managed.WithPollInterval(o.PollInterval),
		managed.WithPollIntervalHook(pollInterval),
		managed.WithLogger(o.Logger.WithValues("controller", name)),
		managed.WithRecorder(newQuietRecorder(event.NewAPIRecorder(mgr.GetEventRecorderFor(name)))), //nolint:staticcheck // The runtime has no other yet.
	}
	if o.Features.Enabled(feature.EnableBetaManagementPolicies) {
		opts = append(opts, managed.WithManagementPolicies())
	}
	if o.MetricOptions != nil && o.MetricOptions.MRMetrics != nil {
		opts = append(opts, managed.WithMetricRecorder(o.MetricOptions.MRMetrics))
	}
	return managed.NewReconciler(quietManager{Manager: mgr, refusals: refused, secrets: &ownSecrets{}}, resource.ManagedKind(k.GVK), opts...), c
}

// pollInterval spreads polls, and looks at what is not ready sooner.
func pollInterval(mg resource.Managed, d time.Duration) time.Duration {
	if mg.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue {
		d = min(d, unreadyPoll)
	}
	return d + time.Duration((rand.Float64()*2-1)*jitter*float64(d)) //nolint:gosec // No secret.
}
