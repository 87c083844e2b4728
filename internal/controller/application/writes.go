// SPDX-License-Identifier: Apache-2.0

package application

import (
	"maps"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// writes know which versions of Secrets are our own, so that the events of our
// own writes do not lead to another reconcile, and what content we published
// when, which the cached status may not show yet. Safe for concurrent use.
type writes struct {
	mu sync.Mutex
	by map[client.ObjectKey]*ownWrite
}

type ownWrite struct {
	// app that the Secret was published for.
	app string
	// version that we wrote last, with the content of that hash since then.
	version, hash string
	at            time.Time
	// writing is true while a write is under way. Its event may come before its
	// answer: the versions seen meanwhile wait for the answer.
	writing bool
	seen    []string
}

// begin takes note that a Secret is about to be written.
func (w *writes) begin(key client.ObjectKey, app string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = make(map[client.ObjectKey]*ownWrite)
	}
	o := w.by[key]
	if o == nil || o.app != app {
		o = &ownWrite{app: app}
		w.by[key] = o
	}
	o.writing, o.seen = true, nil
}

// since returns when the content of this hash was published, zero when that is
// not known.
func (w *writes) since(key client.ObjectKey, app, hash string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o := w.by[key]; o != nil && o.app == app && o.hash == hash {
		return o.at
	}
	return time.Time{}
}

// forget drops what is known of the Secrets of an application that is gone.
func (w *writes) forget(namespace, app string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.by, func(k client.ObjectKey, o *ownWrite) bool { return k.Namespace == namespace && o.app == app })
}

// end takes note of what was written, with an empty version when the write
// failed, and tells whether somebody else wrote meanwhile.
func (w *writes) end(key client.ObjectKey, version string, p published) (others bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.by[key]
	if o == nil {
		return false
	}
	for _, v := range o.seen {
		others = others || v != version
	}
	o.writing, o.seen, o.version = false, nil, version
	if version != "" {
		o.hash, o.at = p.hash, p.at
	}
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
			if v1.ApplicationOf(e.ObjectOld) != v1.ApplicationOf(e.ObjectNew) {
				return true // One of our applications took it from another.
			}
			return e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion() && !w.own(e.ObjectNew)
		},
	}
}
