// SPDX-License-Identifier: Apache-2.0

package application

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/revision"
)

// staysAgain is how soon it is tried again to delete what may not be deleted.
const staysAgain = time.Minute

// An outcome is what came of one reconcile.
type outcome struct {
	// reason and message of Ready. Available means that it is True.
	reason  xpv2.ConditionReason
	message string
	// err is set when the attempt failed, rather than having to wait.
	err error
	// secrets are what is published; nil leaves the status as it is.
	secrets []v1.SecretStatus
	// again asks for another look at once, look for one at a time.
	again bool
	look  time.Time

	// begun is a revision that was put on record, and nothing else was done.
	begun *v1.NextStatus
	// completed is a revision that was published, and published are the Secrets
	// that were written.
	completed *v1.NextStatus
	published []string
	// coming are the users of a revision in the making.
	coming []liveUser

	// stays is why a user that should go does not: the provider may not delete it.
	// What is published works all the same.
	stays error

	// rotation is what was decided about it, and rotated, expiring and quota the
	// conditions that follow. An outcome without leaves these as they are.
	rotation                 revision.Decision
	rotated, expiring, quota *xpv2.Condition
}

// finish adds what time brings.
func (o *outcome) finish(l *life, now time.Time) {
	c := l.credentials()
	// What was decided before was about what was published, and alive, then.
	in := l.input()
	in.Deleted, in.Vanished = nil, nil
	d := revision.Decide(in, now)
	o.again = o.again || begins(l.app.Status.Credentials, d.Next)
	o.rotation = d
	if l.app.Status.Credentials != nil && c.IssuedAt != nil {
		c.RotateAt = nil
		if !d.Due.IsZero() {
			at := revision.Stamp(d.Due)
			c.RotateAt = &at
		}
	}
	rotated := rotatedCondition(l, d, o.coming)
	if o.stays != nil {
		reason, message := explain(o.stays)
		rotated = v1.NotRotated(reason, "A user that is not needed any more stays valid: "+message)
		o.look = earliest(o.look, now.Add(staysAgain))
	}
	o.rotated = &rotated
	if d.Waits.After(now) {
		o.look = earliest(o.look, d.Waits)
	}
	o.ending(l, now)
	if c.Next == nil && d.Due.After(now) {
		o.look = earliest(o.look, d.Due)
	}
	if p := c.Previous; p != nil {
		o.look = earliest(o.look, laterOf(p.RetireAfter.Time, now.Add(heldAgain)))
		if len(p.HeldBy) == 0 && p.RetireAfter.After(now) {
			o.look = earliest(o.look, p.RetireAfter.Time)
		}
	}
}

// ending adds when the access ends.
func (o *outcome) ending(l *life, now time.Time) {
	var notAfter, expiresAt time.Time
	if c := l.credentials(); c.NotAfter != nil {
		notAfter = c.NotAfter.Time
	}
	if l.app.Spec.ExpiresAt != nil {
		expiresAt = l.app.Spec.ExpiresAt.Time
	}
	e := revision.Ends(expiresAt, notAfter, l.policy, now)
	expiring := expiringCondition(e)
	o.expiring = &expiring
	for _, t := range []time.Time{e.Look, expiresAt} {
		if t.After(now) {
			o.look = earliest(o.look, t)
		}
	}
}

// rotatedCondition says how the next revision is getting on.
func rotatedCondition(l *life, d revision.Decision, coming []liveUser) xpv2.Condition {
	c := l.credentials()
	switch {
	case c.Next != nil:
		message := fmt.Sprintf("Revision %d is being made: %s.", c.Next.Revision, c.Next.Reason)
		reason := v1.ReasonRotating
		if w := waiting(coming); w.reason != v1.ReasonCreating && !allReady(coming) {
			reason, message = w.reason, message+" The present credentials stay as they are. "+w.message
		}
		return v1.NotRotated(reason, message)
	case !d.Waits.IsZero():
		return v1.NotRotated(v1.ReasonWaitingForOverlap, fmt.Sprintf("A revision is due. The users that were replaced stay valid until %s; it is made then.",
			d.Waits.UTC().Format(time.RFC3339)))
	case d.DropPrevious || d.Next != nil:
		return v1.NotRotated(v1.ReasonWaitingForOverlap, "A revision is due. It is made when the users of the one before the present one are deleted at Aiven.")
	case c.IssuedAt == nil:
		return v1.NotRotated(v1.ReasonCreating, "There are no credentials yet.")
	case l.policy.Interval == 0:
		return v1.Rotated(v1.ReasonRotationDisabled)
	default:
		return v1.Rotated(v1.ReasonUpToDate)
	}
}

func expiringCondition(e revision.Ending) xpv2.Condition {
	switch e.Reason {
	case v1.ReasonNotExpiring:
		return v1.Expiring(e.Reason, "")
	case v1.ReasonCertificateEnding, v1.ReasonCertificateEnded:
		return v1.Expiring(e.Reason, "The first certificate ends at "+e.At.UTC().Format(time.RFC3339)+" and is not replaced, because rotation is disabled. Request a rotation, or set spec.rotation.interval.")
	default:
		return v1.Expiring(e.Reason, "The access ends at "+e.At.UTC().Format(time.RFC3339)+". To keep it, move spec.expiresAt.")
	}
}

// set records an outcome in the status. Pure but for the clock of conditions,
// which only a changed condition shows.
func (o *outcome) set(app *v1.AivenApplication, now time.Time) {
	if o.begun != nil {
		return
	}
	generation := app.GetGeneration()
	ready := o.reason == v1.ReasonAvailable
	c := v1.NotReady(o.reason, o.message)
	if ready {
		c = v1.Ready()
		c.Message = o.message
	}
	synced := xpv2.ReconcileSuccess()
	if o.err != nil {
		synced = xpv2.ReconcileError(o.err)
	}
	failed := o.err != nil || byAiven(o.reason)
	conditions := []xpv2.Condition{
		c, synced,
		v1.Failure(v1.TypeSucceeded, statuses[ready], o.reason, o.message),
		v1.Failure(v1.TypeAivenFailure, statuses[!ready && byAiven(o.reason)], o.reason, ""),
		v1.Failure(v1.TypeLocalFailure, statuses[o.err != nil && !byAiven(o.reason)], o.reason, ""),
	}
	for _, extra := range []*xpv2.Condition{o.rotated, o.expiring, o.quota} {
		if extra != nil {
			conditions = append(conditions, *extra)
		}
	}
	for _, c := range conditions {
		app.SetConditions(c.WithObservedGeneration(generation))
	}
	app.Status.ObservedGeneration = generation
	if failed {
		app.Status.SynchronizationState = v1.RolloutFailed
	}
	if o.secrets != nil {
		app.Status.Secrets = o.secrets
	}
	if ready {
		o.setSynchronized(app, now)
	}
}

// setSynchronized sets what tools for aivenator read.
func (o *outcome) setSynchronized(app *v1.AivenApplication, now time.Time) {
	app.Status.SynchronizationState = v1.RolloutComplete
	hash := specHash(app.Spec)
	if app.Status.SynchronizationHash == hash && app.Status.SynchronizedGeneration == app.GetGeneration() {
		return
	}
	at := revision.Stamp(now)
	app.Status.SynchronizationHash, app.Status.SynchronizationTime, app.Status.SynchronizedGeneration = hash, &at, app.GetGeneration()
}

// statuses are the condition statuses of what is true and what is not.
var statuses = map[bool]corev1.ConditionStatus{true: corev1.ConditionTrue, false: corev1.ConditionFalse}

func specHash(s v1.AivenApplicationSpec) string {
	b, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// usersStatus lists the users that are published.
func usersStatus(users []liveUser) []v1.UserStatus {
	out := make([]v1.UserStatus, 0, len(users))
	for _, u := range users {
		out = append(out, v1.UserStatus{
			Service: u.id(), Project: u.target.project, ServiceName: u.target.service, Username: meta.GetExternalName(u.mg), Revision: u.revision,
		})
	}
	return out
}

func secretsStatus(ps []published) []v1.SecretStatus {
	out := make([]v1.SecretStatus, 0, len(ps))
	for _, p := range ps {
		at := metav1.NewTime(p.at)
		out = append(out, v1.SecretStatus{Name: p.name, ContentHash: p.hash, PublishedAt: &at})
	}
	slices.SortFunc(out, func(a, b v1.SecretStatus) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

// firstEnd returns when the first certificate ends, nil without one.
func firstEnd(users []liveUser) *metav1.Time {
	var first *metav1.Time
	for _, u := range users {
		k, ok := u.mg.(*v1alpha1.KafkaServiceUser)
		if !ok {
			continue
		}
		if t := k.Status.AtProvider.CertificateNotAfter; t != nil && (first == nil || t.Before(first)) {
			first = t
		}
	}
	return first
}
