// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"slices"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// pageSize bounds how many Secrets the API server has in hand at a time.
const pageSize = 500

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// ofManaged looks at the Secrets of managed resources that come, go, or use another
// token.
func (k *keeper) ofManaged() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e ctrlevent.CreateEvent, q queue) { k.enqueueOf(ctx, q, e.Object) },
		DeleteFunc: func(ctx context.Context, e ctrlevent.DeleteEvent, q queue) { k.enqueueOf(ctx, q, e.Object) },
		UpdateFunc: func(ctx context.Context, e ctrlevent.UpdateEvent, q queue) {
			if !slices.Equal(providerconfig.Index(e.ObjectOld), providerconfig.Index(e.ObjectNew)) {
				k.enqueueOf(ctx, q, e.ObjectOld)
				k.enqueueOf(ctx, q, e.ObjectNew)
			}
		},
	}
}

// ofConfig looks at the Secrets that a configuration points to, and pointed to.
func (k *keeper) ofConfig() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e ctrlevent.CreateEvent, q queue) { k.enqueue(q, secretOf(e.Object)) },
		DeleteFunc: func(_ context.Context, e ctrlevent.DeleteEvent, q queue) { k.enqueue(q, secretOf(e.Object)) },
		UpdateFunc: func(_ context.Context, e ctrlevent.UpdateEvent, q queue) {
			k.enqueue(q, secretOf(e.ObjectOld))
			k.enqueue(q, secretOf(e.ObjectNew))
		},
	}
}

// ofApplication looks at the Secrets that applications brought and do not bring any
// more. There may be no managed resource that tells.
func (k *keeper) ofApplication() handler.EventHandler {
	return handler.Funcs{
		DeleteFunc: func(_ context.Context, e ctrlevent.DeleteEvent, q queue) { k.enqueue(q, broughtBy(e.Object)) },
		UpdateFunc: func(_ context.Context, e ctrlevent.UpdateEvent, q queue) {
			if was := broughtBy(e.ObjectOld); was != broughtBy(e.ObjectNew) {
				k.enqueue(q, was)
			}
		},
	}
}

// changed looks at Secrets that changed.
func (k *keeper) changed(secrets *providerconfig.Secrets) source.Source {
	return source.Func(func(ctx context.Context, q queue) error {
		context.AfterFunc(ctx, secrets.Subscribe(func(n types.NamespacedName) {
			k.memory.changed(n)
			q.Add(reconcile.Request{NamespacedName: n})
		}))
		return nil
	})
}

// held looks at the Secrets that a provider before this one kept: everybody who
// needed them may be gone meanwhile, so that no event would tell.
func (k *keeper) held() source.Source {
	return source.Func(func(ctx context.Context, q queue) error {
		go func() {
			_ = wait.PollUntilContextCancel(ctx, retryInterval, true, func(ctx context.Context) (bool, error) {
				err := k.each(ctx, func(n types.NamespacedName) { q.Add(reconcile.Request{NamespacedName: n}) })
				if err != nil && ctx.Err() == nil {
					k.log.Info("Cannot find the Secrets that were kept for their tokens: those that nothing needs any more keep their finalizer", "error", err)
				}
				return err == nil || kerrors.IsForbidden(err), nil
			})
		}()
		return nil
	})
}

// each calls fn for each Secret that has the finalizer.
func (k *keeper) each(ctx context.Context, fn func(n types.NamespacedName)) error {
	namespaces := k.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, ns := range namespaces {
		l := &metav1.PartialObjectMetadataList{}
		for more := true; more; more = l.GetContinue() != "" {
			page := []client.ListOption{client.InNamespace(ns), client.Limit(pageSize), client.Continue(l.GetContinue())}
			l = &metav1.PartialObjectMetadataList{}
			l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
			if err := k.live.List(ctx, l, page...); err != nil {
				return errors.Wrap(err, "cannot list metadata of Secrets")
			}
			for i := range l.Items {
				if controllerutil.ContainsFinalizer(&l.Items[i], v1alpha1.FinalizerToken) {
					fn(client.ObjectKeyFromObject(&l.Items[i]))
				}
			}
		}
	}
	return nil
}

func (k *keeper) enqueueOf(ctx context.Context, q queue, o client.Object) {
	u, ok := o.(providerconfig.User)
	if !ok {
		return
	}
	a := providerconfig.AccessOf(u)
	if a.IsOwn() {
		k.enqueue(q, a.Own.Secret())
		return
	}
	for _, c := range kinds {
		if c.Kind != a.Config.Kind {
			continue
		}
		pc := c.new()
		if k.cache.Get(ctx, types.NamespacedName{Namespace: a.Config.Namespace, Name: a.Config.Name}, pc) == nil {
			k.enqueue(q, secretOf(pc))
		}
	}
}

// enqueue looks at a Secret: at once when nothing is known of it, and otherwise
// once for all that happens within a while.
func (k *keeper) enqueue(q queue, n types.NamespacedName) {
	switch {
	case n.Name == "":
	case k.memory.knows(n):
		q.AddAfter(reconcile.Request{NamespacedName: n}, settle)
	default:
		q.Add(reconcile.Request{NamespacedName: n})
	}
}

// broughtBy returns the Secret of the token that an application brings. Zero: none.
func broughtBy(o client.Object) types.NamespacedName {
	a, ok := o.(*v1.AivenApplication)
	if !ok || a.Spec.AuthSecretRef == nil {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.AuthSecretRef.Name}
}

// secretOf returns the Secret that a configuration points to. Zero: none.
func secretOf(o client.Object) types.NamespacedName { return locationOf(o).Secret.Secret() }
