// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	pcr "github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/providerconfig"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

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
	pc, ref := g.new(), refOf(g.kind, req.NamespacedName)
	if err := g.client.Get(ctx, req.NamespacedName, pc); err != nil {
		if kerrors.IsNotFound(err) {
			g.gone(ref)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, errors.Wrap(err, "cannot get configuration")
	}
	if meta.WasDeleted(pc) {
		n, err := g.users(ctx, ref)
		if err != nil {
			return reconcile.Result{}, err
		}
		if n > 0 {
			return reconcile.Result{RequeueAfter: recheck}, g.waiting(ctx, pc, int64(n))
		}
	}
	res, err := g.Reconciler.Reconcile(ctx, req)
	// The runtime waits long after a conflict, which the checks of the token can
	// bring about.
	res.RequeueAfter = min(res.RequeueAfter, recheck)
	return res, err //nolint:wrapcheck // A decorator.
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
