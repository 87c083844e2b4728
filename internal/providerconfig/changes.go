// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"

	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// IndexField is the name of the cache index of managed resources by the
// configuration they use. Its values are those of IndexValue.
const IndexField = "providerConfigRef"

// Index returns the values of IndexField for a managed resource.
func Index(o client.Object) []string {
	mg, ok := o.(resource.ModernManaged)
	if !ok || mg.GetProviderConfigReference() == nil {
		return nil
	}
	return []string{IndexValue(RefOf(*mg.GetProviderConfigReference(), mg.GetNamespace()))}
}

// IndexValue returns the value of IndexField for those that use a configuration.
func IndexValue(r Ref) string { return r.Kind + "/" + r.Namespace + "/" + r.Name }

// TokensIn returns the configurations whose token is in the supplied Secret.
func TokensIn(ctx context.Context, kube client.Reader, secret types.NamespacedName) ([]Ref, error) {
	var refs []Ref
	cluster := &v1alpha1.ClusterProviderConfigList{}
	if err := kube.List(ctx, cluster); err != nil {
		return nil, err //nolint:wrapcheck // The caller logs it.
	}
	for _, pc := range cluster.Items {
		if s := pc.Spec.Credentials.SecretRef; s != nil && s.Namespace == secret.Namespace && s.Name == secret.Name {
			refs = append(refs, Ref{Kind: v1alpha1.ClusterProviderConfigKind, Name: pc.Name})
		}
	}
	local := &v1alpha1.ProviderConfigList{}
	if err := kube.List(ctx, local, client.InNamespace(secret.Namespace)); err != nil {
		return nil, err //nolint:wrapcheck // The caller logs it.
	}
	for _, pc := range local.Items {
		if pc.Spec.Credentials.SecretRef.Name == secret.Name {
			refs = append(refs, Ref{Kind: v1alpha1.ProviderConfigKind, Namespace: pc.Namespace, Name: pc.Name})
		}
	}
	return refs, nil
}
