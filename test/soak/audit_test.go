// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/revision"
)

// day is how far rotations are spread, and lead how long before its end a
// certificate is replaced.
const (
	day  = 24 * time.Hour
	lead = 30 * day
)

// sawApplication takes note of a version of an application: revisions must have a reason.
func (w *world) sawApplication(a *v1.AivenApplication) {
	app, c := w.apps[client.ObjectKeyFromObject(a)], a.Status.Credentials
	if app == nil || c == nil || app.want.GetUID() != a.GetUID() {
		return
	}
	if p := c.Previous; p != nil {
		for _, u := range p.Users {
			w.retires(client.ObjectKeyFromObject(a), u.Username, p.RetireAfter.Time)
		}
	}
	if c.Next == nil {
		return
	}
	if n := len(app.begun); n > 0 && app.begun[n-1].Revision == c.Next.Revision && app.begun[n-1].Reason == c.Next.Reason {
		return
	}
	app.begun = append(app.begun, *c.Next)
	w.count["revision: "+string(c.Next.Reason)]++
	if !w.reasonable(app, a, *c.Next) {
		w.violatedf(client.ObjectKeyFromObject(a), "revision %d is made for the reason %s, which it does not have", c.Next.Revision, c.Next.Reason)
	}
}

func (w *world) retires(app types.NamespacedName, username string, at time.Time) {
	for _, p := range w.pods {
		if p.app != app {
			continue
		}
		for _, c := range p.holds {
			if c.username == username {
				c.retire = at
			}
		}
	}
}

// reasonable tells whether there is the reason for a revision that it says. A person
// may have changed the application since this version of it.
func (w *world) reasonable(app *application, a *v1.AivenApplication, n v1.NextStatus) bool {
	c := a.Status.Credentials
	if c.IssuedAt == nil {
		return false
	}
	interval, at := intervalOf(a), n.Since.Add(second)
	switch n.Reason {
	case v1.RotationScheduled:
		return interval > 0 && !at.Before(earliestSchedule(c.IssuedAt.Time, interval))
	case v1.RotationCertificate:
		return interval > 0 && c.NotAfter != nil && !at.Before(c.NotAfter.Add(-lead-day))
	case v1.RotationAuthority:
		return interval > 0 && slices.ContainsFunc(w.authorities, func(t time.Time) bool { return t.After(c.IssuedAt.Add(-day)) })
	case v1.RotationRequested:
		return requests(a) && !acted(a, c)
	case v1.RotationSecretDeleted:
		return app.lost
	case v1.RotationUserVanished:
		return slices.ContainsFunc(c.Users, func(u v1.UserStatus) bool { return w.vanished[u.Username] })
	}
	return false
}

// mayBeDue tells whether a revision that replaces everything may be due, or was begun
// since the supplied time. It does not know the application's time of the day.
func (w *world) mayBeDue(app *application, since time.Time) bool {
	if slices.ContainsFunc(app.begun, func(n v1.NextStatus) bool { return !revision.Urgent(n.Reason) && n.Since.After(since) }) {
		return true
	}
	a := w.view.apps[client.ObjectKeyFromObject(app.want)]
	if a == nil || a.Status.Credentials == nil || a.Status.Credentials.IssuedAt == nil {
		return false
	}
	c, now, interval := a.Status.Credentials, clock.Now(), intervalOf(app.want)
	switch {
	case requests(app.want) && !acted(app.want, c):
		return true
	case interval == 0:
		return false
	case !now.Before(earliestSchedule(c.IssuedAt.Time, interval)):
		return true
	case c.NotAfter != nil && !now.Before(c.NotAfter.Add(-lead-day)):
		return true
	default:
		return slices.ContainsFunc(w.authorities, func(t time.Time) bool { return t.After(c.IssuedAt.Time) })
	}
}

// earliestSchedule is the first time at which credentials may be replaced.
func earliestSchedule(issued time.Time, interval time.Duration) time.Time {
	return issued.Add(interval - min(day, interval/2))
}

// intervalOf returns after what time an application wants new credentials.
func intervalOf(a *v1.AivenApplication) time.Duration {
	if r := a.Spec.Rotation; r != nil && r.Interval != nil {
		return r.Interval.Duration
	}
	return revision.DefaultInterval
}

// requestedAt returns what was asked for in the specification.
func requestedAt(a *v1.AivenApplication) *metav1.Time {
	if a.Spec.Rotation == nil {
		return nil
	}
	return a.Spec.Rotation.RequestedAt
}

// requests tells whether anybody ever asked for a rotation.
func requests(a *v1.AivenApplication) bool {
	return requestedAt(a) != nil || a.GetAnnotations()[v1.AnnotationRotate] != ""
}

// acted tells whether what was asked for was done.
func acted(a *v1.AivenApplication, c *v1.CredentialsStatus) bool {
	annotation := a.GetAnnotations()[v1.AnnotationRotate]
	return (requestedAt(a) == nil || requestedAt(a).Equal(c.Request)) && (annotation == "" || annotation == c.RequestAnnotation)
}

// tamper is on Secrets that a person has edited, until they are whole again.
const tamper = "soak/tampered"

// sawSecret takes note of a version of a published Secret: it must be whole, and
// stay while it is used.
func (w *world) sawSecret(s *corev1.Secret, deleted bool) {
	key := client.ObjectKeyFromObject(s)
	if problem := incomplete(s); problem != "" && s.GetAnnotations()[tamper] == "" {
		w.violatedf(key, "the Secret %s", problem)
	}
	gone := deleted || s.GetDeletionTimestamp() != nil
	for _, p := range w.pods {
		if p.secret != key || p.uid != s.GetUID() {
			continue
		}
		app := w.apps[p.app]
		if gone && !w.revoked[p.uid] && !w.expired(key, clock.Now()) && (app == nil || !app.want.Expired(clock.Now())) {
			w.violatedf(key, "the Secret is removed although pod %s uses it", p.object.GetName())
		}
		p.saw(s)
	}
}

// incomplete returns what is wrong with a Secret, empty when nothing is.
func incomplete(s *corev1.Secret) string {
	var in []section
	for _, c := range credentialsIn(s) {
		in = append(in, section{id: c.id})
	}
	for _, k := range keysOf(in) {
		if len(s.Data[k]) == 0 {
			return "lacks " + k
		}
	}
	for k, v := range s.Data {
		if len(v) == 0 || strings.Contains(string(v), "<redacted>") {
			return "holds nothing or <redacted> in " + k
		}
	}
	if len(in) == 0 {
		return "holds no credentials"
	}
	return ""
}

// saw takes note of which credentials the Secret of a pod does not hold any more.
func (p *pod) saw(s *corev1.Secret) {
	at, err := time.Parse(time.RFC3339, string(s.Data[connection.SecretUpdated]))
	if err != nil {
		at = clock.Now()
	}
	has := credentialsIn(s)
	for _, c := range p.holds {
		if c.replaced.IsZero() && !slices.ContainsFunc(has, func(o credential) bool { return o.username == c.username }) {
			c.replaced = at
		}
	}
}
