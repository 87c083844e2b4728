// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

func app(namespace, name string, conditions ...xpv2.Condition) v1.AivenApplication {
	a := v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 2}}
	a.SetConditions(conditions...)
	return a
}

func valkeyUser(namespace, name, application string) Managed {
	u := &v1alpha1.ValkeyServiceUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	meta.SetExternalName(u, "user-"+name)
	if application != "" {
		meta.AddAnnotations(u, map[string]string{v1.AnnotationApplication: application})
	}
	u.SetConditions(xpv2.Available())
	return Managed{Managed: u, Kind: v1alpha1.ValkeyServiceUserKind}
}

func secret(namespace, name, application string, data map[string][]byte) corev1.Secret {
	return corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{v1.AnnotationApplication: application}},
		Data:       data,
	}
}

func TestTree(t *testing.T) {
	unknown := Node{Ready: corev1.ConditionUnknown, Synced: corev1.ConditionUnknown}
	wantUser := func(name string) Node {
		return Node{
			Kind: "ValkeyServiceUser", Namespace: "a", Name: name, ExternalName: "user-" + name,
			Ready: corev1.ConditionTrue, Synced: corev1.ConditionUnknown, Reason: "Available", Current: true,
		}
	}
	cases := map[string]struct {
		reason string
		o      Objects
		want   []Node
	}{
		"Empty": {reason: "Nothing makes an empty tree."},
		"Grouped": {
			reason: "Managed resources and Secrets are below the application of their namespace that they were made for; those of none stand at the end.",
			o: Objects{
				Applications: []v1.AivenApplication{app("b", "orders"), app("a", "orders", v1.Ready().WithObservedGeneration(2))},
				Managed:      []Managed{valkeyUser("a", "x", ""), valkeyUser("a", "w", "orders"), valkeyUser("a", "v", "orders")},
				Secrets:      []corev1.Secret{secret("a", "s", "orders", map[string][]byte{"B": []byte("12"), "A": []byte("123")})},
			},
			want: []Node{
				{
					Kind: "AivenApplication", Namespace: "a", Name: "orders", Ready: corev1.ConditionTrue, Synced: corev1.ConditionUnknown, Reason: "Available", Current: true,
					Children: []Node{wantUser("v"), wantUser("w"), {Kind: "Secret", Namespace: "a", Name: "s", Keys: []Key{{"A", 3}, {"B", 2}}}},
				},
				{Kind: "AivenApplication", Namespace: "b", Name: "orders", Ready: unknown.Ready, Synced: unknown.Synced},
				wantUser("x"),
			},
		},
		"Outdated": {
			reason: "A condition about an older generation is told as such.",
			o:      Objects{Applications: []v1.AivenApplication{app("a", "orders", v1.Ready().WithObservedGeneration(1))}},
			want:   []Node{{Kind: "AivenApplication", Namespace: "a", Name: "orders", Ready: corev1.ConditionTrue, Synced: corev1.ConditionUnknown, Reason: "Available"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Tree(tc.o)); diff != "" {
				t.Errorf("\n%s\nTree(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestChanges(t *testing.T) {
	told := make(map[string]string)
	n := Node{Kind: "AivenApplication", Namespace: "demo", Name: "orders", Ready: corev1.ConditionUnknown}
	steps := []struct {
		reason string
		change func()
		want   []string
		left   int
	}{
		{"What nobody has looked at waits.", func() {}, []string{"AivenApplication demo/orders: waiting for the provider"}, 1},
		{"Nothing new is not told.", func() {}, nil, 1},
		{"A message is told with its reason.", func() { n.Reason, n.Message, n.Current = "Creating", "Soon.", true }, []string{`AivenApplication demo/orders: Creating "Soon."`}, 1},
		{"Ready for an older generation is not ready.", func() { n.Ready, n.Reason, n.Current = corev1.ConditionTrue, "Available", false }, []string{"AivenApplication demo/orders: waiting for generation to be observed"}, 1},
		{"Ready needs no message.", func() { n.Message, n.Current = "", true }, []string{"AivenApplication demo/orders: Available"}, 0},
	}
	for _, s := range steps {
		s.change()
		if diff := cmp.Diff(s.want, changes([]Node{n}, told)); diff != "" {
			t.Errorf("\n%s\nchanges(...): -want, +got:\n%s", s.reason, diff)
		}
		if got := unsettled([]Node{n}); got != s.left {
			t.Errorf("\n%s\nunsettled(...): want %d, got %d", s.reason, s.left, got)
		}
	}
}
