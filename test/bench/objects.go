// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

const (
	token         = "bench-token"
	kafkaProject  = "bench-kafka"
	kafkaService  = "kafka"
	project       = "bench"
	pool          = "main"
	openSearch    = "logs"
	valkey        = "cache"
	configuration = "default"
	tokenSecret   = "aiven-token"
	unlimited     = -1
	// usersEach is how many service users an application has.
	usersEach = 3
)

// seed has one Kafka, and an OpenSearch and a Valkey for each team.
func seed(c Config) aivensim.Seed {
	teams := aivensim.Project{Name: project}
	for i := range c.Teams {
		teams.Services = append(teams.Services, services(team(i))...)
	}
	return aivensim.Seed{
		Tokens: []aivensim.Token{{Token: token}},
		Projects: []aivensim.Project{
			{Name: kafkaProject, Services: []aivensim.Service{{Name: kafkaService, Type: "kafka", UserLimit: unlimited}}},
			teams,
		},
	}
}

// services of a namespace. The Valkey has a replica and the OpenSearch has
// dashboards, so that all keys are in the Secrets.
func services(namespace string) []aivensim.Service {
	return []aivensim.Service{
		{Name: openSearchOf(namespace), Type: "opensearch", UserLimit: unlimited, ACLEnabled: true},
		{Name: valkeyOf(namespace), Type: "valkey", UserLimit: unlimited, Replica: true},
	}
}

func openSearchOf(namespace string) string { return "opensearch-" + namespace + "-" + openSearch }
func valkeyOf(namespace string) string     { return "valkey-" + namespace + "-" + valkey }
func team(i int) string                    { return fmt.Sprintf("team-%02d", i) }
func secretOf(application string) string   { return application + "-aiven" }

// application uses all three services.
func application(namespace, name string) *v1.AivenApplication {
	return &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1.AivenApplicationSpec{
			Kafka:      &v1.KafkaSpec{Pool: pool},
			OpenSearch: &v1.OpenSearchSpec{Instance: openSearch, Access: v1.AccessReadWrite},
			Valkey:     []v1.ValkeySpec{{Instance: valkey, Access: v1.AccessReadWrite}},
		},
	}
}

// burst returns n applications, spread over the teams.
func burst(n, teams int) []*v1.AivenApplication {
	out := make([]*v1.AivenApplication, 0, n)
	for i := range n {
		out = append(out, application(team(i%teams), fmt.Sprintf("app-%04d", i)))
	}
	return out
}

// prepare makes the namespaces.
func prepare(ctx context.Context, e *Environment, c Config) error {
	for i := range c.Teams {
		if err := makeNamespace(ctx, e, team(i)); err != nil {
			return err
		}
	}
	return nil
}

func makeNamespace(ctx context.Context, e *Environment, name string) error {
	err := e.Kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	return errors.Wrap(err, "cannot create a namespace")
}

// prepareConfiguration makes the configuration that every application uses.
func prepareConfiguration(ctx context.Context, e *Environment) error {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: tokenSecret},
		Data:       map[string][]byte{"token": []byte(token)},
	}
	if err := e.Kube.Create(ctx, s); err != nil {
		return errors.Wrap(err, "cannot create the token's Secret")
	}
	c := &v1alpha1.ClusterProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: configuration},
		Spec: v1alpha1.ClusterProviderConfigSpec{
			Credentials: v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
				SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: s.GetNamespace(), Name: s.GetName()}, Key: "token"},
			}},
			ServiceSettings: v1alpha1.ServiceSettings{
				BaseURL: e.Simulator.URL, Project: project,
				KafkaPools: []v1alpha1.KafkaPool{{Name: pool, Project: kafkaProject, ServiceName: kafkaService}},
				// What is replaced goes as soon as it may, and is measured.
				Rotation: &v1alpha1.RotationDefaults{Overlap: &metav1.Duration{}},
			},
		},
	}
	return errors.Wrap(e.Kube.Create(ctx, c), "cannot create the configuration")
}
