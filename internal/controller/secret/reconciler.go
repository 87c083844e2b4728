// SPDX-License-Identifier: Apache-2.0

// Package secret ends the life of published Secrets: it revokes what a Secret
// holds that somebody deleted, and removes Secrets that no application names and
// no workload uses.
package secret

import (
	"context"
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

const (
	timeout = time.Minute

	// sweep is how often a Secret that waits for something is looked at when
	// nothing happens.
	sweep = 10 * time.Minute
)

// Reasons of events. They are API.
const (
	eventRevoked  event.Reason = "RevokedSecret"
	eventRevoking event.Reason = "CannotRevoke"
	eventMarked   event.Reason = "JanitorMarked"
	eventSpared   event.Reason = "JanitorSpared"
	eventDeleted  event.Reason = "JanitorDeleted"
)

// Workloads know what uses a Secret.
type Workloads interface {
	Using(ctx context.Context, namespace, secret string) ([]janitor.Use, error)
}

// Metrics count what is decided about Secrets that no application names.
type Metrics interface {
	// Janitor is told of each new decision: marked, spared or deleted, and why.
	Janitor(action, reason string)
}

// A Reconciler reconciles published Secrets, of which it sees the metadata only.
type Reconciler struct {
	client client.Client
	// cache holds the metadata of published Secrets, which the client does not.
	cache client.Reader
	// live reads what must not be out of date.
	live      client.Reader
	workloads Workloads
	policy    janitor.Policy
	metrics   Metrics
	record    event.Recorder
	log       logging.Logger
	now       func() time.Time
	// lists are empty lists of all kinds of managed resources.
	lists []client.ObjectList

	mu sync.Mutex
	// said is the last decision about each Secret that people were told of.
	said map[types.NamespacedName]said
}

// said is what was decided about a Secret.
type said struct {
	uid            types.UID
	action, reason string
}

// Reconcile decides what becomes of one Secret.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s := metadata()
	if err := r.cache.Get(ctx, req.NamespacedName, s); err != nil {
		if kerrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
		}
		return reconcile.Result{}, errors.Wrap(client.IgnoreNotFound(err), "cannot get Secret")
	}
	if meta.WasDeleted(s) {
		r.forget(req.NamespacedName)
		return r.revoke(ctx, s)
	}
	if v1.ApplicationOf(s) == "" {
		return reconcile.Result{}, nil
	}
	return r.sweep(ctx, s)
}

// sweep removes a Secret that nobody needs, some time after nobody did.
func (r *Reconciler) sweep(ctx context.Context, s *metav1.PartialObjectMetadata) (reconcile.Result, error) {
	state, err := r.state(ctx, r.client, s)
	if err != nil {
		return reconcile.Result{}, err
	}
	d := janitor.Decide(state, r.policy, r.now())
	if d.Action == janitor.Remove {
		// Whether an application wants it must not be a matter of a cache.
		if state, err = r.state(ctx, r.live, s); err != nil {
			return reconcile.Result{}, err
		}
		d = janitor.Decide(state, r.policy, r.now())
	}
	switch d.Action {
	case janitor.Mark:
		err = r.mark(ctx, s, r.now().UTC().Format(time.RFC3339))
	case janitor.Unmark:
		err = r.mark(ctx, s, "")
	case janitor.Remove:
		uid := s.GetUID()
		err = client.IgnoreNotFound(r.client.Delete(ctx, secretOf(s), client.Preconditions{UID: &uid}))
	case janitor.Keep:
	}
	if err != nil {
		return reconcile.Result{}, errors.Wrapf(err, "cannot act on Secret: %s", d.Action)
	}
	r.report(s, d)
	switch {
	case d.After > 0:
		return reconcile.Result{RequeueAfter: d.After}, nil
	case state.Wanted:
		return reconcile.Result{}, nil
	default:
		return reconcile.Result{RequeueAfter: sweep}, nil
	}
}

// state returns what matters about a Secret.
func (r *Reconciler) state(ctx context.Context, reader client.Reader, s *metav1.PartialObjectMetadata) (janitor.Secret, error) {
	app := &v1.AivenApplication{}
	err := reader.Get(ctx, types.NamespacedName{Namespace: s.GetNamespace(), Name: v1.ApplicationOf(s)}, app)
	if kerrors.IsNotFound(err) {
		app, err = nil, nil
	}
	if err != nil {
		return janitor.Secret{}, errors.Wrap(err, "cannot get AivenApplication")
	}
	out := janitor.StateOf(s, app, r.now())
	if out.Wanted {
		return out, nil
	}
	out.Uses, err = r.workloads.Using(ctx, s.GetNamespace(), s.GetName())
	return out, errors.Wrap(err, "cannot find out who uses the Secret")
}

// mark notes since when nobody needs the Secret, or that somebody does.
func (r *Reconciler) mark(ctx context.Context, s *metav1.PartialObjectMetadata, since string) error {
	want := s.DeepCopy()
	if since == "" {
		meta.RemoveAnnotations(want, v1.AnnotationUnusedSince)
	} else {
		meta.AddAnnotations(want, map[string]string{v1.AnnotationUnusedSince: since})
	}
	return r.client.Patch(ctx, want, client.MergeFrom(s)) //nolint:wrapcheck // The caller does.
}

// report tells people and metrics of a decision that is new.
func (r *Reconciler) report(s *metav1.PartialObjectMetadata, d janitor.Decision) {
	if d.Reason == janitor.ReasonWanted && d.Action == janitor.Keep {
		r.forget(client.ObjectKeyFromObject(s))
		return
	}
	key, is := client.ObjectKeyFromObject(s), said{uid: s.GetUID(), action: string(d.Action), reason: d.Reason}
	r.mu.Lock()
	again := r.said[key] == is
	r.said[key] = is
	r.mu.Unlock()
	if again {
		return
	}
	switch d.Action {
	case janitor.Mark:
		r.metrics.Janitor("marked", d.Reason)
		r.event(s, eventMarked, d.Message)
	case janitor.Remove:
		r.metrics.Janitor("deleted", d.Reason)
		r.event(s, eventDeleted, d.Message)
	case janitor.Keep, janitor.Unmark:
		if d.Reason == janitor.ReasonGracePeriod {
			break // The mark has said it.
		}
		r.metrics.Janitor("spared", d.Reason)
		r.event(s, eventSpared, d.Message)
	}
	r.log.Debug("Decided about a Secret that no application names", "namespace", s.GetNamespace(), "name", s.GetName(), "action", d.Action, "reason", d.Reason)
}

func (r *Reconciler) forget(secret types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.said, secret)
}

func (r *Reconciler) event(s *metav1.PartialObjectMetadata, reason event.Reason, message string) {
	r.record.Event(secretOf(s), event.Normal(reason, message))
}

// metadata returns an empty Secret's metadata.
func metadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return m
}

// secretOf returns a Secret that names the same object.
func secretOf(s *metav1.PartialObjectMetadata) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: s.GetNamespace(), Name: s.GetName(), UID: s.GetUID(), ResourceVersion: s.GetResourceVersion()},
	}
}
