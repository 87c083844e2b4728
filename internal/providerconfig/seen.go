// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

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
