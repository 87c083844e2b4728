// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/provider-aiven/provider-aiven/apis"
	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

const (
	namespace = "shop"
	mine      = "orders-aiven" // The Secret that the tests are about.
	others    = "orders-search"
)

var (
	errBoom = errors.New("boom")
	noon    = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

// A rig is a Reconciler with an API server and everything that it tells.
type rig struct {
	*Reconciler

	kube   client.WithWatch
	uses   []janitor.Use
	events []string
	counts []string
}

func newRig(t *testing.T, objects ...client.Object) *rig {
	t.Helper()
	r := &rig{kube: apiServer(t, objects...)}
	r.Reconciler = &Reconciler{
		client: r.kube, cache: r.kube, live: r.kube, workloads: r, metrics: r, record: r, log: logging.NewNopLogger(),
		policy: janitor.Policy{Grace: time.Hour}, now: func() time.Time { return noon }, said: make(map[types.NamespacedName]said),
		lists: []client.ObjectList{&v1alpha1.KafkaServiceUserList{}, &v1alpha1.OpenSearchServiceUserList{}, &v1alpha1.ValkeyServiceUserList{}},
	}
	return r
}

func apiServer(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apis.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatalf("cannot add to scheme: %v", err)
		}
	}
	return fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).Build()
}

// breaks has calls to the API server fail.
func (r *rig) breaks(funcs interceptor.Funcs) {
	c := interceptor.NewClient(r.kube, funcs)
	r.client, r.live = c, c
}

func (r *rig) reconcile(t *testing.T) (ctrl.Result, error) {
	t.Helper()
	return r.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: mine}})
}

// secret returns the Secret as it is, nil when it is gone.
func (r *rig) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{}
	if err := r.kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: mine}, s); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	} else if err != nil {
		return nil
	}
	return s
}

// Using implements Workloads.
func (r *rig) Using(context.Context, string, string) ([]janitor.Use, error) { return r.uses, nil }

// Janitor implements Metrics.
func (r *rig) Janitor(action, reason string) { r.counts = append(r.counts, action+" "+reason) }

// Event implements event.Recorder, as does the one that follows. What people have
// to act on is kept in full.
func (r *rig) Event(_ runtime.Object, e event.Event) {
	text := string(e.Reason)
	if e.Type == event.TypeWarning {
		text += ": " + e.Message
	}
	r.events = append(r.events, text)
}
func (r *rig) WithAnnotations(...string) event.Recorder { return r }

// published returns a Secret of the application of the tests.
func published(name string, with ...func(o client.Object)) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name), Finalizers: []string{v1.FinalizerRevoke},
		Labels: map[string]string{v1.LabelManagedBy: v1.ManagedBy}, Annotations: map[string]string{v1.AnnotationApplication: "orders"},
	}}
	for _, w := range with {
		w(s)
	}
	return s
}

// A holder is how a managed resource knows of a Secret that holds its credentials.
type holder func(o client.Object)

// named has it name the Secret.
func named(secret string) holder {
	return func(o client.Object) { annotate(v1.AnnotationSecret, secret)(o) }
}

// owned has the Secret be an owner of it.
func owned(secret string) holder {
	return func(o client.Object) {
		o.SetOwnerReferences(append(o.GetOwnerReferences(), metav1.OwnerReference{APIVersion: "v1", Kind: "Secret", Name: secret, UID: types.UID("uid-of-" + secret)}))
	}
}

// user makes a managed resource of the application of the tests.
func user[T client.Object](mg T, name string, with ...holder) T {
	mg.SetNamespace(namespace)
	mg.SetName(name)
	mg.SetUID(types.UID("uid-of-" + name))
	annotate(v1.AnnotationApplication, "orders")(mg)
	mg.SetLabels(map[string]string{v1.LabelManagedBy: v1.ManagedBy})
	mg.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "aiven.nais.io/v1", Kind: "AivenApplication", Name: "orders", UID: "uid-of-orders"}})
	for _, w := range with {
		w(mg)
	}
	return mg
}

func annotate(key, value string) func(o client.Object) {
	return func(o client.Object) {
		a := o.GetAnnotations()
		if a == nil {
			a = make(map[string]string)
		}
		a[key] = value
		o.SetAnnotations(a)
	}
}

func finalizers(names ...string) func(o client.Object) {
	return func(o client.Object) { o.SetFinalizers(names) }
}

// going has an object be deleted, and wait for its finalizers.
func going(o client.Object) { o.SetDeletionTimestamp(new(metav1.NewTime(noon))) }

func sorted(in []string) []string {
	slices.Sort(in)
	return in
}
