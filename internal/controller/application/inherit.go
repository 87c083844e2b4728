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

// An heirloom is the user that aivenator made for a section of the application, as
// its Secret has it. The zero value is none.
type heirloom struct {
	user string
	// proof that whoever wrote the Secret knows the user's password, and so has the
	// access already. Whether it does is for those to say who see the user at Aiven.
	proof string
}

// heirloom returns the user that a new managed resource inherits, so that the
// application's pods keep the credentials that they have. It does not ask Aiven: a
// user would be lost for good that Aiven cannot show at the moment.
func (r *Reconciler) heirloom(ctx context.Context, l *life, d desiredUser) (heirloom, error) {
	if l.credentials().Revision > 0 {
		return heirloom{}, nil
	}
	secret, err := r.former(ctx, l, d.secretName)
	if err != nil || secret == nil || !ofAivenator(l.app, secret) {
		return heirloom{}, err
	}
	name, password := connection.Login(d.service, d.instance, secret.Data)
	return heirloom{user: name, proof: username.Proof(l.app.GetNamespace(), d.object.GetName(), name, password)}, nil
}

// isOf tells whether a service has the user, as far as Aiven tells its password. The
// managed resource looks as well; to know now spares it what is certain to be refused.
func (h heirloom) isOf(s *aiven.Service, d desiredUser) bool {
	u, found := s.User(h.user)
	return found && u.Type != aiven.TypePrimary &&
		(u.Password == "" || username.Proves(h.proof, d.object.GetNamespace(), d.object.GetName(), h.user, u.Password))
}

// give has a new managed resource be of that user.
func (h heirloom) give(mg composed) {
	meta.SetExternalName(mg, h.user)
	meta.AddAnnotations(mg, map[string]string{v1.AnnotationInherited: h.proof})
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
func (r *Reconciler) former(ctx context.Context, l *life, name string) (*corev1.Secret, error) {
	if s, ok := l.formers[name]; ok {
		return s, nil
	}
	s, err := r.secret(ctx, l.app.GetNamespace(), name)
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
