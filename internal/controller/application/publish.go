// SPDX-License-Identifier: Apache-2.0

package application

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
)

// fieldOwner of what the provider writes into Secrets. What others put there is
// theirs.
const fieldOwner = "provider-aiven"

// A published Secret is what publish made sure of.
type published struct {
	name, hash string
	at         time.Time
	uid        types.UID
	changed    bool
	// again is whether somebody else wrote the Secret at the same time.
	again bool
}

// publishAll publishes the credentials of all users, and remembers it.
func (r *Reconciler) publishAll(ctx context.Context, l *life, users []liveUser) outcome {
	parts, projects := make([]connection.Part, len(users)), make([]string, len(users))
	for i, u := range users {
		d, err := r.details(ctx, u.mg)
		if err != nil {
			return failure(err)
		}
		parts[i], projects[i] = connection.Part{Service: u.service, Instance: u.instance, Details: d}, u.target.project
	}
	// What is written has to be remembered and handed over: nothing is, unless all can be.
	current, err := r.writable(ctx, l, secretNames(users))
	if err != nil {
		return failure(err)
	}
	trust := newTrust(l, parts, projects, r.now())
	var out []published
	for _, name := range secretNames(users) {
		p, err := r.publish(ctx, l.app, name, current[name], trust.extend(l.secrets[name], partsOf(name, users, parts)))
		if err != nil {
			return failure(err)
		}
		out = append(out, p)
	}
	before := l.credentials()
	at := latest(out)
	c := l.settle(users, at, r.now())
	c.Authorities = trust.remember(*c.IssuedAt)
	l.app.Status.Credentials = c
	l.app.Status.Secrets = secretsStatus(out)

	o := outcome{reason: v1.ReasonAvailable, message: notes(users), look: trust.look}
	if before.Next != nil && c.Next == nil {
		o.completed = before.Next
	}
	for _, p := range out {
		o.again = o.again || p.again
		if p.changed {
			o.published = append(o.published, p.name)
		}
	}
	look, err := r.acknowledge(ctx, l, users, out)
	if err != nil {
		return failure(err)
	}
	o.look = earliest(o.look, look)
	look, err = r.handOver(ctx, l, users, out)
	if err != nil {
		return failure(err)
	}
	o.look = earliest(o.look, look)
	return o
}

// writable returns the Secrets that are to be published as they are, empty for one
// that does not exist. It fails unless all of them may be written.
func (r *Reconciler) writable(ctx context.Context, l *life, names []string) (map[string]*corev1.Secret, error) {
	out := make(map[string]*corev1.Secret, len(names))
	for _, name := range names {
		s := l.secrets[name]
		if s == nil {
			var err error
			if s, err = r.former(ctx, l, name); err != nil {
				return nil, err
			}
		}
		if s == nil {
			out[name] = &corev1.Secret{}
			continue
		}
		if err := mayWrite(l.app, s); err != nil {
			return nil, err
		}
		out[name] = s
	}
	return out, nil
}

// conflicts returns the names of Secrets that may not be written, of users that are
// yet to be made, and the error of one of them.
func (r *Reconciler) conflicts(ctx context.Context, l *life, wanted ...[]desiredUser) (map[string]bool, error) {
	var first error
	out := make(map[string]bool)
	for _, d := range slices.Concat(wanted...) {
		if _, ok := l.existing[key(d.object)]; ok || out[d.secretName] {
			continue
		}
		if _, err := r.writable(ctx, l, []string{d.secretName}); err != nil {
			out[d.secretName] = true
			if first == nil {
				first = err
			}
		}
	}
	return out, first
}

// publish makes sure that a Secret, which is as it is now, holds what the parts
// render to. It writes the Secret in one piece, and only when something of ours differs.
func (r *Reconciler) publish(ctx context.Context, app *v1.AivenApplication, name string, current *corev1.Secret, parts []connection.Part) (published, error) {
	data, err := connection.Render(parts, connection.Options{KeyStorePassword: r.keyStorePassword})
	if err != nil {
		return published{}, errors.Wrapf(err, "cannot publish Secret %s", name)
	}
	hash := connection.Hash(data)

	// The time is that of the content: a Secret that lost something of it gets
	// the old time back with the old content.
	key := client.ObjectKey{Namespace: app.GetNamespace(), Name: name}
	at := publishedAt(app, current, name, hash, r.now())
	if at.IsZero() {
		at = r.written.since(key, app.GetName(), hash)
	}
	unchanged := !at.IsZero()
	if !unchanged {
		at = r.now()
	}
	connection.Stamp(data, at)
	labels, annotations := metadata(app, hash)
	if unchanged && holds(current, data, labels, annotations) {
		return published{name: name, hash: hash, at: at, uid: current.GetUID()}, nil
	}

	s := corev1ac.Secret(name, app.GetNamespace()).WithType(corev1.SecretTypeOpaque).WithData(data).
		WithLabels(labels).WithAnnotations(annotations).WithFinalizers(v1.FinalizerRevoke)
	if current.GetUID() != "" {
		// One that was deleted meanwhile must not come back with what it held.
		s.WithType(current.Type).WithUID(current.GetUID())
	}
	p := published{name: name, hash: hash, at: at, changed: true}
	r.written.begin(key, app.GetName())
	stored, err := r.applySecret(ctx, s)
	if err == nil {
		err = r.disown(ctx, stored)
	}
	p.again = r.written.end(key, stored.GetResourceVersion(), p)
	p.uid = stored.GetUID()
	return p, errors.Wrapf(err, "cannot publish Secret %s", name)
}

// applySecret applies a Secret and returns it as it is stored. The client's own
// Apply does not tell.
func (r *Reconciler) applySecret(ctx context.Context, s *corev1ac.SecretApplyConfiguration) (*corev1.Secret, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, errors.Wrap(err, "cannot encode Secret")
	}
	stored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: *s.Namespace, Name: *s.Name}}
	err = r.client.Patch(ctx, stored, client.RawPatch(types.ApplyPatchType, b), client.FieldOwner(fieldOwner), client.ForceOwnership)
	return stored, errors.Wrap(err, "cannot apply Secret")
}

// disown releases a Secret of aivenator's or of an earlier version. Applying does
// not: owners and finalizers are somebody else's fields.
func (r *Reconciler) disown(ctx context.Context, s *corev1.Secret) error {
	before := s.DeepCopy()
	if !released(s) {
		return nil
	}
	return errors.Wrap(r.client.Patch(ctx, s, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})), "cannot take owner and finalizer off the Secret")
}

// mayWrite refuses Secrets that are not this application's. One that aivenator
// wrote for an application of the same name is taken over.
func mayWrite(app *v1.AivenApplication, s *corev1.Secret) error {
	l := s.GetLabels()
	ours := metav1.IsControlledBy(s, app) || l[v1.LabelManagedBy] == v1.ManagedBy && v1.ApplicationOf(s) == app.GetName()
	aivenators := ofAivenator(app, s)
	owner := metav1.GetControllerOf(s)
	if owner != nil && owner.UID != app.GetUID() {
		ours = false
	}
	// One that lost all its marks is still the one that we published.
	remembered := owner == nil && slices.Contains(s.GetFinalizers(), v1.FinalizerRevoke) && app.Published(s.GetName())
	if ours || aivenators || remembered && (v1.ApplicationOf(s) == "" || v1.ApplicationOf(s) == app.GetName()) {
		return nil
	}
	if other := v1.ApplicationOf(s); other != "" && l[v1.LabelManagedBy] == v1.ManagedBy {
		// To delete it would revoke what the other application uses.
		return reasoned(v1.ReasonSecretConflict, "Secret %s belongs to AivenApplication %s; it is not touched. Choose another secretName.", s.GetName(), other)
	}
	return reasoned(v1.ReasonSecretConflict, "Secret %s exists already and does not belong to this application; it is not touched. Choose another secretName, or delete the Secret if nobody needs it.", s.GetName())
}

func ownedByName(app *v1.AivenApplication, s *corev1.Secret) bool {
	return slices.ContainsFunc(s.GetOwnerReferences(), func(o metav1.OwnerReference) bool {
		return o.Kind == v1.AivenApplicationKind && o.Name == app.GetName() && strings.HasPrefix(o.APIVersion, v1.Group+"/")
	})
}

// publishedAt returns when the content of this hash was published, or zero when
// it was not. What the Secret says itself is believed when nothing else is known,
// and when it is possible: anybody may have written it.
func publishedAt(app *v1.AivenApplication, current *corev1.Secret, name, hash string, now time.Time) time.Time {
	for _, s := range app.Status.Secrets {
		if s.Name == name && s.ContentHash == hash && s.PublishedAt != nil {
			return s.PublishedAt.Time
		}
	}
	if current.GetAnnotations()[v1.AnnotationContentHash] == hash {
		if t, err := time.Parse(time.RFC3339, string(current.Data[connection.SecretUpdated])); err == nil && !t.After(now) {
			return t
		}
	}
	return time.Time{}
}

func metadata(app *v1.AivenApplication, hash string) (labels, annotations map[string]string) {
	labels = map[string]string{
		v1.LabelApp:         v1.Shorten(app.GetName(), maxLabel),
		v1.LabelTeam:        app.GetNamespace(),
		v1.LabelType:        v1.SecretType,
		v1.LabelManagedBy:   v1.ManagedBy,
		v1.LabelApplication: v1.Shorten(app.GetName(), maxLabel),
	}
	annotations = map[string]string{v1.AnnotationApplication: app.GetName(), v1.AnnotationContentHash: hash}
	if app.Spec.Protected {
		annotations[v1.AnnotationProtected] = "true"
	}
	if at := app.Spec.ExpiresAt; at != nil {
		annotations[v1.AnnotationExpiresAt] = at.UTC().Format(time.RFC3339)
	}
	return labels, annotations
}

// holds tells whether a Secret has all of this. What else it has is not ours,
// but for keys that an earlier version of the content had; with these the hash
// would differ.
func holds(s *corev1.Secret, data map[string][]byte, labels, annotations map[string]string) bool {
	for k, v := range data {
		if !bytes.Equal(s.Data[k], v) {
			return false
		}
	}
	for _, optional := range []string{v1.AnnotationProtected, v1.AnnotationExpiresAt} {
		if s.GetAnnotations()[optional] != annotations[optional] {
			return false
		}
	}
	// A Secret that belongs to the application would go with it, used or not.
	return contains(s.GetLabels(), labels) && contains(s.GetAnnotations(), annotations) &&
		slices.Contains(s.GetFinalizers(), v1.FinalizerRevoke) && metav1.GetControllerOf(s) == nil
}

func contains(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// handOverAfter is how long after a publication the Secret becomes an owner of
// the managed resources. Until then hardly anything uses it, and there may be a thousand
// other applications to serve first.
const handOverAfter = 30 * time.Second

// handOver makes the Secret that holds their credentials an owner of managed
// resources, beside the application: when that goes, they stay with the Secret
// for as long as it is used. It returns when to look again.
func (r *Reconciler) handOver(ctx context.Context, l *life, users []liveUser, secrets []published) (time.Time, error) {
	var look time.Time
	for _, u := range users {
		i := slices.IndexFunc(secrets, func(p published) bool { return p.name == u.secretName })
		if i < 0 || slices.ContainsFunc(u.mg.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == secrets[i].uid }) {
			continue
		}
		soon, err := r.mayWaitForOwner(ctx, l.app, secrets[i])
		if err != nil {
			return look, err
		}
		if soon.After(r.now()) {
			look = earliest(look, soon)
			continue
		}
		changed, ok := u.mg.DeepCopyObject().(composed)
		if !ok {
			return look, errors.Errorf("cannot copy %T", u.mg)
		}
		// A Secret of that name that was deleted holds nothing any more.
		changed.SetOwnerReferences(append(slices.DeleteFunc(changed.GetOwnerReferences(), func(o metav1.OwnerReference) bool {
			return v1.IsSecretOwner(o) && o.Name == u.secretName
		}), secretOwner(u.secretName, secrets[i].uid)))
		if err := r.client.Patch(ctx, changed, client.MergeFromWithOptions(u.mg, client.MergeFromWithOptimisticLock{})); err != nil {
			return look, errors.Wrap(err, "cannot hand a managed resource over to its Secret")
		}
	}
	return look, nil
}

// mayWaitForOwner returns until when managed resources need not belong to their Secret.
func (r *Reconciler) mayWaitForOwner(ctx context.Context, app *v1.AivenApplication, p published) (time.Time, error) {
	until := p.at.Add(handOverAfter)
	if app.Spec.Protected || !until.After(r.now()) {
		return time.Time{}, nil
	}
	uses, err := r.workloads.Using(ctx, app.GetNamespace(), p.name)
	if err != nil || len(uses) > 0 {
		return time.Time{}, errors.Wrap(err, "cannot find out who uses the Secret")
	}
	return until, nil
}

// withdraw deletes the Secrets that were ever published for the application.
func (r *Reconciler) withdraw(ctx context.Context, app *v1.AivenApplication) error {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := r.client.List(ctx, l, client.InNamespace(app.GetNamespace()), client.MatchingLabels{v1.LabelApplication: v1.Shorten(app.GetName(), maxLabel)}); err != nil {
		return errors.Wrap(err, "cannot list Secrets")
	}
	for i := range l.Items {
		s := &l.Items[i]
		if v1.ApplicationOf(s) != app.GetName() || meta.WasDeleted(s) {
			continue
		}
		uid := s.GetUID()
		err := r.client.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.GetNamespace(), Name: s.GetName()}}, client.Preconditions{UID: &uid})
		if client.IgnoreNotFound(err) != nil {
			return errors.Wrapf(err, "cannot delete Secret %s", s.GetName())
		}
		r.event(app, eventWithdrawn, "Deleted Secret "+s.GetName()+": what it held is not valid any more")
	}
	return nil
}

// secretNames returns the Secrets of users, each once, sorted.
func secretNames(users []liveUser) []string {
	out := make([]string, 0, len(users))
	for _, u := range users {
		out = append(out, u.secretName)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// partsOf returns the parts that go to one Secret.
func partsOf(name string, users []liveUser, parts []connection.Part) []connection.Part {
	var out []connection.Part
	for i, u := range users {
		if u.secretName == name {
			out = append(out, parts[i])
		}
	}
	return out
}

// latest returns when the last of the Secrets got its content.
func latest(ps []published) time.Time {
	var at time.Time
	for _, p := range ps {
		if p.at.After(at) {
			at = p.at
		}
	}
	return at
}
