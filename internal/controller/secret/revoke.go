// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// revokeAgain is how soon a Secret whose users are being deleted is looked at
// again when nothing happens.
const revokeAgain = 10 * time.Second

// revoke deletes the users that only this Secret holds, and lets the Secret go
// when they are gone from Aiven.
func (r *Reconciler) revoke(ctx context.Context, s *metav1.PartialObjectMetadata) (reconcile.Result, error) {
	if !slices.Contains(s.GetFinalizers(), v1.FinalizerRevoke) {
		return reconcile.Result{}, nil
	}
	// The cache may show a Secret that is gone, in whose place there is another.
	is := metadata()
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(s), is); err != nil {
		return reconcile.Result{}, errors.Wrap(client.IgnoreNotFound(err), "cannot get Secret")
	}
	if is.GetUID() != s.GetUID() || !meta.WasDeleted(is) {
		return reconcile.Result{}, nil
	}
	s = is
	// A managed resource that a cache does not show yet would be left behind.
	held, err := r.held(ctx, s)
	if err != nil {
		return reconcile.Result{}, err
	}
	left := 0
	for _, mg := range held {
		others, err := r.otherHolders(ctx, s, mg)
		if err != nil {
			return reconcile.Result{}, err
		}
		if len(others) > 0 {
			if err := r.leave(ctx, s, mg, others); err != nil {
				return reconcile.Result{}, err
			}
			continue
		}
		left++
		if meta.WasDeleted(mg) {
			r.complain(s, mg)
			continue
		}
		uid := mg.GetUID()
		if err := r.client.Delete(ctx, mg, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			return reconcile.Result{}, errors.Wrap(err, "cannot delete managed resource")
		}
	}
	if left > 0 {
		return reconcile.Result{RequeueAfter: revokeAgain}, nil
	}
	want := s.DeepCopy()
	meta.RemoveFinalizer(want, v1.FinalizerRevoke)
	if err := r.client.Patch(ctx, want, client.MergeFromWithOptions(s, client.MergeFromWithOptimisticLock{})); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, errors.Wrap(err, "cannot remove finalizer of Secret")
	}
	r.event(s, eventRevoked, "No managed resource is left of a user that only this Secret held")
	return reconcile.Result{}, nil
}

// held returns the managed resources whose credentials the Secret holds. One of
// another application only says so: that application names a Secret that is not its own.
func (r *Reconciler) held(ctx context.Context, s *metav1.PartialObjectMetadata) ([]client.Object, error) {
	selector := client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy}
	if l := s.GetLabels()[v1.LabelApplication]; l != "" {
		selector[v1.LabelApplication] = l
	}
	var out []client.Object
	for _, empty := range r.lists {
		l := empty.DeepCopyObject().(client.ObjectList) //nolint:forcetypeassert // A copy of one.
		if err := r.live.List(ctx, l, client.InNamespace(s.GetNamespace()), selector); err != nil {
			return nil, errors.Wrap(err, "cannot list managed resources")
		}
		_ = apimeta.EachListItem(l, func(o runtime.Object) error {
			if mg, ok := o.(client.Object); ok && holds(s, mg) {
				out = append(out, mg)
			}
			return nil
		})
	}
	return out, nil
}

func holds(s *metav1.PartialObjectMetadata, mg client.Object) bool {
	if slices.ContainsFunc(mg.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == s.GetUID() }) {
		return true
	}
	return v1.ApplicationOf(mg) == v1.ApplicationOf(s) && slices.Contains(secretsOf(mg), s.GetName())
}

// secretsOf returns the names of the Secrets that hold the credentials of a
// managed resource, as far as it knows.
func secretsOf(mg client.Object) []string {
	var out []string
	if n := mg.GetAnnotations()[v1.AnnotationSecret]; n != "" {
		out = append(out, n)
	}
	for _, o := range mg.GetOwnerReferences() {
		if v1.IsSecretOwner(o) && !slices.Contains(out, o.Name) {
			out = append(out, o.Name)
		}
	}
	return out
}

// otherHolders returns the other Secrets that hold the credentials of a managed
// resource and stay.
func (r *Reconciler) otherHolders(ctx context.Context, s *metav1.PartialObjectMetadata, mg client.Object) ([]string, error) {
	var out []string
	for _, name := range secretsOf(mg) {
		if name == s.GetName() {
			continue
		}
		o := metadata()
		err := r.live.Get(ctx, client.ObjectKey{Namespace: s.GetNamespace(), Name: name}, o)
		if client.IgnoreNotFound(err) != nil {
			return nil, errors.Wrap(err, "cannot get Secret")
		}
		if err == nil && !isSuccessor(o, mg) && !meta.WasDeleted(o) && v1.ApplicationOf(o) == v1.ApplicationOf(s) {
			out = append(out, name)
		}
	}
	return out, nil
}

// isSuccessor tells whether a Secret only has the name of one that held the
// credentials of a managed resource.
func isSuccessor(s *metav1.PartialObjectMetadata, mg client.Object) bool {
	named := false
	for _, o := range mg.GetOwnerReferences() {
		if !v1.IsSecretOwner(o) || o.Name != s.GetName() {
			continue
		}
		if o.UID == s.GetUID() {
			return false
		}
		named = true
	}
	return named
}

// leave takes the Secret off the holders of a managed resource.
func (r *Reconciler) leave(ctx context.Context, s *metav1.PartialObjectMetadata, mg client.Object, others []string) error {
	want := mg.DeepCopyObject().(client.Object) //nolint:forcetypeassert // A copy of one.
	want.SetOwnerReferences(slices.DeleteFunc(want.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == s.GetUID() }))
	if mg.GetAnnotations()[v1.AnnotationSecret] == s.GetName() {
		meta.AddAnnotations(want, map[string]string{v1.AnnotationSecret: others[0]})
	}
	err := r.client.Patch(ctx, want, client.MergeFromWithOptions(mg, client.MergeFromWithOptimisticLock{}))
	return errors.Wrap(err, "cannot take a Secret off a managed resource")
}

// complain says what the deletion of a user waits for, if something is wrong.
func (r *Reconciler) complain(s *metav1.PartialObjectMetadata, mg client.Object) {
	m, ok := mg.(resource.Managed)
	if !ok || m.GetCondition(xpv2.TypeSynced).Status != corev1.ConditionFalse {
		return
	}
	r.record.Event(secretOf(s), event.Warning(eventRevoking, errors.Errorf("%s cannot be deleted at Aiven yet: %s", mg.GetName(), m.GetCondition(xpv2.TypeSynced).Message)))
}
