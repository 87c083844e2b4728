// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// A pod runs with what its Secret held when it started.
type pod struct {
	object  *corev1.Pod
	secret  types.NamespacedName
	uid     types.UID
	app     types.NamespacedName
	started time.Time
	holds   []*held
}

// held is one credential of a pod.
type held struct {
	credential
	// replaced is when the Secret got another in its place, and retire until when it is
	// valid at least. Zero while the Secret holds it.
	replaced, retire time.Time
	// doomed is why it may stop to work from now on, and lost is set when it has.
	doomed string
	lost   bool
}

// outdated tells whether the Secret holds something else than when the pod started.
func (p *pod) outdated() bool {
	return slices.ContainsFunc(p.holds, func(c *held) bool { return !c.replaced.IsZero() })
}

// run starts a pod that refers to a Secret, and has it read the Secret.
func (w *world) run(secret types.NamespacedName) *pod {
	w.t.Helper()
	w.count["pods"]++
	spec := corev1.PodSpec{AutomountServiceAccountToken: new(false), Containers: []corev1.Container{{Name: "app", Image: "app"}}}
	if w.rng.IntN(2) == 0 {
		spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: secret.Name}}}}
	} else {
		spec.Volumes = []corev1.Volume{{Name: "aiven", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret.Name}}}}
	}
	o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: fmt.Sprintf("pod-%d", w.count["pods"])}, Spec: spec}
	mark(o)
	w.create(o)
	w.noticed(o) // Else a leap of the clock might come before.
	s := &corev1.Secret{}
	if err := h.Kube.Get(w.t.Context(), secret, s); err != nil {
		w.t.Fatalf("cannot get Secret: %v", err)
	}
	p := &pod{object: o, secret: secret, uid: s.GetUID(), started: clock.Now(), app: types.NamespacedName{Namespace: secret.Namespace, Name: s.GetAnnotations()[v1.AnnotationApplication]}}
	for _, c := range credentialsIn(s) {
		p.holds = append(p.holds, &held{credential: c})
	}
	at := metav1.NewTime(p.started)
	o.Status.Phase, o.Status.StartTime = corev1.PodRunning, &at
	if err := h.Kube.Status().Update(w.t.Context(), o); err != nil {
		w.t.Fatalf("cannot update status of pod: %v", err)
	}
	w.pods[client.ObjectKeyFromObject(o)] = p
	return p
}

// end deletes a pod, or has it finish.
func (w *world) end(p *pod, finish bool) {
	w.t.Helper()
	delete(w.pods, client.ObjectKeyFromObject(p.object))
	w.quiet[p.object.GetNamespace()] = clock.Now()
	if finish {
		p.object.Status.Phase = corev1.PodSucceeded
		if err := h.Kube.Status().Update(w.t.Context(), p.object); err != nil {
			w.t.Fatalf("cannot update status of pod: %v", err)
		}
		return
	}
	w.delete(p.object, client.GracePeriodSeconds(0))
}

// restart ends a pod and starts another, if its Secret is there.
func (w *world) restart(p *pod) {
	w.t.Helper()
	w.end(p, false)
	if w.startable(w.view.secrets[p.secret]) {
		w.run(p.secret)
	}
}

// startable tells whether a pod with the Secret would start, and would not be
// too late to keep it.
func (w *world) startable(s *corev1.Secret) bool {
	return s != nil && s.GetDeletionTimestamp() == nil && w.wanted(s)
}

// podKeys returns the pods that run, in order.
func (w *world) podKeys() []types.NamespacedName {
	out := make([]types.NamespacedName, 0, len(w.pods))
	for k := range w.pods {
		out = append(out, k)
	}
	slices.SortFunc(out, compareKeys)
	return out
}

// watchPods checks that every running pod holds credentials that work, or lost
// them as it may.
func (w *world) watchPods() {
	for _, key := range w.podKeys() {
		p := w.pods[key]
		for _, c := range p.holds {
			if c.lost {
				continue
			}
			if c.doomed == "" {
				c.doomed = w.mayLose(p, c)
			}
			err := c.works()
			if err == nil {
				continue
			}
			if c.doomed == "" { // Aiven is ahead of the watches.
				w.catchUp()
				c.doomed = w.mayLose(p, c)
			}
			if c.doomed == "" {
				w.violatedf(p.app, "pod %s, which runs since %s with Secret %s, cannot log in: %v%s", key.Name, p.started.Format(time.DateTime), p.secret.Name, err, c.history())
				continue
			}
			c.lost = true
			w.count["lost: "+c.doomed]++
		}
	}
}

func (c *held) history() string {
	if c.replaced.IsZero() {
		return " (the Secret still holds it)"
	}
	return fmt.Sprintf(" (replaced at %s, valid until %s)", c.replaced.Format(time.DateTime), c.retire.Format(time.DateTime))
}

// mayLose returns why a pod may have lost a credential, empty when it may not.
func (w *world) mayLose(p *pod, c *held) string {
	now := clock.Now()
	app := w.apps[p.app]
	switch {
	case w.revoked[p.uid]:
		return "Secret deleted"
	case w.vanished[c.username]:
		return "user deleted"
	case app != nil && app.want.Expired(now):
		return "expired"
	case w.expired(p.secret, now):
		return "expired"
	case !c.replaced.IsZero() && !now.Before(c.retire) && app != nil && w.mayBeDue(app, c.replaced):
		return "second rotation"
	default:
		return ""
	}
}

// expired tells whether the access of a Secret has ended by what it says itself.
func (w *world) expired(secret types.NamespacedName, now time.Time) bool {
	s := w.view.secrets[secret]
	if s == nil {
		return false
	}
	at, err := time.Parse(time.RFC3339, s.GetAnnotations()[v1.AnnotationExpiresAt])
	return err == nil && !now.Before(at)
}
