// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"slices"
	"strings"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// Fields that a name can belong to a namespace by, as messages name them.
const (
	fieldServices      = "services"
	fieldInstanceNames = "instanceNames"
)

// Service tells whether users may be made on a service. ErrRefused: they may not.
func (r Rules) Service(t Target, c Cluster) error {
	switch {
	case len(r.Services) > 0:
		return r.listed(t, c)
	case !r.Cluster:
		return nil
	case t.Type == Kafka:
		return r.pooled(t)
	case r.instancePattern(t.Type) != "":
		return r.named(t, c, r.instancePattern(t.Type))
	default:
		return refuse("Services of type %s are none that applications of %s can ask for. Ask the platform team to allow service %s/%s under services.",
			t.Type, r.Config, t.Project, t.Service)
	}
}

// OwnsServices tells whether services of a type belong to namespaces by their
// names, so that Service looks at others.
func (r Rules) OwnsServices(serviceType string) bool {
	switch {
	case !r.Cluster:
		return false
	case len(r.Services) > 0:
		return slices.ContainsFunc(r.Services, func(s v1alpha1.ServicePattern) bool { return ownable(s.Project + s.ServiceName) })
	default:
		return ownable(r.instancePattern(serviceType))
	}
}

// ownable tells whether what fits a pattern belongs to a namespace.
func ownable(pattern string) bool { return strings.Contains(pattern, placeNamespace) }

// instancePattern returns the pattern that instances of a type are named by, ""
// when they are not.
func (r Rules) instancePattern(serviceType string) string {
	switch serviceType {
	case OpenSearch:
		return orElse(r.InstanceNames.OpenSearch, "opensearch-{namespace}-{instance}")
	case Valkey:
		return orElse(r.InstanceNames.Valkey, "valkey-{namespace}-{instance}")
	default:
		return ""
	}
}

// listed tells whether one of services allows it.
func (r Rules) listed(t Target, c Cluster) error {
	var owner string
	for _, s := range r.Services {
		fits := func(namespace string) bool { return fitsService(s, namespace, t) }
		if !fits(t.Namespace) {
			continue
		}
		// A ProviderConfig is used by its own namespace alone: nobody else's
		// services are reached by its token because of their names.
		if !r.Cluster || !ownable(s.Project+s.ServiceName) {
			return nil
		}
		if owner = ownerOf(t, c, fits); owner == t.Namespace {
			return nil
		}
	}
	if owner != "" {
		return r.others(t, owner, fieldServices)
	}
	return refuse("Service %s/%s is not one that services of %s allow namespace %s. Ask the platform team to add it.",
		t.Project, t.Service, r.Config, t.Namespace)
}

func fitsService(s v1alpha1.ServicePattern, namespace string, t Target) bool {
	return Match(orElse(s.Project, "*"), namespace, t.Project) && Match(orElse(s.ServiceName, "*"), namespace, t.Service)
}

// pooled tells whether it is the service of a pool.
func (r Rules) pooled(t Target) error {
	if len(r.pools(t)) > 0 {
		return nil
	}
	return refuse("Kafka service %s/%s is not that of one of kafkaPools of %s. Ask the platform team to add a pool for it.",
		t.Project, t.Service, r.Config)
}

// pools returns those whose service it is.
func (r Rules) pools(t Target) []v1alpha1.KafkaPool {
	var out []v1alpha1.KafkaPool
	for _, p := range r.KafkaPools {
		if p.ServiceName != "" && p.ServiceName == t.Service && p.GetProject() == t.Project {
			out = append(out, p)
		}
	}
	return out
}

// named tells whether an application could have asked for it by an instance.
func (r Rules) named(t Target, c Cluster, pattern string) error {
	fits := func(namespace string) bool { return fitsInstance(pattern, namespace, t.Service) }
	if r.Project == "" || r.Project != t.Project || !fits(t.Namespace) {
		return refuse("Service %s/%s is not one that project and instanceNames of %s lead namespace %s to. Ask the platform team to allow it under services.",
			t.Project, t.Service, r.Config, t.Namespace)
	}
	if !ownable(pattern) {
		return nil
	}
	if owner := ownerOf(t, c, fits); owner != t.Namespace {
		return r.others(t, owner, fieldInstanceNames)
	}
	return nil
}

func (r Rules) others(t Target, owner, field string) error {
	return refuse("Service %s/%s belongs to namespace %s, whose name %s of %s lead to it as well. Use another, or ask the platform team for a name that fits namespace %s alone.",
		t.Project, t.Service, owner, field, r.Config, t.Namespace)
}

// ownerOf returns whose the service is, of those that it fits.
func ownerOf(t Target, c Cluster, fits func(namespace string) bool) string {
	return Owner(append([]string{t.Namespace, c.Holder}, c.Namespaces...), c.Holder, fits)
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
