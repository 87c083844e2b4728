// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// A tenant is a namespace with a project of its own at Aiven: one Kafka (pool
// "pool"), one OpenSearch ("logs") and two Valkeys ("sessions" with a replica,
// "cache").
type tenant struct {
	t         *testing.T
	namespace string
	project   string
	config    string
	token     string
}

func newTenant(t *testing.T, prefix string) tenant {
	t.Helper()
	ns := h.Namespace(t, prefix)
	t.Cleanup(func() { cleanUp(t, ns) })
	te := tenant{t: t, namespace: ns, project: "project-" + ns, config: ns, token: harness.Token + "-" + ns}
	h.Sim.AddToken(aivensim.Token{Token: te.token, Permissions: "admin"})
	h.Sim.AddProject(te.project)
	h.Sim.AddService(te.project, aivensim.Service{Name: "kafka", Type: "kafka", UserLimit: 500})
	h.Sim.AddService(te.project, aivensim.Service{Name: te.openSearch(), Type: "opensearch", UserLimit: 500})
	h.Sim.AddService(te.project, aivensim.Service{Name: te.valkey("sessions"), Type: "valkey", Replica: true})
	h.Sim.AddService(te.project, aivensim.Service{Name: te.valkey("cache"), Type: "valkey"})
	te.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token", Namespace: ns}, Data: map[string][]byte{"token": []byte(te.token)}})
	te.create(&v1alpha1.ClusterProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: te.config},
		Spec: v1alpha1.ClusterProviderConfigSpec{
			Credentials: v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
				SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: ns, Name: "token"}, Key: "token"},
			}},
			ServiceSettings: v1alpha1.ServiceSettings{
				BaseURL: h.URL, Project: te.project,
				KafkaPools: []v1alpha1.KafkaPool{{Name: "pool", Project: te.project, ServiceName: "kafka"}},
			},
		},
	})
	return te
}

// central returns the tenant's configuration, as far as its name.
func (te tenant) central() *v1alpha1.ClusterProviderConfig {
	return &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: te.config}}
}

// configure changes the tenant's configuration, and waits until the provider has seen
// the change.
func (te tenant) configure(change func(s *v1alpha1.ClusterProviderConfigSpec)) {
	te.t.Helper()
	te.seen(harness.Update(te.t, h.Kube, te.central(), func(pc *v1alpha1.ClusterProviderConfig) { change(&pc.Spec) }))
}

// seen waits until the provider has seen a configuration as it is now: what is made from
// then on is judged by it. Objects of other kinds may come to the provider in any order.
func (te tenant) seen(pc resource.ProviderConfig) {
	te.t.Helper()
	harness.Eventually(te.t, "the provider has seen "+pc.GetName(), func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(pc), pc); err != nil {
			return err
		}
		if c := pc.GetCondition(v1alpha1.TypeHealthy); c.ObservedGeneration != pc.GetGeneration() {
			return errors.Errorf("it has seen generation %d of %d", c.ObservedGeneration, pc.GetGeneration())
		}
		return nil
	})
}

// anyUsername lets people import users.
func anyUsername(s *v1alpha1.ClusterProviderConfigSpec) { s.Usernames = v1alpha1.UsernamesAny }

func (te tenant) openSearch() string        { return "opensearch-" + te.namespace + "-logs" }
func (te tenant) valkey(name string) string { return "valkey-" + te.namespace + "-" + name }

func (te tenant) create(o client.Object) {
	te.t.Helper()
	if err := h.Kube.Create(te.t.Context(), o); err != nil {
		te.t.Fatalf("cannot create %T: %v", o, err)
	}
}

// app returns an application of all three services.
func (te tenant) app(name string, with ...func(*v1.AivenApplication)) *v1.AivenApplication {
	a := &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace},
		Spec: v1.AivenApplicationSpec{
			Kafka:             &v1.KafkaSpec{Pool: "pool"},
			OpenSearch:        &v1.OpenSearchSpec{Instance: "logs", Access: v1.AccessReadWrite},
			Valkey:            []v1.ValkeySpec{{Instance: "sessions", Access: v1.AccessReadWrite}, {Instance: "cache"}},
			ProviderConfigRef: &xpv2.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: te.config},
		},
	}
	for _, w := range with {
		w(a)
	}
	return a
}

// shortOverlap has replaced users go soon.
func shortOverlap(a *v1.AivenApplication) {
	a.Spec.Rotation = &v1.RotationSpec{Overlap: &metav1.Duration{Duration: time.Second}}
}

// replicaSet returns one without replicas that refers to a Secret, as a rollout
// leaves behind for rollbacks.
func (te tenant) replicaSet(name, secret string) *appsv1.ReplicaSet {
	labels := map[string]string{"app": name}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec(secret)},
		},
	}
}

func podSpec(secret string) corev1.PodSpec {
	return corev1.PodSpec{
		AutomountServiceAccountToken: new(bool),
		Containers: []corev1.Container{{
			Name: "app", Image: "app",
			EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}}},
		}},
	}
}

// pod starts a pod that refers to a Secret, as far as anybody can see.
func (te tenant) pod(name, secret string, started time.Time) *corev1.Pod {
	te.t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace}, Spec: podSpec(secret)}
	harness.Eventually(te.t, "pod "+name+" is made", func(ctx context.Context) error {
		return client.IgnoreAlreadyExists(h.Kube.Create(ctx, p)) // The answer to an attempt before may have been lost.
	})
	harness.Eventually(te.t, "pod "+name+" is started", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
			return err
		}
		p.Status.Phase, p.Status.StartTime = corev1.PodRunning, new(metav1.NewTime(started))
		return h.Kube.Status().Update(ctx, p)
	})
	return p
}

func (te tenant) delete(o client.Object, opts ...client.DeleteOption) {
	te.t.Helper()
	if err := h.Kube.Delete(te.t.Context(), o, opts...); err != nil {
		te.t.Fatalf("cannot delete %T: %v", o, err)
	}
}

// managed returns the managed resources of the namespace.
func (te tenant) managed(ctx context.Context) []client.Object {
	te.t.Helper()
	var out []client.Object
	for _, l := range []client.ObjectList{&v1alpha1.KafkaServiceUserList{}, &v1alpha1.OpenSearchServiceUserList{}, &v1alpha1.ValkeyServiceUserList{}} {
		if err := h.Kube.List(ctx, l, client.InNamespace(te.namespace)); err != nil {
			te.t.Fatalf("cannot list managed resources: %v", err)
		}
		_ = apimeta.EachListItem(l, func(o runtime.Object) error {
			out = append(out, o.(client.Object))
			return nil
		})
	}
	return out
}

// event waits for an event about an object.
func (te tenant) event(o client.Object, reason string) {
	te.t.Helper()
	harness.Eventually(te.t, "event "+reason+" about "+o.GetName(), func(ctx context.Context) error {
		l := &corev1.EventList{}
		if err := h.Kube.List(ctx, l, client.InNamespace(te.namespace)); err != nil {
			return err
		}
		var reasons []string
		for _, e := range l.Items {
			if e.InvolvedObject.Name == o.GetName() {
				reasons = append(reasons, e.Reason)
			}
		}
		if !slices.Contains(reasons, reason) {
			return errors.Errorf("only %v", reasons)
		}
		return nil
	})
}

// ready waits until the application is ready as it is specified now.
func (te tenant) ready(name string) *v1.AivenApplication {
	te.t.Helper()
	a := &v1.AivenApplication{}
	harness.Eventually(te.t, "application "+name+" is ready", func(ctx context.Context) error {
		a = &v1.AivenApplication{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, a); err != nil {
			return err
		}
		c := a.GetCondition(xpv2.TypeReady)
		if c.Status != corev1.ConditionTrue || c.ObservedGeneration != a.GetGeneration() {
			return errors.Errorf("Ready is %s for generation %d of %d: %s: %s", c.Status, c.ObservedGeneration, a.GetGeneration(), c.Reason, c.Message)
		}
		return nil
	})
	return a
}

// notReady waits until the application is not ready for the supplied reason.
func (te tenant) notReady(name string, reason xpv2.ConditionReason) xpv2.Condition {
	te.t.Helper()
	var c xpv2.Condition
	harness.Eventually(te.t, "application "+name+" is not ready: "+string(reason), func(ctx context.Context) error {
		a := &v1.AivenApplication{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, a); err != nil {
			return err
		}
		if c = a.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionFalse || c.Reason != reason {
			return errors.Errorf("Ready is %s: %s: %s", c.Status, c.Reason, c.Message)
		}
		return nil
	})
	return c
}

// change changes an application, as a person with an editor would.
func (te tenant) change(name string, fn func(a *v1.AivenApplication)) {
	te.t.Helper()
	harness.Update(te.t, h.Kube, &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: te.namespace, Name: name}}, fn)
}

func (te tenant) secret(name string) *corev1.Secret {
	te.t.Helper()
	s := &corev1.Secret{}
	if err := h.Kube.Get(te.t.Context(), client.ObjectKey{Namespace: te.namespace, Name: name}, s); err != nil {
		te.t.Fatalf("cannot get Secret: %v", err)
	}
	return s
}

// users returns the names of the users of a service that were made through the API.
func (te tenant) users(service string) []string {
	var out []string
	for _, u := range h.Sim.Users(te.project, service) {
		if u.CreatedBy != "" && u.CreatedBy != "outside" && u.Type != "primary" {
			out = append(out, u.Username)
		}
	}
	slices.Sort(out)
	return out
}

// works fails the test unless everything in the Secret logs in.
func (te tenant) works(s *corev1.Secret) {
	te.t.Helper()
	if err := te.check(s); err != nil {
		te.t.Fatalf("Secret %s: %v", s.GetName(), err)
	}
}

func (te tenant) check(s *corev1.Secret) error {
	d := func(k string) string { return string(s.Data[k]) }
	if _, ok := s.Data["KAFKA_BROKERS"]; ok && !h.Sim.LoginCertificate(te.project, "kafka", s.Data["KAFKA_CERTIFICATE"], s.Data["KAFKA_PRIVATE_KEY"]) {
		return errors.New("the Kafka certificate is not accepted")
	}
	if u, ok := s.Data["OPEN_SEARCH_USERNAME"]; ok && !h.Sim.Login(te.project, te.openSearch(), string(u), d("OPEN_SEARCH_PASSWORD")) {
		return errors.New("the OpenSearch password is not accepted")
	}
	for _, v := range []string{"sessions", "cache"} {
		k := strings.ToUpper(v)
		if u, ok := s.Data["VALKEY_USERNAME_"+k]; ok && !h.Sim.Login(te.project, te.valkey(v), string(u), d("VALKEY_PASSWORD_"+k)) {
			return errors.Errorf("the password of Valkey %s is not accepted", v)
		}
	}
	for k, v := range s.Data {
		if len(v) == 0 || strings.Contains(string(v), "<redacted>") {
			return errors.Errorf("key %s is empty or redacted", k)
		}
	}
	return nil
}

// keys returns the keys that a Secret of these services must have.
func keys(services ...string) []string {
	var out []string
	add := func(docs []connection.KeyDoc) {
		for _, d := range docs {
			out = append(out, d.Name)
		}
	}
	add(connection.CommonKeys())
	for _, s := range services {
		service, instance, _ := strings.Cut(s, "/")
		add(connection.Keys(connection.Service(service), instance))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func localSecretKey(name, key string) xpv2.LocalSecretKeySelector {
	return xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: name}, Key: key}
}
