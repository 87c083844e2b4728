// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

// A Naming is a managed resource of a service user, as far as it says which user.
type Naming interface {
	metav1.Object

	GetServiceUserParameters() v1alpha1.ServiceUserParameters
}

// UserOf returns the user that a managed resource names, whoever has it.
func UserOf(mg Naming) aiven.UserRef {
	p := mg.GetServiceUserParameters()
	return aiven.UserRef{ServiceRef: aiven.ServiceRef{Project: p.Project, Service: p.ServiceName}, Username: meta.GetExternalName(mg)}
}

// An Observed is a managed resource of a service user.
type Observed interface {
	client.Object
	User

	GetServiceUserObservation() v1alpha1.ServiceUserObservation
}

// HasUser tells whether a managed resource was seen to have the user that it names,
// by a token that proves it for the one that it would use now. Tenants do not write
// statuses; but with a token of their own they can have anybody's user seen, and one
// ClusterProviderConfig may grant names that another does not: what was seen with another token
// proves nothing for that of a ClusterProviderConfig. With a token of their own they can do with the
// user what they like, however it was seen.
func HasUser(mg Observed) bool {
	o := mg.GetServiceUserObservation()
	return o.Username != "" && o.Username == meta.GetExternalName(mg) &&
		(o.Via == "" || o.Via == AccessOf(mg).String() || !AccessOf(mg).IsCentral())
}

// SeenCentrally tells whether a managed resource was seen to have the user that it
// names by the token of a ClusterProviderConfig, whichever it would use now.
func SeenCentrally(mg Observed) bool {
	o := mg.GetServiceUserObservation()
	return o.Username != "" && o.Username == meta.GetExternalName(mg) && strings.HasPrefix(o.Via, v1alpha1.ClusterProviderConfigKind+" ")
}
