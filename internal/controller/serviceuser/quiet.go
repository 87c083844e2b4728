// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// A quietManager hands out a client that leaves out writes that say nothing.
type quietManager struct {
	manager.Manager
	refusals *refusals
	secrets  *ownSecrets
}

// GetClient returns the quiet client.
func (m quietManager) GetClient() client.Client {
	return quietClient{Client: m.Manager.GetClient(), refusals: m.refusals, secrets: m.secrets}
}

// refusals are why users could not be created, by the UID of the managed
// resource, between Create and the status that follows. The managed reconciler
// calls every resource that could not be created "Creating"; people need to know
// why. Safe for concurrent use.
type refusals struct {
	conditions sync.Map
}

func (r *refusals) record(mg resource.Managed, c xpv2.Condition) { r.conditions.Store(mg.GetUID(), c) }

// forget drops what was recorded of a managed resource that is gone.
func (r *refusals) forget(mg metav1.Object) { r.conditions.Delete(mg.GetUID()) }

// apply sets the recorded condition, if there is one, once.
func (r *refusals) apply(o client.Object) {
	c, ok := r.conditions.LoadAndDelete(o.GetUID())
	if !ok {
		return
	}
	if mg, ok := o.(resource.Conditioned); ok {
		mg.SetConditions(c.(xpv2.Condition)) //nolint:forcetypeassert // Nothing else is recorded.
	}
}

// markUnchanged is set in memory, and never stored, on a connection Secret that
// holds everything that is to be published.
const markUnchanged = "aiven.nais.io/unchanged"

// A quietClient leaves out writes of the managed reconciler that say nothing,
// which are a third of all: the record that a user is about to be created, where
// it stands already; an empty connection Secret before the user exists (nobody
// must see one), and one that holds what is to be published and something of
// somebody else's; the status between the creation and the pass that follows at
// once, and a status that is as it was.
type quietClient struct {
	client.Client
	refusals *refusals
	secrets  *ownSecrets
}

// Create creates the object, unless it is an empty connection Secret.
func (c quietClient) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	s, ok := o.(*corev1.Secret)
	if !ok || s.Type != resource.SecretTypeConnection {
		return c.Client.Create(ctx, o, opts...) //nolint:wrapcheck // A decorator.
	}
	if len(s.Data) == 0 {
		return nil
	}
	want := s.Data
	err := c.Client.Create(ctx, o, opts...)
	c.secrets.wrote(s, want, err)
	return err //nolint:wrapcheck // A decorator.
}

// Update updates the object, unless all it would do is to record anew that the
// user is about to be created.
func (c quietClient) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	if pending(o) {
		stored, ok := o.DeepCopyObject().(client.Object)
		if ok && c.Client.Get(ctx, client.ObjectKeyFromObject(o), stored) == nil && pending(stored) {
			meta.AddAnnotations(stored, map[string]string{
				meta.AnnotationKeyExternalCreatePending: o.GetAnnotations()[meta.AnnotationKeyExternalCreatePending],
			})
			if equality.Semantic.DeepEqual(withoutStatus(stored), withoutStatus(o)) {
				return nil
			}
		}
	}
	return c.Client.Update(ctx, o, opts...) //nolint:wrapcheck // A decorator.
}

// Get reads the object. The publisher reads a connection Secret into the one
// that it wants to publish, and then compares the two byte by byte through
// reflection, which would be half of all that the provider computes. So they are
// compared here: a Secret that holds everything comes without its data and
// marked, for Patch to know.
func (c quietClient) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	s, ok := o.(*corev1.Secret)
	if !ok || s.Type != resource.SecretTypeConnection {
		return c.Client.Get(ctx, key, o, opts...) //nolint:wrapcheck // A decorator.
	}
	want := s.Data
	if known, err := c.secrets.recall(key, want); known {
		if err == nil {
			markAsUnchanged(s)
		}
		return err
	}
	err := c.Client.Get(ctx, key, s, opts...)
	c.secrets.read(key, err)
	if err != nil {
		return err //nolint:wrapcheck // A decorator.
	}
	if len(want) == 0 {
		return nil
	}
	if metav1.GetControllerOf(s) == nil {
		// One that a backup brought back: it holds the same, but nobody owns it.
		s.Data = nil
		return nil
	}
	for k, v := range want {
		if !bytes.Equal(s.Data[k], v) {
			return nil
		}
	}
	markAsUnchanged(s)
	return nil
}

func markAsUnchanged(s *corev1.Secret) {
	s.Data = nil
	meta.AddAnnotations(s, map[string]string{markUnchanged: ""})
}

// Patch patches the object, unless Get found that there is nothing to change.
func (c quietClient) Patch(ctx context.Context, o client.Object, p client.Patch, opts ...client.PatchOption) error {
	if _, ok := o.GetAnnotations()[markUnchanged]; ok {
		return nil
	}
	return c.Client.Patch(ctx, o, p, opts...) //nolint:wrapcheck // A decorator.
}

// Status returns a writer of statuses that leaves out what says nothing.
func (c quietClient) Status() client.SubResourceWriter {
	return quietStatus{SubResourceWriter: c.Client.Status(), reader: c.Client, refusals: c.refusals}
}

type quietStatus struct {
	client.SubResourceWriter
	reader   client.Reader
	refusals *refusals
}

// Update writes the status, unless it says nothing new.
func (s quietStatus) Update(ctx context.Context, o client.Object, opts ...client.SubResourceUpdateOption) error {
	s.refusals.apply(o)
	cached, ok := o.DeepCopyObject().(client.Object)
	if !ok || s.reader.Get(ctx, client.ObjectKeyFromObject(o), cached) != nil {
		return s.SubResourceWriter.Update(ctx, o, opts...) //nolint:wrapcheck // A decorator.
	}
	// The reconciler sets this annotation in memory when a creation succeeded, and
	// returns to reconcile again at once. We never store it (see annotations), so
	// that where it is new it marks just this one status.
	created := !meta.GetExternalCreateSucceeded(o).IsZero() && meta.GetExternalCreateSucceeded(cached).IsZero()
	if created || unchanged(cached, o) || early(cached, o) {
		return nil
	}
	return s.SubResourceWriter.Update(ctx, o, opts...) //nolint:wrapcheck // A decorator.
}

// unchanged tells whether the status is that of the same version in the cache.
// An object that was changed since the cache saw it is never unchanged.
func unchanged(cached, o client.Object) bool {
	if cached.GetResourceVersion() != o.GetResourceVersion() {
		return false
	}
	was, err := statusOf(cached)
	if err != nil {
		return false
	}
	is, err := statusOf(o)
	return err == nil && equality.Semantic.DeepEqual(was, is)
}

// early tells whether all that a first status would say is that the user is
// being created, which for a resource this young goes without saying. It will be
// looked at again before long.
func early(cached, o client.Object) bool {
	was, ok1 := cached.(resource.Conditioned)
	is, ok2 := o.(resource.Conditioned)
	return ok1 && ok2 && time.Since(o.GetCreationTimestamp().Time) < unreadyPoll &&
		was.GetCondition(xpv2.TypeReady).Reason == "" &&
		is.GetCondition(xpv2.TypeReady).Reason == xpv2.ReasonCreating &&
		is.GetCondition(xpv2.TypeSynced).Status == corev1.ConditionTrue
}

func statusOf(o runtime.Object) (any, error) {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	return u["status"], err
}

func withoutStatus(o client.Object) any {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return err
	}
	delete(u, "status")
	return u
}

// mergePatch returns a merge patch that sets one annotation.
func mergePatch(key, value string) (types.PatchType, []byte) {
	b, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
	return types.MergePatchType, b
}

// shallow returns a copy to patch, so that the answer does not replace what the
// caller set and has not stored yet.
func shallow(o client.Object) client.Object {
	return o.DeepCopyObject().(client.Object) //nolint:forcetypeassert // A copy of a client.Object is one.
}
