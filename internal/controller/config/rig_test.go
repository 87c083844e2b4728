// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/provider-aiven/provider-aiven/apis"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const namespace = "shop"

var (
	errBoom = errors.New("boom")
	noon    = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

	secretName = types.NamespacedName{Namespace: namespace, Name: "token"}
	configName = types.NamespacedName{Namespace: namespace, Name: "default"}
)

// A rig is an API server, what the reconcilers need beside it, and everything that
// they tell.
type rig struct {
	kube  client.Client
	funcs interceptor.Funcs

	connect func() (*aiven.Client, error)

	reads     int // of metadata of Secrets
	patches   int
	statuses  int // writes of the status of configurations
	events    []string
	lines     int
	forgotten []string
	measured  string // what metrics were told last
}

func newRig(t *testing.T, objects ...client.Object) *rig {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apis.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatalf("cannot add to scheme: %v", err)
		}
	}
	r := &rig{}
	b := fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.ProviderConfig{}, &v1alpha1.ClusterProviderConfig{}).
		WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				if _, ok := o.(*metav1.PartialObjectMetadata); ok {
					r.reads++
				}
				if r.funcs.Get != nil {
					return r.funcs.Get(ctx, c, k, o, opts...)
				}
				return c.Get(ctx, k, o, opts...)
			},
			Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				r.patches++
				if r.funcs.Patch != nil {
					return r.funcs.Patch(ctx, c, o, p, opts...)
				}
				return c.Patch(ctx, o, p, opts...)
			},
			SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
				r.statuses++
				if r.funcs.SubResourceUpdate != nil {
					return r.funcs.SubResourceUpdate(ctx, c, sub, o, opts...)
				}
				return c.SubResource(sub).Update(ctx, o, opts...)
			},
		})
	for _, mg := range []client.Object{&v1alpha1.KafkaServiceUser{}, &v1alpha1.ValkeyServiceUser{}} {
		b = b.WithIndex(mg, providerconfig.IndexField, providerconfig.Index)
	}
	r.kube = b.Build()
	return r
}

func (r *rig) keeper() *keeper {
	return &keeper{
		client: r.kube, live: r.kube, cache: shared{r.kube}, configs: r, secrets: forgets{r}, record: r, log: r, memory: newMemory(),
		lists: []client.ObjectList{&v1alpha1.KafkaServiceUserList{}, &v1alpha1.ValkeyServiceUserList{}},
	}
}

func (r *rig) checker() *checker {
	return &checker{
		client: r.kube, live: r.kube, kind: v1alpha1.ProviderConfigKind, new: kinds[0].new, configs: r, metrics: r, record: r,
		interval: HealthInterval, now: func() time.Time { return noon }, checks: make(map[types.NamespacedName]check),
	}
}

// Connect implements Configurations, as do the two that follow.
func (r *rig) Connect(context.Context, providerconfig.Access) (*aiven.Client, error) {
	return r.connect()
}
func (r *rig) Forget(ref providerconfig.Ref) { r.forgotten = append(r.forgotten, ref.String()) }
func (r *rig) ForgetSecret(n types.NamespacedName) {
	r.forgotten = append(r.forgotten, "tokens of "+n.String())
}

// Config implements Metrics, as does ConfigGone.
func (r *rig) Config(kind, ns, name string, healthy bool, reason string) {
	r.measured = fmt.Sprintf("%s %s/%s %t %s", kind, ns, name, healthy, reason)
}
func (r *rig) ConfigGone(string, string, string) { r.measured = "" }

type forgets struct{ r *rig }

// Forget implements watches.
func (f forgets) Forget(n types.NamespacedName) {
	f.r.forgotten = append(f.r.forgotten, "watch of "+n.String())
}

// Event implements event.Recorder.
func (r *rig) Event(o runtime.Object, e event.Event) {
	r.events = append(r.events, fmt.Sprintf("%s %s %s: %s", o.(client.Object).GetName(), e.Type, e.Reason, e.Message))
}
func (r *rig) WithAnnotations(...string) event.Recorder { return r }

// Info implements logging.Logger, as do the two that follow.
func (r *rig) Info(string, ...any)              { r.lines++ }
func (r *rig) Debug(string, ...any)             {}
func (r *rig) WithValues(...any) logging.Logger { return r }

// secret returns the Secret as it is, nil when it is gone.
func (r *rig) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{}
	if err := r.kube.Get(t.Context(), secretName, s); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	} else if err != nil {
		return nil
	}
	return s
}

func (r *rig) config(t *testing.T) *v1alpha1.ProviderConfig {
	t.Helper()
	pc := &v1alpha1.ProviderConfig{}
	if err := r.kube.Get(t.Context(), configName, pc); err != nil {
		t.Fatal(err)
	}
	return pc
}

func request(n types.NamespacedName) reconcile.Request {
	return reconcile.Request{NamespacedName: n}
}

func tokenSecret(with ...func(o client.Object)) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secretName.Name, UID: "uid"}, Data: map[string][]byte{"token": []byte("t")}}
	for _, w := range with {
		w(s)
	}
	return s
}

func finalizers(names ...string) func(o client.Object) {
	return func(o client.Object) { o.SetFinalizers(names) }
}

// going has an object be deleted, and wait for its finalizers.
func going(o client.Object) { o.SetDeletionTimestamp(new(metav1.NewTime(noon))) }

// teams returns the configuration of the team, whose token is in the Secret.
func teams() *v1alpha1.ProviderConfig {
	return &v1alpha1.ProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: configName.Name, Generation: 1},
		Spec: v1alpha1.ProviderConfigSpec{
			Credentials:     v1alpha1.LocalCredentials{SecretRef: xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: secretName.Name}, Key: "token"}},
			ServiceSettings: v1alpha1.ServiceSettings{Project: "search", KafkaPools: []v1alpha1.KafkaPool{{Name: "nav-dev"}, {Name: "other", Project: "search"}}},
		},
	}
}

// A user of the team's configuration, which may bring a token of its own.
func user(name string, own ...string) *v1alpha1.KafkaServiceUser {
	mg := &v1alpha1.KafkaServiceUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	mg.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: v1alpha1.ProviderConfigKind, Name: configName.Name}
	for _, secret := range own {
		mg.SetAuthSecretRef(&xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: secret}, Key: "token"})
	}
	return mg
}
