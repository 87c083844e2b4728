// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/grants"
)

// metadata returns a reader of namespaces.
func metadata(t *testing.T, names ...string) client.WithWatch {
	t.Helper()
	s := runtime.NewScheme()
	if err := corev1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(s)
	for _, n := range names {
		b = b.WithObjects(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n, Labels: map[string]string{"named": n}}})
	}
	return b.Build()
}

// instances returns objects of Aiven's operator in namespace a, by what they are
// called, that are in a state.
func instances(known ...map[string]string) *Instances {
	s := runtime.NewScheme()
	gvk := schema.GroupVersionKind{Group: "aiven.io", Version: "v1alpha1", Kind: "OpenSearch"}
	s.AddKnownTypeWithName(gvk, &unstructured.Unstructured{})
	b := fake.NewClientBuilder().WithScheme(s)
	for _, k := range known {
		o := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"state": k["state"]}}}
		if p, ok := k["project"]; ok {
			o.Object["spec"] = map[string]any{"project": p}
		}
		o.SetGroupVersionKind(gvk)
		o.SetNamespace("a")
		o.SetName(k["name"])
		b = b.WithObjects(o)
	}
	return &Instances{Live: b.Build()}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	with := func(change func(s *v1alpha1.ClusterProviderConfigSpec)) *v1alpha1.ClusterProviderConfig {
		pc := cluster("c", fromSecret("central", "token"), "")
		pc.Spec.Project = "p"
		pc.Spec.KafkaPools = []v1alpha1.KafkaPool{{Name: "pool", Project: "p", ServiceName: "kafka", Topics: []string{"{namespace}.*"}}}
		if change != nil {
			change(&pc.Spec)
		}
		return pc
	}
	central, own := Access{Config: clusterRef("c")}, Access{Config: clusterRef("c"), Own: SecretKey{Namespace: "a", Name: "t", Key: "k"}}
	onKafka := func(change func(u *Use)) Use {
		u := Use{Namespace: "a", Type: grants.Kafka, Project: "p", Service: "kafka"}
		if change != nil {
			change(&u)
		}
		return u
	}
	search := Use{Namespace: "a", Type: grants.OpenSearch, Project: "p", Service: "opensearch-a-x"}
	limited := with(func(s *v1alpha1.ClusterProviderConfigSpec) {
		s.ServiceUsers = &v1alpha1.ServiceUsers{Limit: 10, Headroom: 3}
	})
	required := with(func(s *v1alpha1.ClusterProviderConfigSpec) { s.RequireInstance = true })
	selecting := func(value string) *v1alpha1.ClusterProviderConfig {
		return with(func(s *v1alpha1.ClusterProviderConfigSpec) {
			s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"named": value}}}
		})
	}
	cases := map[string]struct {
		reason    string
		config    client.Object
		access    Access
		use       Use
		instances *Instances
		holder    string
		want      int
		err       error
	}{
		"Pool":            {reason: "A pool is for all.", config: with(nil), access: central, use: onKafka(nil)},
		"NoConfig":        {reason: "What does not exist grants nothing.", config: cluster("other", fromSecret("x", "y"), ""), access: central, use: onKafka(nil), err: ErrNoConfig},
		"OwnWithoutOne":   {reason: "A token of one's own needs no configuration.", config: cluster("other", fromSecret("x", "y"), ""), access: own, use: onKafka(nil)},
		"OwnElsewhere":    {reason: "What a token of one's own may do is for Aiven to say.", config: selecting("nobody"), access: own, use: onKafka(func(u *Use) { u.Service = "any"; u.Username = "avnadmin" })},
		"OwnLimited":      {reason: "The limit is that of the service, whoever's the token is.", config: limited, access: own, use: onKafka(nil), want: 7},
		"Selected":        {reason: "A namespace whose labels are selected.", config: selecting("a"), access: central, use: onKafka(nil)},
		"NotSelected":     {reason: "A namespace whose labels are not.", config: selecting("b"), access: central, use: onKafka(nil), err: grants.ErrRefused},
		"NoPool":          {reason: "A Kafka service that is no pool.", config: with(nil), access: central, use: onKafka(func(u *Use) { u.Service = "other" }), err: grants.ErrRefused},
		"BuiltinUser":     {reason: "A user that was not made up for the namespace.", config: with(nil), access: central, use: onKafka(func(u *Use) { u.Username, u.Resource = "avnadmin", "x" }), err: grants.ErrRefused},
		"Topics":          {reason: "Topics that the pool allows the namespace.", config: with(nil), access: central, use: onKafka(func(u *Use) { u.Topics = []string{"a.x"} })},
		"TopicsOfAnother": {reason: "Topics of another namespace.", config: with(nil), access: central, use: onKafka(func(u *Use) { u.Topics = []string{"a.x", "b.x"} }), err: grants.ErrRefused},
		"Subjects":        {reason: "Subjects that the pool does not name.", config: with(nil), access: central, use: onKafka(func(u *Use) { u.Subjects = []string{"a.x"} }), err: grants.ErrRefused},
		"New":             {reason: "A new user leaves the headroom.", config: limited, access: central, use: onKafka(nil), want: 7},
		"Rotates":         {reason: "A rotation may use it.", config: limited, access: central, use: onKafka(func(u *Use) { u.Rotates = true }), want: 10},
		"NoLimit":         {reason: "Aiven: Valkey has no limit.", config: limited, access: central, use: Use{Namespace: "a", Type: grants.Valkey, Project: "p", Service: "valkey-a-x"}},
		"Shared":          {reason: "An instance that fits another namespace better.", config: with(nil), access: central, use: Use{Namespace: "a", Type: grants.OpenSearch, Project: "p", Service: "opensearch-a-b-x"}, err: grants.ErrRefused},
		"Held":            {reason: "Who has users on it keeps it.", config: with(nil), access: central, use: Use{Namespace: "a", Type: grants.OpenSearch, Project: "p", Service: "opensearch-a-b-x"}, holder: "a"},
		"HeldByAnother":   {reason: "The other one must wait then.", config: with(nil), access: central, use: Use{Namespace: "a-b", Type: grants.OpenSearch, Project: "p", Service: "opensearch-a-b-x"}, holder: "a", err: grants.ErrRefused},
		"HolderIsNoGrant": {reason: "To have users where the pattern does not lead is no reason to get more.", config: with(nil), access: central, use: Use{Namespace: "a", Type: grants.OpenSearch, Project: "p", Service: "other"}, holder: "a", err: grants.ErrRefused},
		"NoInstance":      {reason: "The instance must be there.", config: required, access: central, use: search, instances: instances(), err: ErrInstanceNotReady},
		"NotRunning":      {reason: "It must be RUNNING.", config: required, access: central, use: search, instances: instances(map[string]string{"name": search.Service, "state": "REBUILDING"}), err: ErrInstanceNotReady},
		"NoState":         {reason: "Without a state it is not.", config: required, access: central, use: search, instances: instances(map[string]string{"name": search.Service}), err: ErrInstanceNotReady},
		"OtherProject":    {reason: "One of another project is another one.", config: required, access: central, use: search, instances: instances(map[string]string{"name": search.Service, "state": "RUNNING", "project": "q"}), err: ErrInstanceNotReady},
		"Running":         {reason: "It is.", config: required, access: central, use: search, instances: instances(map[string]string{"name": search.Service, "state": "RUNNING", "project": "p"})},
		"Exists":          {reason: "A user that is there needs no instance.", config: required, access: central, use: Use{Namespace: "a", Type: grants.OpenSearch, Project: "p", Service: search.Service, Exists: true}, instances: instances()},
		"KafkaInstance":   {reason: "Pools are nobody's instances.", config: required, access: central, use: onKafka(nil), instances: instances()},
		"Local":           {reason: "A ProviderConfig grants what it does not restrict.", config: local("a", "l", "t", ""), access: Access{Config: localRef("a", "l")}, use: onKafka(func(u *Use) { u.Service, u.Username, u.Topics = "any", "avnadmin", []string{"*"} })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &Grants{
				Resolver:   NewResolver(kubeWith(t, tc.config).Build(), Sources{}, nil, BaseURLs{}),
				Namespaces: AllNamespaces(metadata(t, "a", "a-b", "b")), Instances: tc.instances,
				Holder: func(context.Context, Use) (string, error) { return tc.holder, nil },
			}
			got, err := g.Allow(t.Context(), tc.access, tc.use)
			if diff := cmp.Diff(tc.err, err, cmpopts.EquateErrors()); diff != "" {
				t.Fatalf("%s: -want error, +got error:\n%s\n%v", tc.reason, diff, err)
			}
			if diff := cmp.Diff(tc.want, got.AtMost); err == nil && diff != "" {
				t.Errorf("%s: users: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestAllowUnknown: what cannot be found out is not granted.
func TestAllowUnknown(t *testing.T) {
	t.Parallel()
	pc := cluster("c", fromSecret("central", "token"), "")
	pc.Spec.Project = "p"
	selecting := pc.DeepCopy()
	selecting.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{}}
	broken := interceptor.NewClient(metadata(t, "a"), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errBoom
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return errBoom },
	})
	cases := map[string]struct {
		reason     string
		config     client.Object
		namespaces client.Reader
		holder     error
	}{
		"Labels":     {reason: "Whose labels cannot be read is not selected.", config: selecting, namespaces: broken},
		"Namespaces": {reason: "Names could be anybody's.", config: pc, namespaces: broken},
		"Holder":     {reason: "The service could be anybody's.", config: pc, namespaces: metadata(t, "a"), holder: errBoom},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &Grants{
				Resolver: NewResolver(kubeWith(t, tc.config.DeepCopyObject().(client.Object)).Build(), Sources{}, nil, BaseURLs{}), Namespaces: AllNamespaces(tc.namespaces),
				Holder: func(context.Context, Use) (string, error) { return "", tc.holder },
			}
			_, err := g.Allow(t.Context(), Access{Config: clusterRef("c")}, Use{Namespace: "a", Type: grants.OpenSearch, Project: "p", Service: "opensearch-a-x"})
			if diff := cmp.Diff(errBoom, err, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("%s: -want error, +got error:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestChosenNamespaces: of those that a provider may see it reads one for its
// labels, and not again at once.
func TestChosenNamespaces(t *testing.T) {
	t.Parallel()
	gets := 0
	live := interceptor.NewClient(metadata(t, "a", "b", "c"), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			gets++
			return c.Get(ctx, key, o, opts...)
		},
	})
	n := ChosenNamespaces(live, []string{"a", "absent"})
	names, err := n.Names(t.Context())
	if diff := cmp.Diff([]string{"a", "absent"}, names); err != nil || diff != "" {
		t.Errorf("names: -want, +got:\n%s\n%v", diff, err)
	}
	for name, want := range map[string]map[string]string{"a": {"named": "a"}, "absent": nil} {
		for range 3 {
			got, err := n.Labels(t.Context(), name)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("labels of %s: -want, +got:\n%s\n%v", name, diff, err)
			}
		}
	}
	if gets != 2 {
		t.Errorf("namespaces were read %d times, want twice", gets)
	}
}

// TestUnknownNamespaces: who may not list namespaces can still read the labels of
// one, and does not take those that nobody named for all that there are.
func TestUnknownNamespaces(t *testing.T) {
	t.Parallel()
	n := UnknownNamespaces(metadata(t, "a"))
	if names, err := n.Names(t.Context()); !errors.Is(err, ErrNamespacesUnknown) || names != nil {
		t.Errorf("names: %v, %v", names, err)
	}
	got, err := n.Labels(t.Context(), "a")
	if diff := cmp.Diff(map[string]string{"named": "a"}, got); err != nil || diff != "" {
		t.Errorf("labels: -want, +got:\n%s\n%v", diff, err)
	}
}

// TestInstanceKindIsUnknown: nobody needs Aiven's operator, and who demands its
// objects is told that there is none.
func TestInstanceKindIsUnknown(t *testing.T) {
	t.Parallel()
	i := &Instances{Live: interceptor.NewClient(metadata(t), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return &apimeta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "aiven.io", Kind: "Valkey"}, SearchedVersions: []string{"v1alpha1"}}
		},
	})}
	err := i.Ready(t.Context(), Use{Namespace: "a", Type: grants.Valkey, Project: "p", Service: "s"})
	if diff := cmp.Diff(ErrInstanceNotReady, err, cmpopts.EquateErrors()); diff != "" {
		t.Fatalf("-want error, +got error:\n%s", diff)
	}
	if !strings.Contains(err.Error(), "no kind Valkey of aiven.io/v1alpha1") {
		t.Errorf("the error does not say what is missing: %v", err)
	}
}
