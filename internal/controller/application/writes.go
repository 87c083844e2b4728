// SPDX-License-Identifier: Apache-2.0

package application

import (
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// writes know which versions of Secrets are our own, so that the events of our
// own writes do not lead to another reconcile. Safe for concurrent use.
type writes struct {
	mu sync.Mutex
	by map[client.ObjectKey]*ownWrite
}

type ownWrite struct {
	// version that we wrote last.
	version string
	// writing is true while a write is under way. Its event may come before its
	// answer: the versions seen meanwhile wait for the answer.
	writing bool
	seen    []string
}

// begin takes note that a Secret is about to be written.
func (w *writes) begin(key client.ObjectKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = make(map[client.ObjectKey]*ownWrite)
	}
	w.by[key] = &ownWrite{writing: true}
}

// end takes note of the version that was written, empty when the write failed,
// and tells whether somebody else wrote meanwhile.
func (w *writes) end(key client.ObjectKey, version string) (others bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.by[key]
	if o == nil {
		return false
	}
	for _, v := range o.seen {
		others = others || v != version
	}
	w.by[key] = &ownWrite{version: version}
	return others
}

// own tells whether an event is of our own write, or may be.
func (w *writes) own(s client.Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.by[client.ObjectKeyFromObject(s)]
	switch {
	case o == nil:
		return false
	case o.writing:
		o.seen = append(o.seen, s.GetResourceVersion())
		return true
	default:
		return o.version == s.GetResourceVersion()
	}
}

// others lets through the events of what others did to Secrets.
func (w *writes) others() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e ctrlevent.CreateEvent) bool { return !w.own(e.Object) },
		UpdateFunc: func(e ctrlevent.UpdateEvent) bool {
			if applicationOf(e.ObjectOld) != applicationOf(e.ObjectNew) {
				return true // One of our applications took it from another.
			}
			return e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion() && !w.own(e.ObjectNew)
		},
		DeleteFunc: func(e ctrlevent.DeleteEvent) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			if o := w.by[client.ObjectKeyFromObject(e.Object)]; o != nil && !o.writing {
				delete(w.by, client.ObjectKeyFromObject(e.Object))
			}
			return true
		},
	}
}
