// SPDX-License-Identifier: Apache-2.0

package application

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
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

// publish makes sure that a Secret holds what the parts render to. It writes the
// Secret in one piece, and only when something of ours differs.
func (r *Reconciler) publish(ctx context.Context, app *v1.AivenApplication, name string, parts []connection.Part) (published, error) {
	data, err := connection.Render(parts, connection.Options{KeyStorePassword: r.keyStorePassword})
	if err != nil {
		return published{}, errors.Wrapf(err, "cannot publish Secret %s", name)
	}
	hash := connection.Hash(data)
	current := &corev1.Secret{}
	err = r.client.Get(ctx, client.ObjectKey{Namespace: app.GetNamespace(), Name: name}, current)
	if client.IgnoreNotFound(err) != nil {
		return published{}, errors.Wrap(err, "cannot get Secret")
	}
	if err == nil {
		if err := mayWrite(app, current); err != nil {
			return published{}, err
		}
	}

	// The time is that of the content: a Secret that lost something of it gets
	// the old time back with the old content.
	key := client.ObjectKey{Namespace: app.GetNamespace(), Name: name}
	at := publishedAt(app, current, name, hash)
	if at.IsZero() {
		at = r.written.since(key, app.GetName(), hash)
	}
	unchanged := !at.IsZero()
	if !unchanged {
		at = r.now()
	}
	connection.Stamp(data, at)
	labels, annotations := metadata(app, hash)
	if unchanged && holds(current, data, labels, annotations) && ownedAsWanted(app, current) {
		return published{name: name, hash: hash, at: at, uid: current.GetUID()}, nil
	}

	s := corev1ac.Secret(name, app.GetNamespace()).WithType(corev1.SecretTypeOpaque).WithData(data).WithLabels(labels).WithAnnotations(annotations)
	if current.Type != "" {
		s.WithType(current.Type)
	}
	if !app.Spec.Protected {
		s.WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(v1.SchemeGroupVersion.String()).WithKind(v1.AivenApplicationKind).
			WithName(app.GetName()).WithUID(app.GetUID()).WithController(true).WithBlockOwnerDeletion(true))
	}
	p := published{name: name, hash: hash, at: at, changed: true}
	r.written.begin(key, app.GetName())
	stored, err := r.applySecret(ctx, s)
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

// mayWrite refuses Secrets that are not this application's. One that aivenator
// wrote for an application of the same name is taken over.
func mayWrite(app *v1.AivenApplication, s *corev1.Secret) error {
	l := s.GetLabels()
	ours := metav1.IsControlledBy(s, app) || l[v1.LabelManagedBy] == v1.ManagedBy && applicationOf(s) == app.GetName()
	aivenators := l[v1.LabelManagedBy] == "" && l[v1.LabelType] == v1.SecretType && (l[v1.LabelApp] == app.GetName() || ownedByName(app, s))
	if owner := metav1.GetControllerOf(s); owner != nil && owner.UID != app.GetUID() && (!aivenators || owner.Kind != v1.AivenApplicationKind) {
		ours, aivenators = false, false
	}
	if ours || aivenators {
		return nil
	}
	return reasoned(v1.ReasonSecretConflict, "Secret %s exists already and does not belong to this application; it is not touched. Choose another secretName, or delete the Secret if nobody needs it.", s.GetName())
}

func ownedByName(app *v1.AivenApplication, s *corev1.Secret) bool {
	return slices.ContainsFunc(s.GetOwnerReferences(), func(o metav1.OwnerReference) bool {
		return o.Kind == v1.AivenApplicationKind && o.Name == app.GetName() && strings.HasPrefix(o.APIVersion, v1.Group+"/")
	})
}

// publishedAt returns when the content of this hash was published, or zero when
// it was not.
func publishedAt(app *v1.AivenApplication, current *corev1.Secret, name, hash string) time.Time {
	if current.GetAnnotations()[v1.AnnotationContentHash] == hash {
		if t, err := time.Parse(time.RFC3339, string(current.Data[connection.SecretUpdated])); err == nil {
			return t
		}
	}
	for _, s := range app.Status.Secrets {
		if s.Name == name && s.ContentHash == hash && s.PublishedAt != nil {
			return s.PublishedAt.Time
		}
	}
	return time.Time{}
}

func metadata(app *v1.AivenApplication, hash string) (labels, annotations map[string]string) {
	labels = map[string]string{
		v1.LabelApp:         shorten(app.GetName(), maxLabel),
		v1.LabelTeam:        app.GetNamespace(),
		v1.LabelType:        v1.SecretType,
		v1.LabelManagedBy:   v1.ManagedBy,
		v1.LabelApplication: shorten(app.GetName(), maxLabel),
	}
	annotations = map[string]string{v1.AnnotationApplication: app.GetName(), v1.AnnotationContentHash: hash}
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
	return contains(s.GetLabels(), labels) && contains(s.GetAnnotations(), annotations)
}

func contains(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

func ownedAsWanted(app *v1.AivenApplication, s *corev1.Secret) bool {
	owned := slices.ContainsFunc(s.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == app.GetUID() })
	return owned != app.Spec.Protected
}

// handOver makes the managed resources of a protected application belong to the
// Secret that holds their credentials, so that they go with it and not with the
// application.
func (r *Reconciler) handOver(ctx context.Context, app *v1.AivenApplication, p published, users []composed) error {
	if !app.Spec.Protected || p.uid == "" {
		return nil
	}
	want := []metav1.OwnerReference{{APIVersion: "v1", Kind: "Secret", Name: p.name, UID: p.uid}}
	for _, mg := range users {
		if have := mg.GetOwnerReferences(); len(have) == 1 && have[0].UID == p.uid {
			continue
		}
		changed, ok := mg.DeepCopyObject().(composed)
		if !ok {
			return errors.Errorf("cannot copy %T", mg)
		}
		changed.SetOwnerReferences(want)
		if err := r.client.Patch(ctx, changed, client.MergeFrom(mg)); err != nil {
			return errors.Wrap(err, "cannot hand a managed resource over to its Secret")
		}
	}
	return nil
}

// withdraw deletes the Secrets that were ever published for the application, but
// for those that are published now.
func (r *Reconciler) withdraw(ctx context.Context, app *v1.AivenApplication, now []published) error {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := r.client.List(ctx, l, client.InNamespace(app.GetNamespace()), client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy}); err != nil {
		return errors.Wrap(err, "cannot list Secrets")
	}
	for i := range l.Items {
		s := &l.Items[i]
		if applicationOf(s) != app.GetName() || slices.ContainsFunc(now, func(p published) bool { return p.name == s.GetName() }) {
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

// groups returns the parts of each Secret, and its managed resources.
func groups(users []desiredUser, objects []composed, details []connection.Details) map[string]group {
	out := make(map[string]group)
	for i, u := range users {
		g := out[u.secretName]
		g.parts = append(g.parts, connection.Part{Service: u.service, Instance: u.instance, Details: details[i]})
		g.users = append(g.users, objects[i])
		out[u.secretName] = g
	}
	return out
}

type group struct {
	parts []connection.Part
	users []composed
}

func names(g map[string]group) []string { return slices.Sorted(maps.Keys(g)) }
