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

// Valkey users carry their access control themselves.
func Valkey() Kind[*v1alpha1.ValkeyServiceUser] {
	return Kind[*v1alpha1.ValkeyServiceUser]{
		GVK:         v1alpha1.ValkeyServiceUserGroupVersionKind,
		New:         func() *v1alpha1.ValkeyServiceUser { return &v1alpha1.ValkeyServiceUser{} },
		NewList:     func() resource.ManagedList { return &v1alpha1.ValkeyServiceUserList{} },
		ServiceType: grants.Valkey,
		Service:     connection.Valkey,
		NewAccess: func(client.Client) Access[*v1alpha1.ValkeyServiceUser] {
			return userAccess[*v1alpha1.ValkeyServiceUser]{control: valkeyAccess}
		},
		Details: valkeyDetails,
	}
}

func valkeyAccess(mg *v1alpha1.ValkeyServiceUser) aiven.AccessControl {
	p := mg.Spec.ForProvider
	return aiven.AccessControl{Categories: p.Categories, Commands: p.Commands, Keys: p.Keys, Channels: p.Channels}
}

func valkeyDetails(s *aiven.Service, _ aiven.User) connection.Details {
	d := connection.Details{}
	address(d, s, componentQuery{name: "valkey", usage: aiven.UsagePrimary, scheme: "valkeys://"}, primary)
	address(d, s, componentQuery{name: "valkey", usage: aiven.UsageReplica, scheme: "valkeys://"},
		addressKeys{uri: connection.KeyReplicaURI, host: connection.KeyReplicaHost, port: connection.KeyReplicaPort})
	return d
}
