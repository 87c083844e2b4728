// SPDX-License-Identifier: Apache-2.0

// Package controller lists the controllers of the provider.
package controller

import (
	"context"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/controller/application"
	"github.com/provider-aiven/provider-aiven/internal/controller/config"
	"github.com/provider-aiven/provider-aiven/internal/controller/orphans"
	"github.com/provider-aiven/provider-aiven/internal/controller/secret"
	"github.com/provider-aiven/provider-aiven/internal/controller/serviceuser"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
	"github.com/provider-aiven/provider-aiven/internal/metrics"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// Dependencies of the controllers.
type Dependencies struct {
	// NewClient makes an Aiven client.
	NewClient providerconfig.ClientFn
	// BaseURLs are those of the Aiven API that configurations may use.
	BaseURLs providerconfig.BaseURLs
	// ChosenNamespaces are those that the provider is to work in, and
	// WatchNamespaces those of them that the manager's cache is of. Empty: all.
	ChosenNamespaces, WatchNamespaces []string
	// Absent are kinds that are not in the manager's cache, which shows none of them:
	// those of our own that the API server does not serve, and those of others that
	// the provider may not see.
	Absent map[schema.GroupKind]bool
	// NamespacesUnknown: it may not see which namespaces there are.
	NamespacesUnknown bool
	// Metrics count what happens to applications and their Secrets.
	Metrics Metrics
	// ServiceUsers reports how many users services have. Optional.
	ServiceUsers *metrics.ServiceUsers
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
	// KeyStorePassword protects the key stores of Kafka users. Default:
	// connection.DefaultKeyStorePassword.
	KeyStorePassword string
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
	config.Metrics
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
	files := providerconfig.NewFiles(ctx)
	resolver := providerconfig.NewResolver(mgr.GetClient(), providerconfig.Sources{Secrets: secrets, Files: files}, clients, d.BaseURLs)
	if d.ServiceUsers != nil {
		d.ServiceUsers.From(resolver.ServiceUsers)
	}
	tokens := &providerconfig.TokenWatch{Kube: mgr.GetClient(), Secrets: secrets, Files: files, Failed: func(err error) {
		o.Logger.Info("Cannot find out whose token changed", "error", err)
	}}

	// One line for each service.
	kinds := slices.DeleteFunc([]kind{
		serviceuser.Kafka(),
		serviceuser.OpenSearch(),
		serviceuser.Valkey(),
	}, func(k kind) bool { return d.lacks(mgr.GetScheme(), k.Object()) })
	lists, objects := make([]client.ObjectList, 0, len(kinds)), make([]client.Object, 0, len(kinds))
	for _, k := range kinds {
		lists, objects = append(lists, k.List()), append(objects, k.Object())
	}
	granted := &providerconfig.Grants{
		Resolver: resolver, Instances: &providerconfig.Instances{Live: mgr.GetAPIReader()}, Holder: holder(mgr.GetClient(), kinds),
		Namespaces: namespaces(mgr, d),
	}
	names := &namesakes.Finder{Reader: mgr.GetClient(), Lists: lists}
	users := serviceuser.Dependencies{Resolver: resolver, Grants: granted, Names: names, Clients: clients, Tokens: tokens}
	for _, k := range kinds {
		if err := k.Setup(ctx, mgr, o, users); err != nil {
			return err //nolint:wrapcheck // It says what cannot be set up.
		}
	}
	if err := config.Setup(mgr, o, config.Dependencies{
		Configs: resolver, Clients: clients, Tokens: tokens, Lists: lists, Kinds: objects, WatchNamespaces: d.WatchNamespaces, Metrics: d.Metrics, Now: d.Now,
	}); err != nil {
		return err //nolint:wrapcheck // It says what cannot be set up.
	}
	now := d.Now
	if now == nil {
		now = time.Now
	}
	if err := orphans.Setup(mgr, o, orphans.Dependencies{
		Configs: resolver, Lists: lists, Kinds: objects, Metrics: d.Orphans, Namespace: d.Namespace, WatchNamespaces: d.WatchNamespaces,
		Interval: d.OrphanInterval, Now: now,
	}); err != nil {
		return err //nolint:wrapcheck // It says what cannot be set up.
	}
	if d.Absent[v1.AivenApplicationGroupKind] {
		// What applications left waits for them: that none are shown does not mean
		// that there are none.
		return nil
	}
	if err := janitor.Index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err //nolint:wrapcheck // It says what cannot be indexed.
	}
	workloads := janitor.NewWorkloads(mgr.GetClient())
	if err := secret.Setup(ctx, mgr, o, secret.Dependencies{
		Workloads: workloads, Policy: d.Janitor, Metrics: d.Metrics, Now: now, Lists: lists, Kinds: objects, NewQueue: d.NewQueue,
	}); err != nil {
		return err //nolint:wrapcheck // It says what cannot be set up.
	}
	return application.Setup(ctx, mgr, o, application.Dependencies{ //nolint:wrapcheck // It says what cannot be set up.
		Configs: resolver, Grants: granted, Names: names, Tokens: tokens, Workloads: workloads, Metrics: d.Metrics, Now: now, NewQueue: d.NewQueue, WatchNamespaces: d.WatchNamespaces, KeyStorePassword: d.KeyStorePassword,
	})
}

// lacks tells whether objects of a kind are absent.
func (d Dependencies) lacks(s *runtime.Scheme, o client.Object) bool {
	gvk, err := apiutil.GVKForObject(o, s)
	return err == nil && d.Absent[gvk.GroupKind()]
}

// namespaces returns what knows the namespaces, as far as the provider may see them.
func namespaces(mgr ctrl.Manager, d Dependencies) *providerconfig.Namespaces {
	switch {
	case len(d.ChosenNamespaces) > 0:
		return providerconfig.ChosenNamespaces(mgr.GetAPIReader(), d.ChosenNamespaces)
	case d.NamespacesUnknown:
		return providerconfig.UnknownNamespaces(mgr.GetAPIReader())
	default:
		return providerconfig.AllNamespaces(mgr.GetClient())
	}
}

// A kind of service user.
type kind interface {
	Setup(ctx context.Context, mgr ctrl.Manager, o controller.Options, d serviceuser.Dependencies) error
	List() client.ObjectList
	Object() client.Object
	Type() string
	Holder(ctx context.Context, r client.Reader, s aiven.ServiceRef) (string, error)
}

// holder finds the namespace that has users on a service.
func holder(r client.Reader, kinds []kind) func(ctx context.Context, u providerconfig.Use) (string, error) {
	return func(ctx context.Context, u providerconfig.Use) (string, error) {
		i := slices.IndexFunc(kinds, func(k kind) bool { return k.Type() == u.Type })
		if i < 0 {
			return "", nil
		}
		return kinds[i].Holder(ctx, r, aiven.ServiceRef{Project: u.Project, Service: u.Service}) //nolint:wrapcheck // It says what cannot be listed.
	}
}
