// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// leaseName is the name of the lease by which a leader is chosen.
const leaseName = "crossplane-leader-election-provider-aiven"

// What rights are needed for. They are values of a label of a metric.
const (
	forConfigurations = "configurations"
	forApplications   = "applications"
	forUsers          = "users"
	forSecrets        = "secrets"
	forLeader         = "leader-election"
	forWorkloads      = "workloads"
	forNamespaces     = "namespaces"
	forRecords        = "records"
	forDeletion       = "deletion"
	forUsages         = "usages"
	forStatus         = "status"
	forOwners         = "owners"
	forEvents         = "events"
	forInstances      = "instances"
)

// without says what the provider does not do, or does instead, without the rights
// that it needs for something.
var without = map[string]string{
	forConfigurations: "nothing works",
	forApplications:   "nothing works",
	forUsers:          "nothing works, or in the namespaces that are told nothing does",
	forSecrets:        "nothing works, or in the namespaces that are told nothing does",
	forLeader:         "nothing works, unless it is started with --no-leader-election as a single replica",
	forWorkloads:      "Secrets that nothing uses are not removed, and replaced credentials end with the overlap, whoever uses them",
	forNamespaces:     "configurations that tell namespaces apart by a pattern or by labels are refused",
	forRecords:        "users at Aiven that lost their managed resource are not deleted",
	forDeletion:       "replaced users and those of removed sections stay valid",
	forUsages:         "records of who uses which configuration may stay too long, and configurations with them",
	forStatus:         "conditions and revisions are not written, and no application becomes ready",
	forOwners:         "where the admission plugin OwnerReferencesPermissionEnforcement is on, no user is made",
	forEvents:         "some events are missing",
	forInstances:      "configurations with requireInstance are refused",
}

// A place is where a right is needed.
type place int

const (
	// watched: in each namespace that is watched, or in all.
	watched place = iota
	// clusterScope: of what has no namespace.
	clusterScope
	// allNamespaces: of all namespaces, when all are watched.
	allNamespaces
	// chosenNamespaces: in each namespace that is watched, when some are chosen.
	chosenNamespaces
	// records, lease and clusterEvents: in the namespace of these.
	records
	lease
	clusterEvents
)

// A need is for verbs on resources of a group, each separated by blanks; if it has a
// name then only on what is called so.
type need struct {
	feature          string
	where            place
	group            string
	resources, verbs string
	name             string
	// required: the provider cannot begin without.
	required bool
}

const (
	read         = "get list watch"
	see          = "list watch"
	update       = "update"
	users        = "kafkaserviceusers opensearchserviceusers valkeyserviceusers"
	coordination = "coordination.k8s.io"
)

// needs are all rights that the provider uses, but for those to single Secrets
// that hold tokens: a configuration says which, and its condition whether they can be read.
var needs = []need{
	{feature: forConfigurations, where: clusterScope, group: v1.Group, resources: "clusterproviderconfigs", verbs: see, required: true},
	{feature: forConfigurations, where: clusterScope, group: v1.Group, resources: "clusterproviderconfigs", verbs: update},
	{feature: forConfigurations, group: v1.Group, resources: "providerconfigs providerconfigusages", verbs: see, required: true},
	{feature: forConfigurations, group: v1.Group, resources: "providerconfigs", verbs: update},
	{feature: forConfigurations, group: v1.Group, resources: "providerconfigusages", verbs: "create update"},
	{feature: forApplications, group: v1.Group, resources: "aivenapplications", verbs: read, required: true},
	{feature: forUsers, group: v1.Group, resources: users, verbs: read, required: true},
	{feature: forUsers, group: v1.Group, resources: users, verbs: "create update patch"},
	{feature: forSecrets, resources: "secrets", verbs: read, required: true},
	{feature: forSecrets, resources: "secrets", verbs: "create patch delete"},
	{feature: forLeader, where: lease, group: coordination, resources: "leases", verbs: "create", required: true},
	{feature: forLeader, where: lease, group: coordination, resources: "leases", verbs: "get update", name: leaseName, required: true},
	{feature: forDeletion, group: v1.Group, resources: users, verbs: "delete"},
	{feature: forUsages, group: v1.Group, resources: "providerconfigusages", verbs: "delete"},
	{feature: forStatus, where: clusterScope, group: v1.Group, resources: "clusterproviderconfigs/status", verbs: update},
	{
		feature: forStatus, group: v1.Group, verbs: update,
		resources: "aivenapplications/status providerconfigs/status kafkaserviceusers/status opensearchserviceusers/status valkeyserviceusers/status",
	},
	{
		feature: forOwners, group: v1.Group, verbs: update,
		resources: "aivenapplications/finalizers kafkaserviceusers/finalizers opensearchserviceusers/finalizers valkeyserviceusers/finalizers",
	},
	{feature: forWorkloads, resources: "pods", verbs: see},
	{feature: forWorkloads, group: "apps", resources: "replicasets deployments statefulsets daemonsets", verbs: see},
	{feature: forWorkloads, group: "batch", resources: "jobs cronjobs", verbs: see},
	{feature: forNamespaces, where: allNamespaces, resources: "namespaces", verbs: see},
	{feature: forNamespaces, where: chosenNamespaces, resources: "namespaces", verbs: "get"},
	{feature: forRecords, where: records, resources: "configmaps", verbs: "get list create patch delete"},
	{feature: forEvents, resources: "events", verbs: "create patch"},
	{feature: forEvents, where: lease, resources: "events", verbs: "create patch"},
	{feature: forEvents, where: clusterEvents, resources: "events", verbs: "create patch"},
	{feature: forInstances, group: "aiven.io", resources: "opensearches valkeys", verbs: "get"},
}

// A right is one verb on one resource in one place.
type right struct {
	feature, group, resource, verb, name, namespace string
	required                                        bool
}

// String names the right as kubectl auth can-i takes it: "list pods -n team-a".
func (r right) String() string {
	s := r.verb + " " + r.kubectlResource()
	if r.name != "" {
		s += "/" + r.name
	}
	if r.namespace != "" {
		s += " -n " + r.namespace
	}
	return s
}

// kubectlResource returns the resource as kubectl knows it: "jobs.batch".
func (r right) kubectlResource() string {
	name, sub, ok := strings.Cut(r.resource, "/")
	if r.group != "" {
		name += "." + r.group
	}
	if ok {
		name += "/" + sub
	}
	return name
}

// attributes returns the right as the API server is asked for it.
func (r right) attributes() *authorizationv1.ResourceAttributes {
	resource, sub, _ := strings.Cut(r.resource, "/")
	return &authorizationv1.ResourceAttributes{Namespace: r.namespace, Verb: r.verb, Group: r.group, Resource: resource, Subresource: sub, Name: r.name}
}

// rightsFor returns the rights that a provider with these options needs.
func rightsFor(o Options) []right {
	var out []right
	for _, n := range needs {
		for _, ns := range n.where.namespaces(o) {
			for resource := range strings.FieldsSeq(n.resources) {
				for verb := range strings.FieldsSeq(n.verbs) {
					out = append(out, right{feature: n.feature, group: n.group, resource: resource, verb: verb, name: n.name, namespace: ns, required: n.required})
				}
			}
		}
	}
	return out
}

// namespaces returns the namespaces of a place, "" for all or none, and nothing
// when the provider does not need what is there.
func (p place) namespaces(o Options) []string {
	all := []string{metav1.NamespaceAll}
	switch p {
	case clusterScope:
		return all
	case allNamespaces:
		if len(o.WatchNamespaces) == 0 {
			return all
		}
		return nil
	case chosenNamespaces:
		return o.WatchNamespaces
	case records:
		return slices.DeleteFunc([]string{o.Namespace}, func(n string) bool { return n == "" })
	case lease:
		return slices.DeleteFunc([]string{o.LeaderElectionNamespace}, func(n string) bool { return n == "" || !o.LeaderElection })
	case clusterEvents:
		return []string{metav1.NamespaceDefault}
	case watched:
	}
	if len(o.WatchNamespaces) == 0 {
		return all
	}
	return o.WatchNamespaces
}
