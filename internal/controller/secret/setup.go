// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
	"github.com/provider-aiven/provider-aiven/internal/usage"
)

const (
	controllerName = "secret"

	firstDelay = 100 * time.Millisecond
	maxDelay   = time.Minute

	// indexApplication is the cache index of published Secrets by application.
	indexApplication = "application"
)

// Dependencies of the controller.
type Dependencies struct {
	// Workloads know what uses a Secret.
	Workloads Workloads
	// Policy of the janitor.
	Policy janitor.Policy
	// Metrics count.
	Metrics Metrics
	// Now is the clock.
	Now func() time.Time
	// Lists are empty lists of all kinds of managed resources.
	Lists []client.ObjectList
	// Kinds are empty managed resources of all kinds.
	Kinds []client.Object
	// NewQueue makes the work queue. Default: that of controller-runtime.
	NewQueue func(name string, l workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// Setup adds the controller of published Secrets.
//
// The manager's cache of Secrets must select v1.LabelApplication, and its cache of
// workloads be indexed by janitor.Index.
func Setup(ctx context.Context, mgr ctrl.Manager, o controller.Options, d Dependencies) error {
	r := &Reconciler{
		client: mgr.GetClient(), cache: mgr.GetCache(), live: mgr.GetAPIReader(),
		workloads: d.Workloads, policy: d.Policy, metrics: d.Metrics, now: d.Now, lists: d.Lists,
		record: event.NewAPIRecorder(mgr.GetEventRecorderFor(controllerName)), //nolint:staticcheck // The runtime has no other yet.
		log:    o.Logger.WithValues("controller", controllerName),
		said:   make(map[types.NamespacedName]said),
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, metadata(), indexApplication, func(s client.Object) []string { return []string{v1.ApplicationOf(s)} }); err != nil {
		return errors.Wrap(err, "cannot index Secrets by application")
	}
	opts := o.ForControllerRuntime()
	opts.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstDelay, maxDelay)
	opts.NewQueue = d.NewQueue
	b := ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		WithOptions(opts).
		For(&corev1.Secret{}, builder.OnlyMetadata).
		Watches(&v1.AivenApplication{}, handler.EnqueueRequestsFromMapFunc(r.ofApplication), builder.WithPredicates(wantsChanged()))
	for _, k := range janitor.Kinds() {
		b = b.Watches(k, usesChanged())
	}
	for _, k := range d.Kinds {
		b = b.Watches(k, handler.EnqueueRequestsFromMapFunc(ofManaged), builder.WithPredicates(onlyDeletion()))
	}
	return errors.Wrap(b.Complete(r), "cannot set up the controller of published Secrets")
}

// ofApplication maps an application to the Secrets that were published for it.
func (r *Reconciler) ofApplication(ctx context.Context, o client.Object) []reconcile.Request {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := r.cache.List(ctx, l, client.InNamespace(o.GetNamespace()), client.MatchingFields{indexApplication: o.GetName()}); err != nil {
		r.log.Info("Cannot list published Secrets", "error", err)
		return nil
	}
	out := make([]reconcile.Request, 0, len(l.Items))
	for i := range l.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
	}
	return out
}

// wantsChanged lets through what changes which Secrets an application wants.
func wantsChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e ctrlevent.CreateEvent) bool {
			// One that published nothing may still want what is there.
			app, ok := e.Object.(*v1.AivenApplication)
			return ok && len(app.Status.Secrets) == 0
		},
		UpdateFunc: func(e ctrlevent.UpdateEvent) bool {
			was, ok1 := e.ObjectOld.(*v1.AivenApplication)
			is, ok2 := e.ObjectNew.(*v1.AivenApplication)
			return ok1 && ok2 && (was.GetGeneration() != is.GetGeneration() ||
				was.GetDeletionTimestamp().IsZero() != is.GetDeletionTimestamp().IsZero() ||
				!slices.Equal(was.PublishedNames(), is.PublishedNames()))
		},
	}
}

// usesChanged enqueues the Secrets that a workload begins or ceases to refer to.
func usesChanged() handler.EventHandler {
	add := func(q workqueue.TypedRateLimitingInterface[reconcile.Request], o client.Object, names []string) {
		for _, n := range names {
			q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: n}})
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e ctrlevent.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			add(q, e.Object, usage.SecretsOf(e.Object))
		},
		DeleteFunc: func(_ context.Context, e ctrlevent.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			add(q, e.Object, usage.SecretsOf(e.Object))
		},
		UpdateFunc: func(_ context.Context, e ctrlevent.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			was, is := usage.SecretsOf(e.ObjectOld), usage.SecretsOf(e.ObjectNew)
			if !slices.Equal(was, is) {
				add(q, e.ObjectNew, slices.Concat(was, is))
			}
		},
	}
}

// ofManaged maps a managed resource to the Secrets that hold its credentials.
func ofManaged(_ context.Context, o client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, n := range secretsOf(o) {
		out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: n}})
	}
	return out
}

// onlyDeletion lets through that an object is gone.
func onlyDeletion() predicate.Predicate {
	no := func() bool { return false }
	return predicate.Funcs{
		CreateFunc:  func(ctrlevent.CreateEvent) bool { return no() },
		UpdateFunc:  func(ctrlevent.UpdateEvent) bool { return no() },
		GenericFunc: func(ctrlevent.GenericEvent) bool { return no() },
	}
}
