// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// sayAgain is how long an event is not repeated while nothing else happens to the
// object.
const sayAgain = 30 * time.Minute

// A quietRecorder leaves out events that repeat the last one of their object. The
// managed reconciler records one for each attempt that fails; while a thousand wait
// for their turn at Aiven that would be most of all writes. Safe for concurrent use.
type quietRecorder struct {
	event.Recorder

	said *sayings
}

type sayings struct {
	now func() time.Time

	mu   sync.Mutex
	last map[types.UID]saying
}

type saying struct {
	event event.Event
	at    time.Time
}

func newQuietRecorder(r event.Recorder) quietRecorder {
	return quietRecorder{Recorder: r, said: &sayings{now: time.Now, last: make(map[types.UID]saying)}}
}

// Event records the event, unless it was the last one of the object.
func (r quietRecorder) Event(o runtime.Object, e event.Event) {
	if r.said.news(o, e) {
		r.Recorder.Event(o, e)
	}
}

// WithAnnotations returns a recorder that adds annotations.
func (r quietRecorder) WithAnnotations(keysAndValues ...string) event.Recorder {
	return quietRecorder{Recorder: r.Recorder.WithAnnotations(keysAndValues...), said: r.said}
}

func (s *sayings) news(o runtime.Object, e event.Event) bool {
	a, err := meta.Accessor(o)
	if err != nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	was, ok := s.last[a.GetUID()]
	if ok && was.event.Type == e.Type && was.event.Reason == e.Reason && was.event.Message == e.Message && now.Sub(was.at) < sayAgain {
		return false
	}
	for uid, old := range s.last {
		if now.Sub(old.at) >= sayAgain {
			delete(s.last, uid)
		}
		break // One look for each new one keeps the number of those that are over small.
	}
	s.last[a.GetUID()] = saying{event: e, at: now}
	return true
}
