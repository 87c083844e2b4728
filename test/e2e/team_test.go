// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"slices"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// userLimit is what the services of the simulator allow.
const userLimit = 2000

// A team has a namespace, an OpenSearch and a Valkey of its own, and shares Kafka.
type team struct {
	*suite

	t         *testing.T
	namespace string
}

func (s *suite) team(t *testing.T, prefix string) *team {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-", Labels: map[string]string{ours: "true"}}}
	if err := s.kube.Create(t.Context(), ns); err != nil {
		t.Fatalf("cannot create namespace: %v", err)
	}
	te := &team{suite: s, t: t, namespace: ns.Name}
	if len(s.services) == 0 {
		s.serve(aivensim.Service{Name: "kafka", Type: "kafka", UserLimit: userLimit})
	}
	s.serve(aivensim.Service{Name: te.openSearch(), Type: "opensearch", UserLimit: userLimit, ACLEnabled: true})
	s.serve(aivensim.Service{Name: te.valkey(), Type: "valkey"})
	return te
}

// serve has a service at Aiven.
func (s *suite) serve(service aivensim.Service) {
	s.sim.AddService(project, service)
	s.services = append(s.services, service.Name)
}

func (te *team) openSearch() string { return "opensearch-" + te.namespace + "-logs" }
func (te *team) valkey() string     { return "valkey-" + te.namespace + "-sessions" }

// app returns an application that uses all three services.
func (te *team) app(name string, with ...func(a *v1.AivenApplication)) *v1.AivenApplication {
	a := &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace},
		Spec: v1.AivenApplicationSpec{
			Kafka:      &v1.KafkaSpec{Pool: "pool"},
			OpenSearch: &v1.OpenSearchSpec{Instance: "logs", Access: v1.AccessReadWrite},
			Valkey:     []v1.ValkeySpec{{Instance: "sessions", Access: v1.AccessReadWrite}},
		},
	}
	for _, w := range with {
		w(a)
	}
	return a
}

func (te *team) create(objects ...client.Object) {
	te.t.Helper()
	for _, o := range objects {
		if err := te.kube.Create(te.t.Context(), o); err != nil {
			te.t.Fatalf("cannot create %T: %v", o, err)
		}
	}
}

// change changes an application, as often as it takes.
func (te *team) change(name string, how func(a *v1.AivenApplication)) {
	te.t.Helper()
	harness.Update(te.t, te.kube, &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: te.namespace, Name: name}}, how)
}

// ready waits until the application has credentials of a revision.
func (te *team) ready(name string, revision int64) *v1.AivenApplication {
	te.t.Helper()
	a := &v1.AivenApplication{}
	harness.Eventually(te.t, "application "+name+" is ready", func(ctx context.Context) error {
		a = &v1.AivenApplication{}
		if err := te.kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, a); err != nil {
			return err
		}
		c := a.GetCondition(xpv2.TypeReady)
		if c.Status != corev1.ConditionTrue || c.ObservedGeneration != a.Generation || a.Status.Credentials == nil || a.Status.Credentials.Revision != revision {
			return errors.Errorf("Ready is %s: %s: %s, credentials %+v", c.Status, c.Reason, c.Message, a.Status.Credentials)
		}
		return nil
	})
	return a
}

func (te *team) secret(name string) *corev1.Secret {
	te.t.Helper()
	s := &corev1.Secret{}
	if err := te.kube.Get(te.t.Context(), client.ObjectKey{Namespace: te.namespace, Name: name}, s); err != nil {
		te.t.Fatalf("cannot get Secret: %v", err)
	}
	return s
}

// users returns the names of the team's users at Aiven, by service.
func (te *team) users() map[string][]string {
	out := make(map[string][]string)
	for _, service := range []string{"kafka", te.openSearch(), te.valkey()} {
		for _, u := range te.sim.Users(project, service) {
			// Those of Kafka begin with the namespace.
			if u.Type != "primary" && (service != "kafka" || len(u.Username) > len(te.namespace) && u.Username[:len(te.namespace)] == te.namespace) {
				out[service] = append(out[service], u.Username)
			}
		}
		slices.Sort(out[service])
	}
	return out
}

// count returns how many users the team has at Aiven.
func (te *team) count() int {
	n := 0
	for _, u := range te.users() {
		n += len(u)
	}
	return n
}

// eventually waits until there is no difference.
func (te *team) eventually(what string, diff func() string) {
	te.t.Helper()
	harness.Eventually(te.t, what, func(context.Context) error {
		if d := diff(); d != "" {
			return errors.Errorf("-want, +got:\n%s", d)
		}
		return nil
	})
}

// noUsers waits until the team has no users at Aiven.
func (te *team) noUsers() {
	te.t.Helper()
	harness.Eventually(te.t, "all users are gone from Aiven", func(context.Context) error {
		if te.count() > 0 {
			return errors.Errorf("there are %v", te.users())
		}
		return nil
	})
}
