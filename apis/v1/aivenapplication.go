// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"slices"
	"time"
)

// SecretNames returns the names of the Secrets that the application wants, each
// once, in the order of the spec: those of its sections, spec.secretName for
// sections without one, and the default "<name>-aiven" where that is empty too.
func (a *AivenApplication) SecretNames() []string {
	var out []string
	add := func(own string) {
		if n := a.SecretName(own); !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	if a.Spec.Kafka != nil {
		add(a.Spec.Kafka.SecretName)
	}
	if a.Spec.OpenSearch != nil {
		add(a.Spec.OpenSearch.SecretName)
	}
	for _, v := range a.Spec.Valkey {
		add(v.SecretName)
	}
	return out
}

// Published tells whether a Secret of that name was published for the
// application, as far as its status says.
func (a *AivenApplication) Published(name string) bool {
	return slices.Contains(a.PublishedNames(), name)
}

// PublishedNames returns the names of the Secrets that were published, in the
// order of the status.
func (a *AivenApplication) PublishedNames() []string {
	out := make([]string, 0, len(a.Status.Secrets))
	for _, s := range a.Status.Secrets {
		out = append(out, s.Name)
	}
	return out
}

// SecretName returns the name of the Secret of a section that names the supplied
// one, or none.
func (a *AivenApplication) SecretName(own string) string {
	switch {
	case own != "":
		return own
	case a.Spec.SecretName != "":
		return a.Spec.SecretName
	default:
		return Shorten(a.GetName()+"-aiven", maxNameLength)
	}
}

// Expired tells whether the access of the application has ended.
func (a *AivenApplication) Expired(now time.Time) bool {
	return a.Spec.ExpiresAt != nil && !now.Before(a.Spec.ExpiresAt.Time)
}
