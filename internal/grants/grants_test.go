// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// text is what an error says, "" for none. Every error must be a refusal, in one line.
func text(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	if !errors.Is(err, ErrRefused) {
		t.Errorf("not a refusal: %v", err)
	}
	if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("more than one line: %q", err.Error())
	}
	return err.Error()
}

func cluster(with ...func(r *Rules)) Rules {
	r := Rules{Config: "ClusterProviderConfig default", Cluster: true}
	for _, w := range with {
		w(&r)
	}
	return r
}

func TestNamespace(t *testing.T) {
	const refused = "Namespace team-a is not one that allowedNamespaces of ClusterProviderConfig default allow. Ask the platform team to add it."
	selector := func(e ...metav1.LabelSelectorRequirement) *v1alpha1.AllowedNamespaces {
		return &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{MatchExpressions: e}}
	}
	cases := map[string]struct {
		reason  string
		allowed *v1alpha1.AllowedNamespaces
		want    string
	}{
		"Unset":        {"All namespaces may, unless something is said.", nil, ""},
		"Empty":        {"What says nothing allows nobody.", &v1alpha1.AllowedNamespaces{}, refused},
		"Named":        {"Who is named may.", &v1alpha1.AllowedNamespaces{Names: []string{"b", "team-a"}}, ""},
		"NotNamed":     {"Who is not named may not.", &v1alpha1.AllowedNamespaces{Names: []string{"team-a-b"}}, refused},
		"Selected":     {"Who is selected may.", selector(metav1.LabelSelectorRequirement{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"dev"}}), ""},
		"NotSelected":  {"Who is not selected may not.", selector(metav1.LabelSelectorRequirement{Key: "tier", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"dev"}}), refused},
		"SelectorAll":  {"An empty selector selects all.", &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{}}, ""},
		"Both":         {"One of the two is enough.", &v1alpha1.AllowedNamespaces{Names: []string{"b"}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "dev"}}}, ""},
		"Invalid":      {"A selector that cannot be read selects nobody.", selector(metav1.LabelSelectorRequirement{Key: "tier", Operator: "Is"}), "Namespace team-a may not use ClusterProviderConfig default: the selector of its allowedNamespaces is not valid. Ask the platform team to mend it."},
		"InvalidNamed": {"Who is named does not depend on the selector.", &v1alpha1.AllowedNamespaces{Names: []string{"team-a"}, Selector: selector(metav1.LabelSelectorRequirement{Operator: "Is"}).Selector}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := cluster(func(r *Rules) { r.AllowedNamespaces = tc.allowed })
			if diff := cmp.Diff(tc.want, text(t, r.Namespace("team-a", map[string]string{"tier": "dev"}))); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestService(t *testing.T) {
	pools := []v1alpha1.KafkaPool{{Name: "nav-dev", ServiceName: "kafka"}, {Name: "prod", Project: "nav-prod", ServiceName: "k"}, {Name: "unknown"}}
	standard := cluster(func(r *Rules) { r.Project, r.KafkaPools = "dev", pools })
	services := func(p ...v1alpha1.ServicePattern) Rules {
		return cluster(func(r *Rules) { r.Project, r.KafkaPools, r.Services = "dev", pools, p })
	}
	own := func(r Rules) Rules {
		r.Cluster = false
		return r
	}
	type want struct{ message string }
	const (
		notPool  = " is not that of one of kafkaPools of ClusterProviderConfig default. Ask the platform team to add a pool for it."
		notNamed = " is not one that project and instanceNames of ClusterProviderConfig default lead namespace a to. Ask the platform team to allow it under services."
		notOf    = " is not one that services of ClusterProviderConfig default allow namespace a. Ask the platform team to add it."
		alone    = " lead to it as well. Use another, or ask the platform team for a name that fits namespace a alone."
	)
	cases := map[string]struct {
		reason  string
		rules   Rules
		target  Target
		cluster Cluster
		want    want
	}{
		"Pool":             {"The project of a pool is that of its name.", standard, Target{"a", Kafka, "nav-dev", "kafka"}, Cluster{}, want{}},
		"PoolProject":      {"Unless it says otherwise.", standard, Target{"a", Kafka, "nav-prod", "k"}, Cluster{}, want{}},
		"PoolNotProject":   {"Its name is then no project.", standard, Target{"a", Kafka, "prod", "k"}, Cluster{}, want{"Kafka service prod/k" + notPool}},
		"PoolMixed":        {"Project and service have to be of one pool.", standard, Target{"a", Kafka, "nav-dev", "k"}, Cluster{}, want{"Kafka service nav-dev/k" + notPool}},
		"PoolNoService":    {"A pool whose service nobody knows matches none.", standard, Target{"a", Kafka, "unknown", ""}, Cluster{}, want{"Kafka service unknown/" + notPool}},
		"Instance":         {"What an instance leads to.", standard, Target{"a", OpenSearch, "dev", "opensearch-a-logs"}, Cluster{}, want{}},
		"Valkey":           {"Each type has its names.", standard, Target{"a", Valkey, "dev", "valkey-a-logs"}, Cluster{}, want{}},
		"OtherType":        {"And not those of another.", standard, Target{"a", Valkey, "dev", "opensearch-a-logs"}, Cluster{}, want{"Service dev/opensearch-a-logs" + notNamed}},
		"OtherProject":     {"In one project.", standard, Target{"a", OpenSearch, "prod", "opensearch-a-logs"}, Cluster{}, want{"Service prod/opensearch-a-logs" + notNamed}},
		"OtherNamespace":   {"For one namespace.", standard, Target{"a", OpenSearch, "dev", "opensearch-b-logs"}, Cluster{}, want{"Service dev/opensearch-b-logs" + notNamed}},
		"NoProject":        {"Without a project there is nothing to lead to.", cluster(), Target{"a", OpenSearch, "", "opensearch-a-logs"}, Cluster{}, want{"Service /opensearch-a-logs" + notNamed}},
		"UnknownType":      {"What applications cannot ask for.", standard, Target{"a", "pg", "dev", "pg-a-x"}, Cluster{}, want{"Services of type pg are none that applications of ClusterProviderConfig default can ask for. Ask the platform team to allow service dev/pg-a-x under services."}},
		"InstanceOfOther":  {"A name that fits two namespaces is that of the longer.", standard, Target{"a", OpenSearch, "dev", "opensearch-a-b-c"}, Cluster{Namespaces: []string{"a", "a-b"}}, want{"Service dev/opensearch-a-b-c belongs to namespace a-b, whose name instanceNames of ClusterProviderConfig default" + alone}},
		"InstanceOfLonger": {"Who has it.", standard, Target{"a-b", OpenSearch, "dev", "opensearch-a-b-c"}, Cluster{Namespaces: []string{"a"}}, want{}},
		"InstanceHeld":     {"Unless the other has users there already.", standard, Target{"a", OpenSearch, "dev", "opensearch-a-b-c"}, Cluster{Namespaces: []string{"a", "a-b"}, Holder: "a"}, want{}},
		"InstanceHeldBy":   {"Which then keeps out the longer.", standard, Target{"a-b", OpenSearch, "dev", "opensearch-a-b-c"}, Cluster{Namespaces: []string{"a", "a-b"}, Holder: "a"}, want{"Service dev/opensearch-a-b-c belongs to namespace a, whose name instanceNames of ClusterProviderConfig default lead to it as well. Use another, or ask the platform team for a name that fits namespace a-b alone."}},
		"InstanceStranger": {"Whoever has users there without a right to the name does not count.", standard, Target{"a", OpenSearch, "dev", "opensearch-a-b-c"}, Cluster{Namespaces: []string{"a", "z"}, Holder: "z"}, want{}},
		"Shared":           {"Without {namespace} in the pattern nobody owns.", cluster(func(r *Rules) { r.Project, r.InstanceNames.OpenSearch = "dev", "os-{instance}" }), Target{"a", OpenSearch, "dev", "os-a-b"}, Cluster{Namespaces: []string{"a-b"}, Holder: "a-b"}, want{}},
		"Line":             {"A message stays in its line whatever is asked for.", standard, Target{"a", Valkey, "dev", "x\ny"}, Cluster{}, want{`Service dev/"x\ny"` + notNamed}},

		"Listed":       {"One of the patterns is enough.", services(v1alpha1.ServicePattern{Project: "x"}, v1alpha1.ServicePattern{Project: "pr?d", ServiceName: "pg-*"}), Target{"a", "pg", "prod", "pg-1"}, Cluster{}, want{}},
		"ListedAny":    {"What a pattern does not say is any.", services(v1alpha1.ServicePattern{Project: "prod"}), Target{"a", Kafka, "prod", "x"}, Cluster{}, want{}},
		"ListedMixed":  {"Project and service have to match in one.", services(v1alpha1.ServicePattern{Project: "x", ServiceName: "y"}, v1alpha1.ServicePattern{Project: "z"}), Target{"a", Kafka, "x", "z"}, Cluster{}, want{"Service x/z" + notOf}},
		"ListedNoMore": {"With services the rest is not allowed.", services(v1alpha1.ServicePattern{Project: "x"}), Target{"a", Kafka, "nav-dev", "kafka"}, Cluster{}, want{"Service nav-dev/kafka" + notOf}},
		"ListedOfOther": {
			"A name that fits two namespaces is that of the longer.", services(v1alpha1.ServicePattern{ServiceName: "{namespace}-*"}),
			Target{"a", Kafka, "x", "a-b-c"},
			Cluster{Namespaces: []string{"a-b"}},
			want{"Service x/a-b-c belongs to namespace a-b, whose name services of ClusterProviderConfig default" + alone},
		},
		"ListedProjectOfOther": {
			"Projects have names too.", services(v1alpha1.ServicePattern{Project: "{namespace}-*"}),
			Target{"a", Kafka, "a-b-c", "x"},
			Cluster{Namespaces: []string{"a-b"}},
			want{"Service a-b-c/x belongs to namespace a-b, whose name services of ClusterProviderConfig default" + alone},
		},
		"ListedTwice": {
			"One that fits without a namespace allows what another leaves to others.", services(v1alpha1.ServicePattern{ServiceName: "{namespace}-*"}, v1alpha1.ServicePattern{ServiceName: "a-*"}),
			Target{"a", Kafka, "x", "a-b-c"},
			Cluster{Namespaces: []string{"a-b"}},
			want{},
		},

		"Own":           {"A token of one's own reaches what it reaches.", own(standard), Target{"a", "pg", "x", "y"}, Cluster{}, want{}},
		"OwnListed":     {"Unless its writer says otherwise.", own(services(v1alpha1.ServicePattern{Project: "x"})), Target{"a", Kafka, "y", "y"}, Cluster{}, want{"Service y/y" + notOf}},
		"OwnNamespaced": {"Nobody else's services are reached by it because of their names.", own(services(v1alpha1.ServicePattern{ServiceName: "{namespace}-*"})), Target{"a", Kafka, "x", "a-b-c"}, Cluster{Namespaces: []string{"a-b"}}, want{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want.message, text(t, tc.rules.Service(tc.target, tc.cluster))); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestTopics(t *testing.T) {
	pool := func(topics, subjects []string) v1alpha1.KafkaPool {
		return v1alpha1.KafkaPool{Name: "dev", ServiceName: "kafka", Topics: topics, Subjects: subjects}
	}
	with := func(p ...v1alpha1.KafkaPool) Rules { return cluster(func(r *Rules) { r.KafkaPools = p }) }
	own := func(p ...v1alpha1.KafkaPool) Rules {
		return Rules{Config: "ProviderConfig a/default", ServiceSettings: v1alpha1.ServiceSettings{KafkaPools: p}}
	}
	const (
		notWithin = " is not within kafkaPools[].topics of ClusterProviderConfig default for namespace a. Ask the platform team to add it."
		reaches   = " reaches into what kafkaPools[].topics of ClusterProviderConfig default leave to namespace a-b. Ask for less, or ask the platform team for a pattern that keeps namespaces apart."
	)
	dotted, dashed := []string{"{namespace}.*"}, []string{"{namespace}-*"}
	cases := map[string]struct {
		reason           string
		rules            Rules
		topics, subjects []string
		namespaces       []string
		want             string
	}{
		"Nothing":         {"Who asks for nothing needs nothing.", cluster(), nil, nil, nil, ""},
		"NoPool":          {"A service of no pool has no topics.", cluster(), []string{"a.x"}, nil, nil, "Topic a.x" + notWithin},
		"NoTopics":        {"Nor has a pool that lists none.", with(pool(nil, dotted)), []string{"a.x"}, nil, nil, "Topic a.x" + notWithin},
		"Within":          {"A name and a pattern within the namespace's.", with(pool(dotted, nil)), []string{"a.x", "a.*", "a.?"}, nil, nil, ""},
		"Second":          {"All of it has to be.", with(pool(dotted, nil)), []string{"a.x", "b.x"}, nil, nil, "Topic b.x" + notWithin},
		"Wider":           {"A pattern that is wider than the rule.", with(pool(dotted, nil)), []string{"a*"}, nil, nil, "Topic a*" + notWithin},
		"OtherPool":       {"Topics of another pool do not count.", with(pool(nil, nil), v1alpha1.KafkaPool{Name: "prod", ServiceName: "kafka", Topics: dotted}), []string{"a.x"}, nil, nil, "Topic a.x" + notWithin},
		"TwoPools":        {"Pools of the same service count together.", with(pool(nil, nil), v1alpha1.KafkaPool{Name: "x", Project: "dev", ServiceName: "kafka", Topics: dotted}), []string{"a.x"}, nil, nil, ""},
		"Subject":         {"Subjects are not topics.", with(pool(dotted, nil)), nil, []string{"a.x"}, nil, "Subject a.x is not within kafkaPools[].subjects of ClusterProviderConfig default for namespace a. Ask the platform team to add it."},
		"Subjects":        {"They have their own list.", with(pool(nil, dotted)), nil, []string{"a.x"}, nil, ""},
		"OfOther":         {"A name that fits two namespaces is that of the longer.", with(pool(dashed, nil)), []string{"a-b-x"}, nil, []string{"a", "a-b"}, "Topic a-b-x" + reaches},
		"ReachesIntoIt":   {"A pattern that holds such names is refused too.", with(pool(dashed, nil)), []string{"a-*"}, nil, []string{"a", "a-b"}, "Topic a-*" + reaches},
		"ReachesByOne":    {"By whichever wildcard.", with(pool(dashed, nil)), []string{"a-?-x"}, nil, []string{"a", "a-b"}, "Topic a-?-x" + reaches},
		"ReachesInMiddle": {"Wherever the namespace stands.", with(pool([]string{"*-{namespace}-*"}, nil)), []string{"x-a-*"}, nil, []string{"a", "a-b"}, "Topic x-a-*" + reaches},
		"BesideIt":        {"What does not is the shorter's.", with(pool(dashed, nil)), []string{"a-c-*", "a-bc-x"}, nil, []string{"a", "a-b"}, ""},
		"KeptApart":       {"A dot keeps namespaces apart.", with(pool(dotted, nil)), []string{"a.*"}, nil, []string{"a", "a-b", "aa"}, ""},
		"AnotherPattern":  {"One that fits without a namespace allows what another leaves to others.", with(pool([]string{"{namespace}-*", "a-b-*"}, nil)), []string{"a-b-x"}, nil, []string{"a", "a-b"}, ""},
		"Own":             {"With a token of one's own nothing needs to be listed.", own(pool(nil, nil)), []string{"*"}, []string{"*"}, nil, ""},
		"OwnNoPool":       {"Nor does the pool.", own(), []string{"*"}, nil, nil, ""},
		"OwnListed":       {"But what is listed is obeyed.", own(pool(dotted, nil)), []string{"*"}, nil, nil, "Topic * is not within kafkaPools[].topics of ProviderConfig a/default for namespace a. Ask the platform team to add it."},
		"OwnOther":        {"Others have no part in it.", own(pool(dashed, nil)), []string{"a-*"}, nil, []string{"a-b"}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := text(t, tc.rules.Topics(Target{"a", Kafka, "dev", "kafka"}, tc.topics, tc.subjects, Cluster{Namespaces: tc.namespaces, Holder: "z"}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestUsername(t *testing.T) {
	refused := func(user, name string) string {
		return "User " + user + " is not one that is made up for " + name + " of namespace a, as usernames of ClusterProviderConfig default demands. " +
			"Leave out the annotation crossplane.io/external-name, or ask the platform team to allow the import."
	}
	victim := username.Prefix("team-a", "x")
	reaching := strings.TrimPrefix(strings.TrimSuffix(victim, "_"), "a_") + "_y"
	policy := func(p v1alpha1.UsernamePolicy) Rules { return cluster(func(r *Rules) { r.Usernames = p }) }
	cases := map[string]struct {
		reason string
		rules  Rules
		user   User
		want   string
	}{
		"Own":             {"A user of the managed resource.", policy(v1alpha1.UsernamesOwn), User{"a", "mg", "", username.Prefix("a", "mg") + "abc"}, ""},
		"Default":         {"Own is the default.", policy(""), User{"a", "mg", "", "avnadmin"}, refused("avnadmin", "mg")},
		"Application":     {"A user of the application.", policy(""), User{"a", "mg", "app", username.Prefix("a", "app") + "abc"}, ""},
		"NotResource":     {"The managed resource of an application has no name of its own.", policy(""), User{"a", "mg", "app", username.Prefix("a", "mg") + "abc"}, refused(username.Prefix("a", "mg")+"abc", "app")},
		"OtherNamespace":  {"A user of another namespace, also when both are shortened to the same.", policy(""), User{"a", "x", "", victim + "abc"}, refused(victim+"abc", "x")},
		"OnlyPrefix":      {"Nothing is made up without a suffix.", policy(""), User{"a", "mg", "", username.Prefix("a", "mg")}, refused(username.Prefix("a", "mg"), "mg")},
		"ReachingOver":    {"No application is called so; the name would be within the names of another's.", policy(""), User{"a", "mg", reaching, username.Prefix("a", reaching) + "abc"}, refused(username.Prefix("a", reaching)+"abc", reaching)},
		"Any":             {"With Any, all of them.", policy(v1alpha1.UsernamesAny), User{"a", "mg", "", "avnadmin"}, ""},
		"OwnToken":        {"As with a token of one's own.", Rules{}, User{"a", "mg", "", "avnadmin"}, ""},
		"DotsInName":      {"Names of resources may hold dots.", policy(""), User{"a", "mg.v1", "", username.Prefix("a", "mg.v1") + "abc"}, ""},
		"SomethingUnread": {"What cannot be printed is quoted.", policy(""), User{"a", "mg", "", "x\ny"}, refused(`"x\ny"`, "mg")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, text(t, tc.rules.Username(tc.user))); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
