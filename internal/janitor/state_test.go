// SPDX-License-Identifier: Apache-2.0

package janitor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

func TestStateOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	later := metav1.NewTime(now.Add(time.Hour))
	secret := func(annotations map[string]string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-aiven", Annotations: annotations}}
	}
	app := func(change func(a *v1.AivenApplication)) *v1.AivenApplication {
		a := &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "pool"}}}
		if change != nil {
			change(a)
		}
		return a
	}
	cases := map[string]struct {
		reason string
		secret *corev1.Secret
		app    *v1.AivenApplication
		want   Secret
	}{
		"Named": {
			reason: "A Secret that the application names is wanted.",
			secret: secret(nil), app: app(nil), want: Secret{Wanted: true},
		},
		"PublishedStill": {
			reason: "A Secret of the old name is wanted until another is published in its place.",
			secret: secret(nil), app: app(func(a *v1.AivenApplication) {
				a.Spec.SecretName = "other"
				a.Status.Secrets = []v1.SecretStatus{{Name: "orders-aiven"}}
			}), want: Secret{Wanted: true},
		},
		"Renamed": {
			reason: "A Secret that the application does not name any more is not wanted.",
			secret: secret(nil), app: app(func(a *v1.AivenApplication) { a.Spec.SecretName = "other" }),
		},
		"NoApplication": {
			reason: "Without an application the annotations say what holds.",
			secret: secret(map[string]string{
				v1.AnnotationProtected: "true", v1.AnnotationExpiresAt: later.Format(time.RFC3339), v1.AnnotationUnusedSince: now.Format(time.RFC3339),
			}),
			want: Secret{Protected: true, ExpiresAt: later.Time, UnusedSince: now},
		},
		"ApplicationSaysOtherwise": {
			reason: "What the application says is newer than the annotations.",
			secret: secret(map[string]string{v1.AnnotationProtected: "true", v1.AnnotationExpiresAt: now.Format(time.RFC3339)}),
			app:    app(func(a *v1.AivenApplication) { a.Spec.ExpiresAt = &later }),
			want:   Secret{Wanted: true, ExpiresAt: later.Time},
		},
		"Expired": {
			reason: "An application whose access has ended wants nothing.",
			secret: secret(nil), app: app(func(a *v1.AivenApplication) { a.Spec.ExpiresAt = &metav1.Time{Time: now} }),
			want: Secret{ExpiresAt: now},
		},
		"Deleted": {
			reason: "An application that is being deleted wants nothing.",
			secret: secret(nil), app: app(func(a *v1.AivenApplication) { a.DeletionTimestamp = &later }),
		},
		"NoTime": {
			reason: "An annotation that somebody garbled is none.",
			secret: secret(map[string]string{v1.AnnotationUnusedSince: "yesterday"}),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, StateOf(tc.secret, tc.app, now)); diff != "" {
				t.Errorf("\n%s\nStateOf(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
