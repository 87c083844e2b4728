// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/username"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// searcher returns a managed resource of an OpenSearch user with rules.
func (te tenant) searcher(name string) *v1alpha1.OpenSearchServiceUser {
	u := &v1alpha1.OpenSearchServiceUser{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace}}
	u.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: te.config}
	u.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: te.project, ServiceName: te.openSearch()}
	u.Spec.ForProvider.Rules = []v1alpha1.OpenSearchRule{{Index: "logs-*", Permission: "read"}}
	return u
}

// provisioned makes a managed resource and waits until it is ready and its user
// is recorded as made by this cluster.
func (te tenant) provisioned(u client.Object) string {
	te.t.Helper()
	te.create(u)
	var name string
	harness.Eventually(te.t, u.GetName()+" is recorded", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
			return err
		}
		if c := u.(interface {
			GetCondition(ct xpv2.ConditionType) xpv2.Condition
		}).GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionTrue {
			return errors.Errorf("Ready is %s: %s: %s", c.Status, c.Reason, c.Message)
		}
		name = meta.GetExternalName(u)
		if !slices.Contains(te.recorded(), name) {
			return errors.Errorf("recorded are %v", te.recorded())
		}
		return nil
	})
	return name
}

// recorded returns the users that are recorded as made through the
// configuration of the tenant.
func (te tenant) recorded() []string {
	te.t.Helper()
	l := &corev1.ConfigMapList{}
	if err := h.Kube.List(te.t.Context(), l, client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy}); err != nil {
		te.t.Fatalf("cannot list ConfigMaps: %v", err)
	}
	var out []string
	for _, cm := range l.Items {
		if cm.GetAnnotations()["aiven.nais.io/provider-config"] != "ClusterProviderConfig//"+te.config {
			continue
		}
		for name := range cm.Data {
			out = append(out, name)
		}
	}
	return out
}

// force deletes a managed resource and removes its finalizers, as somebody does
// who has no patience while Aiven cannot delete.
func (te tenant) force(u client.Object) {
	te.t.Helper()
	if err := h.Kube.Delete(te.t.Context(), u); err != nil {
		te.t.Fatal(err)
	}
	if err := h.Kube.Patch(te.t.Context(), u, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
		te.t.Fatal(err)
	}
	gone(te.t, u)
}

// orphaned waits until the metrics show as many orphaned users of a service.
func (te tenant) orphaned(service string, proven, unproven int) {
	te.t.Helper()
	harness.Eventually(te.t, "orphaned users of "+service+" are counted", func(context.Context) error {
		families, err := h.Registry.Gather()
		if err != nil {
			return err
		}
		got := map[string]int{"true": -1, "false": -1}
		for _, f := range families {
			if f.GetName() != "provider_aiven_orphaned_users" {
				continue
			}
			for _, m := range f.GetMetric() {
				labels := map[string]string{}
				for _, l := range m.GetLabel() {
					labels[l.GetName()] = l.GetValue()
				}
				if labels["project"] == te.project && labels["service"] == service {
					got[labels["proven"]] = int(m.GetGauge().GetValue())
				}
			}
		}
		if got["true"] != proven || got["false"] != unproven {
			return errors.Errorf("proven and not: want %d and %d, got %d and %d", proven, unproven, got["true"], got["false"])
		}
		return nil
	})
}

// toldOn waits for an event on the tenant's configuration that names a user.
func (te tenant) toldOn(reason, user string) {
	te.t.Helper()
	harness.Eventually(te.t, "event "+reason+" names "+user, func(ctx context.Context) error {
		l := &corev1.EventList{}
		if err := h.Kube.List(ctx, l, client.MatchingFields{"involvedObject.name": te.config, "reason": reason}); err != nil {
			return err
		}
		for _, e := range l.Items {
			if strings.Contains(e.Message, user) {
				return nil
			}
		}
		return errors.Errorf("there are %d events", len(l.Items))
	})
}

// TestOrphanedUsers forces managed resources away. Their users are reported, and
// deleted only when the configuration says so; users of others are not touched.
func TestOrphanedUsers(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "orphans")
	valkey, search := te.valkey("cache"), te.openSearch()
	left, alive, finding := te.user("left"), te.user("alive"), te.searcher("finding")
	kept := te.user("kept")
	users := map[string]string{}
	for _, u := range []client.Object{left, alive, kept, finding} {
		users[u.GetName()] = te.provisioned(u)
	}
	other := username.For(username.Input{Namespace: te.namespace, Name: "app", UID: "of another cluster"})
	h.Sim.AddUser(te.project, valkey, other)
	h.Sim.AddUser(te.project, valkey, "made-by-hand")

	// Whoever wants a user to outlive its managed resource says so and deletes at once.
	if err := h.Kube.Patch(t.Context(), kept, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"managementPolicies":["Observe","Create","Update","LateInitialize"]}}`))); err != nil {
		t.Fatal(err)
	}
	if err := h.Kube.Delete(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	gone(t, kept)

	mend := h.Sim.Inject(aivensim.Fault{Operation: "DeleteUser", Project: te.project, Status: 500})
	t.Cleanup(mend)
	te.force(left)
	te.force(finding)
	te.orphaned(valkey, 1, 2)
	te.orphaned(search, 1, 0)
	te.toldOn("OrphanedUsers", users["left"])
	te.toldOn("UnclaimedUsers", other)
	mend()
	for _, name := range []string{"left", "alive", "kept"} {
		if _, ok := h.Sim.User(te.project, valkey, users[name]); !ok {
			t.Fatalf("user of %s was deleted although orphans are to be reported only", name)
		}
	}

	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: te.config}}
	if err := h.Kube.Patch(t.Context(), pc, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"orphans":"Delete"}}`))); err != nil {
		t.Fatal(err)
	}
	te.orphaned(valkey, 0, 2)
	te.orphaned(search, 0, 0)
	te.toldOn("DeletedOrphan", users["left"])
	te.toldOn("DeletedOrphan", users["finding"])
	for service, user := range map[string]string{valkey: users["left"], search: users["finding"]} {
		if _, ok := h.Sim.User(te.project, service, user); ok {
			t.Errorf("user %s is still there", user)
		}
	}
	for _, row := range h.Sim.OpenSearchACL(te.project, search).ACLs {
		if row.Username == users["finding"] {
			t.Error("the access rules of the deleted user are still there")
		}
	}
	for _, user := range []string{users["alive"], users["kept"], other, "made-by-hand"} {
		if _, ok := h.Sim.User(te.project, valkey, user); !ok {
			t.Errorf("user %s was deleted", user)
		}
	}
	harness.Eventually(t, "users that are gone are forgotten", func(context.Context) error {
		if got := te.recorded(); !slices.Equal(got, []string{users["alive"]}) {
			return errors.Errorf("recorded are %v", got)
		}
		return nil
	})
}

// TestOrphanAfterRestart: a provider that was not there when the finalizer was
// removed finds the user by what its predecessor recorded.
func TestOrphanAfterRestart(t *testing.T) {
	te := newTenant(t, "orphanrestart")
	left := te.user("left")
	user := te.provisioned(left)
	if err := h.StopProvider(); err != nil {
		t.Fatalf("cannot stop the provider: %v", err)
	}
	te.force(left)
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: te.config}}
	if err := h.Kube.Patch(t.Context(), pc, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"orphans":"Delete"}}`))); err != nil {
		t.Fatal(err)
	}
	h.StartProvider()
	harness.Eventually(t, "the user is deleted", func(context.Context) error {
		if _, ok := h.Sim.User(te.project, te.valkey("cache"), user); ok {
			return errors.New("it is still there")
		}
		return nil
	})
}
