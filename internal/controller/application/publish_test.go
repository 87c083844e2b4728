// SPDX-License-Identifier: Apache-2.0

package application

import (
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// TestPublishAllOrNothing: a Secret that is in the way of one keeps all from being
// written. What is written has to be remembered, and handed over.
func TestPublishAllOrNothing(t *testing.T) {
	r := newRig(t, application(services()))
	r.make(first...)
	theirs := r.foreign("search")
	app, _, err := r.reconcile()
	if c := app.GetCondition(xpv2.TypeReady); err == nil || c.Reason != v1.ReasonSecretConflict {
		t.Errorf("Ready is %s: %s: %v", c.Status, c.Reason, err)
	}
	if len(r.writes) > 0 {
		t.Errorf("Secrets %v were written", r.writes)
	}

	r.delete(theirs)
	app, _, err = r.reconcile()
	if c := app.GetCondition(xpv2.TypeReady); err != nil || c.Status != corev1.ConditionTrue {
		t.Errorf("Ready is %s when nothing is in the way: %s: %v", c.Status, c.Message, err)
	}
}

// TestConflictBeforeUsers: no user is made whose credentials could not be published, and
// nobody is told to delete what another application uses.
func TestConflictBeforeUsers(t *testing.T) {
	cases := map[string]struct {
		reason string
		labels map[string]string
		of     string
		want   string
	}{
		"Persons": {
			reason: "A person's Secret may be in the way for nothing.",
			want:   "Secret search exists already and does not belong to this application; it is not touched. Choose another secretName, or delete the Secret if nobody needs it.",
		},
		"Applications": {
			reason: "To delete that of another application would revoke what it uses.", of: "billing", labels: map[string]string{v1.LabelManagedBy: v1.ManagedBy},
			want: "Secret search belongs to AivenApplication billing; it is not touched. Choose another secretName.",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, application(services())) // Its OpenSearch has a Secret of its own.
			theirs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "search", Labels: tc.labels, Annotations: map[string]string{v1.AnnotationApplication: tc.of}}}
			if err := r.kube.Create(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
			app, _, _ := r.reconcile()
			if diff := cmp.Diff(tc.want, app.GetCondition(xpv2.TypeReady).Message); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if got := r.users(); len(got) > 0 {
				t.Errorf("%s: there are managed resources: %v", tc.reason, got)
			}
		})
	}
}

// TestConflictOfAnother: what is published is kept right while something that was added
// cannot be.
func TestConflictOfAnother(t *testing.T) {
	app := application(services())
	app.Spec.OpenSearch = nil
	r := newRig(t, app)
	r.make("kafka-1", "valkey/a-1")
	r.published()
	before := r.secret("orders-aiven")
	theirs := r.foreign("search")
	app = application(v1.AivenApplicationSpec{})
	r.change(app, func() { app.Spec.OpenSearch = services().OpenSearch })
	edited := r.secret("orders-aiven")
	r.change(edited, func() { delete(edited.Data, "KAFKA_BROKERS") })

	app, _, _ = r.reconcile()
	if c := app.GetCondition(xpv2.TypeReady); c.Reason != v1.ReasonSecretConflict {
		t.Errorf("Ready is %s: %s: %s", c.Status, c.Reason, c.Message)
	}
	if diff := cmp.Diff([]string{"kafka-1", "valkey/a-1"}, r.users()); diff != "" {
		t.Errorf("managed resources: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(before.Data, r.secret("orders-aiven").Data); diff != "" {
		t.Error("what was removed from the Secret did not come back")
	}

	r.delete(theirs)
	if _, _, err := r.reconcile(); err != nil {
		t.Fatal(err)
	}
	if n := len(r.users()); n != 3 {
		t.Errorf("there are %d managed resources when nothing is in the way", n)
	}
}

// TestConflictOfSuccessor: what is to be replaced stays where it is while its successor
// cannot be published.
func TestConflictOfSuccessor(t *testing.T) {
	app := application(services())
	app.Spec.OpenSearch.SecretName = ""
	r := newRig(t, app)
	r.make(first...)
	r.published()
	before := r.secret("orders-aiven")
	r.foreign("search")
	app = application(v1.AivenApplicationSpec{})
	r.change(app, func() { app.Spec.OpenSearch = &v1.OpenSearchSpec{Instance: "other", SecretName: "search"} })

	app, _, _ = r.reconcile()
	if c := app.GetCondition(xpv2.TypeReady); c.Reason != v1.ReasonSecretConflict {
		t.Errorf("Ready is %s: %s: %s", c.Status, c.Reason, c.Message)
	}
	if diff := cmp.Diff(first, r.users()); diff != "" {
		t.Errorf("managed resources: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(before.Data, r.secret("orders-aiven").Data); diff != "" {
		t.Error("the Secret was changed")
	}
	if p := app.Status.Credentials.Previous; p != nil {
		t.Errorf("users count as replaced: %+v", p.Users)
	}
}

// published reconciles, and fails the test unless the application is ready then.
func (r *rig) published() {
	r.t.Helper()
	if app, _, err := r.reconcile(); err != nil || app.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue || r.secret("orders-aiven") == nil {
		r.t.Fatalf("the application is not published: %v: %v", err, app.GetCondition(xpv2.TypeReady))
	}
}

// TestConnectionSecretRemoved: whoever takes the reference to its connection Secret from
// a managed resource gets it back.
func TestConnectionSecretRemoved(t *testing.T) {
	for name, change := range map[string]func(mg composed){
		"Same": func(composed) {},
		// It cannot prove anything then, and goes on all the same.
		"OtherToken": func(mg composed) { mg.SetAuthSecretRef(&xpv2.LocalSecretKeySelector{Key: "token"}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, application(services()))
			r.make(first[1:]...)
			mg := made(first[0])
			ref := *mg.GetWriteConnectionSecretToReference()
			r.store(mg)
			r.change(mg, func() {
				change(mg)
				mg.SetWriteConnectionSecretToReference(nil)
			})
			if _, _, err := r.reconcile(); err != nil {
				t.Fatal(err)
			}
			r.get(mg)
			if got := mg.GetWriteConnectionSecretToReference(); got == nil || *got != ref {
				t.Errorf("connection Secret of %s: got %v, want %v", meta.GetExternalName(mg), got, ref)
			}
		})
	}
}
