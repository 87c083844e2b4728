// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"context"
	"fmt"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const (
	project = "demo"
	limit   = 400
)

// A team is a namespace with services of its own, in which things happen that
// metrics tell of.
type team struct {
	*harness.Harness

	t         *testing.T
	namespace string
	made      int
}

func newTeam(t *testing.T, h *harness.Harness) *team {
	t.Helper()
	te := &team{Harness: h, t: t, namespace: h.Namespace(t, "shop")}
	h.Sim.SetLatency(20 * time.Millisecond)
	h.Sim.AddProject(project)
	h.Sim.AddService(project, aivensim.Service{Name: "kafka", Type: "kafka", UserLimit: limit})
	h.Sim.AddService(project, aivensim.Service{Name: "opensearch-" + te.namespace + "-logs", Type: "opensearch", UserLimit: limit, ACLEnabled: true})
	h.Sim.AddService(project, aivensim.Service{Name: "valkey-" + te.namespace + "-sessions", Type: "valkey"})
	te.create(te.secret("token", harness.Token), te.secret("other-token", "not-known-to-aiven"))
	settings := v1alpha1.ServiceSettings{
		BaseURL: h.URL, Project: project, ServiceUsers: &v1alpha1.ServiceUsers{Limit: limit},
		KafkaPools: []v1alpha1.KafkaPool{{Name: "pool", Project: project, ServiceName: "kafka"}},
	}
	te.create(&v1alpha1.ClusterProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec: v1alpha1.ClusterProviderConfigSpec{
			Credentials: v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
				SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: te.namespace, Name: "token"}, Key: "token"},
			}},
			ServiceSettings: settings,
		},
	}, &v1alpha1.ProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "rejected", Namespace: te.namespace},
		Spec: v1alpha1.ProviderConfigSpec{
			Credentials: v1alpha1.LocalCredentials{
				Source:    xpv2.CredentialsSourceSecret,
				SecretRef: xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "other-token"}, Key: "token"},
			},
			ServiceSettings: settings,
		},
	})
	return te
}

func (te *team) secret(name, token string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace}, Data: map[string][]byte{"token": []byte(token)}}
}

func (te *team) create(objects ...client.Object) {
	te.t.Helper()
	for _, o := range objects {
		if err := te.Kube.Create(te.t.Context(), o); err != nil {
			te.t.Fatalf("cannot create %T: %v", o, err)
		}
	}
}

// odd makes applications that are not as most are: one will never be ready, and the
// access of one ends within a day.
func (te *team) odd() {
	te.create(
		te.app("nowhere", func(a *v1.AivenApplication) { a.Spec.Kafka.Pool = "nowhere" }),
		te.app("visit", func(a *v1.AivenApplication) { a.Spec.ExpiresAt = new(metav1.NewTime(time.Now().Add(20 * time.Hour))) }),
	)
}

func (te *team) app(name string, with ...func(a *v1.AivenApplication)) *v1.AivenApplication {
	a := &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace},
		Spec: v1.AivenApplicationSpec{
			Kafka:             &v1.KafkaSpec{Pool: "pool"},
			OpenSearch:        &v1.OpenSearchSpec{Instance: "logs", Access: v1.AccessReadWrite},
			Valkey:            []v1.ValkeySpec{{Instance: "sessions", Access: v1.AccessReadWrite}},
			ProviderConfigRef: &xpv2.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: "default"},
		},
	}
	for _, w := range with {
		w(a)
	}
	return a
}

// live has applications be made, rotated and deleted, while Aiven is out of sorts for
// a moment.
func (te *team) live(applications int) {
	te.t.Helper()
	var names []string
	for range applications {
		names = append(names, fmt.Sprintf("app-%02d", te.made))
		te.create(te.app(names[len(names)-1]))
		te.made++
	}
	for _, n := range names {
		te.published(n, 1)
	}
	te.Sim.Inject(aivensim.Fault{Operation: "GetService", Status: 503, Count: 3})
	for _, n := range names[:applications/2] {
		te.rotate(n)
	}
	for _, n := range names[:applications/2] {
		te.published(n, 2)
	}
	te.remove(names[:applications/3])
}

// hurry has Aiven refuse a call. From then on the provider paces its calls, so that
// nothing that waits for them is quick.
func (te *team) hurry() {
	te.Sim.Inject(aivensim.Fault{Operation: "GetService", Status: 429, RetryAfter: "1", Count: 1})
}

// published waits until the application's Secret holds that revision.
func (te *team) published(name string, revision int64) {
	te.t.Helper()
	harness.Eventually(te.t, fmt.Sprintf("revision %d of %s is published", revision, name), func(ctx context.Context) error {
		a := &v1.AivenApplication{}
		if err := te.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, a); err != nil {
			return err
		}
		if c := a.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionTrue || a.Status.Credentials == nil || a.Status.Credentials.Revision != revision {
			return errors.Errorf("Ready is %s: %s %s, credentials %+v", c.Status, c.Reason, c.Message, a.Status.Credentials)
		}
		return nil
	})
}

func (te *team) rotate(name string) {
	te.t.Helper()
	harness.Update(te.t, te.Kube, te.app(name), func(a *v1.AivenApplication) {
		a.Spec.Rotation = &v1.RotationSpec{RequestedAt: new(metav1.Now()), Overlap: &metav1.Duration{Duration: time.Second}}
	})
}

// remove deletes applications, and waits until the janitor has taken their Secrets.
func (te *team) remove(names []string) {
	te.t.Helper()
	for _, n := range names {
		if err := te.Kube.Delete(te.t.Context(), te.app(n)); err != nil {
			te.t.Fatalf("cannot delete application: %v", err)
		}
	}
	for _, n := range names {
		harness.Eventually(te.t, "the Secret of "+n+" is gone", func(ctx context.Context) error {
			err := te.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: n + "-aiven"}, &corev1.Secret{})
			if err == nil {
				return errors.New("it is there")
			}
			return client.IgnoreNotFound(err)
		})
	}
}

// usernames returns the names of all users at Aiven that were made.
func (te *team) usernames() []string {
	var out []string
	for _, s := range []string{"kafka", "opensearch-" + te.namespace + "-logs", "valkey-" + te.namespace + "-sessions"} {
		for _, u := range te.Sim.Users(project, s) {
			if u.Type != "primary" {
				out = append(out, u.Username)
			}
		}
	}
	return out
}
