// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// timeout of one reconcile. Nearly all its calls are to the API server.
const timeout = time.Minute

// Reasons of events.
const (
	eventPublished event.Reason = "PublishedSecret"
	eventWithdrawn event.Reason = "WithdrewSecret"
	eventRetired   event.Reason = "RetiredUser"
	eventExpired   event.Reason = "Expired"
	eventFailed    event.Reason = "CannotSynchronize"
)

// Configurations resolve what an application's configuration is.
type Configurations interface {
	Choose(ctx context.Context, named *xpv2.ProviderConfigReference, namespace string) (providerconfig.Ref, error)
	Settings(ctx context.Context, ref providerconfig.Ref) (providerconfig.Settings, error)
	Connect(ctx context.Context, ref providerconfig.Ref) (*aiven.Client, error)
}

// A Metrics counts what happens to applications.
type Metrics interface {
	// Published is told how long it took from the creation of an application to
	// its first complete Secrets.
	Published(d time.Duration)
	// Ready is told whether an application is ready, and Gone that it is no more.
	Ready(namespace, name string, ready bool)
	Gone(namespace, name string)
}

// A Reconciler reconciles AivenApplications.
type Reconciler struct {
	client  client.Client
	live    client.Reader
	configs Configurations
	metrics Metrics
	record  event.Recorder
	log     logging.Logger
	now     func() time.Time
	written *writes

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
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, errors.Wrap(err, "cannot get AivenApplication")
	}
	if meta.WasDeleted(app) {
		// Garbage collection takes what the application owns, and the managed
		// resources' finalizers their users.
		return reconcile.Result{}, nil
	}

	before := app.DeepCopy()
	o := r.synchronize(ctx, app)
	if kerrors.IsConflict(errors.Cause(o.err)) {
		// Somebody else was faster; the newer version is on its way to the cache.
		return reconcile.Result{RequeueAfter: firstDelay}, nil
	}
	o.set(app, r.now())
	r.report(before, app, o)
	if err := r.updateStatus(ctx, before, app); err != nil {
		if kerrors.IsConflict(err) {
			// A newer version is on its way to the cache.
			return reconcile.Result{RequeueAfter: firstDelay}, nil
		}
		return reconcile.Result{}, errors.Wrap(err, "cannot update status of AivenApplication")
	}
	if o.err != nil {
		// The error is in the status; the work queue backs off.
		return reconcile.Result{}, o.err
	}
	if o.again {
		return reconcile.Result{RequeueAfter: firstDelay}, nil
	}
	return reconcile.Result{RequeueAfter: r.nextLook(app)}, nil
}

// synchronize does the work, and tells what came of it.
func (r *Reconciler) synchronize(ctx context.Context, app *v1.AivenApplication) outcome {
	existing, err := r.observe(ctx, app)
	if err != nil {
		return failure(err)
	}
	if expired(app, r.now()) {
		return r.expire(ctx, app, existing)
	}

	wanted, err := r.compose(ctx, app, existing)
	if err != nil {
		return failure(err)
	}
	objects, err := r.applyAll(ctx, app, wanted, existing)
	if err != nil {
		return failure(err)
	}
	if i := slices.IndexFunc(objects, func(mg composed) bool { return !isReady(mg) }); i >= 0 {
		return waiting(wanted, objects)
	}

	secrets, err := r.publishAll(ctx, app, wanted, objects)
	if err != nil {
		return failure(err)
	}
	// Only now is nobody told to use what is retired.
	if err := r.retire(ctx, existing, wanted); err != nil {
		return failure(err)
	}
	if retired(app, wanted) {
		if err := r.withdraw(ctx, app, secrets); err != nil {
			return failure(err)
		}
	}
	return outcome{
		reason: v1.ReasonAvailable, message: notes(objects),
		users: usersStatus(wanted, objects), secrets: secretsStatus(secrets), notAfter: firstEnd(objects),
		again: slices.ContainsFunc(secrets, func(p published) bool { return p.again }),
	}
}

// compose resolves the configuration and returns the managed resources that the
// application should have.
func (r *Reconciler) compose(ctx context.Context, app *v1.AivenApplication, existing map[string]composed) ([]desiredUser, error) {
	ref, err := r.configs.Choose(ctx, app.Spec.ProviderConfigRef, app.GetNamespace())
	if err != nil {
		return nil, err //nolint:wrapcheck // It says what cannot be got.
	}
	settings, err := r.configs.Settings(ctx, ref)
	if err != nil {
		return nil, err //nolint:wrapcheck // It says what cannot be got.
	}
	in, err := sections(app, settings, func(project string) (string, error) {
		c, err := r.configs.Connect(ctx, ref)
		if err != nil {
			return "", err //nolint:wrapcheck // It says what cannot be got.
		}
		return c.KafkaService(ctx, project) //nolint:wrapcheck // The caller does.
	})
	if err != nil {
		return nil, err
	}
	return compose(app, ref, in, existing), nil
}

func (r *Reconciler) applyAll(ctx context.Context, app *v1.AivenApplication, wanted []desiredUser, existing map[string]composed) ([]composed, error) {
	out := make([]composed, 0, len(wanted))
	for _, d := range wanted {
		mg, err := r.apply(ctx, app, d, existing)
		if err != nil {
			return nil, err
		}
		out = append(out, mg)
	}
	return out, nil
}

// publishAll collects the credentials of all users and publishes them.
func (r *Reconciler) publishAll(ctx context.Context, app *v1.AivenApplication, wanted []desiredUser, objects []composed) ([]published, error) {
	details := make([]connection.Details, len(objects))
	for i, mg := range objects {
		d, err := r.details(ctx, mg)
		if err != nil {
			return nil, err
		}
		details[i] = d
	}
	gs := groups(wanted, objects, details)
	out := make([]published, 0, len(gs))
	for _, name := range names(gs) {
		p, err := r.publish(ctx, app, name, gs[name].parts)
		if err != nil {
			return nil, err
		}
		if err := r.handOver(ctx, app, p, gs[name].users); err != nil {
			return nil, err
		}
		if p.changed {
			r.event(app, eventPublished, "Published Secret "+name)
		}
		out = append(out, p)
	}
	return out, nil
}

// expire ends the access: users and Secrets go.
func (r *Reconciler) expire(ctx context.Context, app *v1.AivenApplication, existing map[string]composed) outcome {
	if err := r.retire(ctx, existing, nil); err != nil {
		return failure(err)
	}
	if err := r.withdraw(ctx, app, nil); err != nil {
		return failure(err)
	}
	return outcome{
		reason:  v1.ReasonExpired,
		message: "The access ended at " + app.Spec.ExpiresAt.UTC().Format(time.RFC3339) + ". To have it again, move spec.expiresAt into the future.",
		users:   []v1.UserStatus{}, secrets: []v1.SecretStatus{},
	}
}

func expired(app *v1.AivenApplication, now time.Time) bool {
	return app.Spec.ExpiresAt != nil && !now.Before(app.Spec.ExpiresAt.Time)
}

// retired tells whether the application had users that it does not have any more.
// Secrets that are not published any more may hold these; as long as all users
// live on under another name they stay, since pods may have them mounted.
func retired(app *v1.AivenApplication, wanted []desiredUser) bool {
	if app.Status.Credentials == nil {
		return false
	}
	alive := make(map[string]bool, len(wanted))
	for _, d := range wanted {
		alive[d.id()+"@"+d.target.project+"/"+d.target.service] = true
	}
	return slices.ContainsFunc(app.Status.Credentials.Users, func(u v1.UserStatus) bool {
		return !alive[u.Service+"@"+u.Project+"/"+u.ServiceName]
	})
}

// nextLook is when time alone changes what an application needs.
func (r *Reconciler) nextLook(app *v1.AivenApplication) time.Duration {
	if app.Spec.ExpiresAt == nil || expired(app, r.now()) {
		return 0
	}
	return app.Spec.ExpiresAt.Sub(r.now())
}

func (r *Reconciler) updateStatus(ctx context.Context, before, app *v1.AivenApplication) error {
	if equality.Semantic.DeepEqual(before.Status, app.Status) {
		return nil
	}
	return r.client.Status().Update(ctx, app) //nolint:wrapcheck // The caller does.
}

// report tells people and metrics what changed.
func (r *Reconciler) report(before, app *v1.AivenApplication, o outcome) {
	r.metrics.Ready(app.GetNamespace(), app.GetName(), o.reason == v1.ReasonAvailable)
	was := before.GetCondition(xpv2.TypeReady)
	switch {
	case o.reason == v1.ReasonAvailable && len(before.Status.Secrets) == 0:
		r.metrics.Published(r.now().Sub(app.GetCreationTimestamp().Time))
	case o.reason == was.Reason && o.message == was.Message:
	case o.reason == v1.ReasonExpired:
		r.event(app, eventExpired, o.message)
	case o.reason != v1.ReasonAvailable && o.reason != v1.ReasonCreating:
		r.log.Info("Cannot synchronize", "namespace", app.GetNamespace(), "name", app.GetName(), "reason", o.reason, "message", o.message)
		r.record.Event(app, event.Warning(eventFailed, errors.New(o.message)))
	}
}

func (r *Reconciler) event(o runtime.Object, reason event.Reason, message string) {
	r.record.Event(o, event.Normal(reason, message))
}

// failure is the outcome of an attempt that failed.
func failure(err error) outcome {
	reason, message := explain(err)
	return outcome{reason: reason, message: message, err: err}
}

// creating does not name what is waited for, so that it does not change with
// each user that becomes ready.
const creating = "The credentials are being made."

// waiting is the outcome while managed resources are not ready. Those that say
// why come first: they are what somebody may have to mend.
func waiting(wanted []desiredUser, objects []composed) outcome {
	for i, mg := range objects {
		c := readyOf(mg)
		if isReady(mg) || c.Reason == "" || c.Reason == v1.ReasonCreating || c.ObservedGeneration != mg.GetGeneration() || meta.WasDeleted(mg) {
			continue
		}
		return outcome{reason: c.Reason, message: wanted[i].id() + ": " + c.Message}
	}
	return outcome{reason: v1.ReasonCreating, message: creating}
}

// notes are what ready managed resources have to say.
func notes(objects []composed) string {
	for _, mg := range objects {
		if m := readyOf(mg).Message; m != "" {
			return m
		}
	}
	return ""
}
