// SPDX-License-Identifier: Apache-2.0

// Package grants tells what a configuration lets a namespace do with its token:
// who may use it, on which services, with which topics, and which users. Pure.
//
// A token that an object brings itself (authSecretRef) is not the
// configuration's to grant: callers do not ask then.
package grants

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// Types of services.
const (
	Kafka      = "kafka"
	OpenSearch = "opensearch"
	Valkey     = "valkey"
)

// Rules are what a configuration grants. A serviceName in
// KafkaPools that is empty is no service: callers fill in what they found out.
type Rules struct {
	// Config is how the configuration is named in messages.
	Config string
	// Cluster says that it is a ClusterProviderConfig, whose token is not the
	// tenants' own. A ProviderConfig grants everything that it does not restrict.
	Cluster bool

	v1alpha1.ServiceSettings

	AllowedNamespaces *v1alpha1.AllowedNamespaces
	Usernames         v1alpha1.UsernamePolicy
}

// A Target is a service on which an object of a namespace wants users.
type Target struct {
	Namespace string
	// Type is Kafka, OpenSearch or Valkey.
	Type             string
	Project, Service string
}

// A Cluster is what has to be known of others to tell whose a name is.
type Cluster struct {
	// Namespaces are all that exist. The target's own may be left out.
	Namespaces []string
	// Holder is the namespace that has users on the service already, "" for none.
	Holder string
}

// A User is one that a managed resource is of.
type User struct {
	// Namespace and Resource, the name of the managed resource.
	Namespace, Resource string
	// Application that the managed resource was made for, "" for none.
	Application string
	Username    string
}

// Namespace tells whether objects of a namespace with these labels may use the
// configuration. ErrRefused: they may not.
func (r Rules) Namespace(name string, set map[string]string) error {
	a := r.AllowedNamespaces
	if a == nil || slices.Contains(a.Names, name) {
		return nil
	}
	s, err := metav1.LabelSelectorAsSelector(a.Selector)
	if err != nil {
		return refuse("Namespace %s may not use %s: the selector of its allowedNamespaces is not valid. Ask the platform team to mend it.",
			name, r.Config)
	}
	if s.Matches(labels.Set(set)) {
		return nil
	}
	return refuse("Namespace %s is not one that allowedNamespaces of %s allow. Ask the platform team to add it.", name, r.Config)
}

// Username tells whether a managed resource may be of a user. ErrRefused: it may
// not.
func (r Rules) Username(u User) error {
	if !r.Cluster || r.Usernames == v1alpha1.UsernamesAny {
		return nil
	}
	name := u.Application
	if name == "" {
		name = u.Resource
	}
	// The parts of a username are separated by underscores, which no name in
	// Kubernetes holds. An annotation may hold anything: with an underscore it
	// would reach into the names that are made up for others, and their ACLs.
	if isName(u.Namespace) && isName(name) {
		if suffix, ok := strings.CutPrefix(u.Username, username.Prefix(u.Namespace, name)); ok && suffix != "" {
			return nil
		}
	}
	return refuse("User %s is not one that is made up for %s of namespace %s, as usernames of %s demands. "+
		"Leave out the annotation crossplane.io/external-name, or ask the platform team to allow the import.", u.Username, name, u.Namespace, r.Config)
}

// isName tells whether a text holds only what names in Kubernetes hold.
func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !isInstance(c) && c != '.' })
}
