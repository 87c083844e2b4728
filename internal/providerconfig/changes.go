// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// IndexField is the name of the cache index of objects by the configuration they
// use, and by the Secret of the token that they bring. Its values are those of
// IndexValue and SecretIndexValue.
const IndexField = "providerConfigRef"

// Index returns the values of IndexField for an object.
func Index(o client.Object) []string {
	u, ok := o.(User)
	if !ok {
		return nil
	}
	var out []string
	a := AccessOf(u)
	if (a.Config != Ref{}) {
		out = append(out, IndexValue(a.Config))
	}
	if a.IsOwn() {
		out = append(out, SecretIndexValue(a.Own.Secret()))
	}
	return out
}

// IndexValue returns the value of IndexField for those that use a configuration.
func IndexValue(r Ref) string { return r.Kind + "/" + r.Namespace + "/" + r.Name }

// SecretIndexValue returns the value of IndexField for those that bring a token
// in a Secret.
func SecretIndexValue(n types.NamespacedName) string {
	return "Secret/" + n.Namespace + "/" + n.Name
}

// A Changed says whose token changed.
type Changed struct {
	// Configs whose token it is.
	Configs []Ref
	// Secret in which objects may have brought it. Zero: it is in a file.
	Secret types.NamespacedName
}

// IndexValues returns the values of IndexField for those that may use the token.
func (c Changed) IndexValues() []string {
	out := make([]string, 0, len(c.Configs)+1)
	for _, r := range c.Configs {
		out = append(out, IndexValue(r))
	}
	if c.Secret != (types.NamespacedName{}) {
		out = append(out, SecretIndexValue(c.Secret))
	}
	return out
}

// A TokenWatch tells when tokens change where they are.
type TokenWatch struct {
	// Kube reads configurations; a cached client will do.
	Kube client.Reader
	// Secrets and Files hold the tokens.
	Secrets *Secrets
	Files   *Files
	// Failed is told when it cannot be found out whose token changed.
	Failed func(err error)
}

// Subscribe calls fn for each change, until the context ends. fn must not block.
func (w *TokenWatch) Subscribe(ctx context.Context, fn func(Changed)) {
	tell := func(secret types.NamespacedName, at func(l Location) bool) {
		refs, err := ConfigsWith(ctx, w.Kube, at)
		if err != nil {
			w.Failed(err)
			return
		}
		fn(Changed{Configs: refs, Secret: secret})
	}
	context.AfterFunc(ctx, w.Secrets.Subscribe(func(n types.NamespacedName) {
		tell(n, func(l Location) bool { return l.Secret.Secret() == n })
	}))
	context.AfterFunc(ctx, w.Files.Subscribe(func(path string) {
		tell(types.NamespacedName{}, func(l Location) bool { return l.Path == path })
	}))
}

// A Location is where the token of a configuration is, if it can change: in a
// Secret or in a file.
type Location struct {
	Secret SecretKey
	Path   string
}

// ConfigsWith returns the configurations whose token is at a location for which
// match is true.
func ConfigsWith(ctx context.Context, kube client.Reader, match func(Location) bool) ([]Ref, error) {
	var refs []Ref
	cluster := &v1alpha1.ClusterProviderConfigList{}
	if err := kube.List(ctx, cluster); err != nil {
		return nil, errors.Wrap(err, "cannot list ClusterProviderConfigs")
	}
	for i := range cluster.Items {
		if match(ClusterLocation(&cluster.Items[i])) {
			refs = append(refs, Ref{Kind: v1alpha1.ClusterProviderConfigKind, Name: cluster.Items[i].Name})
		}
	}
	local := &v1alpha1.ProviderConfigList{}
	if err := kube.List(ctx, local); err != nil {
		return nil, errors.Wrap(err, "cannot list ProviderConfigs")
	}
	for i := range local.Items {
		if pc := &local.Items[i]; match(LocalLocation(pc)) {
			refs = append(refs, Ref{Kind: v1alpha1.ProviderConfigKind, Namespace: pc.Namespace, Name: pc.Name})
		}
	}
	return refs, nil
}

// ClusterLocation returns where the token of a ClusterProviderConfig is.
func ClusterLocation(pc *v1alpha1.ClusterProviderConfig) Location {
	c := pc.Spec.Credentials
	switch {
	case c.Source == xpv2.CredentialsSourceSecret && c.SecretRef != nil:
		return Location{Secret: SecretKey{Namespace: c.SecretRef.Namespace, Name: c.SecretRef.Name, Key: c.SecretRef.Key}}
	case c.Source == xpv2.CredentialsSourceFilesystem && c.Fs != nil:
		return Location{Path: c.Fs.Path}
	default:
		return Location{}
	}
}

// LocalLocation returns where the token of a ProviderConfig is.
func LocalLocation(pc *v1alpha1.ProviderConfig) Location {
	s := pc.Spec.Credentials.SecretRef
	return Location{Secret: SecretKey{Namespace: pc.Namespace, Name: s.Name, Key: s.Key}}
}
