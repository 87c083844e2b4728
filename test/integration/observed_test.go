// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// TestObservedByAnother: a team that has a token of its own for a service, and has
// another team's user seen with it, does not keep that from being deleted.
func TestObservedByAnother(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		with   func(other tenant, u *v1alpha1.KafkaServiceUser)
	}{
		"AuthSecretRef": {
			reason: "A managed resource can bring a token.",
			with: func(_ tenant, u *v1alpha1.KafkaServiceUser) {
				u.Spec.AuthSecretRef = new(localSecretKey("mine", "token"))
			},
		},
		"ProviderConfig": {
			reason: "So can a configuration of the team.",
			with: func(other tenant, u *v1alpha1.KafkaServiceUser) {
				other.own("mine")
				u.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: v1alpha1.ProviderConfigKind, Name: "default"}
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			te, other := newTenant(t, "observed"), newTenant(t, "observer")
			te.create(te.app("orders", onlyKafka, shortOverlap))
			username := te.ready("orders").Status.Credentials.Users[0].Username

			other.secretWith("mine", te.token)
			u := other.kafkaUser("observer", func(u *v1alpha1.KafkaServiceUser) {
				u.Spec.ForProvider.Project = te.project
				u.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve}
				meta.SetExternalName(u, username)
				tc.with(other, u)
			})
			other.create(u)
			other.isReady(u)
			if got := u.GetServiceUserObservation().Username; got != username {
				t.Fatalf("%s: %q was seen, want %s", tc.reason, got, username)
			}

			te.change("orders", rotateNow)
			now := te.revision("orders", 2, true).Status.Credentials.Users[0].Username
			harness.Eventually(t, "the user before is gone", func(context.Context) error {
				if diff := cmp.Diff([]string{now}, te.users("kafka")); diff != "" {
					return errors.Errorf("%s: users: -want, +got:\n%s", tc.reason, diff)
				}
				return nil
			})
			te.delete(te.app("orders"))
			te.nobodyLeft()
		})
	}
}
