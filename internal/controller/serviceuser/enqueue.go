// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// Cache indexes of managed resources, beside those of providerconfig and namesakes.
const (
	indexUser    = "user"
	indexService = "service"
)

func index[T ServiceUser](ctx context.Context, mgr ctrl.Manager, k Kind[T]) error {
	fields := map[string]client.IndexerFunc{
		providerconfig.IndexField: providerconfig.Index,
		namesakes.IndexField:      namesakes.Index,
		indexUser:                 func(o client.Object) []string { return []string{userKey(providerconfig.UserOf(o.(T)))} },               //nolint:forcetypeassert // The kind's own.
		indexService:              func(o client.Object) []string { return []string{serviceKey(providerconfig.UserOf(o.(T)).ServiceRef)} }, //nolint:forcetypeassert // The kind's own.
	}
	for name, fn := range fields {
		if err := mgr.GetFieldIndexer().IndexField(ctx, k.New(), name, fn); err != nil {
			return errors.Wrapf(err, "cannot index %s by %s", k.GVK.Kind, name)
		}
	}
	return nil
}

func serviceKey(r aiven.ServiceRef) string { return r.Project + "/" + r.Service }
func userKey(r aiven.UserRef) string       { return serviceKey(r.ServiceRef) + "/" + r.Username }

// An enqueuer finds the managed resources that a change elsewhere is about.
type enqueuer[T ServiceUser] struct {
	kind   Kind[T]
	reader client.Reader
	log    logging.Logger
}

// fromAiven reconciles the managed resources of users that changed at Aiven.
func (e *enqueuer[T]) fromAiven(clients *providerconfig.Clients) source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		context.AfterFunc(ctx, clients.Subscribe(func(u aiven.UserRef) {
			sel := client.MatchingFields{indexUser: userKey(u)}
			if u.Username == "" {
				sel = client.MatchingFields{indexService: serviceKey(u.ServiceRef)}
			}
			e.enqueue(ctx, q, sel)
		}))
		return nil
	})
}

// fromTokens reconciles the managed resources whose token changed.
func (e *enqueuer[T]) fromTokens(tokens *providerconfig.TokenWatch) source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		tokens.Subscribe(ctx, func(c providerconfig.Changed) {
			for _, v := range c.IndexValues() {
				e.enqueue(ctx, q, client.MatchingFields{providerconfig.IndexField: v})
			}
		})
		return nil
	})
}

// forConfig reconciles the managed resources whose configuration changed.
func (e *enqueuer[T]) forConfig() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		r := providerconfig.Ref{Kind: v1alpha1.ClusterProviderConfigKind, Name: o.GetName()}
		if o.GetNamespace() != "" {
			r = providerconfig.Ref{Kind: v1alpha1.ProviderConfigKind, Namespace: o.GetNamespace(), Name: o.GetName()}
		}
		return e.requests(ctx, client.MatchingFields{providerconfig.IndexField: providerconfig.IndexValue(r)})
	})
}

func (e *enqueuer[T]) enqueue(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request], sel client.MatchingFields) {
	for _, r := range e.requests(ctx, sel) {
		// What waits out a back-off has a reason to try at once.
		q.Forget(r)
		q.Add(r)
	}
}

func (e *enqueuer[T]) requests(ctx context.Context, sel client.MatchingFields) []reconcile.Request {
	l := e.kind.NewList()
	if err := e.reader.List(ctx, l, sel); err != nil {
		e.log.Info("Cannot list managed resources", "error", err, "kind", e.kind.GVK.Kind)
		return nil
	}
	items := l.GetItems()
	out := make([]reconcile.Request, 0, len(items))
	for _, mg := range items {
		out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: mg.GetNamespace(), Name: mg.GetName()}})
	}
	return out
}

// onSpec lets through changes of a configuration, not of its count of users.
func onSpec() builder.WatchesOption {
	return builder.WithPredicates(predicate.GenerationChangedPredicate{})
}
