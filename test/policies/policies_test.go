// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/grants"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// A sample is an object that is written, and what comes of it.
type sample struct {
	reason    string
	namespace string
	// config that the object means; what it means without naming it is "default".
	config string
	object client.Object

	// want is the policy that refuses it, "" for none.
	want string
	// says is what it says about it, where that is not what the provider says.
	says string
	// cannot says why no policy refuses what the provider does.
	cannot string
}

// Why policies cannot refuse.
const (
	otherNamespaces = "policies do not know other namespaces"
	checksums       = "CEL cannot compute checksums"
	onlyAiven       = "only Aiven knows the service"
	noPromise       = "whether the namespace has a ProviderConfig is not known"
	labelSyntax     = "the syntax of labels is not checked"
	budget          = "it exceeds what an expression may cost"
)

func TestPoliciesRefuseWhatTheProviderRefuses(t *testing.T) {
	others := grants.Cluster{Namespaces: namespaceNames()}
	for name, tc := range samples() {
		t.Run(name, func(t *testing.T) {
			o := tc.object
			o.SetNamespace(tc.namespace)
			refusals := decide(o, ns[tc.namespace], cfg[tc.config], others)
			if refused := len(refusals) > 0; refused != (tc.want != "" || tc.cannot != "") {
				t.Errorf("%s: the provider refuses it for %q", tc.reason, refusals)
			}
			policy, message := dryRun(t, o)
			if policy != tc.want {
				t.Errorf("%s: want policy %q, got %q: %s", tc.reason, tc.want, policy, message)
			}
			if policy != "" && message != tc.says && !slices.Contains(refusals, message) {
				t.Errorf("%s: the policy says\n%s\nthe provider\n%s", tc.reason, message, strings.Join(refusals, "\n"))
			}
		})
	}
}

// dryRun returns which policy refuses an object to be created, and what it says.
func dryRun(t *testing.T, o client.Object) (policy, message string) {
	t.Helper()
	return refusal(t, kube.Create(t.Context(), o, client.DryRunAll))
}

func refusal(t *testing.T, err error) (policy, message string) {
	t.Helper()
	if err == nil {
		return "", ""
	}
	_, rest, ok := strings.Cut(err.Error(), "ValidatingAdmissionPolicy '")
	policy, rest, _ = strings.Cut(rest, ".aiven.nais.io'")
	_, message, _ = strings.Cut(rest, " denied request: ")
	if !ok {
		t.Fatalf("refused by no policy: %v", err)
	}
	return policy, message
}

// waitForCanaries waits until every policy is enforced with the configurations
// that were made last.
func waitForCanaries(ctx context.Context) error {
	pc := &v1alpha1.ProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	pc.Spec.Credentials.SecretRef.Name, pc.Spec.Credentials.SecretRef.Key = "token", "token"
	for policy, o := range map[string]client.Object{
		"namespaces": openSearchUser("canary-namespaces", "x", "x", ""), "services": openSearchUser("canary-services", "x", "x", ""),
		"kafka": app("canary-kafka", kafka("x")), "usernames": openSearchUser("canary-usernames", "x", "x", "x"), "default-config": pc,
	} {
		o.SetNamespace(orders)
		err := poll(ctx, func(ctx context.Context) error {
			err := kube.Create(ctx, o, client.DryRunAll)
			o.SetResourceVersion("")
			if err == nil || !strings.Contains(err.Error(), "'"+policy+".aiven.nais.io'") {
				return errors.Errorf("it does not refuse its canary: %v", err)
			}
			return nil
		})
		if err != nil {
			return errors.Wrapf(err, "cannot wait for policy %s", policy)
		}
	}
	return nil
}

func TestDefaultConfig(t *testing.T) {
	cases := map[string]struct {
		reason          string
		namespace, name string
		want            string
	}{
		"Promised":    {"Where there is to be none, none can be made.", orders, "default", "default-config"},
		"OtherName":   {"Others do not matter.", orders, "mine", ""},
		"NotPromised": {"Nor do other namespaces.", plain, "default", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pc := &v1alpha1.ProviderConfig{ObjectMeta: metav1.ObjectMeta{Namespace: tc.namespace, Name: tc.name}}
			pc.Spec.Credentials.SecretRef.Name, pc.Spec.Credentials.SecretRef.Key = "token", "token"
			if got, message := dryRun(t, pc); got != tc.want {
				t.Errorf("%s: want %q, got %q: %s", tc.reason, tc.want, got, message)
			}
		})
	}
}

// samples returns all of them, by name.
func samples() map[string]sample {
	out := map[string]sample{}
	for group, of := range map[string]map[string]sample{
		"Reference": references(), "Namespace": ofNamespaces(), "Service": services(), "Instance": instances(), "Kafka": topics(), "Username": usernames(),
	} {
		for name, s := range of {
			if s.namespace == "" {
				s.namespace = orders
			}
			out[group+name] = s
		}
	}
	return out
}

func references() map[string]sample {
	none := app("", kafka("unlisted"))
	return map[string]sample{
		"Promised":      {reason: "Who names none means the default.", config: "default", object: none.DeepCopy(), want: "kafka"},
		"PromisedGood":  {reason: "Which may allow it.", config: "default", object: app("", kafka("nav-dev"), openSearch("logs"), valkey("a", "b"))},
		"NotPromised":   {reason: "Unless the namespace may have its own.", namespace: plain, config: "default", object: none.DeepCopy(), cannot: noPromise},
		"Named":         {reason: "Then only what is named counts.", namespace: plain, config: "default", object: app("default", kafka("unlisted")), want: "kafka"},
		"Managed":       {reason: "Managed resources that name none mean the default everywhere.", namespace: plain, config: "default", object: kafkaUser("", "x", "x", ""), want: "services"},
		"OwnToken":      {reason: "A token of one's own is not the configuration's to grant.", config: "nobody", object: app("nobody", openSearch("x"), ownToken)},
		"ManagedToken":  {reason: "Nor that of a managed resource.", config: "nobody", object: brings(openSearchUser("nobody", "x", "x", "avnadmin"))},
		"OtherConfig":   {reason: "What other configurations refuse does not matter.", config: "any", object: app("any", openSearch("x"))},
		"LocalConfig":   {reason: "A ProviderConfig of the same name is another.", config: "any", object: localName(app("any", openSearch("x")), "nobody")},
		"ManagedLocal":  {reason: "For managed resources too.", config: "any", object: local(openSearchUser("any", "dev", "opensearch-orders-x", ""), "nobody")},
		"UnknownConfig": {reason: "A configuration that does not exist refuses nothing at admission.", config: "any", object: openSearchUser("unknown", "dev", "opensearch-orders-x", "")},
	}
}

func localName(a *v1.AivenApplication, name string) *v1.AivenApplication {
	localConfig(a)
	a.Spec.ProviderConfigRef.Name = name
	return a
}

func ofNamespaces() map[string]sample {
	out := map[string]sample{}
	for name, s := range map[string]struct {
		config, namespace, want, cannot string
	}{
		"Named": {"named", orders, "", ""}, "NotNamed": {"named", ordersEU, "namespaces", ""}, "Nobody": {"nobody", orders, "namespaces", ""},
		"Labels": {"labels", orders, "", ""}, "NotLabels": {"labels", plain, "namespaces", ""}, "Everybody": {"everybody", teamA, "", ""},
		"EitherName": {"either", ordersEU, "", ""}, "EitherLabel": {"either", orders, "", ""}, "Neither": {"either", plain, "namespaces", ""},
		"In": {"in", orders, "", ""}, "NotAmong": {"in", ordersEU, "namespaces", ""}, "InNoLabel": {"in", teamA, "namespaces", ""},
		"NotIn": {"not-in", ordersEU, "", ""}, "Among": {"not-in", orders, "namespaces", ""}, "NotInNoLabel": {"not-in", teamA, "", ""},
		"Exists": {"exists", orders, "", ""}, "ExistsNot": {"exists", plain, "namespaces", ""},
		"NotExists": {"not-exists", plain, "", ""}, "NotExistsBut": {"not-exists", orders, "namespaces", ""},
		"BadValue": {"bad-value", ordersEU, "", labelSyntax},
	} {
		sample := sample{reason: "Who may use the token.", namespace: s.namespace, config: s.config, want: s.want, cannot: s.cannot}
		sample.object = app(s.config, valkey("x"))
		out[name+"Application"] = sample
		sample.object = valkeyUser(s.config, "dev", "x", "avnadmin")
		out[name+"Managed"] = sample
	}
	return out
}

func services() map[string]sample {
	return map[string]sample{
		"Pool":          {reason: "The service of a pool.", config: "default", object: kafkaUser("default", "nav-dev", "kafka", "")},
		"PoolProject":   {reason: "With a project of its own.", config: "default", object: kafkaUser("default", "prod", "kafka", "")},
		"PoolName":      {reason: "Whose name is then no project.", config: "default", object: kafkaUser("default", "nav-prod", "kafka", ""), want: "services"},
		"PoolOther":     {reason: "Another service of its project.", config: "default", object: kafkaUser("default", "prod", "other", ""), want: "services"},
		"PoolAuto":      {reason: "The one that Aiven has.", config: "default", object: kafkaUser("default", "auto", found, "")},
		"PoolAutoOther": {reason: "Another than Aiven has.", config: "default", object: kafkaUser("default", "auto", "other", ""), cannot: onlyAiven},
		"NoPools":       {reason: "Without pools there is no service.", config: "no-project", object: kafkaUser("no-project", "nav-dev", "kafka", ""), want: "services"},

		"Listed":            {reason: "What a pattern allows.", config: "listed", object: valkeyUser("listed", "shared", "shared-x-1", "")},
		"ListedNot":         {reason: "What none does.", config: "listed", object: valkeyUser("listed", "shared", "shared-x-12", ""), want: "services"},
		"ListedEnd":         {reason: "What begins or ends as one.", config: "listed", object: valkeyUser("listed", "xshared", "shared-x-1", ""), want: "services"},
		"ListedLine":        {reason: "A line's end is no end.", config: "listed", object: valkeyUser("listed", "shared", "shared-x\n-1", "")},
		"ListedUnicode":     {reason: "A character is one.", config: "listed", object: valkeyUser("listed", "shared", "shared-x-é", "")},
		"ListedNamespace":   {reason: "What is the namespace's.", config: "listed", object: kafkaUser("listed", "dev", "orders-kafka", "")},
		"ListedOther":       {reason: "What is another's.", config: "listed", object: kafkaUser("listed", "dev", "team-a-kafka", ""), want: "services"},
		"ListedProject":     {reason: "A whole project.", config: "listed", object: kafkaUser("listed", "orders", "x", "")},
		"ListedLonger":      {reason: "What is a longer namespace's.", config: "listed", object: kafkaUser("listed", "dev", "orders-eu-kafka", ""), cannot: otherNamespaces},
		"ListedPool":        {reason: "A pool is not enough.", config: "listed", object: app("listed", kafka("nav-dev")), want: "services"},
		"ListedPoolGood":    {reason: "A pool that is listed.", config: "listed", object: app("listed", kafka("shared"))},
		"ListedPoolAuto":    {reason: "A pool of a project that is not.", config: "listed", object: app("listed", kafka("auto")), want: "services", says: "Service auto is not one that services of ClusterProviderConfig listed allow namespace orders. Ask the platform team to add it."},
		"ListedPoolUnknown": {reason: "A pool whose service nobody knows.", config: "listed", object: app("listed", kafka("shared-auto")), cannot: onlyAiven},
		"ListedValkey":      {reason: "What an application's instance leads to.", config: "listed", object: app("listed", valkey("sessions", "s"))},
		"ListedValkeyNot":   {reason: "Each of them.", config: "listed", object: app("listed", valkey("sessions", "x")), want: "services"},
		"ListedOpenSearch":  {reason: "OpenSearch too.", config: "listed", object: app("listed", openSearch("x")), want: "services"},
	}
}

func instances() map[string]sample {
	user := func(config, project, service string) client.Object {
		return openSearchUser(config, project, service, "")
	}
	return map[string]sample{
		"Default":       {reason: "What an instance leads to.", config: "default", object: user("default", "dev", "opensearch-orders-logs")},
		"Valkey":        {reason: "For each type.", config: "default", object: valkeyUser("default", "dev", "valkey-orders-x", "")},
		"OtherType":     {reason: "And no other.", config: "default", object: valkeyUser("default", "dev", "opensearch-orders-x", ""), want: "services"},
		"OtherProject":  {reason: "In the project.", config: "default", object: user("default", "nav-dev", "opensearch-orders-logs"), want: "services"},
		"Empty":         {reason: "An instance has a name.", config: "default", object: user("default", "dev", "opensearch-orders-"), want: "services"},
		"Short":         {reason: "A name shorter than the pattern.", config: "default", object: user("default", "dev", "o"), want: "services"},
		"Letters":       {reason: "Its letters are those of an instance.", config: "default", object: user("default", "dev", "opensearch-orders-X"), want: "services"},
		"Other":         {reason: "Another namespace's.", config: "default", object: user("default", "dev", "opensearch-team-a-x"), want: "services"},
		"Prefix":        {reason: "One that only begins so.", config: "default", object: user("default", "dev", "opensearch-orders2-x"), want: "services"},
		"Longer":        {reason: "A longer namespace's.", config: "default", object: user("default", "dev", "opensearch-orders-eu-x"), cannot: otherNamespaces},
		"LongerApp":     {reason: "Asked for by an application.", config: "default", object: app("default", openSearch("eu-x")), cannot: otherNamespaces},
		"LongerOwn":     {reason: "It is the longer one's.", namespace: ordersEU, config: "default", object: user("default", "dev", "opensearch-orders-eu-x")},
		"NoProject":     {reason: "Without a project nothing is allowed.", config: "no-project", object: user("no-project", "dev", "opensearch-orders-x"), want: "services"},
		"Odd":           {reason: "Patterns are not regular expressions; the instance is the same in both places.", config: "odd-names", object: user("odd-names", "dev", "os.x-y+orders-x-y(x)")},
		"OddDifferent":  {reason: "Not two different ones.", config: "odd-names", object: user("odd-names", "dev", "os.x-y+orders-x-z(x)"), want: "services"},
		"OddLength":     {reason: "Nor two of different length.", config: "odd-names", object: user("odd-names", "dev", "os.x+orders-xx(x)"), want: "services"},
		"Unicode":       {reason: "Lengths are those of characters.", config: "odd-names", object: valkeyUser("odd-names", "dev", "é-x", "")},
		"UnicodeLetter": {reason: "An instance's are plain.", config: "odd-names", object: valkeyUser("odd-names", "dev", "é-é", ""), want: "services"},
	}
}

func topics() map[string]sample {
	expensive := make([]string, 100)
	for i := range expensive {
		expensive[i] = strings.Repeat("x", 249-i)
	}
	return map[string]sample{
		"Unlisted":       {reason: "A pool that is not listed.", config: "topics", object: app("topics", kafka("x")), want: "kafka"},
		"UnlistedTopics": {reason: "It is the pool that is missing.", config: "topics", object: app("topics", kafka("x", "y")), want: "kafka"},
		"NoTopics":       {reason: "Who asks for none needs none.", config: "topics", object: app("topics", kafka("none"))},
		"None":           {reason: "A pool that lists none.", config: "topics", object: app("topics", kafka("none", "orders.x")), want: "kafka"},
		"Within":         {reason: "Names and patterns within.", config: "topics", object: app("topics", kafka("nav-dev", "orders.x", "orders.*", "orders.?-*", "public.a", "public.?", "a.bc", "a.b*c", "a.bxc"))},
		"Second":         {reason: "Each of them.", config: "topics", object: app("topics", kafka("nav-dev", "orders.x", "team-a.x")), want: "kafka"},
		"Dot":            {reason: "A dot is a dot.", config: "topics", object: app("topics", kafka("nav-dev", "orders-x")), want: "kafka"},
		"DotLetter":      {reason: "In every place.", config: "topics", object: app("topics", kafka("nav-dev", "axbc")), want: "kafka"},
		"All":            {reason: "All topics.", config: "topics", object: app("topics", kafka("nav-dev", "*")), want: "kafka"},
		"Wider":          {reason: "A pattern wider than the rule.", config: "topics", object: app("topics", kafka("nav-dev", "public.*")), want: "kafka"},
		"Question":       {reason: "A ? is not a letter.", config: "topics", object: app("topics", kafka("nav-dev", "order?.x")), want: "kafka"},
		"TwoForOne":      {reason: "A ? is one.", config: "topics", object: app("topics", kafka("nav-dev", "public.??")), want: "kafka"},
		"Subjects":       {reason: "Subjects have their own list.", config: "topics", object: app("topics", kafka("nav-dev", "orders.x"), subjects("orders.x-value", "orders.*-value"))},
		"SubjectsNot":    {reason: "Which is not that of topics.", config: "topics", object: app("topics", kafka("nav-dev"), subjects("orders.x")), want: "kafka"},
		"SamePools":      {reason: "Pools of the same service count together.", config: "topics", object: app("topics", kafka("same-1", "orders.x"))},
		"SameAuto":       {reason: "Unless nobody knows whether it is the same.", config: "topics", object: app("topics", kafka("same-1", "auto.x")), cannot: onlyAiven},
		"Longer":         {reason: "What is a longer namespace's.", config: "topics", object: app("topics", kafka("dashes", "orders-eu-x")), cannot: otherNamespaces},
		"Reaches":        {reason: "What reaches into it.", config: "topics", object: app("topics", kafka("dashes", "orders-*")), cannot: otherNamespaces},
		"Beside":         {reason: "What does not.", config: "topics", object: app("topics", kafka("dashes", "orders-x-*"))},
		"Managed":        {reason: "Managed resources by their service.", config: "topics", object: kafkaUser("topics", "nav-dev", "kafka", "", "orders.x")},
		"ManagedNot":     {reason: "As strictly.", config: "topics", object: kafkaUser("topics", "nav-dev", "kafka", "", "orders.x", "x"), want: "kafka"},
		"ManagedLine":    {reason: "A line's end is a character.", config: "topics", object: kafkaUser("topics", "nav-dev", "kafka", "", "orders.x\ny")},
		"CostlyFew":      {reason: "What is long, but not too much.", config: "costly", object: app("costly", kafka("nav-dev", expensive[0])), want: "kafka"},
		"Costly":         {reason: "What is too much for a policy.", config: "costly", object: app("costly", kafka("nav-dev", expensive...)), cannot: budget},
	}
}

func usernames() map[string]sample {
	own := func(namespace, name string) string { return username.Prefix(namespace, name) + "abc" }
	user := func(external string) *v1alpha1.OpenSearchServiceUser {
		return openSearchUser("canary-usernames", "x", "x", external)
	}
	const config = "canary-usernames"
	const dotted = "orders-api.v1.internal-and-more-than-thirty"
	return map[string]sample{
		"None":          {reason: "The provider makes one up.", config: config, object: user("")},
		"Own":           {reason: "One that it made up.", config: config, object: user(own(orders, "mg"))},
		"Application":   {reason: "For an application.", config: config, object: composedFor(user(own(orders, "app")), "app")},
		"NotResource":   {reason: "Then not for itself.", config: config, object: composedFor(user(own(orders, "mg")), "app"), want: "usernames"},
		"Cut":           {reason: "Names are cut.", namespace: longNS, config: config, object: composedFor(user(own(longNS, dotted)), dotted)},
		"Prefix":        {reason: "The team's name is left out.", config: config, object: composedFor(user(own(orders, dotted)), dotted)},
		"SameName":      {reason: "Unless nothing is left.", config: config, object: composedFor(user(own(orders, orders)), orders)},
		"Team":          {reason: "As is \"team\".", namespace: teamA, config: config, object: user(own(teamA, "mg"))},
		"TeamOther":     {reason: "That of a namespace which is shortened to the same.", namespace: nsA, config: config, object: user(own(teamA, "mg")), cannot: checksums},
		"Checksum":      {reason: "A checksum that is not.", config: config, object: user("orders_mg_00000000_abc"), cannot: checksums},
		"NoChecksum":    {reason: "None at all.", config: config, object: user("orders_mg_abc"), want: "usernames"},
		"NoSuffix":      {reason: "No suffix.", config: config, object: user(username.Prefix(orders, "mg")), want: "usernames"},
		"BuiltIn":       {reason: "Aiven's own user.", config: config, object: user("avnadmin"), want: "usernames"},
		"BuiltInKafka":  {reason: "On every service.", config: config, object: kafkaUser(config, "x", "x", "avnadmin"), want: "usernames"},
		"BuiltInValkey": {reason: "On every service.", config: config, object: valkeyUser(config, "x", "x", "default"), want: "usernames"},
		"Other":         {reason: "Another's.", config: config, object: user(own(teamA, "mg")), want: "usernames"},
		"ReachingOver":  {reason: "No application is called so.", config: config, object: composedFor(user(own(orders, "app_0123abcd")), "app_0123abcd"), want: "usernames"},
		"LineInName":    {reason: "Nor so.", config: config, object: composedFor(user(own(orders, "app")), "app\n"), want: "usernames", says: "usernames of the ClusterProviderConfig does not allow this user."},
		"Any":           {reason: "Where any may be imported.", config: "any", object: openSearchUser("any", "dev", "opensearch-orders-x", "avnadmin")},
	}
}
