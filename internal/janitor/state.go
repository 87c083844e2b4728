// SPDX-License-Identifier: Apache-2.0

package janitor

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// StateOf returns what matters about a published Secret, but who uses it, from its
// metadata and the application that it was published for. That is nil when there
// is none, which one that is being deleted counts as.
func StateOf(s metav1.Object, app *v1.AivenApplication, now time.Time) Secret {
	a := s.GetAnnotations()
	out := Secret{Protected: a[v1.AnnotationProtected] == "true", ExpiresAt: parse(a[v1.AnnotationExpiresAt]), UnusedSince: parse(a[v1.AnnotationUnusedSince])}
	if app == nil || app.GetDeletionTimestamp() != nil {
		return out
	}
	out.Wanted = wants(app, s.GetName()) && !app.Expired(now)
	// What the application says is newer than what is on the Secret.
	out.ExpiresAt, out.Protected = time.Time{}, app.Spec.Protected
	if app.Spec.ExpiresAt != nil {
		out.ExpiresAt = app.Spec.ExpiresAt.Time
	}
	return out
}

// wants tells whether an application names the Secret, or has not published
// another in its place yet.
func wants(app *v1.AivenApplication, name string) bool {
	return slices.Contains(app.SecretNames(), name) || app.Published(name)
}

// parse returns a time of an annotation, zero when there is none.
func parse(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
