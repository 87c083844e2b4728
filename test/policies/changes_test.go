// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"testing"

	"github.com/pkg/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

const finalizer = "example.org/keep"

// A change to an object that a configuration allowed once and no longer does.
type change struct {
	reason string
	merge  string
	status bool
	want   string
}

// Objects that are refused now were allowed when they were made. Nothing may keep
// them from being looked after and removed.
func TestChanges(t *testing.T) {
	annotate := func(external string) string {
		return `{"metadata":{"annotations":{"crossplane.io/external-name":"` + external + `"}}}`
	}
	cases := map[string]struct {
		object  client.Object
		changes map[string]change
	}{
		"Application": {
			object: app("changing", kafka("nav-dev", "x")),
			changes: map[string]change{
				"Metadata":  {reason: "Labels and finalizers are not what is refused.", merge: `{"metadata":{"labels":{"a":"b"}}}`},
				"Status":    {reason: "Nor is the status.", merge: `{"status":{"synchronizationHash":"x"}}`, status: true},
				"Spec":      {reason: "What is written anew is refused.", merge: `{"spec":{"protected":true}}`, want: "kafka"},
				"Corrected": {reason: "Unless it asks no more for what is refused.", merge: `{"spec":{"kafka":{"acl":null}}}`},
				"OwnToken":  {reason: "Or no more for the platform's token.", merge: `{"spec":{"authSecretRef":{"name":"token","key":"token"}}}`},
			},
		},
		"Managed": {
			object: openSearchUser("changing", "dev", "opensearch-orders-x", "avnadmin"),
			changes: map[string]change{
				"Metadata": {reason: "Labels and finalizers are not what is refused.", merge: `{"metadata":{"labels":{"a":"b"}}}`},
				"Same":     {reason: "An external name that stays is not asked for again.", merge: annotate("avnadmin")},
				"External": {reason: "Another is.", merge: annotate("avnadmin2"), want: "usernames"},
				"Spec":     {reason: "What is written anew is refused.", merge: `{"spec":{"managementPolicies":["Observe"]}}`, want: "usernames"},
				"Status":   {reason: "The status is not.", merge: `{"status":{"atProvider":{"username":"x"}}}`, status: true},
			},
		},
	}
	for _, tc := range cases {
		tc.object.SetNamespace(orders)
		tc.object.SetFinalizers([]string{finalizer})
		if err := kube.Create(t.Context(), tc.object); err != nil {
			t.Fatalf("cannot create object: %v", err)
		}
	}
	tighten(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for name, c := range tc.changes {
				t.Run(name, func(t *testing.T) { c.check(t, tc.object) })
			}
			t.Run("Deletion", func(t *testing.T) { checkDeletion(t, tc.object, tc.changes["Spec"]) })
		})
	}
}

// tighten takes away what the configuration allows until the test ends.
func tighten(t *testing.T) {
	t.Helper()
	before := cfg["changing"].Spec.DeepCopy()
	t.Cleanup(func() {
		reconfigure(t, func(s *v1alpha1.ClusterProviderConfigSpec) { before.DeepCopyInto(s) }, true)
	})
	reconfigure(t, func(s *v1alpha1.ClusterProviderConfigSpec) {
		s.KafkaPools[0].Topics, s.Usernames = nil, v1alpha1.UsernamesOwn
	}, false)
}

// reconfigure changes what the configuration allows, and waits until that holds.
func reconfigure(t *testing.T, change func(s *v1alpha1.ClusterProviderConfigSpec), allowed bool) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // It is over when the test cleans up.
	c := cfg["changing"]
	change(&c.Spec)
	if err := kube.Update(ctx, c); err != nil {
		t.Fatalf("cannot update configuration: %v", err)
	}
	for _, canary := range []client.Object{app("changing", kafka("nav-dev", "x")), openSearchUser("changing", "dev", "opensearch-orders-x", "avnadmin")} {
		canary.SetNamespace(orders)
		canary.SetName("canary")
		err := poll(ctx, func(ctx context.Context) error {
			err := kube.Create(ctx, canary, client.DryRunAll)
			canary.SetResourceVersion("")
			if (err == nil) != allowed {
				return errors.Errorf("allowed should be %t, got %v", allowed, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (c change) check(t *testing.T, o client.Object) {
	t.Helper()
	o, ok := o.DeepCopyObject().(client.Object)
	if !ok {
		t.Fatal("not an object")
	}
	patch := client.RawPatch("application/merge-patch+json", []byte(c.merge))
	var err error
	if c.status {
		err = kube.Status().Patch(t.Context(), o, patch, client.DryRunAll)
	} else {
		err = kube.Patch(t.Context(), o, patch, client.DryRunAll)
	}
	if policy, message := refusal(t, err); policy != c.want {
		t.Errorf("%s: want %q, got %q: %s", c.reason, c.want, policy, message)
	}
}

// checkDeletion deletes an object for good, with a change of the spec on its way.
func checkDeletion(t *testing.T, o client.Object, spec change) {
	t.Helper()
	if err := kube.Delete(t.Context(), o); err != nil {
		t.Fatalf("cannot delete: %v", err)
	}
	spec.reason, spec.want = "What is being deleted may be changed.", ""
	spec.check(t, o)
	if err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatalf("cannot get object: %v", err)
	}
	controllerutil.RemoveFinalizer(o, finalizer)
	if err := kube.Update(t.Context(), o); err != nil {
		t.Errorf("cannot remove finalizer: %v", err)
	}
}
