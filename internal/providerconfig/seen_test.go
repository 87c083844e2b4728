// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// TestHasUser has what is stored in the status as literals: it is read by later versions.
func TestHasUser(t *testing.T) {
	t.Parallel()
	const (
		name       = "a_user"
		viaCentral = "ClusterProviderConfig default"
		viaLocal   = "ProviderConfig team-a/default"
		viaOwn     = "Secret team-a/own"
	)
	central, tenants := clusterRef(DefaultName), localRef("team-a", DefaultName)
	own := localKey("own", "token")
	seen := func(via string) v1alpha1.ServiceUserObservation {
		return v1alpha1.ServiceUserObservation{Username: name, Via: via}
	}
	cases := map[string]struct {
		reason   string
		config   Ref
		own      *xpv2.LocalSecretKeySelector
		external string
		observed v1alpha1.ServiceUserObservation
		want     bool
	}{
		"Central":         {reason: "What was seen with the token of the configuration counts for it.", config: central, external: name, observed: seen(viaCentral), want: true},
		"Local":           {reason: "So does what was seen with that of a tenant's configuration, for that.", config: tenants, external: name, observed: seen(viaLocal), want: true},
		"Own":             {reason: "So does what was seen with a token of one's own, for that token.", config: central, own: own, external: name, observed: seen(viaOwn), want: true},
		"OwnThenCentral":  {reason: "With a token of one's own anybody's user can be seen: no proof for the central one.", config: central, external: name, observed: seen(viaOwn)},
		"CentralThenOwn":  {reason: "Who brings a token may do with the user what he likes.", config: central, own: own, external: name, observed: seen(viaCentral), want: true},
		"LocalThenOwn":    {reason: "However it was seen.", config: tenants, own: own, external: name, observed: seen(viaLocal), want: true},
		"LocalThenOther":  {reason: "The token of a tenant's configuration is the tenant's too.", config: central, external: name, observed: seen(viaLocal)},
		"OtherThenLocal":  {reason: "So may who has a configuration of his own.", config: tenants, external: name, observed: seen(viaCentral), want: true},
		"OtherConfig":     {reason: "Another configuration may grant other names, and have another token.", config: clusterRef("other"), external: name, observed: seen(viaCentral)},
		"OtherNamespaces": {reason: "However, and with whosever, it was seen.", config: tenants, external: name, observed: seen("ProviderConfig team-b/default"), want: true},
		"OtherSecret":     {reason: "Another token of one's own is one's own.", config: central, own: localKey("other", "token"), external: name, observed: seen(viaOwn), want: true},
		"NoVia":           {reason: "What was seen before it was recorded with what counts.", config: central, external: name, observed: seen(""), want: true},
		"NoViaOwn":        {reason: "Whoever's token is used now.", config: central, own: own, external: name, observed: seen(""), want: true},
		"OtherName":       {reason: "Another user was seen than the one that is named now.", config: central, external: "another", observed: seen(viaCentral)},
		"OtherNameNoVia":  {reason: "That holds whatever it was seen with.", config: central, external: "another", observed: seen("")},
		"NameRemoved":     {reason: "Who names no user has none.", config: central, observed: seen(viaCentral)},
		"NotSeen":         {reason: "To name a user is not to have it.", config: central, external: name, observed: v1alpha1.ServiceUserObservation{Via: viaCentral}},
		"Nothing":         {reason: "No name is not the name of a user that was not seen.", config: central},
	}
	for n, tc := range cases {
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			mg := &v1alpha1.ValkeyServiceUser{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a"}}
			mg.SetProviderConfigReference(tc.config.Reference())
			mg.SetAuthSecretRef(tc.own)
			mg.SetServiceUserObservation(tc.observed)
			if tc.external != "" {
				meta.SetExternalName(mg, tc.external)
			}
			if got := HasUser(mg); got != tc.want {
				t.Errorf("%s: HasUser(...): got %t, want %t", tc.reason, got, tc.want)
			}
		})
	}
}
