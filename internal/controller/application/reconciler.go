// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
	"github.com/provider-aiven/provider-aiven/internal/metrics"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/revision"
)

// timeout of one reconcile. Nearly all its calls are to the API server.
const timeout = time.Minute

// Configurations resolve what an application's configuration is.
type Configurations interface {
	Choose(ctx context.Context, named *xpv2.ProviderConfigReference, namespace string) (providerconfig.Ref, error)
	Settings(ctx context.Context, ref providerconfig.Ref) (providerconfig.Settings, error)
	Connect(ctx context.Context, a providerconfig.Access) (*aiven.Client, error)
}

// Grants know what an application may have.
type Grants interface {
	// Allow returns what is granted, or why the user is refused.
	Allow(ctx context.Context, a providerconfig.Access, u providerconfig.Use) (providerconfig.Granted, error)
}

// Workloads know what uses a Secret.
type Workloads interface {
	Using(ctx context.Context, namespace, secret string) ([]janitor.Use, error)
}

// A Metrics counts what happens to applications.
type Metrics interface {
	// Published is told how long it took from the creation of an application to
	// its first complete Secrets.
	Published(d time.Duration)
	// Rotated is told that a revision was published, and why it was made.
	Rotated(reason string)
	// Application is told how an application is, and Gone that it is no more.
	Application(namespace, name string, s metrics.Application)
	Gone(namespace, name string)
}

// A Reconciler reconciles AivenApplications.
type Reconciler struct {
	client    client.Client
	live      client.Reader
	configs   Configurations
	grants    Grants
	names     Names
	workloads Workloads
	metrics   Metrics
	record    event.Recorder
	log       logging.Logger
	now       func() time.Time
	written   *writes
	// replaced are the versions of applications that our last updates were made
	// of, by key.
	replaced *sync.Map

	keyStorePassword string
}

// Reconcile brings one application, its managed resources and its Secrets to
// where they should be.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	app := &v1.AivenApplication{}
	if err := r.client.Get(ctx, req.NamespacedName, app); err != nil {
		if kerrors.IsNotFound(err) {
			r.metrics.Gone(req.Namespace, req.Name)
			r.written.forget(req.Namespace, req.Name)
			r.replaced.Delete(req.NamespacedName)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, errors.Wrap(err, "cannot get AivenApplication")
	}
	if meta.WasDeleted(app) {
		// Garbage collection takes what only the application owns, the managed
		// resources' finalizers their users. Its Secrets are the janitor's now.
		return reconcile.Result{}, nil
	}
	if v, ok := r.replaced.Load(req.NamespacedName); ok && v == app.GetResourceVersion() {
		// The cache does not show yet what we wrote last: what would be decided by
		// it may be done already.
		return reconcile.Result{RequeueAfter: firstDelay}, nil
	}

	before := app.DeepCopy()
	o := r.synchronize(aiven.WithUrgency(ctx, urgency(app)), app)
	if kerrors.IsConflict(errors.Cause(o.err)) {
		// Somebody else was faster; the newer version is on its way to the cache.
		return reconcile.Result{RequeueAfter: firstDelay}, nil
	}
	o.set(app, r.now())
	if err := r.updateStatus(ctx, before, app); err != nil {
		if kerrors.IsConflict(err) {
			// A newer version is on its way to the cache.
			return reconcile.Result{RequeueAfter: firstDelay}, nil
		}
		return reconcile.Result{}, errors.Wrap(err, "cannot update status of AivenApplication")
	}
	r.report(before, app, o)
	switch {
	case o.err != nil:
		// The error is in the status; the work queue backs off.
		return reconcile.Result{}, o.err
	case o.again:
		return reconcile.Result{RequeueAfter: firstDelay}, nil
	case o.look.IsZero():
		return reconcile.Result{}, nil
	default:
		return reconcile.Result{RequeueAfter: max(o.look.Sub(r.now()), firstDelay)}, nil
	}
}

// urgency says whose calls to Aiven come first: those for an application that has
// no credentials yet, the newest before the others.
func urgency(app *v1.AivenApplication) aiven.Urgency {
	u := aiven.Urgency{Class: aiven.ClassEdit, Since: app.GetCreationTimestamp().Time}
	if app.Status.Credentials != nil {
		u.Class = aiven.ClassRoutine
	}
	return u
}

// synchronize does the work, and tells what came of it. What it changes in the
// status of the application is true whether or not it succeeds.
func (r *Reconciler) synchronize(ctx context.Context, app *v1.AivenApplication) outcome {
	l := &life{app: app}
	if err := r.observe(ctx, l); err != nil {
		return failure(err)
	}
	if app.Expired(r.now()) {
		return r.expire(ctx, l)
	}
	if err := r.resolve(ctx, l); err != nil {
		return failure(err)
	}
	if err := r.allow(ctx, l); err != nil {
		return r.refused(ctx, l, err)
	}
	if err := r.look(ctx, l); err != nil {
		return failure(err)
	}
	d := revision.Decide(l.input(), r.now())
	if begins(app.Status.Credentials, d.Next) {
		// Nothing is made before it is on record.
		app.Status.Credentials.Next = d.Next
		return outcome{begun: d.Next, again: true, rotation: d}
	}
	if c := app.Status.Credentials; c != nil && c.Next != nil && d.Next == nil {
		c.Next = nil // What it was to replace is there again.
	}
	onRecord := l.credentials().Previous.DeepCopy()
	o := r.apply(ctx, l)
	again, err := r.retire(ctx, l, d, onRecord)
	switch {
	case lacksRight(err):
		o.stays = err
	case err != nil && o.err == nil:
		o = failure(err)
	}
	o.again = o.again || again
	o.finish(l, r.now())
	o.quota = quotaCondition(l, o)
	return o
}

// refused is the outcome when something is asked for that the application may not
// have. What it has is kept right, and what was replaced goes when it may; nothing is made.
func (r *Reconciler) refused(ctx context.Context, l *life, refusal error) outcome {
	o := failure(refusal)
	o.quota = quotaCondition(l, o)
	o.ending(l, r.now())
	if err := r.look(ctx, l); err != nil {
		return o
	}
	onRecord := l.credentials().Previous.DeepCopy()
	// What lost a user waits for its successor: it is not published without.
	if old := l.published(nil); len(old) > 0 && l.revoking() == "" && !urgent(l.credentials().Next) {
		p := r.publishAll(ctx, l, old)
		if o.published = p.published; p.err != nil {
			r.log.Info("Cannot keep the Secrets of an application right that is refused", "namespace", l.app.GetNamespace(), "name", l.app.GetName(), "error", p.err)
		}
	}
	if _, err := r.retire(ctx, l, revision.Decision{}, onRecord); err != nil {
		r.log.Info("Cannot delete users that were replaced", "namespace", l.app.GetNamespace(), "name", l.app.GetName(), "error", err)
	}
	return o
}

// begins tells whether a revision is to be made that is not on record.
func begins(c *v1.CredentialsStatus, next *v1.NextStatus) bool {
	return c != nil && next != nil && (c.Next == nil || c.Next.Revision != next.Revision || c.Next.Reason != next.Reason || !slices.Equal(c.Next.Services, next.Services))
}

// apply makes the managed resources what they should be, and publishes the
// credentials of those that can be published.
func (r *Reconciler) apply(ctx context.Context, l *life) outcome {
	if name := l.revoking(); name != "" {
		return outcome{reason: v1.ReasonRevoking, message: "Secret " + name + " was deleted. New credentials follow when the users that it held are deleted at Aiven."}
	}
	next := l.credentials().Next
	wantCurrent, wantNext := l.current(), l.next(next)
	// No user is made that could not be published. What is published goes on without
	// those that are added; else there is all or nothing.
	taken, conflict := r.conflicts(ctx, l, wantCurrent, wantNext)
	blocked := func(d desiredUser) bool { return l.existing[key(d.object)] == nil && taken[d.secretName] }
	if l.credentials().IssuedAt == nil && conflict != nil || slices.ContainsFunc(wantCurrent, func(d desiredUser) bool { return blocked(d) && l.replaced(d) }) {
		return failure(conflict)
	}
	wantCurrent, wantNext = slices.DeleteFunc(wantCurrent, blocked), slices.DeleteFunc(wantNext, blocked)
	current, err := r.applyAll(ctx, l, slices.DeleteFunc(slices.Clone(wantCurrent), func(d desiredUser) bool { return lost(next, d.id()) }))
	if err != nil {
		return failure(err)
	}
	coming, err := r.applyAll(ctx, l, wantNext)
	if err != nil {
		return failure(err)
	}
	if err := r.grantPrevious(ctx, l, wantCurrent); err != nil {
		return failure(err)
	}

	target := replace(l.sections, current, coming)
	var o outcome
	switch {
	case allReady(target):
		o = r.publishAll(ctx, l, target)
	case !urgent(next) && allReady(current):
		o = r.publishAll(ctx, l, current)
	default:
		o = waiting(target)
		if o.reason == v1.ReasonCreating && urgent(next) {
			o.message = replacing[next.Reason]
		}
		// What was published before is kept right all the same.
		if old := l.published(coming); len(old) > 0 {
			p := r.publishAll(ctx, l, old)
			if p.err != nil && !kerrors.IsNotFound(errors.Cause(p.err)) {
				return p
			}
			o.completed, o.published, o.again, o.look = p.completed, p.published, p.again, p.look
		}
	}
	o.coming = coming
	if conflict != nil && o.err == nil {
		f := failure(conflict)
		f.completed, f.published, f.again, f.look, f.coming = o.completed, o.published, o.again, o.look, coming
		return f
	}
	if o.err != nil {
		return o
	}
	return r.discard(ctx, l, o, wantCurrent, wantNext)
}

// discard deletes what nobody needs. What could be published is not deleted
// before its successor is.
func (r *Reconciler) discard(ctx context.Context, l *life, o outcome, wanted ...[]desiredUser) outcome {
	for _, mg := range l.strays(wanted...) {
		gone := lost(l.credentials().Next, sectionOf(mg).id())
		if o.reason != v1.ReasonAvailable && !gone {
			continue
		}
		why := notWanted
		if gone {
			why = "It does not work any more, and another one replaces it"
		}
		switch err := r.remove(ctx, l, mg, why); {
		case lacksRight(err):
			o.stays = err
		case err != nil:
			return failure(err)
		}
	}
	return o
}

func urgent(n *v1.NextStatus) bool { return n != nil && revision.Urgent(n.Reason) }

// replace returns one user for each section that has any, in the order of the
// sections: of the others, else of the users.
func replace(in []section, users, others []liveUser) []liveUser {
	out := make([]liveUser, 0, len(in))
	for _, s := range in {
		for _, from := range [][]liveUser{others, users} {
			if i := slices.IndexFunc(from, func(u liveUser) bool { return u.id() == s.id() }); i >= 0 {
				out = append(out, from[i])
				break
			}
		}
	}
	return out
}

func allReady(users []liveUser) bool {
	return len(users) > 0 && !slices.ContainsFunc(users, func(u liveUser) bool { return !isReady(u.mg) })
}

// resolve finds the configuration, and with it what the application asks for.
func (r *Reconciler) resolve(ctx context.Context, l *life) error {
	ref, err := r.configs.Choose(ctx, l.app.Spec.ProviderConfigRef, l.app.GetNamespace())
	if err != nil {
		return err //nolint:wrapcheck // It says what cannot be got.
	}
	settings, err := r.configs.Settings(ctx, ref)
	if err != nil && l.app.Spec.AuthSecretRef != nil && errors.Is(err, providerconfig.ErrNoConfig) {
		return reasoned(v1.ReasonInvalidConfiguration, "There is no %s, which would say which project and Kafka pools the token is for. Make one, or name an existing one in spec.providerConfigRef.", ref)
	}
	if err != nil {
		return err //nolint:wrapcheck // It says what cannot be got.
	}
	l.access, l.policy, l.settings = ref.With(l.app.Spec.AuthSecretRef, l.app.GetNamespace()), policy(l.app, settings), settings
	l.sections, err = sections(l.app, settings, func(project string) (string, error) {
		c, err := r.configs.Connect(ctx, l.access)
		if err != nil {
			return "", err //nolint:wrapcheck // It says what cannot be got.
		}
		return c.KafkaService(ctx, project) //nolint:wrapcheck // The caller does.
	})
	return err
}

func (r *Reconciler) applyAll(ctx context.Context, l *life, wanted []desiredUser) ([]liveUser, error) {
	out := make([]liveUser, 0, len(wanted))
	for _, d := range wanted {
		mg, err := r.applyUser(ctx, l, d)
		if err != nil {
			return nil, err
		}
		out = append(out, liveUser{d, mg})
	}
	return out, nil
}

// expire ends the access: users and Secrets go, used or not, protected or not.
func (r *Reconciler) expire(ctx context.Context, l *life) outcome {
	for _, mg := range l.existing {
		if meta.WasDeleted(mg) {
			continue
		}
		if err := r.remove(ctx, l, mg, "The access of the application ended"); err != nil {
			return failure(err)
		}
	}
	if err := r.withdraw(ctx, l.app); err != nil {
		return failure(err)
	}
	if c := l.app.Status.Credentials; c != nil {
		highest := c.Revision
		if c.Next != nil {
			highest = max(highest, c.Next.Revision)
		}
		l.app.Status.Credentials = &v1.CredentialsStatus{Revision: highest, Request: c.Request, RequestAnnotation: c.RequestAnnotation}
	}
	rotated, expiring := v1.NotRotated(v1.ReasonExpired, ""), v1.Expiring(v1.ReasonExpired, "")
	return outcome{
		reason:  v1.ReasonExpired,
		message: "The access ended at " + l.app.Spec.ExpiresAt.UTC().Format(time.RFC3339) + ". To have it again, move spec.expiresAt into the future.",
		secrets: []v1.SecretStatus{},
		rotated: &rotated, expiring: &expiring,
	}
}

func (r *Reconciler) updateStatus(ctx context.Context, before, app *v1.AivenApplication) error {
	if equality.Semantic.DeepEqual(before.Status, app.Status) {
		return nil
	}
	if err := r.client.Status().Update(ctx, app); err != nil {
		return err //nolint:wrapcheck // The caller does.
	}
	r.replaced.Store(client.ObjectKeyFromObject(app), before.GetResourceVersion())
	return nil
}
