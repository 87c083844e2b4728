// SPDX-License-Identifier: Apache-2.0

package application

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/revision"
)

// A trust is which CA certificates the Secrets of an application hold. When a
// project's CA changes, the one before is published with it for as long as
// credentials of its time are valid, and for the overlap at least. Its text is taken from the published Secret; what the
// status does not know is not taken, so that nobody can smuggle in another.
type trust struct {
	known map[string]v1.AuthorityStatus
	// old are the fingerprints to publish that Aiven does not name any more.
	old map[string]bool
	// look is when the first of them may be left out.
	look time.Time
	// since is the time of what is new, zero for that of the first publication.
	since time.Time
}

// newTrust returns what to trust for parts, of which each is of a project.
func newTrust(l *life, parts []connection.Part, projects []string, now time.Time) *trust {
	t := &trust{known: make(map[string]v1.AuthorityStatus), old: make(map[string]bool)}
	c := l.credentials()
	if c.IssuedAt != nil {
		t.since = now
	}
	used, certified := make(map[string]string), "" // projects: by fingerprint, and that of Kafka
	for i, project := range projects {
		if parts[i].Service == connection.Kafka {
			certified = project
		}
		for _, f := range connection.Authorities(parts[i].Details[connection.KeyCA]) {
			used[f] = project
		}
	}
	var changed time.Time // when the CA came that signs certificates now
	for _, a := range c.Authorities {
		if p, ok := used[a.Fingerprint]; ok && p == certified && a.Since.After(changed) {
			changed = a.Since.Time
		}
	}
	for _, a := range c.Authorities {
		_, is := used[a.Fingerprint]
		switch {
		case is:
			a.Until = nil
		case a.Until == nil:
			until := revision.Stamp(now.Add(l.policy.Overlap))
			a.Until = &until
		case !now.Before(a.Until.Time) && c.Previous == nil && (a.Project != certified || c.IssuedAt.After(changed)):
			continue
		}
		if a.Until != nil {
			t.old[a.Fingerprint] = true
			if a.Until.After(now) {
				t.look = earliest(t.look, a.Until.Time)
			}
		}
		t.known[a.Fingerprint] = a
	}
	for f, project := range used {
		if _, ok := t.known[f]; !ok {
			t.known[f] = v1.AuthorityStatus{Fingerprint: f, Project: project}
		}
	}
	return t
}

// extend returns the parts with the old certificates that their Secret holds.
func (t *trust) extend(s *corev1.Secret, parts []connection.Part) []connection.Part {
	if s == nil || len(t.old) == 0 {
		return parts
	}
	out := slices.Clone(parts)
	for i, p := range parts {
		held := s.Data[connection.SecretCA]
		if p.Service == connection.Kafka {
			held = s.Data[connection.SecretKafkaCA]
		}
		out[i].Details = maps.Clone(p.Details)
		out[i].Details[connection.KeyCA] = connection.Extend(p.Details[connection.KeyCA], held, t.old)
	}
	return out
}

// remember returns what to store, in order of the fingerprints.
func (t *trust) remember(issued metav1.Time) []v1.AuthorityStatus {
	out := make([]v1.AuthorityStatus, 0, len(t.known))
	for _, f := range slices.Sorted(maps.Keys(t.known)) {
		a := t.known[f]
		if a.Since.IsZero() {
			a.Since = issued
			if !t.since.IsZero() {
				a.Since = revision.Stamp(t.since)
			}
		}
		out = append(out, a)
	}
	return out
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
