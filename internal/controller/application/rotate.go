// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/revision"
)

const (
	// kubeletLag is how long after a publication a pod may still be started with
	// what the Secret held before.
	kubeletLag = 15 * time.Second
	// heldAgain is how soon users that pods hold are looked at again.
	heldAgain = 5 * time.Minute
	// notWanted is why a user goes that no section asks for.
	notWanted = "The application does not use this user any more"
	// maxHolders is how many holders the status names.
	maxHolders = 5
)

// policy returns how the application rotates: what it says, else what its configuration says.
func policy(app *v1.AivenApplication, s providerconfig.Settings) revision.Policy {
	spec, defaults := app.Spec.Rotation, s.Rotation
	if spec == nil {
		spec = &v1.RotationSpec{}
	}
	interval, overlap := spec.Interval, spec.Overlap
	if defaults != nil && interval == nil {
		interval = defaults.Interval
	}
	if defaults != nil && overlap == nil {
		overlap = defaults.Overlap
	}
	return revision.NewPolicy(interval, overlap)
}

// look reads the Secrets that the application wants, once it published some.
func (r *Reconciler) look(ctx context.Context, l *life) error {
	l.secrets = make(map[string]*corev1.Secret)
	if len(l.credentials().Users) == 0 {
		return nil
	}
	for _, name := range l.app.SecretNames() {
		s, err := r.secret(ctx, l.app.GetNamespace(), name)
		if err != nil {
			return err
		}
		if s != nil {
			l.secrets[name] = s
		}
	}
	return nil
}

// secret returns a Secret, nil when there is none.
func (r *Reconciler) secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	s := &corev1.Secret{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, s)
	if kerrors.IsNotFound(err) {
		return nil, nil
	}
	return s, errors.Wrap(err, "cannot get Secret")
}

// grantPrevious keeps what the users before the present ones may do the same.
func (r *Reconciler) grantPrevious(ctx context.Context, l *life, wanted []desiredUser) error {
	p := l.credentials().Previous
	if p == nil {
		return nil
	}
	for _, u := range p.Users {
		i := slices.IndexFunc(wanted, func(d desiredUser) bool { return d.is(u) })
		mg := l.object(u)
		if i < 0 || mg == nil || meta.WasDeleted(mg) {
			continue
		}
		d := wanted[i]
		d.secretName = sectionOf(mg).secretName
		want, ok := mg.DeepCopyObject().(composed)
		if !ok {
			return errors.Errorf("cannot copy %T", mg)
		}
		if err := r.prove(ctx, want, d); err != nil {
			return err
		}
		overlay(want, d)
		if equality.Semantic.DeepEqual(mg, want) {
			continue
		}
		if err := r.client.Patch(ctx, want, client.MergeFromWithOptions(mg, client.MergeFromWithOptimisticLock{})); err != nil {
			return errors.Wrapf(err, "cannot update %s user", d.label())
		}
	}
	return nil
}

// retire deletes the users before the present ones when nothing holds them any
// more, or when the next revision needs their place. Those that are not on record
// as replaced yet have to wait, which it tells: who forgot their successors would
// miss them.
func (r *Reconciler) retire(ctx context.Context, l *life, d revision.Decision, onRecord *v1.PreviousStatus) (again bool, err error) {
	c := l.app.Status.Credentials
	if c == nil || c.Previous == nil {
		return false, nil
	}
	p := c.Previous.DeepCopy()
	p.Users = slices.DeleteFunc(p.Users, func(u v1.UserStatus) bool { return l.object(u) == nil })
	if len(p.Users) == 0 {
		c.Previous = nil
		// A CA of their time may be left out now.
		return slices.ContainsFunc(c.Authorities, func(a v1.AuthorityStatus) bool { return a.Until != nil && !a.Until.After(r.now()) }), nil
	}
	holders, err := r.holders(ctx, l.app, p.Since.Time)
	if err != nil {
		return false, err
	}
	p.HeldBy = some(holders)
	c.Previous = p
	if !d.DropPrevious && !revision.MayRetire(*p, r.now()) {
		return false, nil
	}
	for _, u := range p.Users {
		mg := l.object(u)
		switch {
		case meta.WasDeleted(mg):
			continue
		case onRecord == nil || !slices.ContainsFunc(onRecord.Users, sameUser(u)):
			again = true
			continue
		}
		why := fmt.Sprintf("Revision %d replaced it", c.Revision)
		if !slices.ContainsFunc(l.sections, func(s section) bool { return s.is(u) }) {
			why = notWanted
		}
		if err := r.remove(ctx, l, mg, why); err != nil {
			return false, err
		}
	}
	return again, nil
}

// holders returns the pods that refer to a Secret of the application and may
// have been started with what it held before the supplied time.
func (r *Reconciler) holders(ctx context.Context, app *v1.AivenApplication, since time.Time) ([]string, error) {
	var out []string
	for _, name := range app.PublishedNames() {
		uses, err := r.workloads.Using(ctx, app.GetNamespace(), name)
		if err != nil {
			return nil, errors.Wrap(err, "cannot find out who uses the Secret")
		}
		for _, u := range uses {
			if u.Started.IsZero() || u.Started.After(since.Add(kubeletLag)) || slices.Contains(out, u.Name) {
				continue
			}
			out = append(out, u.Name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// some returns the first few of many names, and says how many there are more.
func some(names []string) []string {
	if len(names) <= maxHolders {
		return names
	}
	return append(slices.Clone(names[:maxHolders]), fmt.Sprintf("and %d more", len(names)-maxHolders))
}

// remove deletes a managed resource, and with it its user. One whose credentials
// another Secret holds, that the application does not name any more, belongs to
// that Secret from now on, and goes with it.
func (r *Reconciler) remove(ctx context.Context, l *life, mg composed, why string) error {
	other, err := r.heldElsewhere(ctx, l.app, mg)
	if err != nil {
		return err
	}
	if other != nil && !l.app.Expired(r.now()) {
		return r.release(ctx, mg, *other)
	}
	if err := r.client.Delete(ctx, mg); client.IgnoreNotFound(err) != nil {
		return errors.Wrap(err, "cannot delete managed resource")
	}
	if user := meta.GetExternalName(mg); mg.GetAnnotations()[v1.AnnotationUsernameTaken] != user { // Else it is somebody else's, and stays.
		r.event(l.app, eventRetired, "Retired user "+user+": "+why)
	}
	return nil
}

// heldElsewhere returns a Secret that holds the credentials and that the
// application does not want.
func (r *Reconciler) heldElsewhere(ctx context.Context, app *v1.AivenApplication, mg composed) (*metav1.OwnerReference, error) {
	wanted := app.SecretNames()
	for _, o := range mg.GetOwnerReferences() {
		if !v1.IsSecretOwner(o) || slices.Contains(wanted, o.Name) {
			continue
		}
		s, err := r.secret(ctx, mg.GetNamespace(), o.Name)
		if err != nil {
			return nil, err
		}
		if s != nil && s.GetUID() == o.UID && !meta.WasDeleted(s) && isPublished(app, s) {
			return &o, nil
		}
	}
	return nil, nil
}

// release gives a managed resource to a Secret alone.
func (r *Reconciler) release(ctx context.Context, mg composed, owner metav1.OwnerReference) error {
	want, ok := mg.DeepCopyObject().(composed)
	if !ok {
		return errors.Errorf("cannot copy %T", mg)
	}
	want.SetOwnerReferences([]metav1.OwnerReference{owner})
	meta.AddAnnotations(want, map[string]string{v1.AnnotationSecret: owner.Name})
	return errors.Wrap(r.client.Patch(ctx, want, client.MergeFromWithOptions(mg, client.MergeFromWithOptimisticLock{})), "cannot hand a managed resource over to its Secret")
}

// acknowledge tells Aiven, through the managed resource, that nothing uses the
// certificate any more that Aiven itself replaced. It returns when to look again.
func (r *Reconciler) acknowledge(ctx context.Context, l *life, users []liveUser, secrets []published) (time.Time, error) {
	var look time.Time
	for _, u := range users {
		k, ok := u.mg.(*v1alpha1.KafkaServiceUser)
		if !ok || k.Status.AtProvider.ExpiringCertificateNotAfter == nil || k.Status.AtProvider.CertificateNotAfter == nil {
			continue
		}
		value := k.Status.AtProvider.CertificateNotAfter.UTC().Format(time.RFC3339)
		i := slices.IndexFunc(secrets, func(p published) bool { return p.name == u.secretName })
		if i < 0 || k.GetAnnotations()[v1.AnnotationAcknowledge] == value {
			continue
		}
		at := secrets[i].at.Add(l.policy.Overlap)
		if r.now().Before(at) {
			look = earliest(look, at)
			continue
		}
		holders, err := r.holders(ctx, l.app, secrets[i].at)
		if err != nil {
			return look, err
		}
		if len(holders) > 0 && r.now().Before(k.Status.AtProvider.ExpiringCertificateNotAfter.Time) {
			look = earliest(look, r.now().Add(heldAgain))
			continue
		}
		want := k.DeepCopy()
		meta.AddAnnotations(want, map[string]string{v1.AnnotationAcknowledge: value})
		if err := r.client.Patch(ctx, want, client.MergeFrom(k)); err != nil {
			return look, errors.Wrap(err, "cannot acknowledge the renewal of a certificate")
		}
	}
	return look, nil
}

// isPublished tells whether a Secret was published for an application of that
// name.
func isPublished(app *v1.AivenApplication, s *corev1.Secret) bool {
	return v1.ApplicationOf(s) == app.GetName() && slices.Contains(s.GetFinalizers(), v1.FinalizerRevoke)
}

func secretOwner(name string, uid types.UID) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "Secret", Name: name, UID: uid}
}

// earliest returns the earlier of two times, of which a zero one does not count.
func earliest(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}
