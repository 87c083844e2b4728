// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

func TestIndex(t *testing.T) {
	t.Parallel()
	user := func(ref *xpv2.ProviderConfigReference, own *xpv2.LocalSecretKeySelector) client.Object {
		u := &v1alpha1.KafkaServiceUser{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "u"}}
		u.Spec.ProviderConfigReference, u.Spec.AuthSecretRef = ref, own
		return u
	}
	cases := map[string]struct {
		reason string
		object client.Object
		want   []string
	}{
		"Cluster":    {"A managed resource is found by its configuration.", user(clusterRef("c").Reference(), nil), []string{"ClusterProviderConfig//c"}},
		"Local":      {"Which is one of its namespace.", user(localRef("team-a", "p").Reference(), nil), []string{"ProviderConfig/team-a/p"}},
		"Own":        {"And by the Secret of its token.", user(clusterRef("c").Reference(), localKey("own", "token")), []string{"ClusterProviderConfig//c", "Secret/team-a/own"}},
		"OwnUnnamed": {"Or by that alone.", user(nil, localKey("own", "token")), []string{"Secret/team-a/own"}},
		"Unnamed":    {"Or by nothing.", user(nil, nil), nil},
		"Other":      {"Others have no token.", &corev1.ConfigMap{}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, Index(tc.object), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestConfigsWith(t *testing.T) {
	t.Parallel()
	// The credentials of a file that were of a Secret before.
	leftOver := fromFile("/token")
	leftOver.SecretRef = fromSecret("shared", "a").SecretRef
	kube := kubeWith(t,
		cluster("one", fromSecret("shared", "a"), ""),
		cluster("two", fromSecret("shared", "b"), ""),
		cluster("three", fromSecret("other", "a"), ""),
		cluster("env", fromEnvironment("TOKEN"), ""),
		cluster("file", leftOver, ""),
		cluster("broken", v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret}, ""),
		local("platform", "near", "shared", ""),
		local("team-a", "far", "shared", ""),
	).Build()
	secret := func(namespace, name string) func(Location) bool {
		return func(l Location) bool {
			return l.Secret.Secret() == types.NamespacedName{Namespace: namespace, Name: name}
		}
	}
	cases := map[string]struct {
		reason string
		at     func(Location) bool
		want   []Ref
	}{
		"Shared": {"All whose token is in the Secret, whatever the key and the kind.", secret("platform", "shared"), []Ref{clusterRef("one"), clusterRef("two"), localRef("platform", "near")}},
		"Local":  {"A Secret of the same name elsewhere is another.", secret("team-a", "shared"), []Ref{localRef("team-a", "far")}},
		"Unused": {"A Secret that holds no token.", secret("platform", "unused"), nil},
		"File":   {"The source says where the token is, not what else is set.", func(l Location) bool { return l.Path == "/token" }, []Ref{clusterRef("file")}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ConfigsWith(t.Context(), kube, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAccessString(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		access Access
		want   string
	}{
		"Cluster": {"A configuration of the cluster.", Access{Config: clusterRef("c")}, "ClusterProviderConfig c"},
		"Local":   {"One of a namespace.", Access{Config: localRef("team-a", "p")}, "ProviderConfig team-a/p"},
		"Own":     {"A Secret, not its key.", clusterRef("c").With(localKey("own", "token"), "team-a"), "Secret team-a/own"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.access.String(); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}
