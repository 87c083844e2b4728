// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// Arrivals remembers when each published Secret came. It watches their metadata
// only, so that looking costs little on the machine that is measured.
type Arrivals struct {
	mu      sync.Mutex
	at      map[types.NamespacedName]time.Time
	changed chan struct{} // Holds something when at has changed.
}

// watchArrivals watches until the context ends.
func watchArrivals(ctx context.Context, cfg *rest.Config) (*Arrivals, error) {
	c, err := metadata.NewForConfig(cfg)
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a client")
	}
	a := &Arrivals{at: make(map[types.NamespacedName]time.Time), changed: make(chan struct{}, 1)}
	i := metadatainformer.NewFilteredMetadataInformer(c, schema.GroupVersionResource{Version: "v1", Resource: secrets}, metav1.NamespaceAll, 0, nil,
		func(o *metav1.ListOptions) {
			o.LabelSelector = labels.SelectorFromSet(labels.Set{v1.LabelType: v1.SecretType}).String()
		}).Informer()
	if _, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: a.add}); err != nil {
		return nil, errors.Wrap(err, "cannot watch Secrets")
	}
	go i.Run(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), i.HasSynced) {
		return nil, errors.New("cannot watch Secrets")
	}
	return a, nil
}

func (a *Arrivals) add(o any) {
	s, ok := o.(metav1.Object)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	n := types.NamespacedName{Namespace: s.GetNamespace(), Name: s.GetName()}
	if _, ok := a.at[n]; !ok {
		a.at[n] = time.Now()
	}
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// Count of those that have come.
func (a *Arrivals) Count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.at)
}

// Of returns when a Secret came, the zero time when it has not.
func (a *Arrivals) Of(n types.NamespacedName) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[n]
}

// Wait waits until all of these have come.
func (a *Arrivals) Wait(ctx context.Context, names []types.NamespacedName) error {
	for {
		names = slices.DeleteFunc(names, func(n types.NamespacedName) bool { return !a.Of(n).IsZero() })
		if len(names) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Wrapf(context.Cause(ctx), "cannot wait for Secrets: %d have not come", len(names))
		case <-a.changed:
		}
	}
}

// A Load creates applications and measures how long their Secrets take.
type Load struct {
	e        *Environment
	arrivals *Arrivals
	created  map[types.NamespacedName]time.Time // By the name of the Secret.
}

// Run creates applications, so many at a time, waits for their Secrets, and
// returns how long each took, and how long all did since the first creation.
func (l *Load) Run(ctx context.Context, creators int, apps []*v1.AivenApplication) (each []time.Duration, all time.Duration, err error) {
	var mu sync.Mutex
	first := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(creators)
	for _, a := range apps {
		g.Go(func() error {
			at := time.Now()
			mu.Lock()
			l.created[secretName(a)] = at
			mu.Unlock()
			return errors.Wrap(l.e.Kube.Create(gctx, a), "cannot create an application")
		})
	}
	if err := g.Wait(); err != nil {
		return nil, 0, err
	}
	if err := l.arrivals.Wait(ctx, slices.Collect(maps.Keys(l.created))); err != nil {
		return nil, 0, errors.Wrap(err, l.missing(context.WithoutCancel(ctx)))
	}
	last := first
	for _, a := range apps {
		n := secretName(a)
		at := l.arrivals.Of(n)
		if at.IsZero() {
			return nil, 0, errors.New("a Secret came that no application asks for")
		}
		each = append(each, at.Sub(l.created[n]))
		if at.After(last) {
			last = at
		}
	}
	return each, last.Sub(first), nil
}

// missing says why applications have no Secret, as far as they say so.
func (l *Load) missing(ctx context.Context) string {
	list := &v1.AivenApplicationList{}
	if err := l.e.Kube.List(ctx, list); err != nil {
		return "applications cannot be listed either"
	}
	why := map[string]int{}
	for i := range list.Items {
		a := &list.Items[i]
		if l.arrivals.Of(secretName(a)).IsZero() {
			c := a.GetCondition(xpv2.TypeReady)
			why[fmt.Sprintf("%s: %s", c.Reason, c.Message)]++
		}
	}
	var lines []string
	for _, w := range slices.Sorted(maps.Keys(why)) {
		lines = append(lines, fmt.Sprintf("%d applications without a Secret: %s", why[w], w))
	}
	return strings.Join(lines[:min(len(lines), 5)], "\n")
}

func secretName(a *v1.AivenApplication) types.NamespacedName {
	return types.NamespacedName{Namespace: a.GetNamespace(), Name: secretOf(a.GetName())}
}
