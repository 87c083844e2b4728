// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

// DefaultBaseURL is the Aiven API. Aiven: https://api.aiven.io/doc.
const DefaultBaseURL = "https://api.aiven.io"

// Errors to branch on.
var (
	// ErrNoConfig: the configuration does not exist.
	ErrNoConfig = errors.New("no such configuration")
	// ErrNoToken: the configuration exists, its token does not.
	ErrNoToken = errors.New("no Aiven token")
	// ErrNotAllowed: the configuration asks for something its writer may not have.
	ErrNotAllowed = errors.New("not allowed")
)

// Settings are a configuration less its token.
type Settings struct {
	Ref Ref
	v1alpha1.ServiceSettings

	// AllowedNamespaces and Usernames are those of a ClusterProviderConfig.
	AllowedNamespaces *v1alpha1.AllowedNamespaces
	Usernames         v1alpha1.UsernamePolicy
}

// A Resolver resolves configurations. It is safe for concurrent use.
type Resolver struct {
	kube    client.Reader
	secrets SecretReader
	files   FileReader
	clients *Clients
	urls    BaseURLs

	mu   sync.Mutex
	last map[Access]connected
}

// A connected is what was last returned for an access.
type connected struct {
	client   *aiven.Client
	settings Settings
}

// A SecretReader returns the Secret of that name, or an error for which
// kerrors.IsNotFound holds.
type SecretReader interface {
	Get(ctx context.Context, n types.NamespacedName) (map[string][]byte, error)
}

// A FileReader returns what is in a file.
type FileReader interface {
	Read(path string) ([]byte, error)
}

// Sources are where tokens come from.
type Sources struct {
	Secrets SecretReader
	Files   FileReader
}

// BaseURLs are those of the Aiven API that configurations may use.
type BaseURLs struct {
	// Default is used where a configuration names none. Empty: DefaultBaseURL.
	Default string
	// Allowed are those that a ProviderConfig may name beside the default.
	Allowed []string
}

// NewResolver returns a Resolver that reads configurations from kube (a cached
// client will do), tokens from their sources, and takes its clients from clients.
func NewResolver(kube client.Reader, s Sources, clients *Clients, urls BaseURLs) *Resolver {
	urls.Default = strings.TrimSuffix(cmp.Or(urls.Default, DefaultBaseURL), "/")
	allowed := []string{urls.Default}
	for _, u := range urls.Allowed {
		allowed = append(allowed, strings.TrimSuffix(u, "/"))
	}
	urls.Allowed = allowed
	return &Resolver{
		kube: kube, secrets: s.Secrets, files: s.Files, clients: clients, urls: urls,
		last: make(map[Access]connected),
	}
}

// Choose returns the configuration for an object of the supplied namespace: the
// one it names; if it names none, the ProviderConfig "default" of the namespace;
// if there is none, the ClusterProviderConfig "default".
func (r *Resolver) Choose(ctx context.Context, named *xpv2.ProviderConfigReference, namespace string) (Ref, error) {
	if named != nil {
		return RefOf(*named, namespace), nil
	}
	err := r.kube.Get(ctx, types.NamespacedName{Namespace: namespace, Name: DefaultName}, &v1alpha1.ProviderConfig{})
	if err == nil {
		return Ref{Kind: v1alpha1.ProviderConfigKind, Namespace: namespace, Name: DefaultName}, nil
	}
	if !kerrors.IsNotFound(err) {
		return Ref{}, errors.Wrap(err, "cannot get ProviderConfig")
	}
	return Ref{Kind: v1alpha1.ClusterProviderConfigKind, Name: DefaultName}, nil
}

// Settings returns the configuration. ErrNoConfig: it does not exist.
// ErrNotAllowed: it asks for a base URL that is not allowed.
func (r *Resolver) Settings(ctx context.Context, ref Ref) (Settings, error) {
	s, _, err := r.get(ctx, ref)
	return s, err
}

// Connect returns the client for a token. Clients are shared and live on: callers
// do not close them. ErrNoConfig and ErrNoToken say what is missing. Whoever
// brings a token of his own needs no configuration.
func (r *Resolver) Connect(ctx context.Context, a Access) (*aiven.Client, error) {
	s, token, err := r.get(ctx, a.Config)
	if a.IsOwn() && errors.Is(err, ErrNoConfig) {
		s, err = Settings{Ref: a.Config, ServiceSettings: v1alpha1.ServiceSettings{BaseURL: r.urls.Default}}, nil
	}
	if err != nil {
		return nil, err
	}
	if a.IsOwn() {
		token = r.secretToken(a.Own.Secret(), a.Own.Key)
	}
	t, err := token(ctx)
	if err != nil {
		return nil, errors.Wrapf(err, "cannot get the Aiven token of %s", a)
	}
	c, err := r.clients.For(a, Key{Token: t, BaseURL: s.BaseURL}, limitsOf(s.RateLimit))
	if err != nil {
		return nil, errors.Wrapf(err, "cannot make an Aiven client for %s", a)
	}
	r.mu.Lock()
	r.last[a] = connected{client: c, settings: s}
	r.mu.Unlock()
	return c, nil
}

// ConnectForDeletion is Connect for an object that is being deleted. When the
// configuration or its token has gone before the object, although it is kept as
// long as objects need it, it returns the client that was last used.
func (r *Resolver) ConnectForDeletion(ctx context.Context, a Access) (*aiven.Client, error) {
	c, err := r.Connect(ctx, a)
	if err == nil || !errors.Is(err, ErrNoConfig) && !errors.Is(err, ErrNoToken) {
		return c, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.last[a]; ok {
		return c.client, nil
	}
	return nil, err
}

// Forget drops what is kept for the token of a configuration that is gone.
func (r *Resolver) Forget(ref Ref) {
	r.forget(func(a Access) bool { return a == Access{Config: ref} })
}

// ForgetSecret drops what is kept for tokens that objects brought in a Secret that
// none of them needs any more.
func (r *Resolver) ForgetSecret(n types.NamespacedName) {
	r.forget(func(a Access) bool { return a.IsOwn() && a.Own.Secret() == n })
}

func (r *Resolver) forget(match func(Access) bool) {
	r.mu.Lock()
	for a := range r.last {
		if match(a) {
			delete(r.last, a)
		}
	}
	r.mu.Unlock()
	r.clients.Forget(match)
}

func (r *Resolver) get(ctx context.Context, ref Ref) (Settings, tokenFn, error) {
	if ref.Kind == v1alpha1.ProviderConfigKind {
		return r.local(ctx, ref)
	}
	pc := &v1alpha1.ClusterProviderConfig{}
	if err := r.kube.Get(ctx, types.NamespacedName{Name: ref.Name}, pc); err != nil {
		return Settings{}, nil, missing(err, ref)
	}
	s := Settings{
		Ref: ref, ServiceSettings: pc.Spec.ServiceSettings,
		AllowedNamespaces: pc.Spec.AllowedNamespaces, Usernames: pc.Spec.Usernames,
	}
	s.BaseURL = r.urls.of(s.BaseURL)
	return s, r.clusterToken(pc.Spec.Credentials), nil
}

// local resolves a ProviderConfig. Its writer is a tenant: the token comes from
// a Secret of the same namespace only, and is sent to allowed addresses only.
func (r *Resolver) local(ctx context.Context, ref Ref) (Settings, tokenFn, error) {
	pc := &v1alpha1.ProviderConfig{}
	if err := r.kube.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, pc); err != nil {
		return Settings{}, nil, missing(err, ref)
	}
	s := Settings{Ref: ref, ServiceSettings: pc.Spec.ServiceSettings}
	s.BaseURL = r.urls.of(s.BaseURL)
	if !slices.Contains(r.urls.Allowed, s.BaseURL) {
		return Settings{}, nil, errors.Wrapf(ErrNotAllowed, "cannot use %s: baseURL %s is not one of --allowed-base-urls", ref, s.BaseURL)
	}
	sel := pc.Spec.Credentials.SecretRef
	return s, r.secretToken(types.NamespacedName{Namespace: ref.Namespace, Name: sel.Name}, sel.Key), nil
}

// of returns the base URL for what a configuration says.
func (u BaseURLs) of(named string) string {
	return strings.TrimSuffix(cmp.Or(named, u.Default), "/")
}

func missing(err error, ref Ref) error {
	if kerrors.IsNotFound(err) {
		return errors.Wrapf(ErrNoConfig, "cannot get %s", ref)
	}
	return errors.Wrapf(err, "cannot get %s", ref)
}

// limitsOf returns the limits of a client. Unless asked for there is none on the
// rate: what Aiven answers with 429 is obeyed in any case.
func limitsOf(l *v1alpha1.RateLimit) aiven.Limits {
	if l == nil {
		l = &v1alpha1.RateLimit{}
	}
	out := aiven.Limits{RequestsPerSecond: -1, MaxInFlight: int(l.MaxInFlight)}
	if l.RequestsPerSecond > 0 {
		out.RequestsPerSecond, out.Burst = float64(l.RequestsPerSecond), int(max(l.Burst, l.RequestsPerSecond))
	}
	return out
}
