// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"strings"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// rotations are what spec.rotation of applications and configurations may say,
// as people write it.
var rotations = map[string]struct {
	reason   string
	rotation map[string]any
	want     string
}{
	"Nothing":           {"Both have a default.", map[string]any{}, ""},
	"Both":              {"An interval and a shorter overlap.", map[string]any{"interval": "168h", "overlap": "24h"}, ""},
	"Equal":             {"An overlap as long as the interval.", map[string]any{"interval": "1h", "overlap": "60m"}, ""},
	"Shortest":          {"An hour is the shortest interval, however it is written.", map[string]any{"interval": "59m60s"}, ""},
	"NoOverlap":         {"Credentials that are replaced may end at once.", map[string]any{"interval": "1h", "overlap": "0s"}, ""},
	"Disabled":          {"0s disables rotation by time, and any overlap will do.", map[string]any{"interval": "0s", "overlap": "8760h"}, ""},
	"DisabledElsewise":  {"0h is the same.", map[string]any{"interval": "0h"}, ""},
	"OverlapAlone":      {"A long overlap may fit an interval from elsewhere, and is cut to it otherwise.", map[string]any{"overlap": "8760h"}, ""},
	"IntervalAlone":     {"The default overlap is cut to a short interval.", map[string]any{"interval": "2h"}, ""},
	"ShortInterval":     {"Less than an hour is too often for Aiven and for whoever restarts pods.", map[string]any{"interval": "30m"}, "0s to disable rotation by time, else at least 1h"},
	"JustTooShort":      {"To the second.", map[string]any{"interval": "59m59s"}, "0s to disable rotation by time, else at least 1h"},
	"NegativeInterval":  {"Time goes forward.", map[string]any{"interval": "-24h"}, "interval is a duration such as 720h"},
	"NoInterval":        {"A number without a unit is not a duration.", map[string]any{"interval": "720"}, "interval is a duration such as 720h"},
	"Days":              {"Neither has it days.", map[string]any{"interval": "30d"}, "interval is a duration such as 720h"},
	"EmptyInterval":     {"What is there says something.", map[string]any{"interval": ""}, "interval is a duration such as 720h"},
	"LongOverlap":       {"No more than two sets of credentials are valid at a time.", map[string]any{"interval": "24h", "overlap": "24h1s"}, "overlap must not be longer than interval"},
	"NegativeOverlap":   {"Credentials do not end before they are replaced.", map[string]any{"overlap": "-1h"}, "overlap is a duration such as 24h"},
	"NoDuration":        {"An overlap is a duration.", map[string]any{"overlap": "a day"}, "overlap is a duration such as 24h"},
	"NoDurationNeither": {"And says so too when there is an interval that it cannot be compared with.", map[string]any{"interval": "24h", "overlap": "a day"}, "overlap is a duration such as 24h"},
	"Number":            {"Neither is a number.", map[string]any{"overlap": int64(24)}, "must be of type string"},
	"Endless":           {"A duration that nobody can count is refused.", map[string]any{"interval": "99999999999h"}, "spec.rotation.interval"},
	"LongText":          {"So is one that is very long to write.", map[string]any{"interval": strings.Repeat("1h", 17)}, "32"},
}

func TestRotationValidation(t *testing.T) {
	t.Parallel()
	ns := h.Namespace(t, "rotations")
	// spec.rotation has the same rules wherever it is.
	kinds := map[string]struct {
		kind, namespace string
		spec            map[string]any
	}{
		"Application": {"v1/AivenApplication", ns, map[string]any{"kafka": map[string]any{"pool": "p"}}},
		"Cluster":     {"v1alpha1/ClusterProviderConfig", "", map[string]any{"credentials": map[string]any{"source": "Environment", "env": map[string]any{"name": "TOKEN"}}}},
		"Namespace":   {"v1alpha1/ProviderConfig", ns, map[string]any{"credentials": map[string]any{"secretRef": map[string]any{"name": "a", "key": "b"}}}},
	}
	for on, k := range kinds {
		for name, tc := range rotations {
			t.Run(on+"/"+name, func(t *testing.T) {
				spec := maps.Clone(k.spec)
				spec["rotation"] = tc.rotation
				check(t, tc.reason, tc.want, h.Kube.Create(t.Context(), written(k.kind, k.namespace, spec), client.DryRunAll))
			})
		}
	}
	for name, tc := range map[string]struct {
		reason, requestedAt, want string
	}{
		"RequestedAt":    {"A request is a time, in the past or the future.", "2020-01-01T00:00:00Z", ""},
		"RequestedNever": {"And nothing else.", "now", "spec.rotation.requestedAt"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := maps.Clone(kinds["Application"].spec)
			spec["rotation"] = map[string]any{"requestedAt": tc.requestedAt}
			check(t, tc.reason, tc.want, h.Kube.Create(t.Context(), written("v1/AivenApplication", ns, spec), client.DryRunAll))
		})
	}
}

// written returns an object as people write it, which the Go types would not let
// say all that it may.
func written(kind, namespace string, spec map[string]any) *unstructured.Unstructured {
	version, kind, _ := strings.Cut(kind, "/")
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetAPIVersion(v1.Group + "/" + version)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetGenerateName("written-")
	return o
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
		"BadOperator":   {"An operator that nobody knows selects nothing.", cluster(selecting("Is", "prod")), "an operator In or NotIn with values"},
		"NoValues":      {"In needs values.", cluster(selecting("In")), "an operator In or NotIn with values"},
		"Exists":        {"Exists needs none.", cluster(selecting("Exists")), ""},
		"AnyService":    {"An empty pattern is a slip, not the wish for everything.", cluster(allowing(v1alpha1.ServicePattern{})), "say project, serviceName or both"},
		"AllServices":   {"Who wants all services says so.", cluster(allowing(v1alpha1.ServicePattern{Project: "*"})), ""},
		"BadOrphans":    {"Orphans are reported or deleted.", cluster(func(s *v1alpha1.ClusterProviderConfigSpec) { s.Orphans = "Adopt" }), `supported values: "Report", "Delete"`},
		"DeleteOrphans": {"Who wants them deleted says so.", cluster(func(s *v1alpha1.ClusterProviderConfigSpec) { s.Orphans = v1alpha1.OrphansDelete }), ""},
		"Good":          {"A Secret is all it needs.", cluster(func(*v1alpha1.ClusterProviderConfigSpec) {}), ""},
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

func selecting(op metav1.LabelSelectorOperator, values ...string) func(s *v1alpha1.ClusterProviderConfigSpec) {
	return func(s *v1alpha1.ClusterProviderConfigSpec) {
		s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "stage", Operator: op, Values: values}},
		}}
	}
}

func allowing(p v1alpha1.ServicePattern) func(s *v1alpha1.ClusterProviderConfigSpec) {
	return func(s *v1alpha1.ClusterProviderConfigSpec) { s.Services = []v1alpha1.ServicePattern{p} }
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
