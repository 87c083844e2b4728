// SPDX-License-Identifier: Apache-2.0

package application

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// An outcome is what came of one reconcile.
type outcome struct {
	// reason and message of Ready. Available means that it is True.
	reason  xpv2.ConditionReason
	message string
	// err is set when the attempt failed, rather than having to wait.
	err error
	// users and secrets are what is published; nil leaves the status as it is.
	users   []v1.UserStatus
	secrets []v1.SecretStatus
	// again asks for another look at once.
	again bool
	// notAfter is when the first certificate ends.
	notAfter *metav1.Time
}

// set records an outcome in the status. Pure but for the clock of conditions,
// which only a changed condition shows.
func (o outcome) set(app *v1.AivenApplication, now time.Time) {
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
	if o.users != nil {
		o.setCredentials(app, now)
	}
	if ready {
		o.setSynchronized(app, now)
	}
}

func (o outcome) setCredentials(app *v1.AivenApplication, now time.Time) {
	c := app.Status.Credentials
	if c == nil {
		at := metav1.NewTime(now.UTC().Truncate(time.Second))
		c = &v1.CredentialsStatus{Revision: revision(app), IssuedAt: &at}
		app.Status.Credentials = c
	}
	c.Users, c.NotAfter = o.users, o.notAfter
}

// setSynchronized sets what tools for aivenator read.
func (o outcome) setSynchronized(app *v1.AivenApplication, now time.Time) {
	app.Status.SynchronizationState = v1.RolloutComplete
	hash := specHash(app.Spec)
	if app.Status.SynchronizationHash == hash && app.Status.SynchronizedGeneration == app.GetGeneration() {
		return
	}
	at := metav1.NewTime(now.UTC().Truncate(time.Second))
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
func usersStatus(users []desiredUser, objects []composed) []v1.UserStatus {
	out := make([]v1.UserStatus, 0, len(users))
	for i, u := range users {
		out = append(out, v1.UserStatus{
			Service: u.id(), Project: u.target.project, ServiceName: u.target.service, Username: meta.GetExternalName(objects[i]),
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
func firstEnd(objects []composed) *metav1.Time {
	var first *metav1.Time
	for _, o := range objects {
		k, ok := o.(*v1alpha1.KafkaServiceUser)
		if !ok {
			continue
		}
		if t := k.Status.AtProvider.CertificateNotAfter; t != nil && (first == nil || t.Before(first)) {
			first = t
		}
	}
	return first
}
