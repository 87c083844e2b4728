// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"net/http"
	"testing"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// writesTo returns the requests to a project that change something.
func writesTo(project string) []string {
	var out []string
	for _, r := range h.Sim.Requests() {
		if r.Project == project && r.Method != http.MethodGet {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	return out
}

// restart kills the provider and starts another. It is for tests that do not
// run in parallel with others.
func restart(t *testing.T) {
	t.Helper()
	if err := h.StopProvider(); err != nil {
		t.Fatalf("cannot stop the provider: %v", err)
	}
	h.StartProvider()
}

func TestRestartWritesNothing(t *testing.T) {
	te := newTenant(t, "restart")
	for _, name := range []string{"orders", "billing"} {
		te.create(te.app(name))
	}
	te.ready("orders")
	te.ready("billing")
	te.kept("token", true) // It is written from the first managed resource on, whenever the provider comes to that.
	before := &corev1.SecretList{}
	if err := h.Kube.List(t.Context(), before, client.InNamespace(te.namespace)); err != nil {
		t.Fatal(err)
	}
	written := len(writesTo(te.project))

	restart(t)
	// A new application is served after the old ones were looked at again.
	te.create(te.app("later", func(a *v1.AivenApplication) { a.Spec.OpenSearch, a.Spec.Valkey = nil, nil }))
	te.ready("later")
	for _, service := range []string{te.openSearch(), te.valkey("cache")} {
		te.looked(service)
	}

	if got := writesTo(te.project)[written:]; len(got) != 1 {
		t.Errorf("writes to Aiven after the restart: want one, for the new application, got %v", got)
	}
	for _, s := range before.Items {
		after := &corev1.Secret{}
		if err := h.Kube.Get(t.Context(), client.ObjectKeyFromObject(&s), after); err != nil {
			t.Fatal(err)
		}
		if after.GetResourceVersion() != s.GetResourceVersion() {
			t.Errorf("Secret %s was written by the restart", s.GetName())
		}
	}
}

func TestKilledBetweenCreateAndPublish(t *testing.T) {
	te := newTenant(t, "killed")
	t.Cleanup(h.Sim.Inject(aivensim.Fault{Operation: "CreateUser", Project: te.project, Count: 1, Hang: true, After: true}))
	te.create(te.app("orders", func(a *v1.AivenApplication) { a.Spec.OpenSearch, a.Spec.Valkey = nil, nil }))
	harness.Eventually(t, "the user exists and nobody was told", func(context.Context) error {
		if len(te.users("kafka")) != 1 {
			return errors.New("no user yet")
		}
		return nil
	})
	restart(t)
	te.ready("orders")
	te.works(te.secret("orders-aiven"))
	if n := te.users("kafka"); len(n) != 1 {
		t.Errorf("want one user, got %v", n)
	}
	l := &corev1.SecretList{}
	if err := h.Kube.List(t.Context(), l, client.InNamespace(te.namespace), client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy}); err != nil {
		t.Fatal(err)
	}
	if len(l.Items) != 1 {
		t.Errorf("want one published Secret, got %d", len(l.Items))
	}
}

func TestProtected(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "protected")
	te.create(te.app("orders", func(a *v1.AivenApplication) { a.Spec.Protected = true }))
	te.ready("orders")
	for _, l := range []client.ObjectList{&v1alpha1.KafkaServiceUserList{}, &v1alpha1.OpenSearchServiceUserList{}, &v1alpha1.ValkeyServiceUserList{}} {
		if err := h.Kube.List(t.Context(), l, client.InNamespace(te.namespace)); err != nil {
			t.Fatal(err)
		}
		_ = apimeta.EachListItem(l, func(o runtime.Object) error {
			if owners := o.(client.Object).GetOwnerReferences(); len(owners) != 2 || owners[1].Kind != "Secret" {
				t.Errorf("owners of %T: want the application and the Secret that holds its credentials, got %v", o, owners)
			}
			return nil
		})
	}
	if err := h.Kube.Delete(t.Context(), te.app("orders")); err != nil {
		t.Fatal(err)
	}
	gone(t, te.app("orders"))
	// Garbage collection is not instant: give it another application to take,
	// and look when that is gone.
	te.create(te.app("other", func(a *v1.AivenApplication) { a.Spec.OpenSearch, a.Spec.Valkey = nil, nil }))
	te.ready("other")
	if err := h.Kube.Delete(t.Context(), te.app("other")); err != nil {
		t.Fatal(err)
	}
	gone(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: te.namespace, Name: "other-aiven"}})
	s := te.secret("orders-aiven")
	te.works(s)

	// Whoever deletes the Secret ends the access.
	if err := h.Kube.Delete(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	te.nobodyLeft()
}

// TestNamespaceDeletion deletes everything at once: the application, its
// managed resources, the team's own configuration and its token, in whatever
// order the namespace controller likes.
func TestNamespaceDeletion(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "nsdel")
	te.create(&v1alpha1.ProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: te.namespace},
		Spec: v1alpha1.ProviderConfigSpec{
			Credentials:     v1alpha1.LocalCredentials{SecretRef: localSecretKey("token", "token")},
			ServiceSettings: v1alpha1.ServiceSettings{BaseURL: h.URL, Project: te.project, KafkaPools: []v1alpha1.KafkaPool{{Name: "pool", Project: te.project}}},
		},
	})
	te.create(te.app("orders", func(a *v1.AivenApplication) { a.Spec.ProviderConfigRef = nil }))
	te.ready("orders")
	te.works(te.secret("orders-aiven"))

	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: te.namespace}}
	if err := h.Kube.Delete(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	gone(t, ns)
	te.nobodyLeft()
}

func TestForegroundDeletion(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "foreground")
	te.create(te.app("orders"))
	te.ready("orders")
	if err := h.Kube.Delete(t.Context(), te.app("orders"), client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		t.Fatal(err)
	}
	gone(t, te.app("orders"))
	te.nobodyLeft()
}

func TestConfigInUseStays(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "inuse")
	te.create(te.app("orders"))
	te.ready("orders")
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: te.config}}
	harness.Eventually(t, "users of the configuration are counted", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(pc), pc); err != nil {
			return err
		}
		if pc.Status.Users != 4 {
			return errors.Errorf("%d users", pc.Status.Users)
		}
		return nil
	})
	if err := h.Kube.Delete(t.Context(), pc); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the configuration says what it waits for", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(pc), pc); err != nil {
			return err
		}
		if pc.GetCondition("Terminating").Message == "" {
			return errors.New("no condition")
		}
		return nil
	})
	if err := h.Kube.Delete(t.Context(), te.app("orders")); err != nil {
		t.Fatal(err)
	}
	te.nobodyLeft()
	gone(t, pc)
}

func TestTakesOverFromAivenator(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "takeover")
	te.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: "orders-aiven", Namespace: te.namespace,
			Labels: map[string]string{"app": "orders", "team": te.namespace, "type": v1.SecretType},
		},
		Data: map[string][]byte{"KAFKA_BROKERS": []byte("old:1"), "MINE": []byte("stays")},
	})
	te.create(te.app("orders"))
	te.ready("orders")
	s := te.secret("orders-aiven")
	te.works(s)
	if string(s.Data["MINE"]) != "stays" || string(s.Data["KAFKA_BROKERS"]) == "old:1" {
		t.Errorf("the Secret of aivenator was not taken over as it should")
	}
	// Another application may not have it.
	te.create(te.app("other", func(a *v1.AivenApplication) { a.Spec.SecretName = "orders-aiven" }))
	te.notReady("other", v1.ReasonSecretConflict)
	te.works(te.secret("orders-aiven"))
}
