// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"
	"os"
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

// DefaultName is the name of the configurations that are used by all who name
// none.
const DefaultName = "default"

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

// Settings are a configuration less its token.
type Settings struct {
	Ref Ref
	v1alpha1.ServiceSettings
}

// A Resolver resolves configurations. It is safe for concurrent use.
type Resolver struct {
	kube    client.Reader
	secrets SecretReader
	clients *Clients
	allowed []string

	mu   sync.Mutex
	last map[Ref]*aiven.Client
}

// A SecretReader returns the Secret of that name, or an error for which
// kerrors.IsNotFound holds.
type SecretReader interface {
	Get(ctx context.Context, n types.NamespacedName) (map[string][]byte, error)
}

// NewResolver returns a Resolver that reads configurations from kube (a cached
// client will do), tokens from secrets, and takes its clients from clients.
// A ProviderConfig may use no base URL but the allowed ones.
func NewResolver(kube client.Reader, secrets SecretReader, clients *Clients, allowedBaseURLs []string) *Resolver {
	allowed := []string{DefaultBaseURL}
	for _, u := range allowedBaseURLs {
		allowed = append(allowed, strings.TrimSuffix(u, "/"))
	}
	return &Resolver{kube: kube, secrets: secrets, clients: clients, allowed: allowed, last: make(map[Ref]*aiven.Client)}
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

// Connect returns the client for the configuration's token. Clients are shared
// and live on: callers do not close them. ErrNoConfig and ErrNoToken say what is
// missing.
func (r *Resolver) Connect(ctx context.Context, ref Ref) (*aiven.Client, error) {
	s, token, err := r.get(ctx, ref)
	if err != nil {
		return nil, err
	}
	t, err := token(ctx)
	if err != nil {
		return nil, errors.Wrapf(err, "cannot get the Aiven token of %s", ref)
	}
	c, err := r.clients.For(ref, Key{Token: t, BaseURL: s.BaseURL, Limits: limitsOf(s.RateLimit)})
	if err != nil {
		return nil, errors.Wrapf(err, "cannot make an Aiven client for %s", ref)
	}
	r.mu.Lock()
	r.last[ref] = c
	r.mu.Unlock()
	return c, nil
}

// ConnectForDeletion is Connect for an object that is being deleted. When the
// configuration or its token has gone before the object, as happens when a
// namespace is deleted, it returns the client that was last used.
func (r *Resolver) ConnectForDeletion(ctx context.Context, ref Ref) (*aiven.Client, error) {
	c, err := r.Connect(ctx, ref)
	if err == nil || !errors.Is(err, ErrNoConfig) && !errors.Is(err, ErrNoToken) {
		return c, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.last[ref]; c != nil {
		return c, nil
	}
	return nil, err
}

// Forget drops what is kept for a configuration that is gone.
func (r *Resolver) Forget(ref Ref) {
	r.mu.Lock()
	delete(r.last, ref)
	r.mu.Unlock()
	r.clients.Forget(ref)
}

type tokenFn func(ctx context.Context) (string, error)

func (r *Resolver) get(ctx context.Context, ref Ref) (Settings, tokenFn, error) {
	if ref.Kind == v1alpha1.ProviderConfigKind {
		return r.local(ctx, ref)
	}
	pc := &v1alpha1.ClusterProviderConfig{}
	if err := r.kube.Get(ctx, types.NamespacedName{Name: ref.Name}, pc); err != nil {
		return Settings{}, nil, missing(err, ref)
	}
	s := Settings{Ref: ref, ServiceSettings: pc.Spec.ServiceSettings}
	s.BaseURL = baseURL(s.BaseURL)
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
	s.BaseURL = baseURL(s.BaseURL)
	if !slices.Contains(r.allowed, s.BaseURL) {
		return Settings{}, nil, errors.Wrapf(ErrNotAllowed, "cannot use %s: baseURL %s is not one of --allowed-base-urls", ref, s.BaseURL)
	}
	sel := pc.Spec.Credentials.SecretRef
	return s, r.secretToken(types.NamespacedName{Namespace: ref.Namespace, Name: sel.Name}, sel.Key), nil
}

func (r *Resolver) clusterToken(c v1alpha1.ClusterCredentials) tokenFn {
	switch c.Source {
	case xpv2.CredentialsSourceSecret:
		if c.SecretRef == nil {
			return noToken("credentials.secretRef is not set")
		}
		return r.secretToken(types.NamespacedName{Namespace: c.SecretRef.Namespace, Name: c.SecretRef.Name}, c.SecretRef.Key)
	case xpv2.CredentialsSourceEnvironment:
		if c.Env == nil {
			return noToken("credentials.env is not set")
		}
		return func(context.Context) (string, error) {
			return clean(os.Getenv(c.Env.Name), "the environment variable "+c.Env.Name+" is not set or empty")
		}
	case xpv2.CredentialsSourceFilesystem:
		if c.Fs == nil {
			return noToken("credentials.fs is not set")
		}
		return func(context.Context) (string, error) {
			b, err := os.ReadFile(c.Fs.Path)
			if err != nil {
				return "", errors.Wrapf(ErrNoToken, "cannot read file %s", c.Fs.Path)
			}
			return clean(string(b), "the file "+c.Fs.Path+" is empty")
		}
	default:
		return noToken("the source " + string(c.Source) + " is not supported")
	}
}

func (r *Resolver) secretToken(n types.NamespacedName, key string) tokenFn {
	return func(ctx context.Context) (string, error) {
		data, err := r.secrets.Get(ctx, n)
		if kerrors.IsNotFound(err) {
			return "", errors.Wrapf(ErrNoToken, "Secret %s does not exist", n)
		}
		if err != nil {
			return "", errors.Wrapf(err, "cannot get Secret %s", n)
		}
		return clean(string(data[key]), "Secret "+n.String()+" has no key "+key+", or it is empty")
	}
}

func noToken(message string) tokenFn {
	return func(context.Context) (string, error) { return "", errors.Wrap(ErrNoToken, message) }
}

// clean trims white space, with which tokens written by hand often end.
func clean(token, message string) (string, error) {
	if t := strings.TrimSpace(token); t != "" {
		return t, nil
	}
	return "", errors.Wrap(ErrNoToken, message)
}

func baseURL(u string) string {
	if u == "" {
		return DefaultBaseURL
	}
	return strings.TrimSuffix(u, "/")
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
