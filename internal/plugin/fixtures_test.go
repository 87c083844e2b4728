// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func in(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

func valkeyUser(name, username string, revision string, conditions ...xpv2.Condition) *v1alpha1.ValkeyServiceUser {
	u := &v1alpha1.ValkeyServiceUser{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team-a", Name: name, Labels: map[string]string{v1.LabelService: "valkey"},
		Annotations: map[string]string{v1.AnnotationApplication: "orders", v1.AnnotationInstance: "cache", v1.AnnotationRevision: revision},
	}}
	meta.SetExternalName(u, username)
	u.Spec.ForProvider.Project, u.Spec.ForProvider.ServiceName = "prod", "valkey-team-a-cache"
	u.SetConditions(conditions...)
	return u
}

// orders is an application that was rotated an hour ago.
func orders(change ...func(a *v1.AivenApplication)) *v1.AivenApplication {
	user := func(username string, revision int64) v1.UserStatus {
		return v1.UserStatus{Service: "valkey/cache", Project: "prod", ServiceName: "valkey-team-a-cache", Username: username, Revision: revision}
	}
	a := &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "orders", Generation: 1},
		Spec:       v1.AivenApplicationSpec{Valkey: []v1.ValkeySpec{{Instance: "cache"}}},
		Status: v1.AivenApplicationStatus{
			Credentials: &v1.CredentialsStatus{
				Revision: 2, IssuedAt: in(-time.Hour), RotateAt: in(29 * 24 * time.Hour), Users: []v1.UserStatus{user("new", 2)},
				Previous: &v1.PreviousStatus{Revision: 1, Since: *in(-time.Hour), RetireAfter: *in(23 * time.Hour), HeldBy: []string{"orders-x"}, Users: []v1.UserStatus{user("old", 1)}},
			},
			Secrets: []v1.SecretStatus{{Name: "orders-aiven", ContentHash: "0123456789abcdef", PublishedAt: in(-time.Hour)}},
		},
	}
	set(a, v1.Ready(), v1.Rotated(v1.ReasonUpToDate))
	for _, c := range change {
		c(a)
	}
	return a
}

// set sets conditions that are about the present generation.
func set(a *v1.AivenApplication, conditions ...xpv2.Condition) {
	for _, c := range conditions {
		a.SetConditions(c.WithObservedGeneration(a.GetGeneration()))
	}
}

func having(conditions ...xpv2.Condition) func(a *v1.AivenApplication) {
	return func(a *v1.AivenApplication) { set(a, conditions...) }
}

func ordersSecret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "orders-aiven", CreationTimestamp: *in(-48 * time.Hour), Annotations: map[string]string{v1.AnnotationApplication: "orders"}},
		Data:       map[string][]byte{"A": nil, "B": nil},
	}
}

func usedBy(us ...janitor.Use) uses {
	return uses{by: map[types.NamespacedName][]janitor.Use{{Namespace: "team-a", Name: "orders-aiven"}: us}}
}

// failed is what Synced says about an attempt that failed.
func failed(message string) xpv2.Condition { return xpv2.ReconcileError(errors.New(message)) }
