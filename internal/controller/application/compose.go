// SPDX-License-Identifier: Apache-2.0

package application

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

const (
	maxName  = 253
	maxLabel = 63

	// kafkaLabel is the label of sections of Kafka.
	kafkaLabel = "kafka"

	// connSuffix ends the names of connection Secrets.
	connSuffix = "-conn"
)

// A target is the Aiven service that a section of an application is about.
type target struct {
	project, service string
}

// A section is one service that an application asks for.
type section struct {
	service    connection.Service
	instance   string
	secretName string
	target     target
	build      func(p v1alpha1.ServiceUserParameters) composed
}

// label names the section in labels, in object names and to users.
func (s section) label() string { return strings.ToLower(string(s.service)) }

// id tells the sections of one application apart.
func (s section) id() string {
	if s.instance == "" {
		return s.label()
	}
	return s.label() + "/" + s.instance
}

// is tells whether a user of the status is the section's.
func (s section) is(u v1.UserStatus) bool {
	return u.Service == s.id() && s.target == target{u.Project, u.ServiceName}
}

// isOf tells whether a managed resource is of the section's service.
func (s section) isOf(mg composed) bool {
	o := sectionOf(mg)
	return o.id() == s.id() && o.target == s.target
}

// sectionOf returns the section that a managed resource was made for, less what
// only the spec says.
func sectionOf(mg composed) section {
	s := section{instance: mg.GetAnnotations()[v1.AnnotationInstance], secretName: mg.GetAnnotations()[v1.AnnotationSecret], target: targetOf(mg)}
	switch mg.(type) {
	case *v1alpha1.KafkaServiceUser:
		s.service = connection.Kafka
	case *v1alpha1.OpenSearchServiceUser:
		s.service = connection.OpenSearch
	case *v1alpha1.ValkeyServiceUser:
		s.service = connection.Valkey
	}
	return s
}

// A KafkaServiceFn finds the one Kafka service of a project.
type KafkaServiceFn func(project string) (string, error)

// sections returns what an application asks for, in the order of the spec. The
// errors are reasoned: they say what is missing in the configuration.
func sections(app *v1.AivenApplication, s providerconfig.Settings, kafka KafkaServiceFn) ([]section, error) {
	var out []section
	if k := app.Spec.Kafka; k != nil {
		t, err := kafkaTarget(k.Pool, s, kafka)
		if err != nil {
			return nil, err
		}
		out = append(out, section{
			service: connection.Kafka, secretName: app.SecretName(k.SecretName), target: t,
			build: func(p v1alpha1.ServiceUserParameters) composed {
				mg := &v1alpha1.KafkaServiceUser{}
				mg.Spec.ForProvider = kafkaParameters(k)
				mg.Spec.ForProvider.ServiceUserParameters = p
				return mg
			},
		})
	}
	if s.Project == "" && (app.Spec.OpenSearch != nil || len(app.Spec.Valkey) > 0) {
		return nil, reasoned(v1.ReasonInvalidConfiguration, "%s has no project, which OpenSearch and Valkey need. Ask the platform team to set it.", s.Ref)
	}
	if o := app.Spec.OpenSearch; o != nil {
		out = append(out, section{
			service: connection.OpenSearch, secretName: app.SecretName(o.SecretName),
			target: target{s.Project, instanceName(s.InstanceNames.OpenSearch, "opensearch-{namespace}-{instance}", app.GetNamespace(), o.Instance)},
			build: func(p v1alpha1.ServiceUserParameters) composed {
				mg := &v1alpha1.OpenSearchServiceUser{}
				mg.Spec.ForProvider = v1alpha1.OpenSearchServiceUserParameters{ServiceUserParameters: p, Rules: openSearchRules(o.Access)}
				return mg
			},
		})
	}
	for _, v := range app.Spec.Valkey {
		out = append(out, section{
			service: connection.Valkey, instance: v.Instance, secretName: app.SecretName(v.SecretName),
			target: target{s.Project, instanceName(s.InstanceNames.Valkey, "valkey-{namespace}-{instance}", app.GetNamespace(), v.Instance)},
			build: func(p v1alpha1.ServiceUserParameters) composed {
				mg := &v1alpha1.ValkeyServiceUser{}
				mg.Spec.ForProvider = valkeyParameters(v.Access)
				mg.Spec.ForProvider.ServiceUserParameters = p
				return mg
			},
		})
	}
	return out, nil
}

func kafkaTarget(pool string, s providerconfig.Settings, kafka KafkaServiceFn) (target, error) {
	i := slices.IndexFunc(s.KafkaPools, func(p v1alpha1.KafkaPool) bool { return p.Name == pool })
	if i < 0 && s.Ref.Kind == v1alpha1.ProviderConfigKind {
		return target{}, reasoned(v1.ReasonPoolNotConfigured, "Kafka pool %s is not one of %s. Add it to its kafkaPools, use another of these, or name the ClusterProviderConfig that has it in spec.providerConfigRef.", pool, s.Ref)
	}
	if i < 0 {
		return target{}, reasoned(v1.ReasonPoolNotConfigured, "Kafka pool %s is not one of %s. Use one of its kafkaPools, or ask the platform team to add it.", pool, s.Ref)
	}
	p := s.KafkaPools[i]
	t := target{project: p.GetProject(), service: p.ServiceName}
	if t.service == "" {
		name, err := kafka(t.project)
		if err != nil {
			return target{}, errors.Wrapf(err, "cannot find the Kafka service of pool %s", pool)
		}
		t.service = name
	}
	return t, nil
}

// kafkaParameters grant the access to topics and subjects that is asked for.
func kafkaParameters(k *v1.KafkaSpec) v1alpha1.KafkaServiceUserParameters {
	var p v1alpha1.KafkaServiceUserParameters
	for _, a := range k.ACL {
		p.ACL = append(p.ACL, v1alpha1.KafkaTopicAccess{Topic: a.Topic, Permission: string(a.Access)})
	}
	for _, a := range k.SchemaRegistry {
		p.SchemaRegistry = append(p.SchemaRegistry, v1alpha1.KafkaSubjectAccess{Subject: a.Subject, Permission: "schema_registry_" + string(a.Access)})
	}
	return p
}

// openSearchRules grant the access on all indexes. The pattern _* is for the
// top-level APIs (_mget, _msearch, _bulk). The same as aivenator's.
func openSearchRules(a v1.Access) []v1alpha1.OpenSearchRule {
	if a == "" {
		a = v1.AccessRead
	}
	return []v1alpha1.OpenSearchRule{{Index: "_*", Permission: string(a)}, {Index: "*", Permission: string(a)}}
}

// valkeyParameters grant the access on all keys and channels, and what client
// libraries need to connect. As aivenator's, but nobody below admin may disturb other
// clients (CLIENT KILL and PAUSE are of @connection), and who reads does not change functions,
// which are of @scripting.
func valkeyParameters(a v1.Access) v1alpha1.ValkeyServiceUserParameters {
	categories := []string{"-@all", "+@connection", "+@scripting", "+@pubsub", "+@transaction", "-@dangerous"}
	switch a {
	case v1.AccessAdmin:
		categories = append(categories, "+@admin", "+@write", "+@read")
	case v1.AccessReadWrite:
		categories = append(categories, "+@write", "+@read")
	case v1.AccessWrite:
		categories = append(categories, "+@write")
	case v1.AccessRead, "":
		categories = append(categories, "-@write", "+@read")
	}
	return v1alpha1.ValkeyServiceUserParameters{
		Categories: categories, Commands: []string{"+info", "+cluster|slots"}, Keys: []string{"*"}, Channels: []string{"*"},
	}
}

func instanceName(pattern, fallback, namespace, instance string) string {
	if pattern == "" {
		pattern = fallback
	}
	return strings.NewReplacer("{namespace}", namespace, "{instance}", instance).Replace(pattern)
}

// A desiredUser is a managed resource that should exist, and for what.
type desiredUser struct {
	section
	revision int64
	object   composed
}

// An origin is where a managed resource that an application should have comes
// from: an existing one, or the revision that it is made for.
type origin struct {
	revision int64
	existing composed
}

// compose returns the managed resource that an application should have for a
// section. An existing one keeps its name. Pure.
func compose(app *v1.AivenApplication, a providerconfig.Access, s section, o origin, existing map[string]composed) desiredUser {
	mg := s.build(v1alpha1.ServiceUserParameters{Project: s.target.project, ServiceName: s.target.service})
	name := objectName(app, s, o.revision, existing, mg)
	if o.existing != nil {
		name = o.existing.GetName()
	}
	mg.SetName(name)
	mg.SetNamespace(app.GetNamespace())
	mg.SetProviderConfigReference(a.Config.Reference())
	mg.SetAuthSecretRef(app.Spec.AuthSecretRef.DeepCopy())
	mg.SetManagementPolicies(xpv2.ManagementPolicies{xpv2.ManagementActionAll})
	mg.SetWriteConnectionSecretToReference(&xpv2.LocalSecretReference{Name: v1.Shorten(name, maxName-len(connSuffix)) + connSuffix})
	mg.SetLabels(map[string]string{
		v1.LabelApplication: v1.Shorten(app.GetName(), maxLabel),
		v1.LabelService:     s.label(),
		v1.LabelManagedBy:   v1.ManagedBy,
	})
	user := generatedUsername(app, s, o.revision, 0)
	mg.SetAnnotations(map[string]string{
		v1.AnnotationApplication:       app.GetName(),
		v1.AnnotationRevision:          strconv.FormatInt(o.revision, 10),
		v1.AnnotationSecret:            s.secretName,
		v1.AnnotationGeneratedUsername: user,
	})
	if s.instance != "" {
		meta.AddAnnotations(mg, map[string]string{v1.AnnotationInstance: s.instance})
	}
	meta.SetExternalName(mg, user)
	meta.AddFinalizer(mg, managed.FinalizerName)
	return desiredUser{section: s, revision: o.revision, object: mg}
}

// generatedUsername returns the name of the section's user after the supplied
// number of names that turned out to be taken.
func generatedUsername(app *v1.AivenApplication, s section, revision int64, attempt int) string {
	return username.For(username.Input{
		Namespace: app.GetNamespace(), Name: app.GetName(), UID: string(app.GetUID()),
		Service: s.id() + "@" + s.target.project + "/" + s.target.service, Revision: revision, Attempt: attempt,
	})
}

// objectName returns the name of the section's managed resource: the plain one,
// unless that belongs to a user of another service, which is about to be replaced and stays until
// then, or the section was given another name when it did.
func objectName(app *v1.AivenApplication, s section, revision int64, existing map[string]composed, mg composed) string {
	plain, other := objectNames(app, s, revision)
	if p, ok := existing[keyOf(mg, other)]; ok && targetOf(p) == s.target {
		return other
	}
	if p, ok := existing[keyOf(mg, plain)]; ok && targetOf(p) != s.target {
		return other
	}
	return plain
}

// objectNames returns the two names that a section's managed resource can have.
func objectNames(app *v1.AivenApplication, s section, revision int64) (plain, other string) {
	parts := []string{app.GetName(), s.label()}
	if s.instance != "" {
		parts = append(parts, s.instance)
	}
	parts = append(parts, fmt.Sprintf("r%d", revision))
	plain = v1.Shorten(strings.Join(parts, "-"), maxName-len(connSuffix))
	return plain, v1.Shorten(plain+"-"+v1.Digest(s.target.project+"/"+s.target.service), maxName-len(connSuffix))
}

func targetOf(mg composed) target {
	p := mg.GetServiceUserParameters()
	return target{project: p.Project, service: p.ServiceName}
}
