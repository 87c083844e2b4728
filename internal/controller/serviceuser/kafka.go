// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/grants"
)

// Kafka users log in with a certificate, and to the schema registry with a
// password. The ACLs of the service match their names; whoever has nothing else
// that writes these can have entries written with the user.
func Kafka() Kind[*v1alpha1.KafkaServiceUser] {
	return Kind[*v1alpha1.KafkaServiceUser]{
		GVK:         v1alpha1.KafkaServiceUserGroupVersionKind,
		New:         func() *v1alpha1.KafkaServiceUser { return &v1alpha1.KafkaServiceUser{} },
		NewList:     func() resource.ManagedList { return &v1alpha1.KafkaServiceUserList{} },
		ServiceType: grants.Kafka,
		Service:     connection.Kafka,
		Resources:   kafkaResources,
		NewAccess: func(kube client.Client) Access[*v1alpha1.KafkaServiceUser] {
			return kafkaAccess{kube: kube}
		},
		Details: kafkaDetails,
	}
}

func kafkaResources(mg *v1alpha1.KafkaServiceUser) (topics, subjects []string) {
	for _, a := range mg.Spec.ForProvider.ACL {
		topics = append(topics, a.Topic)
	}
	for _, a := range mg.Spec.ForProvider.SchemaRegistry {
		subjects = append(subjects, a.Subject)
	}
	return topics, subjects
}

func kafkaDetails(s *aiven.Service, u aiven.User) connection.Details {
	d := connection.Details{
		connection.KeyClientCert: []byte(u.AccessCert),
		connection.KeyClientKey:  []byte(u.AccessKey),
	}
	address(d, s, componentQuery{name: "kafka", usage: aiven.UsagePrimary, auth: "certificate"}, primary)
	address(d, s, componentQuery{name: "schema_registry", usage: aiven.UsagePrimary, scheme: "https://"}, addressKeys{uri: connection.KeySchemaRegistryURI})
	return d
}
