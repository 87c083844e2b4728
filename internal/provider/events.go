// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"hash/fnv"

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
)

// eventWriters is how many events are on their way to the API server at once.
// client-go writes one after the other and keeps a queue of 1,000: when many
// applications change at a time it falls behind, and drops the rest.
const eventWriters = 8

// broadcasters write events. All events about one object are written by one of
// them, so that they stay in order and repeated ones are counted.
type broadcasters []record.EventBroadcaster

// newBroadcasters returns broadcasters that write until shutdown.
func newBroadcasters(cfg *rest.Config, log logging.Logger) (broadcasters, error) {
	kube, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a client for events")
	}
	out := make(broadcasters, eventWriters)
	for i := range out {
		out[i] = record.NewBroadcaster()
		out[i].StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: kube.CoreV1().Events("")})
		out[i].StartEventWatcher(func(e *corev1.Event) {
			log.Debug(e.Message, "type", e.Type, "reason", e.Reason, "kind", e.InvolvedObject.Kind, "namespace", e.InvolvedObject.Namespace, "name", e.InvolvedObject.Name)
		})
	}
	return out, nil
}

func (b broadcasters) shutdown() {
	for _, one := range b {
		one.Shutdown()
	}
}

// recorder returns a recorder of events about objects that the scheme knows, and
// about what references name.
func (b broadcasters) recorder(scheme *runtime.Scheme, component string) record.EventRecorder {
	out := make(recorder, len(b))
	for i := range b {
		out[i] = b[i].NewRecorder(scheme, corev1.EventSource{Component: component})
	}
	return out
}

// own returns the recorder of events about the provider itself.
func (b broadcasters) own() record.EventRecorder {
	return b.recorder(clientgoscheme.Scheme, component)
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

// Event records an event.
func (r recorder) Event(o runtime.Object, eventtype, reason, message string) {
	r.of(o).Event(o, eventtype, reason, message)
}

// Eventf records an event with a formatted message.
func (r recorder) Eventf(o runtime.Object, eventtype, reason, format string, args ...any) {
	r.of(o).Eventf(o, eventtype, reason, format, args...)
}

// AnnotatedEventf records an event with annotations.
func (r recorder) AnnotatedEventf(o runtime.Object, annotations map[string]string, eventtype, reason, format string, args ...any) { //nolint:revive // The interface is client-go's.
	r.of(o).AnnotatedEventf(o, annotations, eventtype, reason, format, args...)
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
