// SPDX-License-Identifier: Apache-2.0

// Package controller lists the controllers of the provider.
package controller

import (
	"context"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/pkg/errors"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
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

	for _, setup := range []func() error{
		func() error {
			return config.Setup(mgr, o, &v1alpha1.KafkaServiceUserList{}, &v1alpha1.OpenSearchServiceUserList{}, &v1alpha1.ValkeyServiceUserList{})
		},
		func() error { return serviceuser.Setup(ctx, mgr, o, users, serviceuser.Kafka()) },
		func() error { return serviceuser.Setup(ctx, mgr, o, users, serviceuser.OpenSearch()) },
		func() error { return serviceuser.Setup(ctx, mgr, o, users, serviceuser.Valkey()) },
		func() error {
			return application.Setup(ctx, mgr, o, application.Dependencies{Configs: resolver, Metrics: d.Metrics})
		},
	} {
		if err := setup(); err != nil {
			return err
		}
	}
	return nil
}
