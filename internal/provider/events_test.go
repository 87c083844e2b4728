// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// An eventAPI is an API server that takes events, and answers the first one only
// when the last one has come.
type eventAPI struct {
	first string
	last  string
	met   chan struct{}
	once  sync.Once

	mu   sync.Mutex
	seen map[string][]string // messages by object
	done chan struct{}
	left int
}

func (a *eventAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := &corev1.Event{}
	if err := json.NewDecoder(r.Body).Decode(e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch e.InvolvedObject.Name {
	case a.first:
		<-a.met
	case a.last:
		a.once.Do(func() { close(a.met) })
	}
	a.mu.Lock()
	a.seen[e.InvolvedObject.Name] = append(a.seen[e.InvolvedObject.Name], e.Message)
	if a.left--; a.left == 0 {
		close(a.done)
	}
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(e)
}

// TestBroadcasters: an event whose write takes long does not hold up those about
// other objects, and those about one object are written in their order.
func TestBroadcasters(t *testing.T) {
	const objects, each = 2 * eventWriters, 3
	app := func(i int) *corev1.ObjectReference {
		return &corev1.ObjectReference{Kind: "AivenApplication", Namespace: "team-a", Name: fmt.Sprintf("app-%d", i)}
	}
	last := objects - 1
	for last > 0 && writerOf(app(last))%eventWriters == writerOf(app(0))%eventWriters {
		last--
	}
	a := &eventAPI{first: app(0).Name, last: app(last).Name, met: make(chan struct{}), seen: map[string][]string{}, done: make(chan struct{}), left: objects * each}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	b, err := newBroadcasters(&rest.Config{Host: s.URL, QPS: -1}, logging.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.shutdown)

	r, want := b.recorder(clientgoscheme.Scheme, component), make(map[string][]string)
	for n := range each {
		for i := range objects {
			message := fmt.Sprintf("%d of %d", n+1, each)
			r.Event(app(i), corev1.EventTypeNormal, "Said", message)
			want[app(i).Name] = append(want[app(i).Name], message)
		}
	}
	select {
	case <-a.done:
	case <-time.After(time.Minute):
		t.Error("events are missing after a minute")
		a.once.Do(func() { close(a.met) })
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if diff := cmp.Diff(want, a.seen); diff != "" {
		t.Errorf("events: -want, +got:\n%s", diff)
	}
}

// TestSelfEvents: whatever the provider lacks it can tell, one by one, for as long as
// it lacks it.
func TestSelfEvents(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	o := selfEvents
	o.Clock = now
	c := record.NewEventCorrelatorWithOptions(o)
	for range 24 * time.Hour / repeatAfter {
		for feature := range without {
			e := &corev1.Event{
				InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "provider"}, Source: corev1.EventSource{Component: component},
				Type: corev1.EventTypeWarning, Reason: eventMissingRights, Message: feature,
			}
			got, err := c.EventCorrelate(e)
			if err != nil {
				t.Fatal(err)
			}
			if got.Skip || got.Event.Message != feature {
				t.Fatalf("after %s: of %q became %q, skipped: %t", now.Now().Sub(time.Unix(0, 0)), feature, got.Event.Message, got.Skip)
			}
		}
		now.SetTime(now.Now().Add(repeatAfter))
	}
}

func TestAbout(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "orders"}}
	cases := map[string]struct {
		reason string
		about  runtime.Object
		want   runtime.Object
	}{
		"Application": {
			reason: "Events about an application are found in the version that kubectl asks for.",
			about:  &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "orders", UID: "uid", ResourceVersion: "7"}},
			want:   &corev1.ObjectReference{APIVersion: "aiven.nais.io/v2", Kind: "AivenApplication", Namespace: "team-a", Name: "orders", UID: "uid", ResourceVersion: "7"},
		},
		"Other": {reason: "What has one version only is left alone.", about: secret, want: secret},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, about(tc.about)); diff != "" {
				t.Errorf("\n%s\nabout(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
