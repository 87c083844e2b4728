// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/connection"
)

// Kafka users log in with a certificate, and to the schema registry with a
// password. The ACLs of the service match their names.
func Kafka() Kind[*v1alpha1.KafkaServiceUser] {
	return Kind[*v1alpha1.KafkaServiceUser]{
		GVK:         v1alpha1.KafkaServiceUserGroupVersionKind,
		New:         func() *v1alpha1.KafkaServiceUser { return &v1alpha1.KafkaServiceUser{} },
		NewList:     func() resource.ManagedList { return &v1alpha1.KafkaServiceUserList{} },
		ServiceType: "kafka",
		Service:     connection.Kafka,
		Access:      noAccess[*v1alpha1.KafkaServiceUser]{},
		Details:     kafkaDetails,
	}
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
