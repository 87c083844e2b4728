// SPDX-License-Identifier: Apache-2.0

package application

import (
	"strings"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

var errBoom = errors.New("boom")

func application(spec v1.AivenApplicationSpec) *v1.AivenApplication {
	return &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "shop", UID: "uid"}, Spec: spec}
}

func settings(with ...func(s *v1alpha1.ServiceSettings)) providerconfig.Settings {
	s := providerconfig.Settings{Ref: providerconfig.Ref{Kind: v1alpha1.ClusterProviderConfigKind, Name: "default"}}
	s.Project = "proj"
	s.KafkaPools = []v1alpha1.KafkaPool{{Name: "pool", Project: "kafka-proj", ServiceName: "the-kafka"}, {Name: "lone"}}
	for _, w := range with {
		w(&s.ServiceSettings)
	}
	return s
}

func TestSections(t *testing.T) {
	type want struct {
		id, secret, project, service string
	}
	cases := map[string]struct {
		reason   string
		spec     v1.AivenApplicationSpec
		settings providerconfig.Settings
		kafka    KafkaServiceFn
		want     []want
		err      string
	}{
		"All": {
			reason: "Every section goes to the default Secret unless it names one.",
			spec: v1.AivenApplicationSpec{
				Kafka: &v1.KafkaSpec{Pool: "pool"}, OpenSearch: &v1.OpenSearchSpec{Instance: "logs", SecretName: "own"},
				Valkey: []v1.ValkeySpec{{Instance: "a"}, {Instance: "b"}},
			},
			settings: settings(),
			want: []want{
				{"kafka", "orders-aiven", "kafka-proj", "the-kafka"},
				{"opensearch", "own", "proj", "opensearch-shop-logs"},
				{"valkey/a", "orders-aiven", "proj", "valkey-shop-a"},
				{"valkey/b", "orders-aiven", "proj", "valkey-shop-b"},
			},
		},
		"SecretName": {
			reason:   "The application's own name for its Secret wins over the default.",
			spec:     v1.AivenApplicationSpec{SecretName: "mine", Kafka: &v1.KafkaSpec{Pool: "pool"}},
			settings: settings(),
			want:     []want{{"kafka", "mine", "kafka-proj", "the-kafka"}},
		},
		"LoneService": {
			reason:   "A pool without a service means the one Kafka service of its project, by default of the same name.",
			spec:     v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "lone"}},
			settings: settings(),
			kafka:    func(project string) (string, error) { return "kafka-of-" + project, nil },
			want:     []want{{"kafka", "orders-aiven", "lone", "kafka-of-lone"}},
		},
		"NoLoneService": {
			reason:   "A project without one Kafka service is an error.",
			spec:     v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "lone"}},
			settings: settings(),
			kafka:    func(string) (string, error) { return "", errBoom },
			err:      "cannot find the Kafka service of pool lone: boom",
		},
		"UnknownPool": {
			reason:   "A pool that is not listed is refused.",
			spec:     v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "other"}},
			settings: settings(),
			err:      "Kafka pool other is not one of ClusterProviderConfig default",
		},
		"UnknownPoolOfOwn": {
			reason:   "Who has a configuration of his own learns what he can do himself.",
			spec:     v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "other"}},
			settings: providerconfig.Settings{Ref: providerconfig.Ref{Kind: v1alpha1.ProviderConfigKind, Namespace: "shop", Name: "own"}},
			err:      "name the ClusterProviderConfig that has it in spec.providerConfigRef",
		},
		"NoProject": {
			reason:   "OpenSearch and Valkey need a project.",
			spec:     v1.AivenApplicationSpec{OpenSearch: &v1.OpenSearchSpec{Instance: "logs"}},
			settings: settings(func(s *v1alpha1.ServiceSettings) { s.Project = "" }),
			err:      "has no project",
		},
		"Patterns": {
			reason: "A platform names its services as it likes.",
			spec:   v1.AivenApplicationSpec{OpenSearch: &v1.OpenSearchSpec{Instance: "opensearch-shop-logs"}, Valkey: []v1.ValkeySpec{{Instance: "a"}}},
			settings: settings(func(s *v1alpha1.ServiceSettings) {
				s.InstanceNames = v1alpha1.InstanceNames{OpenSearch: "{instance}", Valkey: "vk-{instance}-{namespace}"}
			}),
			want: []want{{"opensearch", "orders-aiven", "proj", "opensearch-shop-logs"}, {"valkey/a", "orders-aiven", "proj", "vk-a-shop"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := sections(application(tc.spec), tc.settings, tc.kafka)
			if tc.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("%s: want error %q, got %v", tc.reason, tc.err, err)
			}
			var is []want
			for _, s := range got {
				is = append(is, want{s.id(), s.secretName, s.target.project, s.target.service})
			}
			if diff := cmp.Diff(tc.want, is, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestComposeNames(t *testing.T) {
	spec := v1.AivenApplicationSpec{OpenSearch: &v1.OpenSearchSpec{Instance: "logs"}}
	other := &v1alpha1.OpenSearchServiceUser{ObjectMeta: metav1.ObjectMeta{Name: "orders-opensearch-r1", Labels: map[string]string{}}}
	other.Spec.ForProvider.Project, other.Spec.ForProvider.ServiceName = "proj", "opensearch-shop-old"
	same := other.DeepCopy()
	same.Spec.ForProvider.ServiceName = "opensearch-shop-logs"

	moved := same.DeepCopy()
	moved.SetName("orders-opensearch-r1-" + v1.Digest("proj/opensearch-shop-logs"))

	cases := map[string]struct {
		reason   string
		name     string
		existing composed
		want     string
	}{
		"New":         {reason: "A managed resource is named after the application, the service and the revision.", name: "orders", want: "orders-opensearch-r1"},
		"Same":        {reason: "One that is there keeps its name.", name: "orders", existing: same, want: "orders-opensearch-r1"},
		"OtherTarget": {reason: "One of another service stays until the new one is published.", name: "orders", existing: other, want: "orders-opensearch-r1-" + v1.Digest("proj/opensearch-shop-logs")},
		"Moved":       {reason: "One that was made beside another keeps its name when that is gone.", name: "orders", existing: moved, want: "orders-opensearch-r1-" + v1.Digest("proj/opensearch-shop-logs")},
		"Long":        {reason: "A name that is too long is hashed down, with room for the connection Secret's.", name: strings.Repeat("a", 253), want: strings.Repeat("a", 239) + "-" + v1.Digest(strings.Repeat("a", 253)+"-opensearch-r1")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			app := application(spec)
			app.SetName(tc.name)
			existing := map[string]composed{}
			if tc.existing != nil {
				existing[key(tc.existing)] = tc.existing
			}
			in, err := sections(app, settings(), nil)
			if err != nil {
				t.Fatal(err)
			}
			out := []desiredUser{compose(app, providerconfig.Access{Config: settings().Ref}, in[0], origin{revision: 1}, existing)}
			if got := out[0].object.GetName(); got != tc.want {
				t.Errorf("%s: want %s, got %s", tc.reason, tc.want, got)
			}
			if got := out[0].object.GetWriteConnectionSecretToReference().Name; len(got) > maxName || got == tc.want {
				t.Errorf("connection Secret: got %s (%d characters)", got, len(got))
			}
			if meta.GetExternalName(out[0].object) != out[0].object.GetAnnotations()[v1.AnnotationGeneratedUsername] {
				t.Error("the username is not marked as made up")
			}
		})
	}
}

func TestMayWrite(t *testing.T) {
	ours := map[string]string{v1.LabelManagedBy: v1.ManagedBy}
	theirs := map[string]string{v1.LabelType: v1.SecretType, v1.LabelApp: "orders"}
	named := map[string]string{v1.AnnotationApplication: "orders"}
	yes := true
	controlled := []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "orders", UID: "x", Controller: &yes}}
	cases := map[string]struct {
		reason              string
		labels, annotations map[string]string
		owners              []metav1.OwnerReference
		ok                  bool
	}{
		"Ours":             {reason: "What we published for this application is ours.", labels: ours, annotations: named, ok: true},
		"OtherApplication": {reason: "What we published for another is not.", labels: ours, annotations: map[string]string{v1.AnnotationApplication: "other"}},
		"Aivenators":       {reason: "What aivenator wrote for this application is taken over.", labels: theirs, ok: true},
		"AivenatorsOther":  {reason: "What aivenator wrote for another is not.", labels: map[string]string{v1.LabelType: v1.SecretType, v1.LabelApp: "other"}},
		"Strangers":        {reason: "A Secret without a mark is somebody else's."},
		"Controlled":       {reason: "A Secret that something else controls is its own, whatever it is labelled.", labels: ours, annotations: named, owners: controlled},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s", Labels: tc.labels, Annotations: tc.annotations, OwnerReferences: tc.owners}}
			err := mayWrite(application(v1.AivenApplicationSpec{}), s)
			if got := err == nil; got != tc.ok {
				t.Errorf("%s: got %v", tc.reason, err)
			}
			if err == nil {
				return
			}
			if reason, _ := explain(err); reason != v1.ReasonSecretConflict {
				t.Errorf("%s: reason %s", tc.reason, reason)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	users := schema.GroupResource{Group: "aiven.nais.io", Resource: "valkeyserviceusers"}
	cases := map[string]struct {
		reason string
		err    error
		want   string
	}{
		"NoConfig":   {"A configuration that does not exist.", errors.Wrap(providerconfig.ErrNoConfig, "cannot get ClusterProviderConfig default"), string(v1.ReasonNoToken)},
		"NoToken":    {"A configuration without a token.", errors.Wrap(providerconfig.ErrNoToken, "x"), string(v1.ReasonNoToken)},
		"Reasoned":   {"An error that knows its reason.", errors.Wrap(reasoned(v1.ReasonPoolNotConfigured, "m"), "x"), string(v1.ReasonPoolNotConfigured)},
		"Right":      {"What RBAC refuses.", errors.Wrap(kerrors.NewForbidden(users, "x", errors.New(`User "system:serviceaccount:a:b" cannot delete resource "valkeyserviceusers" in API group "aiven.nais.io" in the namespace "team"`)), "cannot delete managed resource"), string(v1.ReasonMissingRight)},
		"Admission":  {"What admission refuses is no missing right.", kerrors.NewForbidden(users, "x", errors.New("exceeded quota")), string(v1.ReasonSyncFailed)},
		"Kind":       {"A kind that is not served.", errors.Wrap(&apimeta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "aiven.nais.io", Kind: "ValkeyServiceUser"}}, "cannot create user"), string(v1.ReasonKindNotActivated)},
		"Namespaces": {"A grant that goes by the names of all namespaces.", errors.Wrap(providerconfig.ErrNamespacesUnknown, "x"), string(v1.ReasonMissingRight)},
		"Unknown":    {"Everything else.", errBoom, string(v1.ReasonSyncFailed)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, message := explain(tc.err); string(got) != tc.want || message == "" {
				t.Errorf("%s: got %s: %s", tc.reason, got, message)
			}
		})
	}
}
