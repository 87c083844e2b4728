// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"sync"

	"github.com/go-logr/logr"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/test/harness"
)

// A witness is a sink for what controller-runtime logs. It knows for which Secrets
// the provider was asked what becomes of them, whether or not they exist.
type witness struct {
	// What the log is about that this is the sink of.
	controller, namespace, name string
}

// asked are the keys of the Secrets that any provider was asked for.
var asked sync.Map

// Init does nothing.
func (witness) Init(logr.RuntimeInfo) {}

// Enabled is for what is logged of one object alone. controller-runtime v0.23.1 logs
// whole queues at the same level, while they are changed, which the race detector finds.
func (w witness) Enabled(int) bool { return w.controller == "secret" && w.name != "" }

// Info takes note of the object.
func (w witness) Info(int, string, ...any) {
	asked.Store(types.NamespacedName{Namespace: w.namespace, Name: w.name}, nil)
}

// Error does nothing.
func (witness) Error(error, string, ...any) {}

// WithName returns the same sink.
func (w witness) WithName(string) logr.LogSink { return w }

// WithValues returns a sink that knows what the log is about.
func (w witness) WithValues(values ...any) logr.LogSink {
	for i := 0; i+1 < len(values); i += 2 {
		value, ok := values[i+1].(string)
		switch {
		case !ok:
		case values[i] == "controller":
			w.controller = value
		case values[i] == "namespace":
			w.namespace = value
		case values[i] == "name":
			w.name = value
		}
	}
	return w
}

// mark has a pod refer to a Secret that does not exist, and that nothing else refers
// to: a provider that sees the pod is asked what becomes of it.
func mark(o *corev1.Pod) {
	from := corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: o.GetName()}, Optional: new(true)}}
	o.Spec.Containers[0].EnvFrom = append(o.Spec.Containers[0].EnvFrom, from)
}

// noticed waits until the provider, if one runs, has a marked pod in its cache. What it
// decides from then on it decides with the pod.
func (w *world) noticed(o *corev1.Pod) {
	w.t.Helper()
	if w.gate == nil {
		return
	}
	harness.Within(w.t, patience, "the provider has seen pod "+o.GetName(), func(context.Context) error {
		if _, ok := asked.Load(client.ObjectKeyFromObject(o)); !ok && !w.killed() {
			return errors.New("it has not")
		}
		return nil
	})
}
