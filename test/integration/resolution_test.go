// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// issue has Aiven issue a token for the tenant's project, which it knows by name.
func (te tenant) issue(name string) string {
	token := te.token + "-" + name
	h.Sim.AddToken(aivensim.Token{Token: token, Name: name, Permissions: "admin", Projects: []string{te.project}})
	return token
}

// madeBy returns the name of the token with which a user was made.
func (te tenant) madeBy(service, user string) string {
	te.t.Helper()
	u, ok := h.Sim.User(te.project, service, user)
	if !ok {
		te.t.Fatalf("there is no user %q on %s", user, service)
	}
	return u.CreatedBy
}

// settings of configurations that only differ in their tokens.
func (te tenant) settings() v1alpha1.ServiceSettings {
	return v1alpha1.ServiceSettings{
		BaseURL: h.URL, Project: te.project,
		KafkaPools: []v1alpha1.KafkaPool{{Name: "pool", Project: te.project, ServiceName: "kafka"}},
	}
}

// centralWith makes a ClusterProviderConfig with the supplied credentials, and waits
// until the provider has seen it.
func (te tenant) centralWith(name string, c v1alpha1.ClusterCredentials) {
	te.t.Helper()
	pc := &v1alpha1.ClusterProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.ClusterProviderConfigSpec{Credentials: c, ServiceSettings: te.settings()},
	}
	te.create(pc)
	te.seen(pc)
}

// teamWith makes a ProviderConfig whose token is in the supplied Secret, and waits
// until the provider has seen it.
func (te tenant) teamWith(name, secret string) {
	te.t.Helper()
	pc := &v1alpha1.ProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace},
		Spec: v1alpha1.ProviderConfigSpec{
			Credentials: v1alpha1.LocalCredentials{SecretRef: localSecretKey(secret, "token")}, ServiceSettings: te.settings(),
		},
	}
	te.create(pc)
	te.seen(pc)
}

// issued makes a Secret with a token that is named as the Secret is.
func (te tenant) issued(name string) {
	te.t.Helper()
	te.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace}, Data: map[string][]byte{"token": []byte(" " + te.issue(name) + "\n")},
	})
}

// inSecret are credentials in a Secret of the tenant's namespace.
func (te tenant) inSecret(name string) v1alpha1.ClusterCredentials {
	return v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
		SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: te.namespace, Name: name}, Key: "token"},
	}}
}

// A way in which a token is found.
type way struct {
	reason string
	ref    *xpv2.ProviderConfigReference
	own    *xpv2.LocalSecretKeySelector
	// in another namespace, which has no ProviderConfig "default".
	elsewhere bool
	// want is the name of the token.
	want string
}

func centralRef(name string) *xpv2.ProviderConfigReference {
	return &xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigKind, Name: name}
}

func teamRef(name string) *xpv2.ProviderConfigReference {
	return &xpv2.ProviderConfigReference{Kind: v1alpha1.ProviderConfigKind, Name: name}
}

// TestEveryWayToGiveAToken is not parallel: a cluster has but one ClusterProviderConfig
// "default", and other tests have none.
func TestEveryWayToGiveAToken(t *testing.T) {
	te := newTenant(t, "ways")
	other := te.beside("elsewhere-" + te.namespace)

	// Without a configuration, what would help is named.
	te.create(te.app("early", onlyKafka, ofTeam))
	early := te.kafkaUser("early-user", func(u *v1alpha1.KafkaServiceUser) { u.Spec.ProviderConfigReference = nil })
	te.create(early)
	if c := te.notReady("early", v1.ReasonNoToken); !strings.Contains(c.Message, `ProviderConfig "default"`) || !strings.Contains(c.Message, "spec.providerConfigRef") {
		t.Errorf("the message does not say what would help: %s", c.Message)
	}
	te.refused(early, v1.ReasonNoToken)

	for _, name := range []string{"of-default", "of-central", "of-team", "of-team-default", "brought"} {
		te.issued(name)
	}
	other.issued("brought-elsewhere")
	const variable = "AIVEN_TOKEN_OF_INTEGRATION_TEST"
	t.Setenv(variable, te.issue("of-environment")+"\n")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(te.issue("of-file")+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	te.centralWith("default", te.inSecret("of-default"))
	te.centralWith(te.namespace+"-central", te.inSecret("of-central"))
	te.centralWith(te.namespace+"-environment", v1alpha1.ClusterCredentials{
		Source: xpv2.CredentialsSourceEnvironment, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{Env: &xpv2.EnvSelector{Name: variable}},
	})
	te.centralWith(te.namespace+"-file", v1alpha1.ClusterCredentials{
		Source: xpv2.CredentialsSourceFilesystem, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{Fs: &xpv2.FsSelector{Path: file}},
	})
	te.teamWith("team", "of-team")

	// It helps, before the namespace has a configuration of its own.
	te.ready("early")
	te.isReady(early)
	if got := te.madeBy("kafka", string(te.secret("early-aiven").Data["KAFKA_SCHEMA_REGISTRY_USER"])); got != "of-default" {
		t.Errorf("the early application's user was made with %s", got)
	}
	te.teamWith("default", "of-team-default")

	brought := new(localSecretKey("brought", "token"))
	ways := map[string]way{
		"central":     {reason: "the ClusterProviderConfig that is named", ref: centralRef(te.namespace + "-central"), want: "of-central"},
		"environment": {reason: "one whose token is in the provider's environment", ref: centralRef(te.namespace + "-environment"), want: "of-environment"},
		"file":        {reason: "one whose token is in a file of the provider", ref: centralRef(te.namespace + "-file"), want: "of-file"},
		"team":        {reason: "the ProviderConfig that is named", ref: teamRef("team"), want: "of-team"},
		"elsewhere":   {reason: "the ClusterProviderConfig default", elsewhere: true, want: "of-default"},
		"brought":     {reason: "a token of one's own wins over the configuration that is named", ref: centralRef(te.namespace + "-central"), own: brought, want: "brought"},
		"brought-default": {
			reason: "and over those that are not", elsewhere: true, own: new(localSecretKey("brought-elsewhere", "token")), want: "brought-elsewhere",
		},
	}
	apps, users := map[string]way{"unnamed": {reason: "the ProviderConfig default of the namespace wins over the cluster's", want: "of-team-default"}},
		map[string]way{"unnamed": {reason: "managed resources do not have that: theirs is the ClusterProviderConfig default", want: "of-default"}}
	for name, w := range ways {
		apps[name], users[name] = w, w
	}
	at := func(w way) tenant {
		if w.elsewhere {
			return other
		}
		return te
	}
	managed := func(name string, w way) *v1alpha1.KafkaServiceUser {
		return at(w).kafkaUser(name+"-user", func(u *v1alpha1.KafkaServiceUser) {
			u.Spec.ProviderConfigReference, u.Spec.AuthSecretRef = w.ref, w.own
		})
	}
	for name, w := range apps {
		at(w).create(at(w).app(name, onlyKafka, func(a *v1.AivenApplication) { a.Spec.ProviderConfigRef, a.Spec.AuthSecretRef = w.ref, w.own }))
	}
	for name, w := range users {
		at(w).create(managed(name, w))
	}
	for name, w := range apps {
		at(w).ready(name)
		s := at(w).secret(name + "-aiven")
		at(w).works(s)
		if got := te.madeBy("kafka", string(s.Data["KAFKA_SCHEMA_REGISTRY_USER"])); got != w.want {
			t.Errorf("application %s: %s: the user was made with %s, want %s", name, w.reason, got, w.want)
		}
	}
	for name, w := range users {
		u := managed(name, w)
		at(w).isReady(u)
		if got := te.madeBy("kafka", u.Status.AtProvider.Username); got != w.want {
			t.Errorf("managed resource %s: %s: the user was made with %s, want %s", name, w.reason, got, w.want)
		}
	}

	// Nothing may stay of the default: it would be that of other tests.
	for _, ns := range []tenant{te, other} {
		if err := h.Kube.DeleteAllOf(t.Context(), &v1.AivenApplication{}, client.InNamespace(ns.namespace)); err != nil {
			t.Fatal(err)
		}
		if err := h.Kube.DeleteAllOf(t.Context(), &v1alpha1.KafkaServiceUser{}, client.InNamespace(ns.namespace)); err != nil {
			t.Fatal(err)
		}
	}
	def := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	te.delete(def)
	gone(t, def)
	te.nobodyLeft()
}

// TestOwnTokenWithoutConfiguration: an application's token says nothing of project and pools.
func TestOwnTokenWithoutConfiguration(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "alone")
	te.issued("brought")
	te.create(te.app("orders", onlyKafka, func(a *v1.AivenApplication) {
		a.Spec.ProviderConfigRef.Name += "-absent"
		a.Spec.AuthSecretRef = new(localSecretKey("brought", "token"))
	}))
	c := te.notReady("orders", v1.ReasonInvalidConfiguration)
	for _, want := range []string{"ClusterProviderConfig " + te.config + "-absent", "project and Kafka pools", "spec.providerConfigRef"} {
		if !strings.Contains(c.Message, want) {
			t.Errorf("message %q does not say %q", c.Message, want)
		}
	}
}

// TestTokenStaysAtHome: a tenant cannot have the provider send a token elsewhere, nor read a
// Secret of another namespace.
func TestTokenStaysAtHome(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "home")
	te.issued("mine")
	var calls atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(elsewhere.Close)
	pc := &v1alpha1.ProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: te.namespace},
		Spec:       v1alpha1.ProviderConfigSpec{Credentials: v1alpha1.LocalCredentials{SecretRef: localSecretKey("mine", "token")}, ServiceSettings: te.settings()},
	}
	pc.Spec.BaseURL = elsewhere.URL
	te.create(pc)
	te.create(te.app("orders", onlyKafka, ofTeam))
	te.create(te.app("billing", onlyKafka, ofTeam, func(a *v1.AivenApplication) { a.Spec.AuthSecretRef = new(localSecretKey("mine", "token")) }))
	u := te.kafkaUser("reports", func(u *v1alpha1.KafkaServiceUser) { u.Spec.ProviderConfigReference = teamRef("default") })
	te.create(u)
	for _, name := range []string{"orders", "billing"} {
		if c := te.notReady(name, v1.ReasonInvalidConfiguration); !strings.Contains(c.Message, "--allowed-base-urls") {
			t.Errorf("message %q does not say what decides", c.Message)
		}
	}
	te.refused(u, v1.ReasonInvalidConfiguration)
	if n := calls.Load(); n > 0 {
		t.Errorf("%d calls were made to an address that is not allowed", n)
	}

	credentials := func(c map[string]any) map[string]any { return map[string]any{"credentials": c} }
	ref := map[string]any{"name": "a", "key": "b"}
	for name, tc := range map[string]struct {
		reason string
		spec   map[string]any
		want   string
	}{
		"Secret":      {"A Secret of the namespace.", credentials(map[string]any{"secretRef": ref}), ""},
		"Named":       {"The source may be said.", credentials(map[string]any{"source": "Secret", "secretRef": ref}), ""},
		"Environment": {"Not the provider's environment.", credentials(map[string]any{"source": "Environment", "secretRef": ref}), `supported values: "Secret"`},
		"Filesystem":  {"Nor its files.", credentials(map[string]any{"source": "Filesystem", "secretRef": ref}), `supported values: "Secret"`},
		"Env":         {"A selector of another source is not even known.", credentials(map[string]any{"env": map[string]any{"name": "A"}, "secretRef": ref}), `unknown field "spec.credentials.env"`},
		"Namespace":   {"Nor another namespace.", credentials(map[string]any{"secretRef": map[string]any{"name": "a", "key": "b", "namespace": "kube-system"}}), `unknown field "spec.credentials.secretRef.namespace"`},
		"Nothing":     {"A Secret has to be named.", credentials(map[string]any{"source": "Secret"}), "secretRef"},
		"Allowed":     {"Nor does a team allow itself to others.", map[string]any{"credentials": map[string]any{"secretRef": ref}, "allowedNamespaces": map[string]any{"names": []any{"x"}}}, `unknown field "spec.allowedNamespaces"`},
	} {
		t.Run(name, func(t *testing.T) {
			o := written("v1alpha1/ProviderConfig", te.namespace, tc.spec)
			check(t, tc.reason, tc.want, h.Kube.Create(t.Context(), o, client.DryRunAll, client.FieldValidation("Strict")))
		})
	}
}

// TestExamplesOfTokens: the API server accepts the manifests that docs/tokens.md shows.
func TestExamplesOfTokens(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/tokens/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			d := yaml.NewYAMLOrJSONDecoder(f, 4096)
			for {
				o := &unstructured.Unstructured{}
				if err := d.Decode(o); errors.Is(err, io.EOF) {
					return
				} else if err != nil {
					t.Fatal(err)
				}
				needed(t, o.GetNamespace())
				err := h.Kube.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o), client.DryRunAll, client.FieldOwner("examples"))
				check(t, o.GetKind()+" "+o.GetName(), "", err)
			}
		})
	}
}

// needed makes a namespace that an example is of.
func needed(t *testing.T, namespace string) {
	t.Helper()
	if namespace == "" {
		return
	}
	harness.Eventually(t, "namespace "+namespace+" is there", func(ctx context.Context) error {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		return errors.Wrap(client.IgnoreAlreadyExists(h.Kube.Create(ctx, ns)), "cannot create namespace")
	})
}
