// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package local

import (
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/connection"
)

// projects of the namespaces, as the configurations among the examples have it.
var projects = map[string]string{"demo": "demo-project", "payments": "payments-project"}

// A part is what one service adds to a Secret.
type part struct {
	service  connection.Service
	instance string
	// project and name of the Aiven service.
	project, name string
}

// expected returns what each Secret of an application has to hold.
func expected(a *v1.AivenApplication) map[string][]part {
	out := make(map[string][]part)
	add := func(own string, p part) {
		name := own
		if name == "" {
			name = a.Spec.SecretName
		}
		if name == "" {
			name = a.GetName() + "-aiven"
		}
		out[name] = append(out[name], p)
	}
	ns := a.GetNamespace()
	if k := a.Spec.Kafka; k != nil {
		add(k.SecretName, part{connection.Kafka, "", projects[ns], "kafka-demo"})
	}
	if o := a.Spec.OpenSearch; o != nil {
		add(o.SecretName, part{connection.OpenSearch, "", projects[ns], "opensearch-" + ns + "-" + o.Instance})
	}
	for _, v := range a.Spec.Valkey {
		add(v.SecretName, part{connection.Valkey, v.Instance, projects[ns], "valkey-" + ns + "-" + v.Instance})
	}
	return out
}

// keys returns the keys that a Secret of these parts has to hold, in order. The
// simulator's services have everything that is optional, but a replica only where
// the seed says so.
func keys(parts []part) []string {
	var out []string
	add := func(docs []connection.KeyDoc) {
		for _, d := range docs {
			out = append(out, d.Name)
		}
	}
	add(connection.CommonKeys())
	for _, p := range parts {
		docs := connection.Keys(p.service, p.instance)
		if !seeded(p).Replica {
			docs = slices.DeleteFunc(docs, func(d connection.KeyDoc) bool { return strings.HasPrefix(d.Name, "VALKEY_REPLICA_") })
		}
		add(docs)
	}
	slices.Sort(out)
	return out
}

func seeded(p part) aivensim.Service {
	for _, project := range e.Seed.Projects {
		for _, s := range project.Services {
			if project.Name == p.project && s.Name == p.name {
				return s
			}
		}
	}
	return aivensim.Service{}
}

// credentials returns what a Secret holds to log in with. For Kafka it is the
// user and password of the schema registry.
func (p part) credentials(s *corev1.Secret) (username, password string) {
	user, pass := "KAFKA_SCHEMA_REGISTRY_USER", "KAFKA_SCHEMA_REGISTRY_PASSWORD"
	switch p.service {
	case connection.OpenSearch:
		user, pass = "OPEN_SEARCH_USERNAME", "OPEN_SEARCH_PASSWORD"
	case connection.Valkey:
		suffix := "_" + connection.Suffix(p.instance)
		user, pass = "VALKEY_USERNAME"+suffix, "VALKEY_PASSWORD"+suffix
	}
	return string(s.Data[user]), string(s.Data[pass])
}

// accepted returns nil when the service accepts what the Secret holds.
func (p part) accepted(s *corev1.Secret) error {
	username, password := p.credentials(s)
	if !e.Sim.Login(p.project, p.name, username, password) {
		return errors.Errorf("%s does not accept the password that Secret %s holds for user %q", p.name, s.GetName(), username)
	}
	if p.service == connection.Kafka && !e.Sim.LoginCertificate(p.project, p.name, s.Data["KAFKA_CERTIFICATE"], s.Data["KAFKA_PRIVATE_KEY"]) {
		return errors.Errorf("%s does not accept the certificate that Secret %s holds", p.name, s.GetName())
	}
	if ca := strings.TrimSpace(e.Sim.ProjectCA(p.project)); !strings.Contains(string(s.Data[connection.SecretCA]), ca) {
		return errors.Errorf("Secret %s lacks the CA of project %s", s.GetName(), p.project)
	}
	return nil
}

// made returns the names of the users of all seeded services that were made
// through the API and whose name begins as given, with their services.
func made(prefix string) []string {
	var out []string
	for _, project := range e.Seed.Projects {
		for _, s := range project.Services {
			for _, u := range e.Sim.Users(project.Name, s.Name) {
				if u.Type != "primary" && strings.HasPrefix(u.Username, prefix) {
					out = append(out, s.Name+": "+u.Username)
				}
			}
		}
	}
	return out
}

func getApplication(t *testing.T, namespace, name string) *v1.AivenApplication {
	t.Helper()
	a := &v1.AivenApplication{}
	if err := e.Kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, a); err != nil {
		t.Fatalf("cannot get application: %v", err)
	}
	return a
}

func getSecret(t *testing.T, namespace, name string) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{}
	if err := e.Kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, s); err != nil {
		t.Fatalf("cannot get Secret: %v", err)
	}
	return s
}

// eachSecret calls fn with every Secret that the applications have to have.
func eachSecret(t *testing.T, fn func(a *v1.AivenApplication, s *corev1.Secret, parts []part)) {
	t.Helper()
	apps := objects(t).Applications
	if len(apps) == 0 {
		t.Fatal("there is no application")
	}
	for i := range apps {
		for name, parts := range expected(&apps[i]) {
			fn(&apps[i], getSecret(t, apps[i].GetNamespace(), name), parts)
		}
	}
}

func remove(t *testing.T, o client.Object) {
	t.Helper()
	if err := e.Kube.Delete(t.Context(), o); err != nil {
		t.Fatalf("cannot delete %T: %v", o, err)
	}
}

func application(namespace, name string) *v1.AivenApplication {
	return &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}
