// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"
	"os"
	"strings"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// A tokenFn reads a token from where it is.
type tokenFn func(ctx context.Context) (string, error)

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
			t, ok := os.LookupEnv(c.Env.Name)
			if !ok {
				return "", errors.Wrapf(ErrNoToken, "environment variable %s is not set", c.Env.Name)
			}
			return clean(t, "environment variable "+c.Env.Name)
		}
	case xpv2.CredentialsSourceFilesystem:
		if c.Fs == nil {
			return noToken("credentials.fs is not set")
		}
		return func(context.Context) (string, error) {
			b, err := r.files.Read(c.Fs.Path)
			if errors.Is(err, os.ErrNotExist) {
				return "", errors.Wrapf(ErrNoToken, "file %s does not exist", c.Fs.Path)
			}
			if err != nil {
				return "", errors.Wrapf(ErrNoToken, "file %s cannot be read", c.Fs.Path)
			}
			return clean(string(b), "file "+c.Fs.Path)
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
		if _, ok := data[key]; !ok {
			return "", errors.Wrapf(ErrNoToken, "Secret %s has no key %s", n, key)
		}
		return clean(string(data[key]), "key "+key+" of Secret "+n.String())
	}
}

func noToken(message string) tokenFn {
	return func(context.Context) (string, error) { return "", errors.Wrap(ErrNoToken, message) }
}

// clean trims white space, with which tokens written by hand often end, from what is
// at the place that is named.
func clean(token, where string) (string, error) {
	t := strings.TrimSpace(token)
	switch {
	case t == "":
		return "", errors.Wrap(ErrNoToken, where+" is empty")
	case strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.Wrap(ErrNoToken, where+" holds more than a token")
	}
	return t, nil
}
