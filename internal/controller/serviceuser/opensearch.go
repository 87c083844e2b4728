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

// OpenSearch users have rows in the access control list of their service.
func OpenSearch() Kind[*v1alpha1.OpenSearchServiceUser] {
	return Kind[*v1alpha1.OpenSearchServiceUser]{
		GVK:         v1alpha1.OpenSearchServiceUserGroupVersionKind,
		New:         func() *v1alpha1.OpenSearchServiceUser { return &v1alpha1.OpenSearchServiceUser{} },
		NewList:     func() resource.ManagedList { return &v1alpha1.OpenSearchServiceUserList{} },
		ServiceType: grants.OpenSearch,
		Service:     connection.OpenSearch,
		NewAccess: func(client.Client) Access[*v1alpha1.OpenSearchServiceUser] {
			return ruleAccess[*v1alpha1.OpenSearchServiceUser]{rules: openSearchRules}
		},
		Details: openSearchDetails,
	}
}

func openSearchRules(mg *v1alpha1.OpenSearchServiceUser) []aiven.Rule {
	rules := make([]aiven.Rule, 0, len(mg.Spec.ForProvider.Rules))
	for _, r := range mg.Spec.ForProvider.Rules {
		rules = append(rules, aiven.Rule{Index: r.Index, Permission: r.Permission})
	}
	return rules
}

func openSearchDetails(s *aiven.Service, _ aiven.User) connection.Details {
	d := connection.Details{}
	address(d, s, componentQuery{name: "opensearch", usage: aiven.UsagePrimary, scheme: "https://"}, primary)
	address(d, s, componentQuery{name: "opensearch_dashboards", usage: aiven.UsagePrimary, scheme: "https://"},
		addressKeys{uri: connection.KeyDashboardURI, host: connection.KeyDashboardHost, port: connection.KeyDashboardPort})
	return d
}
