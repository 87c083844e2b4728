// SPDX-License-Identifier: Apache-2.0

// Package config counts who uses a configuration and keeps it as long as
// somebody does.
package config

import (
	"context"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	pcr "github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/providerconfig"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const (
	// settle is how long usages are collected before they are counted, so that
	// a thousand new ones are one new count.
	settle = 2 * time.Second
	// recheck is how often a configuration that waits for its users to go looks.
	recheck = 2 * time.Second
)

// Setup adds a controller for each kind of configuration. Lists are empty lists
// of all kinds of managed resources, indexed by providerconfig.IndexField. Gone is
// called for each configuration that does not exist any more.
func Setup(mgr ctrl.Manager, o controller.Options, gone func(ref providerconfig.Ref), lists ...client.ObjectList) error {
	for _, k := range []struct {
		gvk schema.GroupVersionKind
		new func() client.Object
	}{
		{v1alpha1.ProviderConfigGroupVersionKind, func() client.Object { return &v1alpha1.ProviderConfig{} }},
		{v1alpha1.ClusterProviderConfigGroupVersionKind, func() client.Object { return &v1alpha1.ClusterProviderConfig{} }},
	} {
		name := pcr.ControllerName(k.gvk.GroupKind().String())
		inner := pcr.NewReconciler(mgr, resource.ProviderConfigKinds{
			Config:    k.gvk,
			Usage:     v1alpha1.ProviderConfigUsageGroupVersionKind,
			UsageList: v1alpha1.ProviderConfigUsageListGroupVersionKind,
		},
			pcr.WithLogger(o.Logger.WithValues("controller", name)),
			pcr.WithRecorder(event.NewAPIRecorder(mgr.GetEventRecorderFor(name)))) //nolint:staticcheck // The runtime has no other yet.
		err := ctrl.NewControllerManagedBy(mgr).
			Named(name).
			WithOptions(o.ForControllerRuntime()).
			For(k.new(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
			Watches(&v1alpha1.ProviderConfigUsage{}, usages(k.gvk.Kind)).
			Complete(&guard{Reconciler: inner, client: mgr.GetClient(), kind: k.gvk.Kind, new: k.new, gone: gone, lists: lists})
		if err != nil {
			return errors.Wrapf(err, "cannot set up the controller of %s", k.gvk.Kind)
		}
	}
	return nil
}

// usages counts the users of the configuration that a usage is of, soon.
func usages(kind string) handler.EventHandler {
	enqueue := func(o client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		u, ok := o.(*v1alpha1.ProviderConfigUsage)
		if !ok || u.ProviderConfigReference.Kind != kind {
			return
		}
		n := types.NamespacedName{Name: u.ProviderConfigReference.Name}
		if kind == v1alpha1.ProviderConfigKind {
			n.Namespace = u.Namespace
		}
		q.AddAfter(reconcile.Request{NamespacedName: n}, settle)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e ctrlevent.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(e.Object, q)
		},
		DeleteFunc: func(_ context.Context, e ctrlevent.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(e.Object, q)
		},
	}
}

// A guard keeps a configuration that is being deleted while managed resources
// refer to it. The runtime's reconciler keeps it while usages exist; but these
// go at once when their namespace is deleted, before the managed resources that
// need the configuration to be deleted at Aiven.
type guard struct {
	reconcile.Reconciler
	client client.Client
	kind   string
	new    func() client.Object
	gone   func(ref providerconfig.Ref)
	lists  []client.ObjectList
}

// Reconcile counts users, and finalizes the configuration when there are none.
func (g *guard) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	pc := g.new()
	if err := g.client.Get(ctx, req.NamespacedName, pc); err != nil {
		if kerrors.IsNotFound(err) {
			g.gone(providerconfig.RefOf(xpv2.ProviderConfigReference{Kind: g.kind, Name: req.Name}, req.Namespace))
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, errors.Wrap(err, "cannot get configuration")
	}
	if meta.WasDeleted(pc) {
		n, err := g.users(ctx, providerconfig.RefOf(xpv2.ProviderConfigReference{Kind: g.kind, Name: pc.GetName()}, pc.GetNamespace()))
		if err != nil {
			return reconcile.Result{}, err
		}
		if n > 0 {
			return reconcile.Result{RequeueAfter: recheck}, g.waiting(ctx, pc, int64(n))
		}
	}
	return g.Reconciler.Reconcile(ctx, req) //nolint:wrapcheck // A decorator.
}

func (g *guard) users(ctx context.Context, ref providerconfig.Ref) (int, error) {
	n := 0
	for _, empty := range g.lists {
		l := empty.DeepCopyObject().(client.ObjectList) //nolint:forcetypeassert // A copy of one.
		if err := g.client.List(ctx, l, client.MatchingFields{providerconfig.IndexField: providerconfig.IndexValue(ref)}); err != nil {
			return 0, errors.Wrap(err, "cannot list managed resources")
		}
		n += apimeta.LenList(l)
	}
	return n, nil
}

// waiting says on the configuration what its deletion waits for.
func (g *guard) waiting(ctx context.Context, o client.Object, n int64) error {
	pc, ok := o.(resource.ProviderConfig)
	if !ok {
		return errors.Errorf("cannot report users of %T", o)
	}
	c := pcr.Terminating().WithMessage("Managed resources still use this configuration. It goes when they are gone.")
	if pc.GetUsers() == n && pc.GetCondition(c.Type).Equal(c) {
		return nil
	}
	pc.SetUsers(n)
	pc.SetConditions(c)
	return errors.Wrap(g.client.Status().Update(ctx, pc), "cannot update status of configuration")
}
