// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"hash/fnv"
	"slices"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	v2 "github.com/provider-aiven/provider-aiven/apis/v2"
)

// eventWriters is how many events are on their way to the API server at once.
// client-go writes one after the other and keeps a queue of 1,000: when many
// applications change at a time it falls behind, and drops the rest.
const eventWriters = 8

// selfEvents let through what the provider says of itself: an event for each feature that
// lacks a right, a dozen at most, at a start and twice an hour. client-go lets twelve an hour of one
// object through for long, and combines those after the tenth.
var selfEvents = record.CorrelatorOptions{MaxEvents: 2 * len(without), QPS: 1.0 / 60}

// broadcasters write events. All events about one object are written by one of
// them, so that they stay in order and repeated ones are counted.
type broadcasters struct {
	objects []record.EventBroadcaster
	self    record.EventBroadcaster
}

// newBroadcasters returns broadcasters that write until shutdown.
func newBroadcasters(cfg *rest.Config, log logging.Logger) (broadcasters, error) {
	kube, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return broadcasters{}, errors.Wrap(err, "cannot make a client for events")
	}
	b := broadcasters{objects: make([]record.EventBroadcaster, eventWriters), self: record.NewBroadcasterWithCorrelatorOptions(selfEvents)}
	for i := range b.objects {
		b.objects[i] = record.NewBroadcaster()
	}
	for _, one := range b.all() {
		one.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: kube.CoreV1().Events("")})
		one.StartEventWatcher(func(e *corev1.Event) {
			log.Debug(e.Message, "type", e.Type, "reason", e.Reason, "kind", e.InvolvedObject.Kind, "namespace", e.InvolvedObject.Namespace, "name", e.InvolvedObject.Name)
		})
	}
	return b, nil
}

func (b broadcasters) all() []record.EventBroadcaster { return append(slices.Clone(b.objects), b.self) }

func (b broadcasters) shutdown() {
	for _, one := range b.all() {
		one.Shutdown()
	}
}

// recorder returns a recorder of events about objects that the scheme knows, and
// about what references name.
func (b broadcasters) recorder(scheme *runtime.Scheme, component string) record.EventRecorder {
	out := make(recorder, len(b.objects))
	for i, one := range b.objects {
		out[i] = one.NewRecorder(scheme, corev1.EventSource{Component: component})
	}
	return out
}

// own returns the recorder of events about the provider itself.
func (b broadcasters) own() record.EventRecorder {
	return b.self.NewRecorder(clientgoscheme.Scheme, corev1.EventSource{Component: component})
}

// A recorder has one recorder for each broadcaster.
type recorder []record.EventRecorder

// of returns the recorder of all events about an object.
func (r recorder) of(o runtime.Object) record.EventRecorder { return r[writerOf(o)%len(r)] }

// writerOf returns a number that is the same for all events about an object.
func writerOf(o runtime.Object) int {
	h := fnv.New32a()
	if ref, ok := o.(*corev1.ObjectReference); ok {
		_, _ = h.Write([]byte(ref.Namespace + "/" + ref.Name))
	} else if m, err := meta.Accessor(o); err == nil {
		_, _ = h.Write([]byte(m.GetNamespace() + "/" + m.GetName()))
	}
	return int(h.Sum32() >> 1) // Not negative, whatever the size of an int.
}

// about returns what an event is about in the version by which it is looked for:
// kubectl events --for takes the one that discovery prefers, the newest, and finds no
// events about another.
func about(o runtime.Object) runtime.Object {
	app, ok := o.(*v1.AivenApplication)
	if !ok {
		return o
	}
	return &corev1.ObjectReference{
		APIVersion: v2.SchemeGroupVersion.String(), Kind: v1.AivenApplicationKind,
		Namespace: app.GetNamespace(), Name: app.GetName(), UID: app.GetUID(), ResourceVersion: app.GetResourceVersion(),
	}
}

// Event records an event.
func (r recorder) Event(o runtime.Object, eventtype, reason, message string) {
	r.of(o).Event(about(o), eventtype, reason, message)
}

// Eventf records an event with a formatted message.
func (r recorder) Eventf(o runtime.Object, eventtype, reason, format string, args ...any) {
	r.of(o).Eventf(about(o), eventtype, reason, format, args...)
}

// AnnotatedEventf records an event with annotations.
func (r recorder) AnnotatedEventf(o runtime.Object, annotations map[string]string, eventtype, reason, format string, args ...any) { //nolint:revive // The interface is client-go's.
	r.of(o).AnnotatedEventf(about(o), annotations, eventtype, reason, format, args...)
}

// A recordingManager is a manager whose controllers record events by our
// broadcasters. Those of the newer events API, which the runtime does not use yet, would
// still go by the manager's own.
type recordingManager struct {
	ctrl.Manager

	events broadcasters
}

// GetEventRecorderFor returns a recorder for a controller.
func (m *recordingManager) GetEventRecorderFor(name string) record.EventRecorder {
	return m.events.recorder(m.GetScheme(), name)
}
