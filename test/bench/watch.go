// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"time"

	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// watchPoll is how often a cache, which costs nobody else anything, is looked at.
const watchPoll = 20 * time.Millisecond

// userKinds are the kinds of managed resources.
func userKinds() []string {
	return []string{"KafkaServiceUser", "OpenSearchServiceUser", "ValkeyServiceUser"}
}

// A Watch has the applications and the metadata of the managed resources in a
// cache. It is there only while one of these is waited for.
type Watch struct {
	e       *Environment
	cached  client.Reader
	timeout time.Duration
}

// watch watches until the context ends. Each wait takes at most the timeout.
func watch(ctx context.Context, e *Environment, timeout time.Duration) (Watch, error) {
	c, err := cache.New(e.Rest, cache.Options{Scheme: e.Kube.Scheme()})
	if err != nil {
		return Watch{}, errors.Wrap(err, "cannot make a cache")
	}
	go func() { _ = c.Start(ctx) }() // Who waits for what it watches is told when it does not.
	objects := []client.Object{&v1.AivenApplication{}}
	for _, k := range userKinds() {
		o := &metav1.PartialObjectMetadata{}
		o.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(k))
		objects = append(objects, o)
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, o := range objects {
		if _, err := c.GetInformer(within, o); err != nil {
			return Watch{}, errors.Wrapf(err, "cannot watch %T", o)
		}
	}
	if !c.WaitForCacheSync(within) {
		return Watch{}, errors.New("cannot watch applications and managed resources")
	}
	return Watch{e: e, cached: c, timeout: timeout}, nil
}

// users returns the metadata of all managed resources, which is not to be
// changed.
func (w Watch) users(ctx context.Context) ([]metav1.PartialObjectMetadata, error) {
	var out []metav1.PartialObjectMetadata
	for _, k := range userKinds() {
		l := &metav1.PartialObjectMetadataList{}
		l.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(k + "List"))
		if err := w.cached.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
			return nil, errors.Wrap(err, "cannot list managed resources")
		}
		out = append(out, l.Items...)
	}
	return out, nil
}

// HandedOver waits until there are so many managed resources, and the Secret that
// holds its credentials is an owner of each. The provider sees to that some
// time after the publication.
func (w Watch) HandedOver(ctx context.Context, n int) error {
	return w.wait(ctx, "until Secrets own the managed resources", func(ctx context.Context) (bool, error) {
		users, err := w.users(ctx)
		return handedOver(users, n), err
	})
}

// Published waits until each application has published a revision.
func (w Watch) Published(ctx context.Context, apps []*v1.AivenApplication, revision int64) error {
	return w.wait(ctx, "until the revision is published", func(ctx context.Context) (bool, error) {
		l := &v1.AivenApplicationList{}
		if err := w.cached.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
			return false, errors.Wrap(err, "cannot list applications")
		}
		return published(l.Items, apps, revision), nil
	})
}

// Gone waits until nothing that was replaced is left, neither here nor at the
// simulator, and returns since when.
func (w Watch) Gone(ctx context.Context, r Replaced) (time.Time, error) {
	if err := w.wait(ctx, "until the managed resources are gone", func(ctx context.Context) (bool, error) {
		users, err := w.users(ctx)
		return !slices.ContainsFunc(users, func(u metav1.PartialObjectMetadata) bool { return r.Objects[u.GetUID()] }), err
	}); err != nil {
		return time.Time{}, err
	}
	var at time.Time
	err := w.wait(ctx, "until the users are gone", func(ctx context.Context) (bool, error) {
		// The simulator looks at once, and then takes its time to tell.
		at = time.Now()
		state, err := w.e.Simulator.State(ctx)
		return !index(state).hasAny(r.Users), err
	})
	return at, err
}

func (w Watch) wait(ctx context.Context, what string, done func(ctx context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	return errors.Wrap(poll(ctx, watchPoll, done), "cannot wait "+what)
}

// handedOver tells whether there are n managed resources, and each has a Secret
// as an owner.
func handedOver(users []metav1.PartialObjectMetadata, n int) bool {
	return len(users) == n && !slices.ContainsFunc(users, func(u metav1.PartialObjectMetadata) bool {
		return !slices.ContainsFunc(u.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.Kind == "Secret" })
	})
}

// published tells whether each of the wanted applications has published a
// revision.
func published(all []v1.AivenApplication, wanted []*v1.AivenApplication, revision int64) bool {
	have := make(map[client.ObjectKey]bool, len(all))
	for i := range all {
		if c := all[i].Status.Credentials; c != nil && c.Revision == revision {
			have[client.ObjectKeyFromObject(&all[i])] = true
		}
	}
	return !slices.ContainsFunc(wanted, func(a *v1.AivenApplication) bool { return !have[client.ObjectKeyFromObject(a)] })
}
