// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/provider-aiven/provider-aiven/apis"
	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
	"github.com/provider-aiven/provider-aiven/internal/metrics"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// A rig is a Reconciler with an API server, an Aiven, and everything that it tells.
// Of all objects of an application only its managed resources' own controller is
// missing: what these say is what the tests have them say.
type rig struct {
	*Reconciler

	t      *testing.T
	kube   client.WithWatch
	sim    *aivensim.Server
	aiven  *aiven.Client
	limits *v1alpha1.ServiceUsers // Of the configuration.
	uses   []janitor.Use
	events []string
	writes []string        // The Secrets that the Reconciler wrote, or tried to.
	waits  []time.Duration // For first Secrets.
}

func newRig(t *testing.T, app *v1.AivenApplication) *rig {
	t.Helper()
	r := &rig{t: t, sim: aivensim.New(aivensim.WithKeySize(1024))}
	server := httptest.NewServer(r.sim)
	t.Cleanup(server.Close)
	var err error
	if r.aiven, err = aiven.New(aiven.Options{Token: "t", BaseURL: server.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.aiven.Close)

	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, apis.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatalf("cannot add to scheme: %v", err)
		}
	}
	b := fake.NewClientBuilder().WithScheme(s).WithStatusSubresource(app).WithObjects(app)
	for _, k := range kinds {
		b = b.WithIndex(k.new(), indexApplication, func(o client.Object) []string { return []string{v1.ApplicationOf(o)} })
	}
	r.kube = b.Build()
	r.Reconciler = &Reconciler{
		client: interceptor.NewClient(r.kube, interceptor.Funcs{Patch: r.wrote}), live: r.kube, configs: r, names: namesFn(everybody), workloads: r, metrics: r, record: r,
		log: logging.NewNopLogger(), now: func() time.Time { return noon }, written: &writes{}, replaced: &sync.Map{},
		grants: grantsFn(func(u providerconfig.Use) (int, error) { return r.settings().LimitsOf(u.Type).ForNew(), nil }),
	}
	return r
}

func (r *rig) settings() providerconfig.Settings {
	return settings(func(s *v1alpha1.ServiceSettings) { s.ServiceUsers = r.limits })
}

// Choose implements Configurations, as do the two that follow.
func (r *rig) Choose(context.Context, *xpv2.ProviderConfigReference, string) (providerconfig.Ref, error) {
	return settings().Ref, nil
}

func (r *rig) Settings(context.Context, providerconfig.Ref) (providerconfig.Settings, error) {
	return r.settings(), nil
}

func (r *rig) Connect(context.Context, providerconfig.Access) (*aiven.Client, error) {
	return r.aiven, nil
}

// Using implements Workloads: what uses one Secret uses all.
func (r *rig) Using(context.Context, string, string) ([]janitor.Use, error) { return r.uses, nil }

// Published implements Metrics, as do those that follow.
func (r *rig) Published(d time.Duration)                       { r.waits = append(r.waits, d) }
func (r *rig) Rotated(string)                                  {}
func (r *rig) Application(string, string, metrics.Application) {}
func (r *rig) Gone(string, string)                             {}

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

func (r *rig) wrote(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
	if _, ok := o.(*corev1.Secret); ok {
		r.writes = append(r.writes, o.GetName())
	}
	return c.Patch(ctx, o, p, opts...)
}

// reconcile reconciles once, and returns the application as it is then.
func (r *rig) reconcile() (*v1.AivenApplication, reconcile.Result, error) {
	r.t.Helper()
	result, err := r.Reconcile(r.t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "orders"}})
	app := application(v1.AivenApplicationSpec{})
	r.get(app)
	return app, result, err
}

// serves has Aiven have a service with that many users, the built-in one included.
func (r *rig) serves(t target, kind string, users int) {
	s := aivensim.Service{Name: t.service, Type: kind}
	for i := range users - 1 {
		s.Users = append(s.Users, fmt.Sprintf("somebody-%d", i))
	}
	r.sim.AddService(t.project, s)
}

func (r *rig) get(o client.Object) {
	r.t.Helper()
	if err := r.kube.Get(r.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		r.t.Fatalf("cannot get %T: %v", o, err)
	}
}

// secret returns a Secret as it is, nil when there is none.
func (r *rig) secret(name string) *corev1.Secret {
	r.t.Helper()
	s := &corev1.Secret{}
	if err := r.kube.Get(r.t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, s); client.IgnoreNotFound(err) != nil {
		r.t.Fatalf("cannot get Secret: %v", err)
	} else if err != nil {
		return nil
	}
	return s
}

// foreign makes a Secret that has nothing to do with the application.
func (r *rig) foreign(name string) *corev1.Secret {
	r.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	if err := r.kube.Create(r.t.Context(), s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// change changes an object as it is.
func (r *rig) change(o client.Object, change func()) {
	r.t.Helper()
	r.get(o)
	change()
	if err := r.kube.Update(r.t.Context(), o); err != nil {
		r.t.Fatalf("cannot update %T: %v", o, err)
	}
}

// remember changes what the application remembers, and returns it.
func (r *rig) remember(change ...func(c *v1.CredentialsStatus)) *v1.CredentialsStatus {
	r.t.Helper()
	app := application(v1.AivenApplicationSpec{})
	r.get(app)
	for _, f := range change {
		f(app.Status.Credentials)
	}
	if err := r.kube.Status().Update(r.t.Context(), app); err != nil {
		r.t.Fatalf("cannot update status: %v", err)
	}
	return app.Status.Credentials
}

// delete deletes an object, which waits for its finalizers.
func (r *rig) delete(o client.Object) {
	r.t.Helper()
	if err := r.kube.Delete(r.t.Context(), o); err != nil {
		r.t.Fatalf("cannot delete %T: %v", o, err)
	}
}

// force removes an object as somebody who removes its finalizers does.
func (r *rig) force(o client.Object) {
	r.t.Helper()
	r.change(o, func() { o.SetFinalizers(nil) })
	r.delete(o)
}

// users returns the external names of the managed resources that there are, those
// that are being deleted in brackets.
func (r *rig) users() []string {
	r.t.Helper()
	var out []string
	for _, k := range kinds {
		l := k.list()
		if err := r.kube.List(r.t.Context(), l); err != nil {
			r.t.Fatalf("cannot list: %v", err)
		}
		for _, mg := range items(l) {
			name := meta.GetExternalName(mg)
			if meta.WasDeleted(mg) {
				name = "(" + name + ")"
			}
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// told returns the events of a reason.
func (r *rig) told(reason event.Reason) []string {
	return slices.DeleteFunc(slices.Clone(r.events), func(e string) bool { return !strings.HasPrefix(e, string(reason)) })
}

// make stores a managed resource of the application and its connection Secret.
func (r *rig) make(names ...string) {
	r.t.Helper()
	for _, name := range names {
		r.store(made(name))
	}
}

func (r *rig) store(mg composed) {
	r.t.Helper()
	mg.SetUID(types.UID("uid-of-" + meta.GetExternalName(mg)))
	mg.SetOwnerReferences([]metav1.OwnerReference{meta.AsController(meta.TypedReferenceTo(application(services()), v1.AivenApplicationGroupVersionKind))})
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: mg.GetWriteConnectionSecretToReference().Name}, Data: detailsOf(meta.GetExternalName(mg))}
	s.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: v1alpha1.KafkaServiceUserKind, Name: mg.GetName(), UID: mg.GetUID(), Controller: new(true)}})
	for _, o := range []client.Object{mg, s} {
		if err := r.kube.Create(r.t.Context(), o); err != nil {
			r.t.Fatalf("cannot create %T: %v", o, err)
		}
	}
}

// connection returns the connection Secret of a user of the tests.
func (r *rig) connection(name string) *corev1.Secret {
	r.t.Helper()
	return r.secret(made(name).GetWriteConnectionSecretToReference().Name)
}

// certificates are pairs of a certificate and its key, in PEM.
var certificates = sync.OnceValue(func() (out [3][2][]byte) {
	for i := range out {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), NotBefore: noon, NotAfter: noon.Add(90 * day)}
		cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
		if err != nil {
			panic(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			panic(err)
		}
		out[i] = [2][]byte{
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
			pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		}
	}
	return out
})

// detailsOf returns the connection details of a user of the tests. The first of the
// certificates is the CA.
func detailsOf(name string) connection.Details {
	scheme, host := map[connection.Service]string{connection.OpenSearch: "https://", connection.Valkey: "valkeys://"}, name+".example"
	s, _ := parse(name)
	d := connection.Details{
		connection.KeyUsername: []byte(name), connection.KeyPassword: []byte("password of " + name),
		connection.KeyEndpoint: []byte(host), connection.KeyPort: []byte("1"), connection.KeyURI: []byte(scheme[s.service] + host + ":1"),
		connection.KeyCA: certificates()[0][0],
	}
	if s.service == connection.Kafka {
		d[connection.KeyClientCert], d[connection.KeyClientKey] = certificates()[1][0], certificates()[1][1]
	}
	return d
}
