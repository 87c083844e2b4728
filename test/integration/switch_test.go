// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// seenBy waits until all managed resources of the tenant were seen with a token, and
// are ready.
func (te tenant) seenBy(via string) {
	te.t.Helper()
	harness.Eventually(te.t, "users are seen by "+via, func(ctx context.Context) error {
		for _, o := range te.managed(ctx) {
			mg, ok := o.(interface {
				GetServiceUserObservation() v1alpha1.ServiceUserObservation
			})
			if !ok {
				return errors.Errorf("%T has no observation", o)
			}
			if got := mg.GetServiceUserObservation(); got.Via != via || got.Username == "" {
				return errors.Errorf("%s was seen by %q: %s", o.GetName(), got.Via, got.Username)
			}
		}
		return nil
	})
}

// TestAnotherToken: an application that gets another token keeps its users, whosever
// the token was before and is then. Nothing is rotated, left behind or deleted.
func TestAnotherToken(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "switch")
	te.issued("mine")
	te.issued("other")
	mine := func(a *v1.AivenApplication) { a.Spec.AuthSecretRef = new(localSecretKey("mine", "token")) }
	te.create(te.app("orders", shortOverlap, mine))
	te.ready("orders")
	before, users := te.secret("orders-aiven").Data, te.all()
	central, own := "ClusterProviderConfig "+te.config, "Secret "+te.namespace+"/mine"
	te.seenBy(own)

	for _, step := range []struct {
		name, via string
		change    func(a *v1.AivenApplication)
	}{
		{"Central", central, func(a *v1.AivenApplication) { a.Spec.AuthSecretRef = nil }},
		{"Own", own, mine},
		{"OtherOwn", "Secret " + te.namespace + "/other", func(a *v1.AivenApplication) { a.Spec.AuthSecretRef = new(localSecretKey("other", "token")) }},
		{"CentralAgain", central, func(a *v1.AivenApplication) { a.Spec.AuthSecretRef = nil }},
	} {
		te.change("orders", step.change)
		te.seenBy(step.via)
		a := te.ready("orders")
		if a.Status.Credentials.Revision != 1 || a.Status.Credentials.Previous != nil || a.Status.Credentials.Next != nil {
			t.Errorf("%s: credentials are %+v", step.name, a.Status.Credentials)
		}
		if diff := cmp.Diff(before, te.secret("orders-aiven").Data); diff != "" {
			t.Errorf("%s changed the Secret: -want, +got:\n%s", step.name, diff)
		}
		if diff := cmp.Diff(users, te.all()); diff != "" {
			t.Errorf("%s: users at Aiven: -want, +got:\n%s", step.name, diff)
		}
	}
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.Rotation.RequestedAt = new(metav1.Now()) })
	te.revision("orders", 2, true)
	te.delete(te.app("orders"))
	te.nobodyLeft()
}
