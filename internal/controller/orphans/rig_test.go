// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
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

	"github.com/provider-aiven/provider-aiven/apis"
	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

const (
	project   = "project"
	kafka     = "kafka"
	search    = "search"
	namespace = "crossplane-system"
	token     = "token-of-the-tests-4711"
)

var (
	central = providerconfig.Ref{Kind: v1alpha1.ClusterProviderConfigKind, Name: "default"}
	teams   = providerconfig.Ref{Kind: v1alpha1.ProviderConfigKind, Namespace: "team", Name: "default"}
)

func key(c providerconfig.Ref, service string) ledgerKey {
	return ledgerKey{config: c, service: aiven.ServiceRef{Project: project, Service: service}}
}

func objectMeta(ref providerconfig.Ref) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name}
}

// generated returns a username as this cluster makes them.
func generated(app string) string {
	return username.For(username.Input{Namespace: "team", Name: app, UID: app, Service: "kafka", Revision: 1})
}

// A rig is a Sweeper with an Aiven, an API server and everything it tells.
type rig struct {
	*Sweeper

	t       *testing.T
	sim     *aivensim.Server
	funcs   interceptor.Funcs
	clients map[providerconfig.Ref]*aiven.Client
	clock   time.Time

	events  []string
	lines   []string
	writes  []string
	orphans map[string]string // "proven/unproven" by service
	deletes int
}

func newRig(t *testing.T, change ...func(*Dependencies)) *rig {
	t.Helper()
	r := &rig{t: t, clients: map[providerconfig.Ref]*aiven.Client{}, orphans: map[string]string{}, clock: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	r.sim = aivensim.New(aivensim.WithKeySize(1024), aivensim.WithSeed(aivensim.Seed{
		Tokens: []aivensim.Token{{Token: token}},
		Projects: []aivensim.Project{{Name: project, Services: []aivensim.Service{
			{Name: kafka, Type: "kafka"}, {Name: search, Type: "opensearch", ACLEnabled: true},
		}}},
	}))
	server := httptest.NewServer(r.sim)
	t.Cleanup(server.Close)
	for _, ref := range []providerconfig.Ref{central, teams} {
		c, err := aiven.New(aiven.Options{Token: token, BaseURL: server.URL, Limits: aiven.Limits{RequestsPerSecond: -1}, ACLInterval: time.Millisecond})
		if err != nil {
			t.Fatalf("aiven.New(...): %v", err)
		}
		t.Cleanup(c.Close)
		r.clients[ref] = c
	}

	kube := r.apiServer()
	d := Dependencies{
		Configs: r, Metrics: r, Namespace: namespace, Now: func() time.Time { return r.clock },
		Lists: []client.ObjectList{&v1alpha1.KafkaServiceUserList{}, &v1alpha1.OpenSearchServiceUserList{}, &v1alpha1.ValkeyServiceUserList{}},
	}
	for _, f := range change {
		f(&d)
	}
	r.Sweeper = newSweeper(kube, kube, d)
	r.log = &teller{log: r, told: map[string]string{}}
	r.ledgers.log = r.log
	r.record = r
	r.create(&v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "uid-of-central"}})
	return r
}

func (r *rig) apiServer() client.Client {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apis.AddToScheme} {
		if err := add(s); err != nil {
			r.t.Fatalf("cannot add to scheme: %v", err)
		}
	}
	return fake.NewClientBuilder().WithScheme(s).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if r.funcs.Get != nil {
				return r.funcs.Get(ctx, c, k, o, opts...)
			}
			return c.Get(ctx, k, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			if r.funcs.List != nil {
				return r.funcs.List(ctx, c, l, opts...)
			}
			return c.List(ctx, l, opts...)
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			r.wrote("create", o)
			if r.funcs.Create != nil {
				return r.funcs.Create(ctx, c, o, opts...)
			}
			return c.Create(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			r.wrote("patch", o)
			if r.funcs.Patch != nil {
				return r.funcs.Patch(ctx, c, o, p, opts...)
			}
			return c.Patch(ctx, o, p, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			r.wrote("delete", o)
			return c.Delete(ctx, o, opts...)
		},
	}).Build()
}

func (r *rig) wrote(verb string, o client.Object) {
	if _, ok := o.(*corev1.ConfigMap); ok {
		r.writes = append(r.writes, verb)
	}
}

// Connect implements Configurations.
func (r *rig) Connect(_ context.Context, a providerconfig.Access) (*aiven.Client, error) {
	if c := r.clients[a.Config]; c != nil {
		return c, nil
	}
	return nil, errors.Wrapf(providerconfig.ErrNoToken, "cannot get the Aiven token of %s", a)
}

// Orphaned implements Metrics, as do the two that follow.
func (r *rig) Orphaned(_, service string, proven, unproven int) {
	r.orphans[service] = fmt.Sprintf("%d/%d", proven, unproven)
}
func (r *rig) OrphanDeleted(_, _ string)        { r.deletes++ }
func (r *rig) ServiceGone(_, service string)    { delete(r.orphans, service) }
func (r *rig) Debug(string, ...any)             {}
func (r *rig) WithValues(...any) logging.Logger { return r }

// Info implements logging.Logger.
func (r *rig) Info(message string, kv ...any) {
	r.lines = append(r.lines, fmt.Sprint(append([]any{message}, kv...)...))
}

// Event implements event.Recorder.
func (r *rig) Event(o runtime.Object, e event.Event) {
	r.events = append(r.events, fmt.Sprintf("%s %s %s: %s", o.(client.Object).GetName(), e.Type, e.Reason, e.Message))
}
func (r *rig) WithAnnotations(...string) event.Recorder { return r }

func (r *rig) create(o client.Object) {
	r.t.Helper()
	if err := r.kube.Create(r.t.Context(), o); err != nil {
		r.t.Fatalf("cannot create %T: %v", o, err)
	}
}

// policy sets what the central configuration says about orphans.
func (r *rig) policy(p v1alpha1.OrphanPolicy) {
	r.t.Helper()
	pc := &v1alpha1.ClusterProviderConfig{}
	if err := r.kube.Get(r.t.Context(), types.NamespacedName{Name: "default"}, pc); err != nil {
		r.t.Fatalf("cannot get configuration: %v", err)
	}
	pc.Spec.Orphans = p
	if err := r.kube.Update(r.t.Context(), pc); err != nil {
		r.t.Fatalf("cannot update configuration: %v", err)
	}
}

// tenant adds a ProviderConfig.
func (r *rig) tenant() {
	r.t.Helper()
	r.create(&v1alpha1.ProviderConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "default", UID: "uid-of-team"}})
}

// claim adds a managed resource of an application, and its user at Aiven.
func (r *rig) claim(app string, change ...func(*v1alpha1.KafkaServiceUser)) *v1alpha1.KafkaServiceUser {
	r.t.Helper()
	u := generated(app)
	r.sim.AddUser(project, kafka, u)
	mg := &v1alpha1.KafkaServiceUser{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team", Name: app, CreationTimestamp: metav1.NewTime(r.clock),
		Annotations: map[string]string{v1.AnnotationGeneratedUsername: u},
	}}
	meta.SetExternalName(mg, u)
	mg.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: central.Kind, Name: central.Name}
	mg.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionAll}
	mg.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: project, ServiceName: kafka}
	mg.Status.AtProvider.ServiceUserObservation = v1alpha1.ServiceUserObservation{Username: u, Type: "normal"}
	for _, f := range change {
		f(mg)
	}
	r.create(mg)
	return mg
}

// force removes a managed resource as somebody who removes its finalizer does.
func (r *rig) force(o client.Object) {
	r.t.Helper()
	if err := r.kube.Delete(r.t.Context(), o); err != nil {
		r.t.Fatalf("cannot delete %T: %v", o, err)
	}
}

// sweep sweeps some times, minutes apart.
func (r *rig) sweep(times int) {
	r.t.Helper()
	for range times {
		if err := r.Sweep(r.t.Context()); err != nil {
			r.t.Fatalf("Sweep(...): %v", err)
		}
		r.clock = r.clock.Add(DefaultInterval)
	}
}

func (r *rig) has(service, user string) bool {
	_, ok := r.sim.User(project, service, user)
	return ok
}

// ledger returns what is recorded for a service, false when there is no ledger.
func (r *rig) ledger(k ledgerKey) (map[string]string, bool) {
	r.t.Helper()
	cm := &corev1.ConfigMap{}
	err := r.kube.Get(r.t.Context(), types.NamespacedName{Namespace: namespace, Name: k.name()}, cm)
	return cm.Data, err == nil
}

// told returns the events of a reason.
func (r *rig) told(reason event.Reason) []string {
	return slices.DeleteFunc(slices.Clone(r.events), func(e string) bool { return !strings.Contains(e, string(reason)) })
}
