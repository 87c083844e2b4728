// SPDX-License-Identifier: Apache-2.0

package application

import (
	"fmt"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/metrics"
)

// Reasons of events. They are API.
const (
	eventPublished event.Reason = "PublishedSecret"
	eventWithdrawn event.Reason = "WithdrewSecret"
	eventRetired   event.Reason = "RetiredUser"
	eventExpired   event.Reason = "Expired"
	eventExpiring  event.Reason = "Expiring"
	eventBegun     event.Reason = "RotationStarted"
	eventRotated   event.Reason = "RotationPublished"
	eventBlocked   event.Reason = "RotationBlocked"
	eventFailed    event.Reason = "CannotSynchronize"
)

// report tells people and metrics what changed.
func (r *Reconciler) report(before, app *v1.AivenApplication, o outcome) {
	r.measure(before, app, o)
	switch {
	case o.begun != nil && o.begun.Reason == v1.RotationUserVanished:
		r.record.Event(app, event.Warning(eventBegun, errors.Errorf("Revision %d is being made, because users were deleted at Aiven: %s", o.begun.Revision, strings.Join(o.begun.Services, ", "))))
		return
	case o.begun != nil:
		r.event(app, eventBegun, fmt.Sprintf("Revision %d is being made: %s", o.begun.Revision, o.begun.Reason))
		return
	case o.completed != nil:
		r.event(app, eventRotated, fmt.Sprintf("Published revision %d in %s: %s", o.completed.Revision, strings.Join(app.PublishedNames(), ", "), o.completed.Reason))
	default:
		for _, name := range o.published {
			r.event(app, eventPublished, "Published Secret "+name)
		}
	}
	if o.reason != v1.ReasonExpired {
		r.warn(before, app, v1.TypeExpiring, corev1.ConditionTrue, eventExpiring)
	}
	switch app.GetCondition(v1.TypeRotated).Reason {
	case v1.ReasonCreating, v1.ReasonRotating, v1.ReasonWaitingForOverlap, v1.ReasonExpired:
	default:
		r.warn(before, app, v1.TypeRotated, corev1.ConditionFalse, eventBlocked)
	}

	was := before.GetCondition(xpv2.TypeReady)
	switch {
	case o.reason == was.Reason && o.message == was.Message:
	case o.reason == v1.ReasonExpired:
		r.event(app, eventExpired, o.message)
	case o.reason != v1.ReasonAvailable && o.reason != v1.ReasonCreating && o.reason != v1.ReasonRevoking:
		r.log.Info("Cannot synchronize", "namespace", app.GetNamespace(), "name", app.GetName(), "reason", o.reason, "message", o.message)
		r.record.Event(app, event.Warning(eventFailed, errors.New(o.message)))
	}
}

// warn repeats a condition that came into a status, or changed in it, as an event.
func (r *Reconciler) warn(before, app *v1.AivenApplication, t xpv2.ConditionType, s corev1.ConditionStatus, reason event.Reason) {
	was, is := before.GetCondition(t), app.GetCondition(t)
	if is.Status == s && (was.Status != s || was.Reason != is.Reason) {
		r.record.Event(app, event.Warning(reason, errors.New(is.Message)))
	}
}

func (r *Reconciler) measure(before, app *v1.AivenApplication, o outcome) {
	ready := app.GetCondition(xpv2.TypeReady)
	m := metrics.Application{
		Ready: ready.Status == corev1.ConditionTrue, Reason: string(ready.Reason), Since: ready.LastTransitionTime.Time,
		RotationDue: o.rotation.Due,
	}
	if m.Reason == "" { // Its first revision has just been put on record.
		m.Reason, m.Since = string(v1.ReasonCreating), app.GetCreationTimestamp().Time
	}
	if app.Spec.ExpiresAt != nil {
		m.ExpiresAt = app.Spec.ExpiresAt.Time
	}
	if c := app.Status.Credentials; c != nil {
		if c.NotAfter != nil {
			m.NotAfter = c.NotAfter.Time
		}
		if c.Next != nil && (m.RotationDue.IsZero() || c.Next.Since.Time.Before(m.RotationDue)) {
			m.RotationDue = c.Next.Since.Time
		}
		if c.RotateAt != nil && m.RotationDue.IsZero() {
			m.RotationDue = c.RotateAt.Time
		}
	}
	r.metrics.Application(app.GetNamespace(), app.GetName(), m)
	// Those of aivenator had Secrets before, and those that ended had some once.
	if o.reason == v1.ReasonAvailable && before.Status.Credentials == nil && before.Status.SynchronizationHash == "" {
		r.metrics.Published(r.now().Sub(app.GetCreationTimestamp().Time))
	}
	if o.completed != nil {
		r.metrics.Rotated(string(o.completed.Reason))
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

// replacing is the same for credentials that were lost, by the reason.
var replacing = map[v1.RotationReason]string{
	v1.RotationUserVanished:  "A user that the Secret holds was deleted at Aiven. Another one is being made.",
	v1.RotationSecretDeleted: "The Secret was deleted. Other credentials are being made.",
}

// waiting is the outcome while managed resources are not ready. Those that say
// why come first: they are what somebody may have to mend.
func waiting(users []liveUser) outcome {
	for _, u := range users {
		c := readyOf(u.mg)
		if isReady(u.mg) || c.Reason == "" || c.Reason == v1.ReasonCreating || c.Reason == v1.ReasonUserVanished ||
			c.ObservedGeneration != u.mg.GetGeneration() || meta.WasDeleted(u.mg) {
			continue
		}
		return outcome{reason: c.Reason, message: u.id() + ": " + c.Message}
	}
	return outcome{reason: v1.ReasonCreating, message: creating}
}

// notes are what ready managed resources have to say.
func notes(users []liveUser) string {
	for _, u := range users {
		if m := readyOf(u.mg).Message; m != "" {
			return m
		}
	}
	return ""
}
