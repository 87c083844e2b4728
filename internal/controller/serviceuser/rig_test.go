// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpfake "github.com/crossplane/crossplane-runtime/v2/pkg/resource/fake"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/provider-aiven/provider-aiven/apis"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const namespace = "team-a"

// via is how the token is recorded that everything of the tests uses which brings
// none of its own.
const via = "ClusterProviderConfig default"

// A testManager is as much of a manager as a controller of this package needs.
type testManager struct {
	xpfake.Manager

	builder *fake.ClientBuilder
}

func (m *testManager) GetFieldIndexer() client.FieldIndexer { return m }

func (m *testManager) IndexField(_ context.Context, o client.Object, field string, fn client.IndexerFunc) error {
	m.builder.WithIndex(o, field, fn)
	return nil
}

func (m *testManager) GetEventRecorderFor(string) record.EventRecorder { return &record.FakeRecorder{} }

// newManager returns a manager of an API server that holds objects, and that is
// indexed as the cache is.
func newManager(t *testing.T, objects ...client.Object) *testManager {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apis.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatalf("cannot add to scheme: %v", err)
		}
	}
	m := &testManager{builder: fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.KafkaServiceUser{}, &v1alpha1.ValkeyServiceUser{})}
	for _, err := range []error{index(t.Context(), m, Kafka()), index(t.Context(), m, Valkey())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m.Scheme, m.Client = s, m.builder.Build()
	return m
}

// A rig is the controller of a kind with an API server and a simulated Aiven.
type rig struct {
	place

	kube client.Client
	// granted is what comes with every user.
	granted providerconfig.Granted

	reconciler *managed.Reconciler
}

func newRig[T ServiceUser](t *testing.T, k Kind[T], objects ...client.Object) *rig {
	t.Helper()
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: providerconfig.DefaultName}}
	pc.Spec.Credentials.Source = xpv2.CredentialsSourceSecret
	pc.Spec.Credentials.SecretRef = &xpv2.SecretKeySelector{Key: "token"}
	m := newManager(t, append(objects, pc)...)
	r := &rig{place: simulated(t), kube: m.Client}
	clients := providerconfig.NewClients(func(providerconfig.Key, aiven.Limits) (*aiven.Client, error) { return r.client, nil })
	r.reconciler, _ = newReconciler(m, controller.Options{Logger: logging.NewNopLogger(), Features: &feature.Flags{}, PollInterval: time.Minute}, Dependencies{
		Resolver: providerconfig.NewResolver(r.kube, providerconfig.Sources{Secrets: oneToken{}}, clients, providerconfig.BaseURLs{}),
		Grants:   r, Names: everybody{},
	}, k)
	return r
}

// Allow implements Grants.
func (r *rig) Allow(context.Context, providerconfig.Access, providerconfig.Use) (providerconfig.Granted, error) {
	return r.granted, nil
}

// passes reconciles a few times, as the work queue would, which is enough for all
// that does not wait for time to pass.
func (r *rig) passes(t *testing.T, mg client.Object) {
	t.Helper()
	for range 5 {
		if _, err := r.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(mg)}); err != nil {
			t.Fatalf("Reconcile: %v", err)
		}
	}
}

// writes returns what was changed at Aiven, in this order, and of which user.
func (p place) writes() []string {
	var out []string
	for _, q := range p.sim.Requests() {
		if q.Method != http.MethodGet {
			out = append(out, q.Operation+" "+q.User)
		}
	}
	return slices.Compact(out)
}

// oneToken has a token in every Secret.
type oneToken struct{}

func (oneToken) Get(context.Context, types.NamespacedName) (map[string][]byte, error) {
	return map[string][]byte{"token": []byte("t")}, nil
}

// everybody may have every name.
type everybody struct{}

func (everybody) Check(context.Context, types.NamespacedName, string) error { return nil }

// using gives a managed resource an identity, the token that all use, and a
// service.
func using[T ServiceUser](mg T, name, service string) T {
	mg.SetNamespace(namespace)
	mg.SetName(name)
	mg.SetUID(types.UID(mg.GetNamespace() + "/" + name))
	mg.SetCreationTimestamp(metav1.Now())
	mg.SetProviderConfigReference(&xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigKind, Name: providerconfig.DefaultName})
	switch mg := any(mg).(type) {
	case *v1alpha1.KafkaServiceUser:
		mg.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: "p", ServiceName: service}
	case *v1alpha1.ValkeyServiceUser:
		mg.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: "p", ServiceName: service}
	}
	return mg
}
