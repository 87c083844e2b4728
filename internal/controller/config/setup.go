// SPDX-License-Identifier: Apache-2.0

// Package config looks after configurations and the Secrets of tokens: it says of
// each configuration whether its token works, counts who uses it, and keeps it and
// the token as long as somebody does.
package config

import (
	"context"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	pcr "github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/providerconfig"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// HealthInterval is how often it is checked whether the token of a configuration
// works when nothing happens.
const HealthInterval = 15 * time.Minute

const (
	// settle is how long changes are collected before they are acted on, so that
	// a thousand new managed resources are one new count.
	settle = 2 * time.Second
	// recheck is how soon it is looked again at what no event will tell.
	recheck = 2 * time.Second
	// retryInterval is how soon something is tried again that failed.
	retryInterval = time.Minute

	// firstDelay and maxDelay are the back-off after errors.
	firstDelay = 100 * time.Millisecond
	maxDelay   = time.Minute

	keeperName = "token-secret"
)

// Configurations connect to Aiven, and keep what they need for it.
type Configurations interface {
	Connect(ctx context.Context, a providerconfig.Access) (*aiven.Client, error)
	// Forget drops what is kept for a configuration, ForgetSecret what is kept for
	// tokens that managed resources brought in a Secret.
	Forget(ref providerconfig.Ref)
	ForgetSecret(n types.NamespacedName)
}

// A Metrics says whether the tokens of configurations work.
type Metrics interface {
	// Config is told whether the token of a configuration works, and ConfigGone that
	// the configuration is no more.
	Config(kind, namespace, name string, healthy bool, reason string)
	ConfigGone(kind, namespace, name string)
}

// Dependencies of the controllers.
type Dependencies struct {
	// Configs connect to Aiven.
	Configs Configurations
	// Clients tell which tokens Aiven refuses or accepts again.
	Clients *providerconfig.Clients
	// Tokens tell which tokens changed.
	Tokens *providerconfig.TokenWatch
	// Lists are empty lists of all kinds of managed resources, and Kinds empty
	// managed resources of these kinds, indexed by providerconfig.IndexField.
	Lists []client.ObjectList
	Kinds []client.Object
	// WatchNamespaces are those that the manager's cache is of. Empty: all.
	WatchNamespaces []string
	// Metrics say which tokens work.
	Metrics Metrics
	// HealthInterval of checks. Default: HealthInterval.
	HealthInterval time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// A kind of configuration.
type kind struct {
	schema.GroupVersionKind

	new func() client.Object
}

var kinds = []kind{
	{v1alpha1.ProviderConfigGroupVersionKind, func() client.Object { return &v1alpha1.ProviderConfig{} }},
	{v1alpha1.ClusterProviderConfigGroupVersionKind, func() client.Object { return &v1alpha1.ClusterProviderConfig{} }},
}

// Setup adds two controllers for each kind of configuration, one that keeps it
// while it is used and one that checks its token, and one for the Secrets of tokens.
//
// The manager's client must not read Secrets from the cache.
func Setup(mgr ctrl.Manager, o controller.Options, d Dependencies) error {
	if d.HealthInterval <= 0 {
		d.HealthInterval = HealthInterval
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	for _, k := range kinds {
		if err := setupGuard(mgr, o, d, k); err != nil {
			return errors.Wrapf(err, "cannot set up the controller of %s", k.Kind)
		}
		if err := setupChecker(mgr, o, d, k); err != nil {
			return errors.Wrapf(err, "cannot set up the checks of %s", k.Kind)
		}
	}
	return errors.Wrap(setupKeeper(mgr, o, d), "cannot set up the controller of the Secrets of tokens")
}

func setupGuard(mgr ctrl.Manager, o controller.Options, d Dependencies, k kind) error {
	name := pcr.ControllerName(k.GroupKind().String())
	inner := pcr.NewReconciler(mgr, resource.ProviderConfigKinds{
		Config:    k.GroupVersionKind,
		Usage:     v1alpha1.ProviderConfigUsageGroupVersionKind,
		UsageList: v1alpha1.ProviderConfigUsageListGroupVersionKind,
	},
		pcr.WithLogger(o.Logger.WithValues("controller", name)),
		pcr.WithRecorder(recorder(mgr, name)))
	return ctrl.NewControllerManagedBy(mgr).
		Named(name).
		WithOptions(o.ForControllerRuntime()).
		For(k.new(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.ProviderConfigUsage{}, usages(k.Kind)).
		Complete(&guard{Reconciler: inner, client: mgr.GetClient(), kind: k.Kind, new: k.new, gone: d.Configs.Forget, lists: d.Lists})
}

func setupChecker(mgr ctrl.Manager, o controller.Options, d Dependencies, k kind) error {
	name := "providerconfighealth/" + strings.ToLower(k.GroupKind().String())
	c := &checker{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), kind: k.Kind, new: k.new,
		configs: d.Configs, metrics: d.Metrics, record: recorder(mgr, name), interval: d.HealthInterval, now: d.Now,
		checks: make(map[types.NamespacedName]check),
	}
	opts := o.ForControllerRuntime()
	opts.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstDelay, maxDelay)
	return ctrl.NewControllerManagedBy(mgr).
		Named(name).
		WithOptions(opts).
		// The status is written here: it must not lead to another check.
		For(k.new(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(c.changed(d.Tokens)).
		WatchesRawSource(c.answered(d.Clients)).
		Complete(c)
}

func setupKeeper(mgr ctrl.Manager, o controller.Options, d Dependencies) error {
	k := &keeper{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), cache: shared{mgr.GetClient()},
		configs: d.Configs, secrets: d.Tokens.Secrets, lists: d.Lists, namespaces: d.WatchNamespaces,
		record: recorder(mgr, keeperName), log: o.Logger.WithValues("controller", keeperName),
		memory: newMemory(),
	}
	opts := o.ForControllerRuntime()
	opts.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstDelay, maxDelay)
	b := ctrl.NewControllerManagedBy(mgr).
		Named(keeperName).
		WithOptions(opts).
		WatchesRawSource(k.changed(d.Tokens.Secrets)).
		WatchesRawSource(k.held()).
		Watches(&v1.AivenApplication{}, k.ofApplication())
	for _, c := range kinds {
		b = b.Watches(c.new(), k.ofConfig(), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	}
	for _, mg := range d.Kinds {
		b = b.Watches(mg, k.ofManaged())
	}
	return b.Complete(k)
}

func recorder(mgr ctrl.Manager, name string) event.Recorder {
	return event.NewAPIRecorder(mgr.GetEventRecorderFor(name)) //nolint:staticcheck // The runtime has no other yet.
}

// refOf returns the name of a configuration.
func refOf(kind string, n types.NamespacedName) providerconfig.Ref {
	return providerconfig.Ref{Kind: kind, Namespace: n.Namespace, Name: n.Name}
}

// locationOf returns where the token of a configuration is.
func locationOf(o client.Object) providerconfig.Location {
	switch pc := o.(type) {
	case *v1alpha1.ProviderConfig:
		return providerconfig.LocalLocation(pc)
	case *v1alpha1.ClusterProviderConfig:
		return providerconfig.ClusterLocation(pc)
	}
	return providerconfig.Location{}
}
