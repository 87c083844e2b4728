// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"slices"
	"strings"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// Topics tells whether access may be given to topics and subjects, names or
// patterns, of a Kafka service. ErrRefused: not to all of them.
//
// Topics belong to namespaces as services do, but whoever has users on the service does
// not hold its topics: Cluster.Holder is not looked at. A pattern that is asked for must not reach
// into what belongs to another namespace either.
func (r Rules) Topics(t Target, topics, subjects []string, c Cluster) error {
	pools := r.pools(t)
	for _, k := range []struct {
		what, field string
		asked       []string
		list        func(p v1alpha1.KafkaPool) []string
	}{
		{"Topic", "kafkaPools[].topics", topics, func(p v1alpha1.KafkaPool) []string { return p.Topics }},
		{"Subject", "kafkaPools[].subjects", subjects, func(p v1alpha1.KafkaPool) []string { return p.Subjects }},
	} {
		// The writer of a ProviderConfig is the tenant, with a token of his own.
		// What he does not restrict is not restricted.
		if !r.Cluster && (len(pools) == 0 || slices.ContainsFunc(pools, func(p v1alpha1.KafkaPool) bool { return len(k.list(p)) == 0 })) {
			continue
		}
		var patterns []string
		for _, p := range pools {
			patterns = append(patterns, k.list(p)...)
		}
		for _, asked := range k.asked {
			rival, ok := r.within(patterns, asked, t.Namespace, c)
			switch {
			case ok:
			case rival != "":
				return refuse("%s %s reaches into what %s of %s leave to namespace %s. Ask for less, or ask the platform team for a pattern that keeps namespaces apart.",
					k.what, asked, k.field, r.Config, rival)
			default:
				return refuse("%s %s is not within %s of %s for namespace %s. Ask the platform team to add it.", k.what, asked, k.field, r.Config, t.Namespace)
			}
		}
	}
	return nil
}

// within tells whether one of the patterns gives the namespace all that is asked
// for. If none does because it is another's, in whole or in part, it returns that namespace.
func (r Rules) within(patterns []string, asked, namespace string, c Cluster) (rival string, ok bool) {
	for _, p := range patterns {
		if !Covers(p, namespace, asked) {
			continue
		}
		if !r.Cluster || !ownable(p) {
			return "", true
		}
		if rival = rivalOf(p, asked, namespace, c.Namespaces); rival == "" {
			return "", true
		}
	}
	return rival, false
}

// rivalOf returns the namespace that owns some of what is asked for, before the
// supplied one does. It must lie within the pattern for that one.
func rivalOf(pattern, asked, namespace string, namespaces []string) string {
	var out string
	for _, n := range namespaces {
		if outranks(n, namespace) && (out == "" || outranks(n, out)) && mayOverlap(pattern, n, asked) && Overlaps(pattern, n, asked) {
			out = n
		}
	}
	return out
}

// mayOverlap is a cheap answer to Overlaps, for a pattern that covers what is
// asked for in the case of another namespace: false is right, true may not be. It saves
// the work for almost all namespaces, as almost all patterns begin with {namespace}.
func mayOverlap(pattern, namespace, asked string) bool {
	head, _, _ := strings.Cut(pattern, placeNamespace)
	rest, ok := strings.CutPrefix(asked, head)
	if !ok || strings.ContainsAny(head, wildcards) {
		return true
	}
	i := strings.IndexAny(rest, wildcards)
	if i < 0 {
		return strings.HasPrefix(rest, namespace)
	}
	return strings.HasPrefix(rest[:i], namespace) || strings.HasPrefix(namespace, rest[:i])
}
