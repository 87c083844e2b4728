// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

const labelDefault = "aiven.nais.io/default-config"

// Namespaces of the tests, with their labels.
const (
	orders   = "orders"
	ordersEU = "orders-eu" // Begins as the other does.
	plain    = "plain"     // Does not say that it has no ProviderConfig.
	teamA    = "team-a"    // Is shortened to "a".
	nsA      = "a"
)

var longNS = strings.Repeat("n", 30) + "-" + strings.Repeat("m", 32)

var namespaces = map[string]map[string]string{
	orders:   {"tier": "dev", "region": "no", labelDefault: "ClusterProviderConfig"},
	ordersEU: {"tier": "prod", labelDefault: "ClusterProviderConfig"},
	plain:    {"tier": "dev"},
	teamA:    {labelDefault: "ClusterProviderConfig"},
	nsA:      {labelDefault: "ClusterProviderConfig"},
	longNS:   {labelDefault: "ClusterProviderConfig"},
}

func namespaceNames() []string {
	out := []string{"default"}
	for n := range namespaces {
		out = append(out, n)
	}
	return out
}

// configs are those that the cases name. What one does not restrict, it allows, so
// that each policy is tested on its own; but for "default", which has the defaults.
var configs = map[string]v1alpha1.ClusterProviderConfigSpec{
	"default": {ServiceSettings: v1alpha1.ServiceSettings{
		Project:    "dev",
		KafkaPools: []v1alpha1.KafkaPool{{Name: "nav-dev", ServiceName: "kafka"}, {Name: "nav-prod", Project: "prod", ServiceName: "kafka"}, {Name: "auto"}},
	}},
	"no-project": {},
	"odd-names": {ServiceSettings: v1alpha1.ServiceSettings{
		Project:       "dev",
		InstanceNames: v1alpha1.InstanceNames{OpenSearch: "os.{instance}+{namespace}-{instance}(x)", Valkey: "é-{instance}"},
	}},

	"named":      allowed(v1alpha1.AllowedNamespaces{Names: []string{"x", orders}}),
	"nobody":     allowed(v1alpha1.AllowedNamespaces{Names: []string{"nowhere"}}),
	"labels":     allowed(v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "dev", "region": "no"}}}),
	"everybody":  allowed(v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{}}),
	"either":     allowed(v1alpha1.AllowedNamespaces{Names: []string{ordersEU}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"region": "no"}}}),
	"in":         expression("tier", metav1.LabelSelectorOpIn, "dev", "test"),
	"not-in":     expression("tier", metav1.LabelSelectorOpNotIn, "dev", "test"),
	"exists":     expression("region", metav1.LabelSelectorOpExists),
	"not-exists": expression("region", metav1.LabelSelectorOpDoesNotExist),
	"bad-value":  expression("tier", metav1.LabelSelectorOpNotIn, "not a label's value"),

	"listed": {ServiceSettings: v1alpha1.ServiceSettings{
		Project:    "dev",
		KafkaPools: []v1alpha1.KafkaPool{{Name: "nav-dev", ServiceName: "kafka"}, {Name: "shared", Project: "shared", ServiceName: "shared-kafka-1"}, {Name: "auto"}, {Name: "shared-auto", Project: "shared"}},
		Services: []v1alpha1.ServicePattern{
			{Project: "shared", ServiceName: "shared-*-?"},
			{Project: "dev", ServiceName: "{namespace}-*"},
			{Project: "{namespace}"},
			{Project: "dev", ServiceName: "valkey-{namespace}-s*"},
		},
	}},

	"topics": {ServiceSettings: v1alpha1.ServiceSettings{KafkaPools: []v1alpha1.KafkaPool{
		{Name: "nav-dev", ServiceName: "kafka", Topics: []string{"{namespace}.*", "public.?", "a.b*c"}, Subjects: []string{"{namespace}.*-value"}},
		{Name: "dashes", ServiceName: "kafka", Project: "dashes", Topics: []string{"{namespace}-*"}},
		{Name: "none", ServiceName: "kafka"},
		{Name: "same-1", Project: "same", ServiceName: "kafka"},
		{Name: "same-2", Project: "same", ServiceName: "kafka", Topics: []string{"{namespace}.*"}},
		{Name: "same-auto", Project: "same", Topics: []string{"auto.*"}},
	}}},
	"costly": {ServiceSettings: v1alpha1.ServiceSettings{KafkaPools: []v1alpha1.KafkaPool{
		{Name: "nav-dev", ServiceName: "kafka", Topics: costly("{namespace}.", 64)},
	}}},
	"any": {ServiceSettings: v1alpha1.ServiceSettings{Project: "dev"}, Usernames: v1alpha1.UsernamesAny},

	"changing": {ServiceSettings: v1alpha1.ServiceSettings{
		Project: "dev", KafkaPools: []v1alpha1.KafkaPool{{Name: "nav-dev", ServiceName: "kafka", Topics: []string{"*"}}},
	}, Usernames: v1alpha1.UsernamesAny},

	// For the canaries, which are made last.
	"canary-namespaces": allowed(v1alpha1.AllowedNamespaces{Names: []string{"nowhere"}}),
	"canary-services":   {},
	"canary-kafka":      {ServiceSettings: v1alpha1.ServiceSettings{Services: []v1alpha1.ServicePattern{{Project: "*"}}}},
	"canary-usernames":  {ServiceSettings: v1alpha1.ServiceSettings{Services: []v1alpha1.ServicePattern{{Project: "*"}}}},
}

// costly returns as many patterns of 249 characters.
func costly(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = prefix + strings.Repeat("?", 248-len(prefix)-i) + "*" + strings.Repeat("y", i)
	}
	return out
}

// allowed restricts namespaces and nothing else.
func allowed(a v1alpha1.AllowedNamespaces) v1alpha1.ClusterProviderConfigSpec {
	return v1alpha1.ClusterProviderConfigSpec{
		ServiceSettings:   v1alpha1.ServiceSettings{Project: "dev", Services: []v1alpha1.ServicePattern{{Project: "*"}}},
		AllowedNamespaces: &a, Usernames: v1alpha1.UsernamesAny,
	}
}

func expression(key string, op metav1.LabelSelectorOperator, values ...string) v1alpha1.ClusterProviderConfigSpec {
	return allowed(v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: op, Values: values}},
	}})
}

// Namespaces and configurations as the API server has them, after create.
var (
	ns  = map[string]*corev1.Namespace{}
	cfg = map[string]*v1alpha1.ClusterProviderConfig{}
)

// create makes namespaces and configurations, those of the canaries last, and
// waits until every policy is enforced with them.
func create(ctx context.Context) error {
	for n, labels := range namespaces {
		ns[n] = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n, Labels: labels}}
		if err := kube.Create(ctx, ns[n]); err != nil {
			return errors.Wrap(err, "cannot create namespace")
		}
	}
	for _, canaries := range []bool{false, true} {
		for n, s := range configs {
			if strings.HasPrefix(n, "canary-") != canaries {
				continue
			}
			s.Credentials.Source = xpv2.CredentialsSourceEnvironment
			s.Credentials.Env = &xpv2.EnvSelector{Name: "TOKEN"}
			cfg[n] = &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: n}, Spec: s}
			if err := kube.Create(ctx, cfg[n]); err != nil {
				return errors.Wrap(err, "cannot create ClusterProviderConfig")
			}
		}
	}
	return waitForCanaries(ctx)
}

type applicationOption func(a *v1.AivenApplication)

// app returns an application that means a configuration, "" for naming none.
func app(config string, with ...applicationOption) *v1.AivenApplication {
	a := &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Name: "app"}}
	if config != "" {
		a.Spec.ProviderConfigRef = &xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigKind, Name: config}
	}
	for _, w := range with {
		w(a)
	}
	return a
}

func kafka(pool string, topics ...string) applicationOption {
	return func(a *v1.AivenApplication) {
		a.Spec.Kafka = &v1.KafkaSpec{Pool: pool}
		for _, n := range topics {
			a.Spec.Kafka.ACL = append(a.Spec.Kafka.ACL, v1.KafkaTopicAccess{Topic: n, Access: v1.AccessRead})
		}
	}
}

func subjects(names ...string) applicationOption {
	return func(a *v1.AivenApplication) {
		for _, n := range names {
			a.Spec.Kafka.SchemaRegistry = append(a.Spec.Kafka.SchemaRegistry, v1.KafkaSubjectAccess{Subject: n, Access: v1.AccessRead})
		}
	}
}

func openSearch(instance string) applicationOption {
	return func(a *v1.AivenApplication) { a.Spec.OpenSearch = &v1.OpenSearchSpec{Instance: instance} }
}

func valkey(instances ...string) applicationOption {
	return func(a *v1.AivenApplication) {
		for _, i := range instances {
			a.Spec.Valkey = append(a.Spec.Valkey, v1.ValkeySpec{Instance: i})
		}
	}
}

func ownToken(a *v1.AivenApplication) {
	a.Spec.AuthSecretRef = &xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "token"}, Key: "token"}
}

func localConfig(a *v1.AivenApplication) {
	a.Spec.ProviderConfigRef = &xpv2.ProviderConfigReference{Kind: v1alpha1.ProviderConfigKind, Name: a.Spec.ProviderConfigRef.Name}
}

// A user is a managed resource of any kind.
type user interface {
	client.Object
	SetProviderConfigReference(r *xpv2.ProviderConfigReference)
	SetAuthSecretRef(r *xpv2.LocalSecretKeySelector)
}

// of names what all kinds have in common.
func of[T user](u T, config, external string) T {
	u.SetName("mg")
	if config != "" {
		u.SetProviderConfigReference(&xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigKind, Name: config})
	}
	if external != "" {
		meta.SetExternalName(u, external)
	}
	return u
}

func kafkaUser(config, project, service, external string, topics ...string) *v1alpha1.KafkaServiceUser {
	u := &v1alpha1.KafkaServiceUser{}
	u.Spec.ForProvider.Project, u.Spec.ForProvider.ServiceName = project, service
	for _, n := range topics {
		u.Spec.ForProvider.ACL = append(u.Spec.ForProvider.ACL, v1alpha1.KafkaTopicAccess{Topic: n, Permission: "read"})
	}
	return of(u, config, external)
}

func openSearchUser(config, project, service, external string) *v1alpha1.OpenSearchServiceUser {
	u := &v1alpha1.OpenSearchServiceUser{}
	u.Spec.ForProvider.Project, u.Spec.ForProvider.ServiceName = project, service
	return of(u, config, external)
}

func valkeyUser(config, project, service, external string) *v1alpha1.ValkeyServiceUser {
	u := &v1alpha1.ValkeyServiceUser{}
	u.Spec.ForProvider.Project, u.Spec.ForProvider.ServiceName = project, service
	return of(u, config, external)
}

// brings gives a managed resource a token of its own.
func brings[T user](u T) T {
	u.SetAuthSecretRef(&xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "token"}, Key: "token"})
	return u
}

// local makes it use the ProviderConfig of that name.
func local[T user](u T, config string) T {
	u.SetProviderConfigReference(&xpv2.ProviderConfigReference{Kind: v1alpha1.ProviderConfigKind, Name: config})
	return u
}

// composedFor makes it one of an application.
func composedFor[T user](u T, application string) T {
	meta.AddAnnotations(u, map[string]string{v1.AnnotationApplication: application})
	return u
}
