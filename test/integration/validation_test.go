// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

func TestApplicationValidation(t *testing.T) {
	t.Parallel()
	ns := h.Namespace(t, "validation")
	cases := map[string]struct {
		reason string
		spec   v1.AivenApplicationSpec
		want   string
	}{
		"KafkaOnly":      {"A Kafka pool is enough.", v1.AivenApplicationSpec{SecretName: "kafka-secret", Kafka: &v1.KafkaSpec{Pool: "nav-dev"}}, ""},
		"OpenSearchOnly": {"An OpenSearch instance is enough.", v1.AivenApplicationSpec{OpenSearch: &v1.OpenSearchSpec{Instance: "logs", SecretName: "own"}}, ""},
		"ValkeyOnly":     {"A Valkey instance is enough.", v1.AivenApplicationSpec{Valkey: []v1.ValkeySpec{{Instance: "cache", Access: "admin"}}}, ""},
		"SharedSecret":   {"Sections may name one Secret.", v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "p", SecretName: "one"}, Valkey: []v1.ValkeySpec{{Instance: "a", SecretName: "one"}}}, ""},
		"Expires":        {"Protected and expiresAt are accepted.", v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "p"}, Protected: true, ExpiresAt: &metav1.Time{Time: time.Now()}}, ""},

		"Nothing":          {"An application without services asks for nothing.", v1.AivenApplicationSpec{SecretName: "x"}, "name at least one service"},
		"EmptyValkey":      {"An empty list is nothing.", v1.AivenApplicationSpec{Valkey: []v1.ValkeySpec{}}, "name at least one service"},
		"EmptyPool":        {"A pool has a name.", v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{}}, "spec.kafka.pool"},
		"BadAccess":        {"Access is one of four words.", v1.AivenApplicationSpec{OpenSearch: &v1.OpenSearchSpec{Instance: "logs", Access: "everything"}}, `supported values: "read", "write", "readwrite", "admin"`},
		"BadSecretName":    {"A Secret's name is checked where it is written.", v1.AivenApplicationSpec{SecretName: "No_Good", Kafka: &v1.KafkaSpec{Pool: "p"}}, "lower case letters"},
		"BadSectionSecret": {"A section's Secret name too.", v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "p", SecretName: "-x"}}, "starts and ends with a letter or digit"},
		"LongSecretName":   {"A Secret's name has at most 63 characters.", v1.AivenApplicationSpec{SecretName: strings.Repeat("a", 64), Kafka: &v1.KafkaSpec{Pool: "p"}}, "63"},
		"SameInstance":     {"A Valkey instance is named once.", v1.AivenApplicationSpec{Valkey: []v1.ValkeySpec{{Instance: "a"}, {Instance: "a", Access: "write"}}}, "Duplicate value"},
		"BadInstance":      {"An instance's name becomes part of a service's name.", v1.AivenApplicationSpec{Valkey: []v1.ValkeySpec{{Instance: "a/../b"}}}, "an instance's name has lower case letters"},
		"BadConfigKind":    {"There are two kinds of configuration.", v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "p"}, ProviderConfigRef: &xpv2.ProviderConfigReference{Kind: "Secret", Name: "x"}}, "ClusterProviderConfig or ProviderConfig"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{GenerateName: "app-", Namespace: ns}, Spec: tc.spec}
			check(t, tc.reason, tc.want, h.Kube.Create(t.Context(), a, client.DryRunAll))
		})
	}
}

func TestServiceUserIsImmutable(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "immutable")
	u := te.user("fixed", func(u *v1alpha1.ValkeyServiceUser) { u.Spec.ManagementPolicies = xpv2.ManagementPolicies{} })
	te.create(u)
	for name, tc := range map[string]struct {
		reason string
		change func(u *v1alpha1.ValkeyServiceUser)
		want   string
	}{
		"Project":     {"A user does not move to another project.", func(u *v1alpha1.ValkeyServiceUser) { u.Spec.ForProvider.Project = "other" }, "project is immutable"},
		"ServiceName": {"A user does not move to another service.", func(u *v1alpha1.ValkeyServiceUser) { u.Spec.ForProvider.ServiceName = "other" }, "serviceName is immutable"},
		"Access":      {"What it may do may change.", func(u *v1alpha1.ValkeyServiceUser) { u.Spec.ForProvider.Keys = []string{"x"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			changed := u.DeepCopy()
			tc.change(changed)
			check(t, tc.reason, tc.want, h.Kube.Patch(t.Context(), changed, client.MergeFrom(u), client.DryRunAll))
		})
	}
}

func TestConfigurationValidation(t *testing.T) {
	t.Parallel()
	ns := h.Namespace(t, "configs")
	cases := map[string]struct {
		reason string
		o      client.Object
		want   string
	}{
		"SecretWithoutRef": {"A source needs its selector.", cluster(func(s *v1alpha1.ClusterProviderConfigSpec) { s.Credentials.SecretRef = nil }), "source Secret needs secretRef"},
		"Environment":      {"The provider's environment is for the platform team.", cluster(func(s *v1alpha1.ClusterProviderConfigSpec) { s.Credentials.Source = "Environment" }), "source Environment needs env.name"},
		"BadURL":           {"A base URL is a scheme and a host.", cluster(func(s *v1alpha1.ClusterProviderConfigSpec) { s.BaseURL = "https://u:p@x/y" }), "without a path or a user"},
		"BadPattern":       {"A pattern names the instance.", cluster(func(s *v1alpha1.ClusterProviderConfigSpec) { s.InstanceNames.Valkey = "valkey-{namespace}" }), "must contain {instance}"},
		"SamePool": {"A pool is listed once.", cluster(func(s *v1alpha1.ClusterProviderConfigSpec) {
			s.KafkaPools = []v1alpha1.KafkaPool{{Name: "a"}, {Name: "a"}}
		}), "Duplicate value"},
		"Good": {"A Secret is all it needs.", cluster(func(*v1alpha1.ClusterProviderConfigSpec) {}), ""},
		"TenantEnvironment": {"A tenant does not get the provider's environment.", &v1alpha1.ProviderConfig{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "pc-", Namespace: ns},
			Spec:       v1alpha1.ProviderConfigSpec{Credentials: v1alpha1.LocalCredentials{Source: "Environment", SecretRef: localSecretKey("a", "b")}},
		}, `supported values: "Secret"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			check(t, tc.reason, tc.want, h.Kube.Create(t.Context(), tc.o, client.DryRunAll))
		})
	}
}

func cluster(fn func(s *v1alpha1.ClusterProviderConfigSpec)) *v1alpha1.ClusterProviderConfig {
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{GenerateName: "cpc-"}}
	pc.Spec.Credentials = v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret}
	pc.Spec.Credentials.SecretRef = &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Name: "a", Namespace: "b"}, Key: "c"}
	fn(&pc.Spec)
	return pc
}

func check(t *testing.T, reason, want string, err error) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", reason, err)
	case want != "" && err == nil:
		t.Errorf("%s: it was accepted, want an error with %q", reason, want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("%s: want an error with %q, got %v", reason, want, err)
	}
}
