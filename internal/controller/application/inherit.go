// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"slices"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// ofAivenator tells whether aivenator wrote a Secret for an application of this
// name. Anybody may write one that looks like it: what it holds proves itself, or nothing.
func ofAivenator(app *v1.AivenApplication, s *corev1.Secret) bool {
	l := s.GetLabels()
	owner := metav1.GetControllerOf(s)
	return l[v1.LabelManagedBy] == "" && l[v1.LabelType] == v1.SecretType && (l[v1.LabelApp] == app.GetName() || ownedByName(app, s)) &&
		(owner == nil || owner.Kind == v1.AivenApplicationKind)
}

// inherit has a new managed resource be of the user that aivenator made for the
// application, so that its pods keep the credentials that they have. The Secret holds
// the password that Aiven knows: whoever wrote it has the access already.
func (r *Reconciler) inherit(ctx context.Context, l *life, d desiredUser, s *aiven.Service) bool {
	if l.credentials().Revision > 0 {
		return false
	}
	secret, err := l.former(d.secretName, func() (*corev1.Secret, error) { return r.secret(ctx, l.app.GetNamespace(), d.secretName) })
	if err != nil || secret == nil || !ofAivenator(l.app, secret) {
		return false
	}
	name, password := connection.Login(d.service, d.instance, secret.Data)
	u, found := s.User(name)
	proof := username.Proof(l.app.GetNamespace(), d.object.GetName(), name, password)
	if !found || u.Type == aiven.TypePrimary || !username.Proves(proof, l.app.GetNamespace(), d.object.GetName(), name, u.Password) {
		return false
	}
	meta.SetExternalName(d.object, name)
	meta.AddAnnotations(d.object, map[string]string{v1.AnnotationInherited: proof})
	return true
}

// prove has a managed resource prove that it has its user when it goes from another
// token to that of a ClusterProviderConfig, for which what was seen with the former is no
// proof. That its connection Secret holds the user's password is. Who lost that will have
// another user.
func (r *Reconciler) prove(ctx context.Context, mg composed, d desiredUser) error {
	from, to := providerconfig.AccessOf(mg), providerconfig.AccessOf(d.object)
	if !to.IsCentral() || from == to || !providerconfig.HasUser(mg) {
		return nil
	}
	details, err := r.details(ctx, mg)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	proof := username.Proof(mg.GetNamespace(), mg.GetName(), meta.GetExternalName(mg), string(details[connection.KeyPassword]))
	if proof != "" {
		meta.AddAnnotations(mg, map[string]string{v1.AnnotationInherited: proof})
	}
	return nil
}

// former returns a Secret that was there before anything was published, as it was
// when first asked for.
func (l *life) former(name string, get func() (*corev1.Secret, error)) (*corev1.Secret, error) {
	if s, ok := l.formers[name]; ok {
		return s, nil
	}
	s, err := get()
	if err != nil {
		return nil, err
	}
	if l.formers == nil {
		l.formers = make(map[string]*corev1.Secret)
	}
	l.formers[name] = s
	return s, nil
}

// released takes from a Secret what others hold on to it by: an application that
// it may outlive, as owner, and aivenator's finalizer, which nobody would remove.
func released(s *corev1.Secret) bool {
	changed := controllerutil.RemoveFinalizer(s, v1.FinalizerAivenator)
	if metav1.GetControllerOf(s) == nil {
		return changed
	}
	s.SetOwnerReferences(slices.DeleteFunc(s.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.Kind == v1.AivenApplicationKind }))
	return true
}
