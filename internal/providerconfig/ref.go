// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"k8s.io/apimachinery/pkg/types"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// DefaultName is the name of the configurations that are used by all who name
// none.
const DefaultName = "default"

// A Ref names a configuration. Namespace is empty for a ClusterProviderConfig.
type Ref struct {
	Kind      string
	Namespace string
	Name      string
}

// RefOf returns the configuration that a reference in an object of the supplied
// namespace is to.
func RefOf(r xpv2.ProviderConfigReference, namespace string) Ref {
	if r.Kind == v1alpha1.ProviderConfigKind {
		return Ref{Kind: r.Kind, Namespace: namespace, Name: r.Name}
	}
	return Ref{Kind: r.Kind, Name: r.Name}
}

// Reference returns the reference to the configuration for an object's spec.
func (r Ref) Reference() *xpv2.ProviderConfigReference {
	return &xpv2.ProviderConfigReference{Kind: r.Kind, Name: r.Name}
}

// String is how the configuration is named in messages.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// A SecretKey is a key of a Secret. The zero value is none.
type SecretKey struct {
	Namespace string
	Name      string
	Key       string
}

// Secret returns the name of the Secret.
func (k SecretKey) Secret() types.NamespacedName {
	return types.NamespacedName{Namespace: k.Namespace, Name: k.Name}
}

// An Access says with whose token an object talks to Aiven: with one of its own,
// else with that of a configuration.
type Access struct {
	// Config says what else there is to know, and has the token unless the object
	// brings one.
	Config Ref
	// Own is the token that the object brings. Zero: none.
	Own SecretKey
}

// With returns the access of an object of the supplied namespace that names the
// configuration and may bring a token of its own.
func (r Ref) With(own *xpv2.LocalSecretKeySelector, namespace string) Access {
	if own == nil {
		return Access{Config: r}
	}
	return Access{Config: r, Own: SecretKey{Namespace: namespace, Name: own.Name, Key: own.Key}}
}

// IsOwn tells whether the object brings its token.
func (a Access) IsOwn() bool { return a.Own != SecretKey{} }

// IsCentral tells whether it is the token of a ClusterProviderConfig, which is what
// every kind stands for that is not ProviderConfig.
func (a Access) IsCentral() bool {
	return !a.IsOwn() && a.Config.Kind != v1alpha1.ProviderConfigKind
}

// String is how the access is named in messages.
func (a Access) String() string {
	if a.IsOwn() {
		return "Secret " + a.Own.Secret().String()
	}
	return a.Config.String()
}

// A User is an object that may bring a token of its own.
type User interface {
	GetNamespace() string
	GetProviderConfigReference() *xpv2.ProviderConfigReference
	GetAuthSecretRef() *xpv2.LocalSecretKeySelector
}

// AccessOf returns with whose token an object talks to Aiven. The configuration is
// zero when the object names none.
func AccessOf(u User) Access {
	var ref Ref
	if r := u.GetProviderConfigReference(); r != nil {
		ref = RefOf(*r, u.GetNamespace())
	}
	return ref.With(u.GetAuthSecretRef(), u.GetNamespace())
}
