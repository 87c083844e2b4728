// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// reasonInUse is the reason of the event about a Secret that was deleted while its
// token was needed.
const reasonInUse event.Reason = "TokenInUse"

// Watches are of single Secrets.
type watches interface {
	Forget(n types.NamespacedName)
}

// A keeper keeps the Secrets whose tokens managed resources need to be deleted at
// Aiven, as Kubernetes keeps volumes that pods use: by a finalizer, which a Secret
// has from the first managed resource that needs it until the last one is gone. It
// reads and writes the metadata of Secrets, and never sees a token.
type keeper struct {
	client client.Client
	live   client.Reader
	cache  client.Reader

	configs    Configurations
	secrets    watches
	lists      []client.ObjectList
	namespaces []string

	record event.Recorder
	log    logging.Logger
	memory *memory
}

// Reconcile keeps a Secret, or lets go of it.
func (k *keeper) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	n := req.NamespacedName
	configs, err := k.configsWith(ctx, n)
	if err != nil {
		return reconcile.Result{}, err
	}
	needed, err := k.needed(ctx, n, configs)
	if err != nil {
		return reconcile.Result{}, err
	}
	if needed > 0 {
		err = k.keep(ctx, n, needed)
	} else if err = k.release(ctx, n); err == nil && len(configs) == 0 && !k.brought(ctx, n) {
		k.secrets.Forget(n)
	}
	switch {
	case kerrors.IsNotFound(err), kerrors.IsForbidden(err):
		// No event may tell when that changes.
		if needed > 0 && k.memory.tell(n, err.Error()) {
			k.log.Info("Cannot keep the Secret of a token that managed resources need", "secret", n.String(), "error", err)
		}
		return reconcile.Result{RequeueAfter: retryInterval}, nil
	case kerrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: recheck}, nil
	}
	return reconcile.Result{}, err
}

// configsWith returns the configurations that point to a Secret.
func (k *keeper) configsWith(ctx context.Context, n types.NamespacedName) ([]providerconfig.Ref, error) {
	refs, err := providerconfig.ConfigsWith(ctx, k.cache, func(l providerconfig.Location) bool { return l.Secret.Secret() == n })
	return refs, errors.Wrapf(err, "cannot find out who uses Secret %s", n)
}

// brought tells whether an application brings the token, which has no managed
// resources yet.
func (k *keeper) brought(ctx context.Context, n types.NamespacedName) bool {
	l := &v1.AivenApplicationList{}
	if err := k.cache.List(ctx, l, client.InNamespace(n.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return true // Not to watch a token that is needed is worse.
	}
	return slices.ContainsFunc(l.Items, func(a v1.AivenApplication) bool { return broughtBy(&a) == n })
}

// needed returns how many managed resources need the token in a Secret: those that
// bring it, and those that use a configuration that points to it and bring none.
func (k *keeper) needed(ctx context.Context, n types.NamespacedName, configs []providerconfig.Ref) (int, error) {
	count, err := k.count(ctx, providerconfig.SecretIndexValue(n), func(providerconfig.Access) bool { return true })
	for _, ref := range configs {
		if err != nil {
			break
		}
		var using int
		using, err = k.count(ctx, providerconfig.IndexValue(ref), func(a providerconfig.Access) bool { return !a.IsOwn() })
		count += using
	}
	return count, errors.Wrapf(err, "cannot find out who needs Secret %s", n)
}

func (k *keeper) count(ctx context.Context, value string, match func(a providerconfig.Access) bool) (int, error) {
	count := 0
	for _, empty := range k.lists {
		l := empty.DeepCopyObject().(client.ObjectList) //nolint:forcetypeassert // A copy of one.
		if err := k.cache.List(ctx, l, client.MatchingFields{providerconfig.IndexField: value}); err != nil {
			return 0, errors.Wrap(err, "cannot list managed resources")
		}
		_ = apimeta.EachListItem(l, func(o runtime.Object) error {
			if u, ok := o.(providerconfig.User); ok && match(providerconfig.AccessOf(u)) {
				count++
			}
			return nil
		})
	}
	return count, nil
}

// keep has a Secret carry the finalizer. Kubernetes: what is being deleted gets no
// new one.
func (k *keeper) keep(ctx context.Context, n types.NamespacedName, needed int) error {
	seen := k.memory.of(n)
	if seen.kept {
		return nil
	}
	s, err := k.get(ctx, n)
	if err != nil {
		return err
	}
	deleted, has := !s.GetDeletionTimestamp().IsZero(), controllerutil.ContainsFinalizer(s, v1alpha1.FinalizerToken)
	switch {
	case deleted && has:
		if k.memory.tell(n, string(s.GetUID())) {
			k.record.Event(s, event.Warning(reasonInUse, errors.New(inUse(needed))))
		}
	case deleted:
		return nil
	case !has:
		before := s.DeepCopy()
		controllerutil.AddFinalizer(s, v1alpha1.FinalizerToken)
		if err := k.patch(ctx, s, before); err != nil {
			if kerrors.IsInvalid(err) {
				return nil // It was deleted meanwhile.
			}
			return errors.Wrapf(err, "cannot add finalizer to Secret %s", n)
		}
	}
	k.memory.kept(n, seen)
	return nil
}

// release takes the finalizer from a Secret, and forgets the tokens that managed
// resources brought in it.
func (k *keeper) release(ctx context.Context, n types.NamespacedName) error {
	k.memory.changed(n)
	s, err := k.get(ctx, n)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil && controllerutil.ContainsFinalizer(s, v1alpha1.FinalizerToken) {
		before := s.DeepCopy()
		controllerutil.RemoveFinalizer(s, v1alpha1.FinalizerToken)
		if err := k.patch(ctx, s, before); client.IgnoreNotFound(err) != nil {
			return errors.Wrapf(err, "cannot remove finalizer from Secret %s", n)
		}
	}
	if !k.brought(ctx, n) {
		k.configs.ForgetSecret(n)
	}
	k.memory.forget(n)
	return nil
}

func (k *keeper) get(ctx context.Context, n types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	s := metadata()
	return s, errors.Wrapf(k.live.Get(ctx, n, s), "cannot get metadata of Secret %s", n)
}

// patch writes finalizers. Others have theirs: the list is only written on top of
// the one that was read.
func (k *keeper) patch(ctx context.Context, s, before *metav1.PartialObjectMetadata) error {
	return k.client.Patch(ctx, s, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})) //nolint:wrapcheck // The caller branches on it.
}

// metadata returns the empty metadata of a Secret.
func metadata() *metav1.PartialObjectMetadata {
	s := &metav1.PartialObjectMetadata{}
	s.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return s
}

// inUse says why a Secret stays that was deleted.
func inUse(needed int) string {
	if needed == 1 {
		return "1 managed resource needs this token to be deleted at Aiven; the Secret stays until it is gone. To change the token, edit the Secret."
	}
	return fmt.Sprintf("%d managed resources need this token to be deleted at Aiven; the Secret stays until they are gone. To change the token, edit the Secret.", needed)
}

// shared lists without copies: what it lists must not be changed.
type shared struct{ client.Reader }

// List lists objects that others share.
func (s shared) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	return s.Reader.List(ctx, l, slices.Concat(opts, []client.ListOption{client.UnsafeDisableDeepCopy})...) //nolint:wrapcheck // A decorator.
}

// A memory is what is known of Secrets until they change, so that a burst of
// managed resources is not one of reads.
type memory struct {
	mu      sync.Mutex
	secrets map[types.NamespacedName]seen
}

// seen is what is known of a Secret.
type seen struct {
	kept    bool   // It has the finalizer.
	changes int    // How often it was seen to change.
	told    string // What people were told last.
}

func newMemory() *memory { return &memory{secrets: make(map[types.NamespacedName]seen)} }

func (m *memory) of(n types.NamespacedName) seen {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.secrets[n]
}

// knows tells whether a Secret was ever looked at.
func (m *memory) knows(n types.NamespacedName) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.secrets[n]
	return ok
}

// changed takes note that a Secret may be another one now.
func (m *memory) changed(n types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.secrets[n]
	s.kept = false
	s.changes++
	m.secrets[n] = s
}

// kept takes note that a Secret has the finalizer, unless it changed since it was
// as given.
func (m *memory) kept(n types.NamespacedName, as seen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.secrets[n]
	s.kept = s.changes == as.changes
	m.secrets[n] = s
}

// tell tells whether a text about a Secret is new.
func (m *memory) tell(n types.NamespacedName, text string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.secrets[n]
	was := s.told
	s.told = text
	m.secrets[n] = s
	return was != text
}

func (m *memory) forget(n types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.secrets, n)
}
