// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/connection"
)

// indexApplication is the cache index of managed resources by application.
const indexApplication = "application"

// maxAttempts bounds the search for a username that nobody has. It is never
// reached: there are 46,656 for each application.
const maxAttempts = 1000

// reservePatience is how long a new managed resource waits for the snapshot of its
// service.
const reservePatience = 2 * time.Second

// observe finds the managed resources of an application.
func (r *Reconciler) observe(ctx context.Context, l *life) error {
	if err := r.list(ctx, l, r.client, client.MatchingFields{indexApplication: l.app.GetName()}); err != nil {
		return err
	}
	if slices.ContainsFunc(l.credentials().Users, func(u v1.UserStatus) bool { return l.object(u) == nil }) {
		// Much follows from a managed resource that is gone: a cache is not believed.
		return r.list(ctx, l, r.live, client.MatchingLabels{v1.LabelApplication: v1.Shorten(l.app.GetName(), maxLabel)})
	}
	return nil
}

// list finds the managed resources of an application that a selector leads to.
func (r *Reconciler) list(ctx context.Context, l *life, from client.Reader, selector client.ListOption) error {
	l.existing = make(map[string]composed)
	for _, k := range kinds {
		list := k.list()
		if err := from.List(ctx, list, client.InNamespace(l.app.GetNamespace()), selector); apimeta.IsNoMatchError(err) {
			continue // There are none of a kind that is not served.
		} else if err != nil {
			return errors.Wrap(err, "cannot list managed resources")
		}
		for _, mg := range items(list) {
			if v1.ApplicationOf(mg) == l.app.GetName() && belongs(l.app, mg) {
				l.existing[key(mg)] = mg
			}
		}
	}
	return nil
}

// key tells managed resources of different kinds with one name apart.
func key(mg composed) string { return keyOf(mg, mg.GetName()) }

func keyOf(mg composed, name string) string { return fmt.Sprintf("%T/%s", mg, name) }

// belongs tells whether a managed resource is the application's, or was that of
// one of the same name whose Secrets it takes over, rather than one that only
// says so. One that was handed over to a Secret that the application does not
// want is not.
func belongs(app *v1.AivenApplication, mg composed) bool {
	if metav1.IsControlledBy(mg, app) {
		return true
	}
	return mg.GetLabels()[v1.LabelManagedBy] == v1.ManagedBy && (metav1.GetControllerOf(mg) == nil || ofPredecessor(app, mg)) &&
		slices.Contains(app.SecretNames(), mg.GetAnnotations()[v1.AnnotationSecret]) &&
		(isHeld(mg) || isRestored(mg) && isNamedFor(app, mg))
}

// isNamedFor tells whether a managed resource has a name that the application
// gives: a copy that somebody made has another.
func isNamedFor(app *v1.AivenApplication, mg composed) bool {
	plain, other := objectNames(app, sectionOf(mg), v1.RevisionOf(mg))
	return mg.GetName() == plain || mg.GetName() == other
}

// isHeld tells whether a Secret has held the credentials of a managed resource, as
// its owners tell.
func isHeld(mg composed) bool { return slices.ContainsFunc(mg.GetOwnerReferences(), v1.IsSecretOwner) }

// isRestored tells whether a managed resource lost its owners, as one does that a
// backup brings back. A Secret may have held its credentials.
func isRestored(mg composed) bool { return len(mg.GetOwnerReferences()) == 0 }

// ofPredecessor tells whether the controller of a managed resource was an
// application of the same name, which is gone: garbage collection has yet to see it.
func ofPredecessor(app *v1.AivenApplication, mg composed) bool {
	o := metav1.GetControllerOf(mg)
	return o != nil && o.Kind == v1.AivenApplicationKind && strings.HasPrefix(o.APIVersion, v1.Group+"/") && o.Name == app.GetName() && o.UID != app.GetUID()
}

// applyUser makes or changes the managed resource of one desired user, and
// returns it as it is then.
func (r *Reconciler) applyUser(ctx context.Context, l *life, d desiredUser) (composed, error) {
	owner := meta.AsController(meta.TypedReferenceTo(l.app, v1.AivenApplicationGroupVersionKind))
	have, ok := l.existing[key(d.object)]
	if !ok {
		mg := d.object
		mg.SetOwnerReferences([]metav1.OwnerReference{owner})
		h, err := r.heirloom(ctx, l, d)
		if err != nil {
			return nil, err
		}
		r.reserve(ctx, l, d, h)
		err = r.client.Create(ctx, mg)
		if kerrors.IsAlreadyExists(err) {
			// The cache is behind, or the name belongs to somebody else.
			return r.adopt(ctx, l.app, d)
		}
		return mg, errors.Wrapf(err, "cannot create %s user", d.label())
	}
	if meta.WasDeleted(have) {
		return have, nil
	}
	if readyOf(have).Reason == v1.ReasonUserVanished {
		// It was never published: only then is it asked for again. It is made anew.
		err := r.client.Delete(ctx, have)
		return have, errors.Wrap(client.IgnoreNotFound(err), "cannot delete managed resource")
	}
	want, ok := have.DeepCopyObject().(composed)
	if !ok {
		return nil, errors.Errorf("cannot copy %T", have)
	}
	if err := r.keepHolder(ctx, l.app, d, want); err != nil {
		return nil, err
	}
	want.SetWriteConnectionSecretToReference(d.object.GetWriteConnectionSecretToReference())
	if err := r.prove(ctx, want, d); err != nil {
		return nil, err
	}
	overlay(want, d)
	want.SetOwnerReferences(append([]metav1.OwnerReference{owner}, slices.DeleteFunc(want.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return !v1.IsSecretOwner(o) })...))
	r.rename(l.app, d, want)
	if equality.Semantic.DeepEqual(have, want) {
		return have, nil
	}
	return want, errors.Wrapf(r.client.Patch(ctx, want, client.MergeFromWithOptions(have, client.MergeFromWithOptimisticLock{})), "cannot update %s user", d.label())
}

// keepHolder makes the Secret that held the credentials until now an owner when
// they are published under another name.
func (r *Reconciler) keepHolder(ctx context.Context, app *v1.AivenApplication, d desiredUser, mg composed) error {
	name := mg.GetAnnotations()[v1.AnnotationSecret]
	if name == "" || name == d.secretName {
		return nil
	}
	s, err := r.secret(ctx, mg.GetNamespace(), name)
	if err != nil || s == nil || !isPublished(app, s) {
		return err
	}
	meta.AddOwnerReference(mg, secretOwner(name, s.GetUID()))
	return nil
}

// adopt returns the managed resource that is in the way of a new one, if it is
// this application's.
func (r *Reconciler) adopt(ctx context.Context, app *v1.AivenApplication, d desiredUser) (composed, error) {
	have, ok := d.object.DeepCopyObject().(composed)
	if !ok {
		return nil, errors.Errorf("cannot copy %T", d.object)
	}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(d.object), have); err != nil {
		return nil, errors.Wrapf(err, "cannot get %s user", d.label())
	}
	switch {
	case v1.ApplicationOf(have) == app.GetName() && belongs(app, have):
		return have, nil
	case ofPredecessor(app, have):
		return nil, reasoned(v1.ReasonCreating, "The users of the application that had this name before are being deleted.")
	default:
		return nil, reasoned(v1.ReasonSyncFailed, "A managed resource %s exists already and was not made for this application. Rename or delete it.", d.object.GetName())
	}
}

// reserve gives a new managed resource the user that it inherits, or else a
// username that nobody has, and records with it that the user is about to be created. To
// record it here, after having looked and in the write that makes the resource, spares a write
// later. When it cannot be seen who has the name, the resource looks for itself.
func (r *Reconciler) reserve(ctx context.Context, l *life, d desiredUser, h heirloom) {
	s := r.glance(ctx, l, d.target)
	if h.proof != "" && (s == nil || h.isOf(s, d)) {
		h.give(d.object)
		return
	}
	if s == nil {
		return
	}
	for i := range maxAttempts {
		name := generatedUsername(l.app, d.section, d.revision, i)
		if _, taken := s.User(name); taken {
			continue
		}
		meta.SetExternalName(d.object, name)
		meta.AddAnnotations(d.object, map[string]string{v1.AnnotationGeneratedUsername: name})
		meta.SetExternalCreatePending(d.object, r.now())
		return
	}
}

// glance returns the snapshot of a service, nil when it cannot be had soon: whoever
// has to wait for the first read of a service leaves the looking to the resource, and
// applications of other services do not wait behind it.
func (r *Reconciler) glance(ctx context.Context, l *life, t target) *aiven.Service {
	ctx, cancel := context.WithTimeout(ctx, reservePatience)
	defer cancel()
	c, err := r.configs.Connect(ctx, l.access)
	if err != nil {
		return nil
	}
	s, err := c.Service(ctx, aiven.ServiceRef{Project: t.project, Service: t.service})
	if err != nil {
		return nil
	}
	return s
}

// overlay sets what the application decides on an existing managed resource.
func overlay(have composed, d desiredUser) {
	want := d.object
	switch h := have.(type) {
	case *v1alpha1.KafkaServiceUser:
		if w, ok := want.(*v1alpha1.KafkaServiceUser); ok {
			h.Spec.ForProvider.ACL, h.Spec.ForProvider.SchemaRegistry = w.Spec.ForProvider.ACL, w.Spec.ForProvider.SchemaRegistry
		}
	case *v1alpha1.OpenSearchServiceUser:
		if w, ok := want.(*v1alpha1.OpenSearchServiceUser); ok {
			h.Spec.ForProvider.Rules = w.Spec.ForProvider.Rules
		}
	case *v1alpha1.ValkeyServiceUser:
		if w, ok := want.(*v1alpha1.ValkeyServiceUser); ok {
			p := h.Spec.ForProvider.ServiceUserParameters
			h.Spec.ForProvider = w.Spec.ForProvider
			h.Spec.ForProvider.ServiceUserParameters = p
		}
	}
	have.SetProviderConfigReference(want.GetProviderConfigReference())
	have.SetAuthSecretRef(want.GetAuthSecretRef())
	meta.AddLabels(have, want.GetLabels())
	meta.AddAnnotations(have, map[string]string{v1.AnnotationSecret: d.secretName})
}

// rename moves on to the next username when the one that was made up turned out
// to belong to somebody else.
func (r *Reconciler) rename(app *v1.AivenApplication, d desiredUser, mg composed) {
	name := meta.GetExternalName(mg)
	a := mg.GetAnnotations()
	if name == "" || a[v1.AnnotationUsernameTaken] != name {
		return
	}
	if a[v1.AnnotationInherited] != "" {
		meta.SetExternalName(mg, a[v1.AnnotationGeneratedUsername])
		meta.RemoveAnnotations(mg, v1.AnnotationInherited, v1.AnnotationUsernameTaken)
		return
	}
	if a[v1.AnnotationGeneratedUsername] != name {
		return
	}
	for i := range maxAttempts {
		if generatedUsername(app, d.section, d.revision, i) != name {
			continue
		}
		next := generatedUsername(app, d.section, d.revision, i+1)
		meta.SetExternalName(mg, next)
		meta.RemoveAnnotations(mg, meta.AnnotationKeyExternalCreatePending, v1.AnnotationUsernameTaken)
		meta.AddAnnotations(mg, map[string]string{v1.AnnotationGeneratedUsername: next})
		return
	}
}

func readyOf(mg composed) xpv2.Condition { return mg.GetCondition(xpv2.TypeReady) }

// isReady tells whether a managed resource is ready as it is specified now.
func isReady(mg composed) bool {
	c := readyOf(mg)
	return c.Status == corev1.ConditionTrue && c.ObservedGeneration == mg.GetGeneration() && !meta.WasDeleted(mg)
}

// details returns the connection details of a managed resource. It reads them
// only from a Secret that the managed resource controls: anybody else's could
// hold anything.
func (r *Reconciler) details(ctx context.Context, mg composed) (connection.Details, error) {
	ref := mg.GetWriteConnectionSecretToReference()
	if ref == nil { // Somebody removed it.
		return nil, errors.Wrap(kerrors.NewNotFound(corev1.Resource("secrets"), ""), "cannot get connection Secret")
	}
	s := &corev1.Secret{}
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: mg.GetNamespace(), Name: ref.Name}, s); err != nil {
		return nil, errors.Wrap(err, "cannot get connection Secret")
	}
	if !metav1.IsControlledBy(s, mg) {
		return nil, reasoned(v1.ReasonSecretConflict, "Secret %s is needed for the user's connection details and belongs to somebody else. Rename or delete it.", ref.Name)
	}
	return s.Data, nil
}
