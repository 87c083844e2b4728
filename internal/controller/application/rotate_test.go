// SPDX-License-Identifier: Apache-2.0

package application

import (
	"fmt"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// TestRemove: of managed resources that go, people are told of the users that go with
// them, and not of those that are somebody else's.
func TestRemove(t *testing.T) {
	app := application(services())
	app.Spec.ExpiresAt = new(at(-day))
	r := newRig(t, app)
	r.make("kafka-1")
	taken := made("opensearch-1")
	meta.AddAnnotations(taken, map[string]string{v1.AnnotationUsernameTaken: meta.GetExternalName(taken)})
	r.store(taken)

	if _, _, err := r.reconcile(); err != nil {
		t.Fatal(err)
	}
	if got, want := r.users(), "[(kafka-1) (opensearch-1)]"; fmt.Sprint(got) != want {
		t.Errorf("managed resources: got %v, want %s", got, want)
	}
	if got := r.told(eventRetired); len(got) != 1 {
		t.Errorf("events about users that go: got %v, want one", got)
	}
}
