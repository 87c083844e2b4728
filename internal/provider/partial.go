// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"
	"strings"
	"time"

	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// A partialCache has to do without some kinds, because the API server does not
// serve them or does not let the provider see them. For who reads it none of them
// exists, where controller-runtime's fails or waits for ever. Whoever decides by what
// there is not must know that.
type partialCache struct {
	cache.Cache

	scheme  *runtime.Scheme
	without map[schema.GroupKind]bool
}

// lacks tells whether a kind, or that of a list, is left out.
func (c *partialCache) lacks(gvk schema.GroupVersionKind) bool {
	return c.without[gvk.GroupKind()] || c.without[schema.GroupKind{Group: gvk.Group, Kind: strings.TrimSuffix(gvk.Kind, "List")}]
}

func (c *partialCache) lacksKindOf(o runtime.Object) bool {
	gvk, err := apiutil.GVKForObject(o, c.scheme)
	return err == nil && c.lacks(gvk)
}

// Get reads an object. It is not found when its kind is left out.
func (c *partialCache) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if !c.lacksKindOf(o) {
		return c.Cache.Get(ctx, key, o, opts...) //nolint:wrapcheck // A decorator.
	}
	gvk, err := apiutil.GVKForObject(o, c.scheme)
	if err != nil {
		return err //nolint:wrapcheck // A decorator.
	}
	return kerrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, key.Name)
}

// List lists objects. There are none of a kind that is left out.
func (c *partialCache) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	if !c.lacksKindOf(l) {
		return c.Cache.List(ctx, l, opts...) //nolint:wrapcheck // A decorator.
	}
	return errors.Wrap(meta.SetList(l, nil), "cannot empty list")
}

// GetInformer returns the informer of a kind, one that never tells of anything
// when the kind is left out.
func (c *partialCache) GetInformer(ctx context.Context, o client.Object, opts ...cache.InformerGetOption) (cache.Informer, error) {
	if !c.lacksKindOf(o) {
		return c.Cache.GetInformer(ctx, o, opts...) //nolint:wrapcheck // A decorator.
	}
	return silence{}, nil
}

// GetInformerForKind is GetInformer.
func (c *partialCache) GetInformerForKind(ctx context.Context, gvk schema.GroupVersionKind, opts ...cache.InformerGetOption) (cache.Informer, error) {
	if !c.lacks(gvk) {
		return c.Cache.GetInformerForKind(ctx, gvk, opts...) //nolint:wrapcheck // A decorator.
	}
	return silence{}, nil
}

// IndexField adds an index, unless there is nothing to be found by it.
func (c *partialCache) IndexField(ctx context.Context, o client.Object, field string, value client.IndexerFunc) error {
	if !c.lacksKindOf(o) {
		return c.Cache.IndexField(ctx, o, field, value) //nolint:wrapcheck // A decorator.
	}
	return nil
}

// silence is an informer, and a registration with it, that is complete and never
// tells of anything.
type silence struct{}

func (s silence) AddEventHandler(toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return s, nil
}

func (s silence) AddEventHandlerWithOptions(toolscache.ResourceEventHandler, toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	return s, nil
}

func (s silence) AddEventHandlerWithResyncPeriod(toolscache.ResourceEventHandler, time.Duration) (toolscache.ResourceEventHandlerRegistration, error) {
	return s, nil
}

func (silence) RemoveEventHandler(toolscache.ResourceEventHandlerRegistration) error { return nil }
func (silence) AddIndexers(toolscache.Indexers) error                                { return nil }
func (silence) HasSynced() bool                                                      { return true }
func (silence) IsStopped() bool                                                      { return false }
