// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const (
	project = "project"
	kafka   = "kafka"
	central = "central"
)

// prepare makes what the platform team has: a token in the provider's namespace
// and a configuration of it, by which orphans are deleted.
func prepare(t *testing.T) {
	t.Helper()
	h.Sim.AddProject(project)
	h.Sim.AddService(project, aivensim.Service{Name: kafka, Type: "kafka", UserLimit: 500})
	ensure(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ownNamespace}})
	ensure(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "aiven-token", Namespace: ownNamespace},
		Data:       map[string][]byte{"token": []byte(harness.Token)},
	})
	ensure(t, clusterConfig(central))
	ensure(t, instanceKind("OpenSearch", "opensearches"))
	ensure(t, instanceKind("Valkey", "valkeys"))
}

// instanceKind defines a kind of Aiven's own operator, without what nobody here reads.
func instanceKind(kind, plural string) *unstructured.Unstructured {
	version := map[string]any{
		"name": "v1alpha1", "served": true, "storage": true,
		"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": plural + ".aiven.io"},
		"spec": map[string]any{
			"group": "aiven.io", "scope": "Namespaced", "versions": []any{version},
			"names": map[string]any{"kind": kind, "plural": plural},
		},
	}}
}

// instance returns an object of Aiven's own operator that is running.
func instance(kind, namespace, name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "aiven.io/v1alpha1", "kind": kind, "metadata": map[string]any{"namespace": namespace, "name": name},
		"spec": map[string]any{"project": project}, "status": map[string]any{"state": "RUNNING"},
	}}
}

func clusterConfig(name string) *v1alpha1.ClusterProviderConfig {
	return &v1alpha1.ClusterProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ClusterProviderConfigSpec{
			Credentials: v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
				SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: ownNamespace, Name: "aiven-token"}, Key: "token"},
			}},
			ServiceSettings: settings(),
			Orphans:         v1alpha1.OrphansDelete,
		},
	}
}

func settings() v1alpha1.ServiceSettings {
	return v1alpha1.ServiceSettings{
		BaseURL: h.URL, Project: project,
		KafkaPools: []v1alpha1.KafkaPool{{Name: "pool", Project: project, ServiceName: kafka, Topics: []string{"{namespace}.*"}}},
	}
}

// A tenant is a namespace with an OpenSearch and a Valkey.
type tenant struct {
	*testing.T

	namespace string
}

func newTenant(t *testing.T, prefix string) tenant {
	t.Helper()
	te := tenant{T: t, namespace: h.Namespace(t, prefix)}
	h.Sim.AddService(project, aivensim.Service{Name: te.openSearch(), Type: "opensearch", UserLimit: 500})
	h.Sim.AddService(project, aivensim.Service{Name: te.valkey(), Type: "valkey"})
	return te
}

func (te tenant) openSearch() string { return "opensearch-" + te.namespace + "-logs" }
func (te tenant) valkey() string     { return "valkey-" + te.namespace + "-cache" }

func (te tenant) create(o client.Object) {
	te.Helper()
	if err := h.Kube.Create(te.Context(), o); err != nil {
		te.Fatalf("cannot create %T: %v", o, err)
	}
}

func (te tenant) delete(o client.Object) {
	te.Helper()
	if err := h.Kube.Delete(te.Context(), o); err != nil {
		te.Fatalf("cannot delete %T: %v", o, err)
	}
}

// app returns an application of all three services.
func (te tenant) app(name, kind, config string) *v1.AivenApplication {
	return &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace},
		Spec: v1.AivenApplicationSpec{
			SecretName:        name + "-aiven",
			Kafka:             &v1.KafkaSpec{Pool: "pool", ACL: []v1.KafkaTopicAccess{{Topic: te.namespace + ".orders", Access: v1.AccessRead}}},
			OpenSearch:        &v1.OpenSearchSpec{Instance: "logs", Access: v1.AccessReadWrite},
			Valkey:            []v1.ValkeySpec{{Instance: "cache"}},
			Rotation:          &v1.RotationSpec{Overlap: &metav1.Duration{Duration: time.Second}},
			ProviderConfigRef: &xpv2.ProviderConfigReference{Kind: kind, Name: config},
		},
	}
}

// user returns a managed resource of a Valkey user.
func (te tenant) user(name, config string) *v1alpha1.ValkeyServiceUser {
	u := &v1alpha1.ValkeyServiceUser{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace}}
	u.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigKind, Name: config}
	u.Spec.WriteConnectionSecretToReference = &xpv2.LocalSecretReference{Name: name + "-conn"}
	u.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: project, ServiceName: te.valkey()}
	return u
}

// conditioned are applications and managed resources.
type conditioned interface {
	client.Object
	GetCondition(t xpv2.ConditionType) xpv2.Condition
}

// ready waits until an object is ready, and whatever else is asked for.
func (te tenant) ready(o conditioned, more ...func() error) {
	te.Helper()
	harness.Eventually(te.T, o.GetName()+" is ready", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		c := o.GetCondition(xpv2.TypeReady)
		if c.Status != corev1.ConditionTrue || c.ObservedGeneration != 0 && c.ObservedGeneration != o.GetGeneration() {
			return errors.Errorf("Ready is %s: %s: %s", c.Status, c.Reason, c.Message)
		}
		for _, fn := range more {
			if err := fn(); err != nil {
				return err
			}
		}
		return nil
	})
}

// works waits until an application's Secret logs in everywhere.
func (te tenant) works(name string) {
	te.Helper()
	harness.Eventually(te.T, "Secret "+name+" works", func(ctx context.Context) error {
		s := &corev1.Secret{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, s); err != nil {
			return err
		}
		d := func(k string) string { return string(s.Data[k]) }
		switch {
		case !h.Sim.LoginCertificate(project, kafka, s.Data["KAFKA_CERTIFICATE"], s.Data["KAFKA_PRIVATE_KEY"]):
			return errors.New("the Kafka certificate is not accepted")
		case !h.Sim.MayKafka(project, kafka, d("KAFKA_SCHEMA_REGISTRY_USER"), te.namespace+".orders", "read"):
			return errors.New("the topic may not be read")
		case !h.Sim.Login(project, te.openSearch(), d("OPEN_SEARCH_USERNAME"), d("OPEN_SEARCH_PASSWORD")):
			return errors.New("the OpenSearch password is not accepted")
		case !h.Sim.Login(project, te.valkey(), d("VALKEY_USERNAME_CACHE"), d("VALKEY_PASSWORD_CACHE")):
			return errors.New("the Valkey password is not accepted")
		}
		return nil
	})
}

// users returns the names of the users that were made for the namespace.
func (te tenant) users() []string {
	var out []string
	for _, service := range []string{te.openSearch(), te.valkey(), kafka} {
		for _, u := range h.Sim.Users(project, service) {
			if strings.HasPrefix(u.Username, te.namespace+"_") {
				out = append(out, service+"/"+u.Username)
			}
		}
	}
	slices.Sort(out)
	return out
}

// left waits until just these users are left at Aiven.
func (te tenant) left(want []string) {
	te.Helper()
	harness.Eventually(te.T, "users at Aiven", func(context.Context) error {
		if got := te.users(); !slices.Equal(got, want) {
			return errors.Errorf("there are %v, want %v", got, want)
		}
		return nil
	})
}

func (te tenant) gone(o client.Object) {
	te.Helper()
	harness.Eventually(te.T, o.GetName()+" is gone", func(ctx context.Context) error {
		err := h.Kube.Get(ctx, client.ObjectKeyFromObject(o), o)
		if kerrors.IsNotFound(err) {
			return nil
		}
		return errors.Errorf("%T is still there: %v", o, err)
	})
}

// recorded waits until the user of a managed resource is recorded as made through
// a configuration.
func (te tenant) recorded(mg client.Object, config string) {
	te.Helper()
	name := meta.GetExternalName(mg)
	harness.Eventually(te.T, "user "+name+" is recorded", func(ctx context.Context) error {
		l := &corev1.ConfigMapList{}
		if err := h.Kube.List(ctx, l, client.InNamespace(ownNamespace), client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy}); err != nil {
			return err
		}
		for _, cm := range l.Items {
			if _, ok := cm.Data[name]; ok && cm.GetAnnotations()["aiven.nais.io/provider-config"] == "ClusterProviderConfig//"+config {
				return nil
			}
		}
		return errors.Errorf("it is in none of %d records", len(l.Items))
	})
}
