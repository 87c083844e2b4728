// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/grants"
)

// found is the Kafka service that Aiven has in a project, for pools that name
// none.
const found = "the-kafka"

// decide returns everything that the provider refuses an object for, as it
// asks internal/grants, with the configuration that the object means.
func decide(o client.Object, ns *corev1.Namespace, c *v1alpha1.ClusterProviderConfig, others grants.Cluster) []string {
	r := grants.Rules{
		Config: "ClusterProviderConfig " + c.GetName(), Cluster: true, ServiceSettings: *c.Spec.ServiceSettings.DeepCopy(),
		AllowedNamespaces: c.Spec.AllowedNamespaces, Usernames: c.Spec.Usernames,
	}
	for i := range r.KafkaPools {
		if r.KafkaPools[i].ServiceName == "" {
			r.KafkaPools[i].ServiceName = found
		}
	}
	if b, ok := o.(interface {
		GetAuthSecretRef() *xpv2.LocalSecretKeySelector
	}); ok && b.GetAuthSecretRef() != nil {
		return nil // A token of its own is not the configuration's to grant.
	}
	var out []string
	keep := func(err error) {
		if err != nil {
			out = append(out, err.Error())
		}
	}
	keep(r.Namespace(ns.GetName(), ns.GetLabels()))
	switch u := o.(type) {
	case *v1.AivenApplication:
		if u.Spec.AuthSecretRef != nil {
			return nil
		}
		return append(out, decideApplication(u, r, others)...)
	case *v1alpha1.KafkaServiceUser:
		t := target(u, grants.Kafka, u.Spec.ForProvider.ServiceUserParameters)
		keep(r.Service(t, others))
		var topics, subjects []string
		for _, a := range u.Spec.ForProvider.ACL {
			topics = append(topics, a.Topic)
		}
		for _, a := range u.Spec.ForProvider.SchemaRegistry {
			subjects = append(subjects, a.Subject)
		}
		keep(r.Topics(t, topics, subjects, others))
	case *v1alpha1.OpenSearchServiceUser:
		keep(r.Service(target(u, grants.OpenSearch, u.Spec.ForProvider.ServiceUserParameters), others))
	case *v1alpha1.ValkeyServiceUser:
		keep(r.Service(target(u, grants.Valkey, u.Spec.ForProvider.ServiceUserParameters), others))
	}
	if name := meta.GetExternalName(o); name != "" {
		keep(r.Username(grants.User{Namespace: ns.GetName(), Resource: o.GetName(), Application: v1.ApplicationOf(o), Username: name}))
	}
	return out
}

func target(o client.Object, kind string, p v1alpha1.ServiceUserParameters) grants.Target {
	return grants.Target{Namespace: o.GetNamespace(), Type: kind, Project: p.Project, Service: p.ServiceName}
}

func decideApplication(a *v1.AivenApplication, r grants.Rules, others grants.Cluster) []string {
	var out []string
	keep := func(err error) {
		if err != nil {
			out = append(out, err.Error())
		}
	}
	if k := a.Spec.Kafka; k != nil {
		var pool *v1alpha1.KafkaPool
		for i := range r.KafkaPools {
			if r.KafkaPools[i].Name == k.Pool {
				pool = &r.KafkaPools[i]
			}
		}
		if pool == nil {
			return append(out, "Kafka pool "+k.Pool+" is not one of "+r.Config+". Use one of its kafkaPools, or ask the platform team to add it.")
		}
		t := grants.Target{Namespace: a.GetNamespace(), Type: grants.Kafka, Project: pool.Project, Service: pool.ServiceName}
		if t.Project == "" {
			t.Project = pool.Name
		}
		keep(r.Service(t, others))
		var topics, subjects []string
		for _, e := range k.ACL {
			topics = append(topics, e.Topic)
		}
		for _, e := range k.SchemaRegistry {
			subjects = append(subjects, e.Subject)
		}
		keep(r.Topics(t, topics, subjects, others))
	}
	instance := func(kind, pattern, instance string) {
		service := strings.NewReplacer("{namespace}", a.GetNamespace(), "{instance}", instance).Replace(pattern)
		keep(r.Service(grants.Target{Namespace: a.GetNamespace(), Type: kind, Project: r.Project, Service: service}, others))
	}
	if o := a.Spec.OpenSearch; o != nil {
		instance(grants.OpenSearch, r.InstanceNames.OpenSearch, o.Instance)
	}
	for _, v := range a.Spec.Valkey {
		instance(grants.Valkey, r.InstanceNames.Valkey, v.Instance)
	}
	return out
}
