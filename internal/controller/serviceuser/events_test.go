// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

type heard struct {
	event.Recorder

	messages []string
}

func (h *heard) Event(_ runtime.Object, e event.Event) { h.messages = append(h.messages, e.Message) }

func (h *heard) WithAnnotations(...string) event.Recorder { return h }

func TestQuietRecorder(t *testing.T) {
	warn := func(message string) event.Event { return event.Warning("CannotCreate", errors.New(message)) }
	type said struct {
		uid   types.UID
		event event.Event
		after time.Duration
	}
	cases := map[string]struct {
		reason string
		said   []said
		want   []string
	}{
		"Repeated": {"What was said last is not said again.", []said{{"a", warn("x"), 0}, {"a", warn("x"), time.Minute}}, []string{"x"}},
		"Other":    {"Something else is, and then the first once more.", []said{{"a", warn("x"), 0}, {"a", warn("y"), 0}, {"a", warn("x"), 0}}, []string{"x", "y", "x"}},
		"Objects":  {"Objects are told apart.", []said{{"a", warn("x"), 0}, {"b", warn("x"), 0}}, []string{"x", "x"}},
		"Late":     {"After a while it is said again.", []said{{"a", warn("x"), 0}, {"a", warn("x"), sayAgain}}, []string{"x", "x"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h, now := &heard{}, time.Unix(0, 0)
			r := newQuietRecorder(h)
			r.said.now = func() time.Time { return now }
			for _, s := range tc.said {
				now = now.Add(s.after)
				r.WithAnnotations("k", "v").Event(&v1alpha1.KafkaServiceUser{ObjectMeta: metav1.ObjectMeta{UID: s.uid}}, s.event)
			}
			if diff := cmp.Diff(tc.want, h.messages); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
		})
	}
}
