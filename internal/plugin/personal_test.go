// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

func TestPersonalName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a-very-long-name-", 8)
	seen := make(map[string]string)
	for _, tc := range []struct{ app, person, begins string }{
		{"orders", "jane.doe@example.com", "orders-jane-doe-"},
		{"orders", "jane.doe@example.org", "orders-jane-doe-"},
		{"orders", "oidc:Jane", "orders-jane-"},
		{"orders", "system:serviceaccount:team-a:deployer", "orders-deployer-"},
		{"orders", "***", "orders-"},
		{"orders", "", "orders-"},
		{"orders", long, "orders-a-very-long-name-a-v-"},
		{long, "jane", "a-very-long-name-a-very-long-name-"},
		{strings.Repeat("b", 80), long, "bbbb"},
	} {
		name := personalName(tc.app, tc.person)
		if !strings.HasPrefix(name, tc.begins) {
			t.Errorf("personalName(%q, %q): want %q..., got %q", tc.app, tc.person, tc.begins, name)
		}
		for _, text := range validation.IsDNS1123Label(name + "-aiven") {
			t.Errorf("personalName(%q, %q): %q cannot name a Secret: %s", tc.app, tc.person, name, text)
		}
		key := tc.app + " " + tc.person
		if other, is := seen[name]; is {
			t.Errorf("personalName(...): %q is that of %q and of %q", name, other, key)
		}
		seen[name] = key
	}
}

func TestPersonalApplication(t *testing.T) {
	t.Parallel()
	of := &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "orders", Labels: map[string]string{"team": "a"}},
		Spec: v1.AivenApplicationSpec{
			SecretName: "orders", Protected: true,
			Kafka:             &v1.KafkaSpec{Pool: "pool", SecretName: "orders-kafka", ACL: []v1.KafkaTopicAccess{{Topic: "orders", Access: v1.AccessReadWrite}}},
			OpenSearch:        &v1.OpenSearchSpec{Instance: "logs", SecretName: "orders-logs", Access: v1.AccessAdmin},
			Valkey:            []v1.ValkeySpec{{Instance: "cache", SecretName: "orders-cache", Access: v1.AccessWrite}},
			Rotation:          &v1.RotationSpec{Interval: &metav1.Duration{Duration: time.Hour}},
			ProviderConfigRef: &xpv2.ProviderConfigReference{Kind: "ProviderConfig", Name: "ours"},
		},
	}
	before := of.DeepCopy()
	name := personalName("orders", "jane@example.com")
	want := func(kafka, other v1.Access) *v1.AivenApplication {
		return &v1.AivenApplication{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "team-a", Name: name, Labels: map[string]string{LabelAccessTo: "orders"},
				Annotations: map[string]string{AnnotationAccessTo: "orders", AnnotationRequestedBy: "jane@example.com", AnnotationPurpose: "why"},
			},
			Spec: v1.AivenApplicationSpec{
				SecretName: name + "-aiven", ExpiresAt: in(time.Hour), Rotation: &v1.RotationSpec{Interval: &metav1.Duration{}},
				Kafka:             &v1.KafkaSpec{Pool: "pool", ACL: []v1.KafkaTopicAccess{{Topic: "orders", Access: kafka}}},
				OpenSearch:        &v1.OpenSearchSpec{Instance: "logs", Access: other},
				Valkey:            []v1.ValkeySpec{{Instance: "cache", Access: map[v1.Access]v1.Access{v1.AccessRead: v1.AccessRead, v1.AccessAdmin: v1.AccessWrite}[other]}},
				ProviderConfigRef: &xpv2.ProviderConfigReference{Kind: "ProviderConfig", Name: "ours"},
			},
		}
	}
	a := personalAccess{person: "jane@example.com", purpose: "why", until: now.Add(time.Hour + time.Millisecond)}
	if diff := cmp.Diff(want(v1.AccessReadWrite, v1.AccessAdmin), a.application(of)); diff != "" {
		t.Errorf("application(...): the same services, one Secret, and an end: -want, +got:\n%s", diff)
	}
	a.readOnly = true
	if diff := cmp.Diff(want(v1.AccessRead, v1.AccessRead), a.application(of)); diff != "" {
		t.Errorf("application(...): read only: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(before, of); diff != "" {
		t.Errorf("application(...): the application itself should stay: -want, +got:\n%s", diff)
	}
	if err := checkMine(a.application(of), "orders", "jane@example.com"); err != nil {
		t.Errorf("checkMine(...): %v", err)
	}
	if err := checkMine(a.application(of), "orders", "joe"); err == nil {
		t.Error("checkMine(...): another person's access should be left alone")
	}
	if err := checkMine(of, "orders", "jane@example.com"); err == nil {
		t.Error("checkMine(...): an application that is nobody's access should be left alone")
	}
}

func TestAccessNotes(t *testing.T) {
	t.Parallel()
	app := &v1.AivenApplication{Spec: v1.AivenApplicationSpec{
		Kafka:      &v1.KafkaSpec{Pool: "pool"},
		OpenSearch: &v1.OpenSearchSpec{Instance: "logs"},
		Valkey:     []v1.ValkeySpec{{Instance: "cache", Access: v1.AccessAdmin}},
	}}
	want := []string{
		"kafka: you can connect, and nothing more unless somebody grants it: orders has no spec.kafka.acl, and what others granted its users does not hold for yours",
		"opensearch logs: read, all indexes", "valkey cache: admin, all keys",
	}
	if diff := cmp.Diff(want, accessNotes(app, "orders")); diff != "" {
		t.Errorf("accessNotes(...): -want, +got:\n%s", diff)
	}
	app.Spec = v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{ACL: []v1.KafkaTopicAccess{{Topic: "a", Access: v1.AccessRead}}}}
	if diff := cmp.Diff([]string{"kafka: topics a (read)"}, accessNotes(app, "orders")); diff != "" {
		t.Errorf("accessNotes(...): -want, +got:\n%s", diff)
	}
}
