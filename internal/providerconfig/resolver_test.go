// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

// allowedURL is what the provider of the tests was started to allow beside Aiven's own.
const allowedURL = "https://aiven.test"

var errBoom = errors.New("boom")

// secretData are Secrets of the tests. One without data cannot be read.
type secretData map[types.NamespacedName]map[string]string

func (s secretData) Get(_ context.Context, n types.NamespacedName) (map[string][]byte, error) {
	data, ok := s[n]
	if !ok {
		return nil, kerrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, n.Name)
	}
	if data == nil {
		return nil, errBoom
	}
	out := make(map[string][]byte, len(data))
	for k, v := range data {
		out[k] = []byte(v)
	}
	return out, nil
}

func named(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func localKey(name, key string) *xpv2.LocalSecretKeySelector {
	return &xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: name}, Key: key}
}

// fromSecret is the credentials of a Secret of the platform's.
func fromSecret(name, key string) v1alpha1.ClusterCredentials {
	return v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
		SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: "platform", Name: name}, Key: key},
	}}
}

func fromEnvironment(name string) v1alpha1.ClusterCredentials {
	return v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceEnvironment, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{Env: &xpv2.EnvSelector{Name: name}}}
}

func fromFile(path string) v1alpha1.ClusterCredentials {
	return v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceFilesystem, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{Fs: &xpv2.FsSelector{Path: path}}}
}

func cluster(name string, c v1alpha1.ClusterCredentials, baseURL string) *v1alpha1.ClusterProviderConfig {
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: name}}
	pc.Spec.Credentials, pc.Spec.BaseURL = c, baseURL
	return pc
}

func local(namespace, name, secret, baseURL string) *v1alpha1.ProviderConfig {
	pc := &v1alpha1.ProviderConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	pc.Spec.Credentials.SecretRef = *localKey(secret, "token")
	pc.Spec.BaseURL = baseURL
	return pc
}

func clusterRef(name string) Ref { return Ref{Kind: v1alpha1.ClusterProviderConfigKind, Name: name} }

func localRef(namespace, name string) Ref {
	return Ref{Kind: v1alpha1.ProviderConfigKind, Namespace: namespace, Name: name}
}

func kubeWith(t *testing.T, objs ...client.Object) *fake.ClientBuilder {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(s)
	for _, o := range objs {
		b = b.WithObjects(o.DeepCopyObject().(client.Object)) // It is written to, and tests that run at the same time share objects.
	}
	return b
}

// made records which clients are asked for. They call nobody.
type made struct {
	keys   []Key
	limits []aiven.Limits
}

func (m *made) clients(t *testing.T) *Clients {
	t.Helper()
	c := NewClients(func(k Key, l aiven.Limits) (*aiven.Client, error) {
		m.keys, m.limits = append(m.keys, k), append(m.limits, l)
		return aiven.New(aiven.Options{Token: k.Token, BaseURL: k.BaseURL, Limits: l})
	})
	t.Cleanup(c.Close)
	return c
}

func TestChoose(t *testing.T) {
	t.Parallel()
	def := local("team-a", DefaultName, "t", "")
	cases := map[string]struct {
		reason string
		named  *xpv2.ProviderConfigReference
		kube   client.Reader
		want   Ref
		err    error
	}{
		"NamedCluster": {
			reason: "The ClusterProviderConfig that is named wins over the namespace's default.",
			named:  &xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigKind, Name: "central"}, kube: kubeWith(t, def).Build(), want: clusterRef("central"),
		},
		"NamedLocal": {
			reason: "A ProviderConfig that is named is one of the object's namespace.",
			named:  &xpv2.ProviderConfigReference{Kind: v1alpha1.ProviderConfigKind, Name: "own"}, kube: kubeWith(t, def).Build(), want: localRef("team-a", "own"),
		},
		"NamedAndAbsent": {
			reason: "What is named is not replaced by a default when it does not exist.",
			named:  &xpv2.ProviderConfigReference{Kind: v1alpha1.ProviderConfigKind, Name: "absent"}, kube: kubeWith(t).Build(), want: localRef("team-a", "absent"),
		},
		"LocalDefault":   {reason: "Without a name, the ProviderConfig default of the namespace.", kube: kubeWith(t, def).Build(), want: localRef("team-a", DefaultName)},
		"ClusterDefault": {reason: "Without one, the ClusterProviderConfig default.", kube: kubeWith(t).Build(), want: clusterRef(DefaultName)},
		"OtherNamespace": {reason: "Other namespaces' defaults do not matter.", kube: kubeWith(t, local("team-b", DefaultName, "t", ""), local("team-a", "other", "t", "")).Build(), want: clusterRef(DefaultName)},
		"Unknown": {
			reason: "While it is not known whether the namespace has a default, none is chosen.",
			kube: kubeWith(t).WithInterceptorFuncs(interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return errBoom
			}}).Build(),
			err: errBoom,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := NewResolver(tc.kube, Sources{}, nil, BaseURLs{}).Choose(t.Context(), tc.named, "team-a")
			if diff := cmp.Diff(tc.err, err, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("%s: -want error, +got error:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestConnect(t *testing.T) {
	const variable = "AIVEN_TOKEN_OF_TEST_CONNECT"
	t.Setenv(variable, " env-token\n")
	t.Setenv(variable+"_EMPTY", " \n")
	dir := t.TempDir()
	files := map[string]string{"token": "\tfile-token\r\n", "empty": "\n", "two": "first-token\nsecond-token\n"}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets := secretData{
		named("platform", "central"): {"token": "central-token\n", "other": "other-token", "empty": "", "blank": " \n", "odd": "odd\x00token", "umlaut": "tök-en-value"},
		named("platform", "locked"):  nil,
		named("team-a", "own"):       {"token": "own-token"},
		named("team-a", "team"):      {"token": " team-token "},
		named("team-b", "other"):     {"token": "stolen-token"},
	}
	own := &xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "own"}, Key: "token"}
	cases := map[string]struct {
		reason string
		access Access
		with   client.Object
		want   Key
		err    error
		says   string
	}{
		"Secret":        {reason: "White space around a token is trimmed.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("central", "token"), ""), want: Key{"central-token", DefaultBaseURL}},
		"OtherKey":      {reason: "The key is the one that is named.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("central", "other"), ""), want: Key{"other-token", DefaultBaseURL}},
		"BaseURL":       {reason: "A ClusterProviderConfig may use any base URL; a final slash makes no other.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("central", "token"), "http://any.test/"), want: Key{"central-token", "http://any.test"}},
		"Environment":   {reason: "A variable of the provider's own.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromEnvironment(variable), ""), want: Key{"env-token", DefaultBaseURL}},
		"File":          {reason: "A file of the provider's own.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromFile(filepath.Join(dir, "token")), ""), want: Key{"file-token", DefaultBaseURL}},
		"Local":         {reason: "A ProviderConfig's Secret is of its own namespace.", access: Access{Config: localRef("team-a", "p")}, with: local("team-a", "p", "team", ""), want: Key{"team-token", DefaultBaseURL}},
		"LocalURL":      {reason: "A base URL that is allowed.", access: Access{Config: localRef("team-a", "p")}, with: local("team-a", "p", "team", allowedURL+"/"), want: Key{"team-token", allowedURL}},
		"Own":           {reason: "A token of one's own wins over the configuration's, whose base URL holds.", access: clusterRef("c").With(own, "team-a"), with: cluster("c", fromSecret("central", "token"), "http://any.test"), want: Key{"own-token", "http://any.test"}},
		"OwnOverBroken": {reason: "The token of the configuration need not be there then.", access: clusterRef("c").With(own, "team-a"), with: cluster("c", fromSecret("absent", "token"), ""), want: Key{"own-token", DefaultBaseURL}},
		"OwnAlone":      {reason: "Nor the configuration: the token then is for Aiven's own API.", access: clusterRef("absent").With(own, "team-a"), want: Key{"own-token", DefaultBaseURL}},
		"OwnLocalAlone": {reason: "Of whichever kind it is.", access: localRef("team-a", "absent").With(own, "team-a"), want: Key{"own-token", DefaultBaseURL}},

		"NoCluster":      {reason: "A configuration that does not exist.", access: Access{Config: clusterRef("c")}, err: ErrNoConfig, says: "ClusterProviderConfig c"},
		"NoLocal":        {reason: "It is named with its namespace.", access: Access{Config: localRef("team-a", "p")}, err: ErrNoConfig, says: "ProviderConfig team-a/p"},
		"NoSecret":       {reason: "The Secret that is missing is named.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("absent", "token"), ""), err: ErrNoToken, says: "Secret platform/absent does not exist"},
		"NoKey":          {reason: "The key that is missing is named.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("central", "absent"), ""), err: ErrNoToken, says: "Secret platform/central has no key absent"},
		"EmptyKey":       {reason: "An empty value is no token.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("central", "empty"), ""), err: ErrNoToken, says: "key empty of Secret platform/central is empty"},
		"BlankKey":       {reason: "Nor is white space.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("central", "blank"), ""), err: ErrNoToken, says: "key blank of Secret platform/central is empty"},
		"OddKey":         {reason: "What cannot be sent is not quoted.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("central", "odd"), ""), err: ErrNoToken, says: "holds more than a token"},
		"UmlautKey":      {reason: "Nor what no token of Aiven's has.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("central", "umlaut"), ""), err: ErrNoToken, says: "holds more than a token"},
		"LockedSecret":   {reason: "A Secret that cannot be read now may have a token.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromSecret("locked", "token"), ""), err: errBoom, says: "cannot get Secret platform/locked"},
		"NoSecretRef":    {reason: "Credentials that say too little.", access: Access{Config: clusterRef("c")}, with: cluster("c", v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret}, ""), err: ErrNoToken, says: "secretRef is not set"},
		"NoVariable":     {reason: "The variable that is missing is named.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromEnvironment(variable+"_ABSENT"), ""), err: ErrNoToken, says: variable + "_ABSENT is not set"},
		"EmptyVariable":  {reason: "An empty variable is no token.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromEnvironment(variable+"_EMPTY"), ""), err: ErrNoToken, says: variable + "_EMPTY is empty"},
		"NoEnv":          {reason: "Credentials that name no variable.", access: Access{Config: clusterRef("c")}, with: cluster("c", v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceEnvironment}, ""), err: ErrNoToken, says: "env is not set"},
		"NoFile":         {reason: "The file that is missing is named.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromFile(filepath.Join(dir, "absent")), ""), err: ErrNoToken, says: "absent does not exist"},
		"Folder":         {reason: "So is what is no file.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromFile(dir), ""), err: ErrNoToken, says: dir + " cannot be read"},
		"EmptyFile":      {reason: "An empty file is no token.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromFile(filepath.Join(dir, "empty")), ""), err: ErrNoToken, says: "empty is empty"},
		"TwoTokens":      {reason: "A file of two lines is not one token.", access: Access{Config: clusterRef("c")}, with: cluster("c", fromFile(filepath.Join(dir, "two")), ""), err: ErrNoToken, says: "two holds more than a token"},
		"NoFs":           {reason: "Credentials that name no file.", access: Access{Config: clusterRef("c")}, with: cluster("c", v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceFilesystem}, ""), err: ErrNoToken, says: "fs is not set"},
		"OtherSource":    {reason: "A source that nobody knows.", access: Access{Config: clusterRef("c")}, with: cluster("c", v1alpha1.ClusterCredentials{Source: "InjectedIdentity"}, ""), err: ErrNoToken, says: "InjectedIdentity is not supported"},
		"LocalElsewhere": {reason: "A ProviderConfig never reads another namespace's Secret.", access: Access{Config: localRef("team-a", "p")}, with: local("team-a", "p", "other", ""), err: ErrNoToken, says: "Secret team-a/other does not exist"},
		"LocalPath":      {reason: "Nor can a name lead there.", access: Access{Config: localRef("team-a", "p")}, with: local("team-a", "p", "../team-b/other", ""), err: ErrNoToken, says: "does not exist"},
		"LocalAnyURL":    {reason: "A token is not sent wherever a tenant wants it.", access: Access{Config: localRef("team-a", "p")}, with: local("team-a", "p", "team", "https://evil.test"), err: ErrNotAllowed, says: "https://evil.test is not one of --allowed-base-urls"},
		"LocalLikeURL":   {reason: "An allowed URL is not a prefix.", access: Access{Config: localRef("team-a", "p")}, with: local("team-a", "p", "team", allowedURL+".evil.test"), err: ErrNotAllowed, says: "not one of --allowed-base-urls"},
		"OwnAnyURL":      {reason: "Nor is a token of one's own, which may be any Secret of the namespace.", access: localRef("team-a", "p").With(own, "team-a"), with: local("team-a", "p", "team", "https://evil.test"), err: ErrNotAllowed, says: "not one of --allowed-base-urls"},
		"OwnMissing":     {reason: "Without its own token an object does not fall back on the configuration's.", access: clusterRef("c").With(localKey("absent", "token"), "team-a"), with: cluster("c", fromSecret("central", "token"), ""), err: ErrNoToken, says: "Secret team-a/absent does not exist"},
		"OwnNoKey":       {reason: "Nor without its key.", access: clusterRef("c").With(localKey("own", "absent"), "team-a"), with: cluster("c", fromSecret("central", "token"), ""), err: ErrNoToken, says: "Secret team-a/own has no key absent"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := kubeWith(t)
			if tc.with != nil {
				b = b.WithObjects(tc.with)
			}
			m := &made{}
			r := NewResolver(b.Build(), Sources{Secrets: secrets, Files: NewFiles(t.Context())}, m.clients(t), BaseURLs{Allowed: []string{allowedURL + "/"}})
			c, err := r.Connect(t.Context(), tc.access)
			if diff := cmp.Diff(tc.err, err, cmpopts.EquateErrors()); diff != "" {
				t.Fatalf("%s: -want error, +got error:\n%s", tc.reason, diff)
			}
			if tc.err == nil {
				if diff := cmp.Diff([]Key{tc.want}, m.keys); diff != "" || c == nil {
					t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
				}
				return
			}
			if len(m.keys) > 0 {
				t.Errorf("%s: a client was made", tc.reason)
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: %q does not say %q", tc.reason, err, tc.says)
			}
			for _, token := range []string{"env-token", "file-token", "first-token", "second-token", "central-token", "own-token", "team-token", "stolen-token", "tök-en", "odd\x00token"} {
				if strings.Contains(err.Error(), token) {
					t.Errorf("%s: the error quotes a token", tc.reason)
				}
			}
		})
	}
}

// TestBaseURLs: where the provider was started for another address than Aiven's.
func TestBaseURLs(t *testing.T) {
	t.Parallel()
	const proxy = "https://proxy.test"
	secrets := secretData{
		named("platform", "central"): {"token": "c"}, named("team-a", "team"): {"token": "t"}, named("team-a", "own"): {"token": "o"},
	}
	cases := map[string]struct {
		reason string
		access Access
		with   client.Object
		want   string
		err    error
	}{
		"Cluster":      {"A configuration that names none uses it.", Access{Config: clusterRef("c")}, cluster("c", fromSecret("central", "token"), ""), proxy, nil},
		"ClusterNamed": {"The platform team may name any.", Access{Config: clusterRef("c")}, cluster("c", fromSecret("central", "token"), DefaultBaseURL), DefaultBaseURL, nil},
		"Local":        {"So does a tenant's.", Access{Config: localRef("team-a", "p")}, local("team-a", "p", "team", ""), proxy, nil},
		"LocalSame":    {"Who names it says nothing else.", Access{Config: localRef("team-a", "p")}, local("team-a", "p", "team", proxy+"/"), proxy, nil},
		"LocalAround":  {"A tenant does not get around it.", Access{Config: localRef("team-a", "p")}, local("team-a", "p", "team", DefaultBaseURL), "", ErrNotAllowed},
		"Own":          {"A token without a configuration goes there.", clusterRef("c").With(localKey("own", "token"), "team-a"), nil, proxy, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := kubeWith(t)
			if tc.with != nil {
				b = b.WithObjects(tc.with)
			}
			m := &made{}
			_, err := NewResolver(b.Build(), Sources{Secrets: secrets}, m.clients(t), BaseURLs{Default: proxy + "/"}).Connect(t.Context(), tc.access)
			if diff := cmp.Diff(tc.err, err, cmpopts.EquateErrors()); diff != "" {
				t.Fatalf("%s: -want error, +got error:\n%s", tc.reason, diff)
			}
			var got string
			for _, k := range m.keys {
				got = k.BaseURL
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestConnectForDeletion(t *testing.T) {
	t.Parallel()
	central := Access{Config: clusterRef("c")}
	own := clusterRef("c").With(localKey("own", "token"), "team-a")
	cases := map[string]struct {
		reason string
		access Access
		// before: it connected once. Then goes goes.
		before bool
		goes   func(t *testing.T, kube client.Client, s secretData)
		forget bool
		err    error
	}{
		"There":    {reason: "Nothing has gone.", access: central, goes: func(*testing.T, client.Client, secretData) {}},
		"NoSecret": {reason: "The Secret went first: the token that was used still deletes.", access: central, before: true, goes: func(_ *testing.T, _ client.Client, s secretData) { delete(s, named("platform", "central")) }},
		"NoConfig": {reason: "The configuration went first.", access: central, before: true, goes: func(t *testing.T, kube client.Client, _ secretData) {
			t.Helper()
			if err := kube.Delete(t.Context(), cluster("c", v1alpha1.ClusterCredentials{}, "")); err != nil {
				t.Fatal(err)
			}
		}},
		"NoOwn":     {reason: "A token of one's own went first.", access: own, before: true, goes: func(_ *testing.T, _ client.Client, s secretData) { delete(s, named("team-a", "own")) }},
		"Never":     {reason: "What was never there is not remembered.", access: central, goes: func(_ *testing.T, _ client.Client, s secretData) { delete(s, named("platform", "central")) }, err: ErrNoToken},
		"Forgotten": {reason: "What nobody needed is forgotten.", access: central, before: true, forget: true, goes: func(_ *testing.T, _ client.Client, s secretData) { delete(s, named("platform", "central")) }, err: ErrNoToken},
		"Unknown":   {reason: "What cannot be read now may have changed.", access: central, before: true, goes: func(_ *testing.T, _ client.Client, s secretData) { s[named("platform", "central")] = nil }, err: errBoom},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kube := kubeWith(t, cluster("c", fromSecret("central", "token"), "")).Build()
			secrets := secretData{named("platform", "central"): {"token": "central-token"}, named("team-a", "own"): {"token": "own-token"}}
			r := NewResolver(kube, Sources{Secrets: secrets}, (&made{}).clients(t), BaseURLs{})
			var before *aiven.Client
			if tc.before {
				var err error
				if before, err = r.Connect(t.Context(), tc.access); err != nil {
					t.Fatal(err)
				}
			}
			tc.goes(t, kube, secrets)
			if tc.forget {
				r.Forget(clusterRef("c"))
			}
			got, err := r.ConnectForDeletion(t.Context(), tc.access)
			if diff := cmp.Diff(tc.err, err, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("%s: -want error, +got error:\n%s", tc.reason, diff)
			}
			if err == nil && tc.before && got != before {
				t.Errorf("%s: got another client", tc.reason)
			}
		})
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	kube := kubeWith(t, cluster("c", fromSecret("central", "token"), ""), cluster("d", fromSecret("central", "token"), "")).Build()
	secrets := secretData{named("platform", "central"): {"token": "central-token"}, named("team-a", "own"): {"token": "own-token", "second": "second-token"}, named("team-b", "own"): {"token": "other-token"}}
	clients := (&made{}).clients(t)
	r := NewResolver(kube, Sources{Secrets: secrets}, clients, BaseURLs{})
	all := []Access{
		{Config: clusterRef("c")},
		{Config: clusterRef("d")},
		clusterRef("c").With(localKey("own", "token"), "team-a"),
		clusterRef("c").With(localKey("own", "second"), "team-a"),
		clusterRef("c").With(localKey("own", "token"), "team-b"),
	}
	for _, a := range all {
		if _, err := r.Connect(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	inUse := func() []Access {
		clients.mu.Lock()
		defer clients.mu.Unlock()
		return slices.Collect(maps.Keys(clients.uses))
	}
	sorted := cmpopts.SortSlices(func(a, b Access) bool {
		return a.Config.String()+a.Own.Namespace+a.Own.Key < b.Config.String()+b.Own.Namespace+b.Own.Key
	})
	if diff := cmp.Diff(all, inUse(), sorted); diff != "" {
		t.Fatalf("after Connect(...): -want, +got:\n%s", diff)
	}
	r.Forget(clusterRef("c"))
	if diff := cmp.Diff(all[1:], inUse(), sorted); diff != "" {
		t.Errorf("Forget(...) is about the token of the configuration alone: -want, +got:\n%s", diff)
	}
	r.ForgetSecret(named("team-a", "own"))
	if diff := cmp.Diff([]Access{all[1], all[4]}, inUse(), sorted); diff != "" {
		t.Errorf("ForgetSecret(...) is about all keys of one Secret: -want, +got:\n%s", diff)
	}
}

func TestLimitsOfRate(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		limit  *v1alpha1.RateLimit
		want   aiven.Limits
	}{
		"None":     {"Without a limit, Aiven's own alone holds.", nil, aiven.Limits{RequestsPerSecond: -1}},
		"Zero":     {"0 is no limit.", &v1alpha1.RateLimit{Burst: 5}, aiven.Limits{RequestsPerSecond: -1}},
		"Rate":     {"A burst is as much as a second's.", &v1alpha1.RateLimit{RequestsPerSecond: 10}, aiven.Limits{RequestsPerSecond: 10, Burst: 10}},
		"Burst":    {"Or more.", &v1alpha1.RateLimit{RequestsPerSecond: 10, Burst: 30, MaxInFlight: 4}, aiven.Limits{RequestsPerSecond: 10, Burst: 30, MaxInFlight: 4}},
		"LessThan": {"But not less.", &v1alpha1.RateLimit{RequestsPerSecond: 10, Burst: 3}, aiven.Limits{RequestsPerSecond: 10, Burst: 10}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, limitsOf(tc.limit)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
