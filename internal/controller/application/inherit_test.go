// SPDX-License-Identifier: Apache-2.0

package application

import (
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

func TestProve(t *testing.T) {
	const name = "kafka-1"
	own := func(mg composed) { mg.SetAuthSecretRef(&xpv2.LocalSecretKeySelector{Key: "token"}) }
	other := func(mg composed) {
		mg.SetProviderConfigReference(&xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigKind, Name: "other"})
	}
	seen := func(mg composed) {
		if k, ok := mg.(*v1alpha1.KafkaServiceUser); ok {
			k.Status.AtProvider.Username = meta.GetExternalName(mg)
		}
	}
	cases := map[string]struct {
		reason string
		have   []func(mg composed)
		want   []func(mg composed)
		lost   bool
		proven bool
	}{
		"ToCentral":  {reason: "What was seen with a tenant's token is no proof for the platform team's; the password is.", have: []func(composed){own, seen}, proven: true},
		"ToOwn":      {reason: "A tenant needs none for his own.", have: []func(composed){seen}, want: []func(composed){own}},
		"Other":      {reason: "Nor is what was seen with that of another configuration.", have: []func(composed){other, seen}, proven: true},
		"Central":    {reason: "Nor does who stays.", have: []func(composed){seen}},
		"NeverSeen":  {reason: "Who has no user has nothing to prove.", have: []func(composed){own}},
		"SecretLost": {reason: "Who lost the password cannot.", have: []func(composed){own, seen}, lost: true},
	}
	for n, tc := range cases {
		t.Run(n, func(t *testing.T) {
			r := newRig(t, application(services()))
			have, want := made(name, tc.have...), made(name, tc.want...)
			r.store(have)
			if tc.lost {
				r.force(r.connection(name))
			}
			if err := r.prove(t.Context(), have, desiredUser{object: want}); err != nil {
				t.Fatalf("%s: prove(...): %v", tc.reason, err)
			}
			proof := have.GetAnnotations()[v1.AnnotationInherited]
			if got := username.Proves(proof, have.GetNamespace(), have.GetName(), name, string(detailsOf(name)[connection.KeyPassword])); got != tc.proven {
				t.Errorf("%s: proven is %t: %q", tc.reason, got, proof)
			}
		})
	}
}
