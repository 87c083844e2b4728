// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/usage"
)

const (
	controllerName = "aivenapplication"

	firstDelay = 20 * time.Millisecond
	maxDelay   = time.Minute
)

// Dependencies of the controller.
type Dependencies struct {
	// Configs resolve configurations.
	Configs Configurations
	// Grants know what applications may have, and Names whose usernames are.
	Grants Grants
	Names  Names
	// Tokens tell which tokens changed.
	Tokens *providerconfig.TokenWatch
	// Workloads know what uses a Secret.
	Workloads Workloads
	// Metrics count.
	Metrics Metrics
	// NewQueue makes the work queue. Default: that of controller-runtime.
	NewQueue func(name string, l workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request]
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// WatchNamespaces are those that the manager's cache is of. Empty: all.
	WatchNamespaces []string
	// KeyStorePassword protects the key stores. Default: connection.DefaultKeyStorePassword.
	KeyStorePassword string
}

// Setup adds the controller of AivenApplications.
//
// The manager's cache of Secrets must select v1.LabelApplication, and its client
// must not read Secrets from the cache.
func Setup(ctx context.Context, mgr ctrl.Manager, o controller.Options, d Dependencies) error {
	now := d.Now
	if now == nil {
		now = time.Now
	}
	r := &Reconciler{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), configs: d.Configs, grants: d.Grants, names: d.Names, workloads: d.Workloads, metrics: d.Metrics,
		record:           event.NewAPIRecorder(mgr.GetEventRecorderFor(controllerName)), //nolint:staticcheck // The runtime has no other yet.
		log:              o.Logger.WithValues("controller", controllerName),
		now:              now,
		written:          &writes{},
		replaced:         &sync.Map{},
		keyStorePassword: d.KeyStorePassword,
	}
	opts := o.ForControllerRuntime()
	opts.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstDelay, maxDelay)
	opts.NewQueue = d.NewQueue
	b := ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		WithOptions(opts).
		For(&v1.AivenApplication{}, builder.WithPredicates(resource.DesiredStateChanged())).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(toApplication), builder.OnlyMetadata, builder.WithPredicates(r.written.others())).
		Watches(&corev1.Pod{}, r.pods(mgr.GetCache())).
		Watches(&v1alpha1.ClusterProviderConfig{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.ProviderConfig{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	for _, k := range kinds {
		if err := mgr.GetFieldIndexer().IndexField(ctx, k.new(), indexApplication, func(o client.Object) []string {
			if n := v1.ApplicationOf(o); n != "" {
				return []string{n}
			}
			return nil
		}); err != nil {
			return errors.Wrap(err, "cannot index managed resources by application")
		}
		b = b.Watches(k.new(), handler.EnqueueRequestsFromMapFunc(toApplication), builder.WithPredicates(readyChanged()))
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1.AivenApplication{}, namesakes.IndexField, namesakes.Index); err != nil {
		return errors.Wrap(err, "cannot index applications by the pattern of their usernames")
	}
	if len(d.WatchNamespaces) == 0 {
		b = b.Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.notAllowed), builder.OnlyMetadata, builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	b = b.WatchesRawSource(r.tokens(d.Tokens))
	src, err := r.connectionSecrets(mgr, d.WatchNamespaces)
	if err != nil {
		return err
	}
	return errors.Wrap(b.WatchesRawSource(src).Complete(r), "cannot set up the controller of AivenApplications")
}

// toApplication maps what was composed or published to its application.
func toApplication(_ context.Context, o client.Object) []reconcile.Request {
	name := v1.ApplicationOf(o)
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
}

// pods enqueues the applications whose replaced users a pod may have held that
// ends, and those whose Secret was just published and is used already.
func (r *Reconciler) pods(secrets client.Reader) handler.EventHandler {
	enqueue := func(ctx context.Context, pod client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request], matters func(s v1.AivenApplicationStatus, secret string) bool) {
		for _, name := range usage.SecretsOf(pod) {
			s := &metav1.PartialObjectMetadata{}
			s.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
			if secrets.Get(ctx, types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}, s) != nil {
				continue // Not ours.
			}
			app := &v1.AivenApplication{}
			key := types.NamespacedName{Namespace: pod.GetNamespace(), Name: v1.ApplicationOf(s)}
			if r.client.Get(ctx, key, app) == nil && matters(app.Status, name) {
				q.Add(reconcile.Request{NamespacedName: key})
			}
		}
	}
	held := func(s v1.AivenApplicationStatus, _ string) bool {
		return s.Credentials != nil && s.Credentials.Previous != nil
	}
	fresh := func(s v1.AivenApplicationStatus, secret string) bool {
		return slices.ContainsFunc(s.Secrets, func(p v1.SecretStatus) bool {
			return p.Name == secret && p.PublishedAt != nil && r.now().Before(p.PublishedAt.Add(handOverAfter))
		})
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e ctrlevent.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, e.Object, q, fresh)
		},
		DeleteFunc: func(ctx context.Context, e ctrlevent.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, e.Object, q, held)
		},
		UpdateFunc: func(ctx context.Context, e ctrlevent.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if len(usage.SecretsOf(e.ObjectNew)) == 0 {
				enqueue(ctx, e.ObjectOld, q, held)
			}
		},
	}
}

// all maps a configuration to the applications that may use it.
func (r *Reconciler) all(ctx context.Context, o client.Object) []reconcile.Request {
	l := &v1.AivenApplicationList{}
	if err := r.client.List(ctx, l, client.InNamespace(o.GetNamespace())); err != nil {
		r.log.Info("Cannot list AivenApplications", "error", err)
		return nil
	}
	out := make([]reconcile.Request, 0, len(l.Items))
	for i := range l.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
	}
	return out
}

// notAllowed maps a namespace whose labels changed to its applications that are
// not allowed something.
func (r *Reconciler) notAllowed(ctx context.Context, o client.Object) []reconcile.Request {
	return r.having(ctx, o.GetName(), v1.ReasonNotAllowed)
}

// tokens enqueues the applications that wait for a token when one changed.
func (r *Reconciler) tokens(w *providerconfig.TokenWatch) source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		w.Subscribe(ctx, func(providerconfig.Changed) {
			for _, req := range r.having(ctx, metav1.NamespaceAll, v1.ReasonNoToken, v1.ReasonTokenRejected, v1.ReasonAccessDenied) {
				q.Forget(req)
				q.Add(req)
			}
		})
		return nil
	})
}

// having returns the applications of a namespace that are not ready for one of
// these reasons.
func (r *Reconciler) having(ctx context.Context, namespace string, reasons ...xpv2.ConditionReason) []reconcile.Request {
	l := &v1.AivenApplicationList{}
	if err := r.client.List(ctx, l, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		r.log.Info("Cannot list AivenApplications", "error", err)
		return nil
	}
	var out []reconcile.Request
	for i := range l.Items {
		if slices.Contains(reasons, l.Items[i].GetCondition(xpv2.TypeReady).Reason) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
		}
	}
	return out
}

// readyChanged lets through what matters to an application: that a user becomes
// ready or stops to be, why, that it gets another certificate, and that it goes.
func readyChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e ctrlevent.CreateEvent) bool {
			mg, ok := e.Object.(composed)
			return ok && readyOf(mg).Reason != ""
		},
		UpdateFunc: func(e ctrlevent.UpdateEvent) bool {
			was, ok1 := e.ObjectOld.(composed)
			is, ok2 := e.ObjectNew.(composed)
			if !ok1 || !ok2 {
				return false
			}
			a, b := readyOf(was), readyOf(is)
			return a.Status != b.Status || a.Reason != b.Reason || a.Message != b.Message ||
				a.ObservedGeneration != b.ObservedGeneration || certificateChanged(was, is) ||
				was.GetDeletionTimestamp().IsZero() != is.GetDeletionTimestamp().IsZero()
		},
	}
}

func certificateChanged(was, is composed) bool {
	a, ok1 := was.(*v1alpha1.KafkaServiceUser)
	b, ok2 := is.(*v1alpha1.KafkaServiceUser)
	return ok1 && ok2 && (!a.Status.AtProvider.CertificateNotAfter.Equal(b.Status.AtProvider.CertificateNotAfter) ||
		!a.Status.AtProvider.ExpiringCertificateNotAfter.Equal(b.Status.AtProvider.ExpiringCertificateNotAfter))
}

// connectionSecrets watches the connection Secrets of managed resources: when
// credentials change at Aiven, they change, and nothing else does. Only their
// metadata is watched, and only changes: their creation is followed by the
// managed resource becoming ready.
func (r *Reconciler) connectionSecrets(mgr ctrl.Manager, namespaces []string) (source.Source, error) {
	watched := make(map[string]cache.Config, len(namespaces))
	for _, n := range namespaces {
		watched[n] = cache.Config{}
	}
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		DefaultTransform: cache.TransformStripManagedFields(), DefaultNamespaces: watched,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Field: fields.OneTermEqualSelector("type", string(resource.SecretTypeConnection))},
		},
	})
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a cache of connection Secrets")
	}
	if err := mgr.Add(c); err != nil {
		return nil, errors.Wrap(err, "cannot start the cache of connection Secrets")
	}
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Secret"})
	return source.Kind[client.Object](c, o, handler.EnqueueRequestsFromMapFunc(r.ofConnectionSecret), predicate.Funcs{
		CreateFunc:  func(ctrlevent.CreateEvent) bool { return false },
		DeleteFunc:  func(ctrlevent.DeleteEvent) bool { return false },
		GenericFunc: func(ctrlevent.GenericEvent) bool { return false },
		UpdateFunc: func(e ctrlevent.UpdateEvent) bool {
			return e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion()
		},
	}), nil
}

// ofConnectionSecret maps a connection Secret to the application of the managed
// resource that controls it.
func (r *Reconciler) ofConnectionSecret(ctx context.Context, s client.Object) []reconcile.Request {
	owner := metav1.GetControllerOf(s)
	if owner == nil {
		return nil
	}
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == owner.Kind })
	if i < 0 {
		return nil
	}
	mg := kinds[i].new()
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: s.GetNamespace(), Name: owner.Name}, mg); err != nil {
		return nil
	}
	return toApplication(ctx, mg)
}
