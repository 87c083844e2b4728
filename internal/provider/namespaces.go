// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"
	"slices"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// checkNamespaces refuses what is no name of a namespace: to a cache an empty one
// means all namespaces.
func checkNamespaces(names []string) error {
	for _, n := range names {
		if why := validation.IsDNS1123Label(n); len(why) > 0 {
			return errors.Errorf("cannot watch namespace %q: %s", n, strings.Join(why, "; "))
		}
	}
	return nil
}

// newCache returns a function that makes a cache of the supplied namespaces, of
// all if there are none, that does without the supplied kinds.
func newCache(namespaces []string, without map[schema.GroupKind]bool) cache.NewCacheFunc {
	return func(cfg *rest.Config, o cache.Options) (cache.Cache, error) {
		if len(namespaces) > 0 {
			o.DefaultNamespaces = make(map[string]cache.Config, len(namespaces))
			for _, n := range namespaces {
				o.DefaultNamespaces[n] = cache.Config{}
			}
		}
		c, err := cache.New(cfg, o)
		if err != nil {
			return nil, err //nolint:wrapcheck // The caller does.
		}
		if len(namespaces) > 0 {
			c = &namespacedCache{Cache: c, scheme: o.Scheme, namespaces: namespaces}
		}
		if len(without) > 0 {
			c = &partialCache{Cache: c, scheme: o.Scheme, without: without}
		}
		return c, nil
	}
}

// A namespacedCache is of some namespaces. For who reads it nothing exists in the
// others, where controller-runtime's fails.
type namespacedCache struct {
	cache.Cache

	scheme     *runtime.Scheme
	namespaces []string
}

// Get reads an object. It is not found in a namespace that is not watched.
func (c *namespacedCache) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if c.watches(key.Namespace) {
		return c.Cache.Get(ctx, key, o, opts...) //nolint:wrapcheck // A decorator.
	}
	gvk, err := apiutil.GVKForObject(o, c.scheme)
	if err != nil {
		return err //nolint:wrapcheck // A decorator.
	}
	return kerrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, key.Name)
}

// List lists objects. There are none in a namespace that is not watched.
func (c *namespacedCache) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(opts)
	if c.watches(o.Namespace) {
		return c.Cache.List(ctx, l, opts...) //nolint:wrapcheck // A decorator.
	}
	return errors.Wrap(meta.SetList(l, nil), "cannot empty list")
}

// watches tells whether a namespace is watched; what has none is.
func (c *namespacedCache) watches(namespace string) bool {
	return namespace == metav1.NamespaceAll || slices.Contains(c.namespaces, namespace)
}

// tellForbidden says which watches are not allowed, which were when the provider
// began. What depends on them is out of date until they are again.
func tellForbidden(log logging.Logger) toolscache.WatchErrorHandlerWithContext {
	return func(ctx context.Context, r *toolscache.Reflector, err error) {
		if kerrors.IsForbidden(err) {
			log.Info("The provider lost a right and waits for it: see docs/rbac.md", "error", err)
			return
		}
		toolscache.DefaultWatchErrorHandler(ctx, r, err)
	}
}
