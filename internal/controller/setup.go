// SPDX-License-Identifier: Apache-2.0

// Package controller lists the controllers of the provider.
package controller

import (
	"context"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/pkg/errors"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/provider-aiven/provider-aiven/internal/controller/application"
	"github.com/provider-aiven/provider-aiven/internal/controller/config"
	"github.com/provider-aiven/provider-aiven/internal/controller/orphans"
	"github.com/provider-aiven/provider-aiven/internal/controller/secret"
	"github.com/provider-aiven/provider-aiven/internal/controller/serviceuser"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// Dependencies of the controllers.
type Dependencies struct {
	// NewClient makes an Aiven client.
	NewClient providerconfig.ClientFn
	// AllowedBaseURLs are those that a ProviderConfig may use, beside Aiven's.
	AllowedBaseURLs []string
	// Metrics count what happens to applications and their Secrets.
	Metrics Metrics
	// Orphans counts users at Aiven that nothing claims.
	Orphans orphans.Metrics
	// Namespace holds the records of the users that this cluster made. Empty: none
	// are kept.
	Namespace string
	// OrphanInterval is how often users are looked for that nothing claims.
	// Default: orphans.DefaultInterval.
	OrphanInterval time.Duration
	// Janitor's policy.
	Janitor janitor.Policy
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// NewQueue makes the work queues of the controllers that act when time comes.
	// Default: those of controller-runtime.
	NewQueue func(name string, l workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// Metrics count what happens to applications and their Secrets.
type Metrics interface {
	application.Metrics
	secret.Metrics
}

// Setup adds all controllers. Their watches end with the supplied context.
func Setup(ctx context.Context, mgr ctrl.Manager, o controller.Options, d Dependencies) error {
	core, err := corev1client.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return errors.Wrap(err, "cannot make a client for Secrets")
	}
	secrets := providerconfig.NewSecrets(ctx, core)
	clients := providerconfig.NewClients(d.NewClient)
	context.AfterFunc(ctx, clients.Close)
	resolver := providerconfig.NewResolver(mgr.GetClient(), secrets, clients, d.AllowedBaseURLs)
	users := serviceuser.Dependencies{Resolver: resolver, Clients: clients, Secrets: secrets}

	// One line for each service.
	kinds := []kind{
		serviceuser.Kafka(),
		serviceuser.OpenSearch(),
		serviceuser.Valkey(),
	}
	lists, objects := make([]client.ObjectList, 0, len(kinds)), make([]client.Object, 0, len(kinds))
	for _, k := range kinds {
		if err := k.Setup(ctx, mgr, o, users); err != nil {
			return err //nolint:wrapcheck // It says what cannot be set up.
		}
		lists, objects = append(lists, k.List()), append(objects, k.Object())
	}
	if err := config.Setup(mgr, o, resolver.Forget, lists...); err != nil {
		return err //nolint:wrapcheck // It says what cannot be set up.
	}
	if err := janitor.Index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err //nolint:wrapcheck // It says what cannot be indexed.
	}
	workloads := janitor.NewWorkloads(mgr.GetClient())
	now := d.Now
	if now == nil {
		now = time.Now
	}
	if err := secret.Setup(ctx, mgr, o, secret.Dependencies{
		Workloads: workloads, Policy: d.Janitor, Metrics: d.Metrics, Now: now, Lists: lists, Kinds: objects, NewQueue: d.NewQueue,
	}); err != nil {
		return err //nolint:wrapcheck // It says what cannot be set up.
	}
	if err := orphans.Setup(mgr, o, orphans.Dependencies{
		Configs: resolver, Lists: lists, Kinds: objects, Metrics: d.Orphans, Namespace: d.Namespace, Interval: d.OrphanInterval, Now: now,
	}); err != nil {
		return err //nolint:wrapcheck // It says what cannot be set up.
	}
	return application.Setup(ctx, mgr, o, application.Dependencies{ //nolint:wrapcheck // It says what cannot be set up.
		Configs: resolver, Workloads: workloads, Metrics: d.Metrics, Now: now, NewQueue: d.NewQueue,
	})
}

// A kind of service user.
type kind interface {
	Setup(ctx context.Context, mgr ctrl.Manager, o controller.Options, d serviceuser.Dependencies) error
	List() client.ObjectList
	Object() client.Object
}
