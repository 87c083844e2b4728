// SPDX-License-Identifier: Apache-2.0

// Package controller lists the controllers of the provider.
package controller

import (
	"context"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/pkg/errors"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/internal/controller/application"
	"github.com/provider-aiven/provider-aiven/internal/controller/config"
	"github.com/provider-aiven/provider-aiven/internal/controller/serviceuser"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// Dependencies of the controllers.
type Dependencies struct {
	// NewClient makes an Aiven client.
	NewClient providerconfig.ClientFn
	// AllowedBaseURLs are those that a ProviderConfig may use, beside Aiven's.
	AllowedBaseURLs []string
	// Metrics count what happens to applications.
	Metrics application.Metrics
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
	lists := make([]client.ObjectList, 0, len(kinds))
	for _, k := range kinds {
		if err := k.Setup(ctx, mgr, o, users); err != nil {
			return err //nolint:wrapcheck // It says what cannot be set up.
		}
		lists = append(lists, k.List())
	}
	if err := config.Setup(mgr, o, resolver.Forget, lists...); err != nil {
		return err //nolint:wrapcheck // It says what cannot be set up.
	}
	return application.Setup(ctx, mgr, o, application.Dependencies{Configs: resolver, Metrics: d.Metrics}) //nolint:wrapcheck // It says what cannot be set up.
}

// A kind of service user.
type kind interface {
	Setup(ctx context.Context, mgr ctrl.Manager, o controller.Options, d serviceuser.Dependencies) error
	List() client.ObjectList
}
