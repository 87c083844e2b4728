// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

const (
	others = "example.com/of-somebody-else"
	ours   = v1alpha1.FinalizerToken
)

func patchFails(err error) interceptor.Funcs {
	return interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return err
	}}
}

func TestKeeper(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	type want struct {
		finalizers []string
		events     []string
		lines      int
		forgotten  []string
		again      time.Duration
		err        bool
	}
	forgotten := []string{"tokens of shop/token", "watch of shop/token"}
	cases := map[string]struct {
		reason  string
		objects []client.Object
		funcs   interceptor.Funcs
		want    want
	}{
		"UsedByConfig": {
			reason:  "A managed resource needs the token of its configuration.",
			objects: []client.Object{tokenSecret(finalizers(others)), teams(), user("orders")},
			want:    want{finalizers: []string{others, ours}},
		},
		"Brought": {
			reason:  "A managed resource needs the token that it brings, whatever its configuration.",
			objects: []client.Object{tokenSecret(), user("orders", "token")},
			want:    want{finalizers: []string{ours}},
		},
		"BroughtAnother": {
			reason:  "Who brings a token does not need the configuration's.",
			objects: []client.Object{tokenSecret(), teams(), user("orders", "another")},
			want:    want{forgotten: forgotten[:1]},
		},
		"NobodyYet": {
			reason:  "A configuration alone has nothing to delete at Aiven. Its token is watched all the same.",
			objects: []client.Object{tokenSecret(), teams()},
			want:    want{forgotten: forgotten[:1]},
		},
		"NobodyAnyMore": {
			reason:  "What nobody needs is free to go, and is not watched.",
			objects: []client.Object{tokenSecret(finalizers(ours, others), going)},
			want:    want{finalizers: []string{others}, forgotten: forgotten},
		},
		"BroughtByApplication": {
			reason:  "An application waits for its token to come or change. There is nothing to delete at Aiven yet.",
			objects: []client.Object{tokenSecret(), bringing("token")},
			want:    want{},
		},
		"ApplicationBringsAnother": {
			reason:  "What an application does not name is not its token.",
			objects: []client.Object{tokenSecret(), bringing("another")},
			want:    want{forgotten: forgotten},
		},
		"Gone": {
			reason:  "The last finalizer lets a deleted Secret go.",
			objects: []client.Object{tokenSecret(finalizers(ours), going)},
			want:    want{forgotten: forgotten},
		},
		"DeletedInUse": {
			reason:  "Who deletes a token in use is told what it waits for.",
			objects: []client.Object{tokenSecret(finalizers(ours), going), teams(), user("orders"), user("billing"), user("own", "another")},
			want: want{finalizers: []string{ours}, events: []string{
				"token Warning TokenInUse: 2 managed resources need this token to be deleted at Aiven; the Secret stays until they are gone. To change the token, edit the Secret.",
			}},
		},
		"DeletedTooEarly": {
			reason:  "What is being deleted gets no new finalizer.",
			objects: []client.Object{tokenSecret(finalizers(others), going), teams(), user("orders")},
			want:    want{finalizers: []string{others}},
		},
		"DeletedMeanwhile": {
			reason:  "The API server refuses a finalizer on what is being deleted.",
			objects: []client.Object{tokenSecret(), teams(), user("orders")},
			funcs:   patchFails(kerrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "token", nil)),
		},
		"Missing": {
			reason:  "A Secret that does not exist may come without an event.",
			objects: []client.Object{teams(), user("orders")},
			want:    want{again: retryInterval, lines: 1},
		},
		"Forbidden": {
			reason:  "Without the right to write Secrets the log says so, and it is tried again.",
			objects: []client.Object{tokenSecret(), teams(), user("orders")},
			funcs:   patchFails(kerrors.NewForbidden(secrets, "token", errBoom)),
			want:    want{again: retryInterval, lines: 1},
		},
		"Conflict": {
			reason:  "Somebody else's finalizer is not lost.",
			objects: []client.Object{tokenSecret(), teams(), user("orders")},
			funcs:   patchFails(kerrors.NewConflict(secrets, "token", errBoom)),
			want:    want{again: recheck},
		},
		"Fails": {
			reason:  "What fails is tried again.",
			objects: []client.Object{tokenSecret(finalizers(ours))},
			funcs:   patchFails(errBoom),
			want:    want{finalizers: []string{ours}, err: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.objects...)
			r.funcs = tc.funcs
			res, err := r.keeper().Reconcile(t.Context(), request(secretName))
			got := want{events: r.events, lines: r.lines, forgotten: r.forgotten, again: res.RequeueAfter, err: err != nil}
			if s := r.secret(t); s != nil {
				got.finalizers = s.GetFinalizers()
				if string(s.Data["token"]) != "t" {
					t.Errorf("\n%s\nReconcile(...): the data of the Secret was changed", tc.reason)
				}
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nReconcile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestOfApplication: a watch ends with the application that it was for, although no
// managed resource ever used the token.
func TestOfApplication(t *testing.T) {
	cases := map[string]struct {
		reason string
		before *v1.AivenApplication
		after  *v1.AivenApplication // nil: deleted
		want   []reconcile.Request
	}{
		"Deleted":     {"Its Secret may be watched for nobody now.", bringing("token"), nil, []reconcile.Request{request(secretName)}},
		"Another":     {"What it does not name any more may not be needed.", bringing("token"), bringing("another"), []reconcile.Request{request(secretName)}},
		"None":        {"It uses a configuration now.", bringing("token"), &v1.AivenApplication{}, []reconcile.Request{request(secretName)}},
		"Same":        {"Other changes say nothing of the Secret.", bringing("token"), bringing("token"), nil},
		"NeverHadOne": {"Most applications bring none.", &v1.AivenApplication{}, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
			h := newRig(t).keeper().ofApplication()
			if tc.after == nil {
				h.Delete(t.Context(), ctrlevent.DeleteEvent{Object: tc.before}, q)
			} else {
				h.Update(t.Context(), ctrlevent.UpdateEvent{ObjectOld: tc.before, ObjectNew: tc.after}, q)
			}
			var got []reconcile.Request
			for q.Len() > 0 {
				r, _ := q.Get()
				got = append(got, r)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// bringing returns an application that brings a token.
func bringing(secret string) *v1.AivenApplication {
	a := &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "refunds"}}
	a.Spec.AuthSecretRef = &xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: secret}, Key: "token"}
	return a
}

// TestKeeperBurst: many managed resources of one token are not many reads.
func TestKeeperBurst(t *testing.T) {
	r := newRig(t, tokenSecret(), teams())
	k := r.keeper()
	pass := func() {
		t.Helper()
		if _, err := k.Reconcile(t.Context(), request(secretName)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if err := r.kube.Create(t.Context(), user(fmt.Sprintf("orders-%d", i))); err != nil {
			t.Fatal(err)
		}
		pass()
	}
	if r.reads != 1 || r.patches != 1 {
		t.Errorf("want one read and one write, got %d and %d", r.reads, r.patches)
	}

	// A change is looked at, once.
	k.memory.changed(secretName)
	pass()
	pass()
	if r.reads != 2 || r.patches != 1 {
		t.Errorf("after a change: want another read and no write, got %d and %d", r.reads, r.patches)
	}

	// The deletion is told once, whatever changes.
	if err := r.kube.Delete(t.Context(), tokenSecret()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		k.memory.changed(secretName)
		pass()
	}
	if len(r.events) != 1 {
		t.Errorf("want one event, got %v", r.events)
	}
}

func TestMemory(t *testing.T) {
	m := newMemory()
	if m.knows(secretName) {
		t.Error("a Secret that was never looked at is known")
	}
	was := m.of(secretName)
	m.changed(secretName)
	m.kept(secretName, was)
	if m.of(secretName).kept {
		t.Error("a Secret that changed since it was read is taken for kept")
	}
	m.kept(secretName, m.of(secretName))
	if !m.of(secretName).kept || !m.knows(secretName) {
		t.Error("a Secret that is kept is not remembered")
	}
	m.forget(secretName)
	if m.knows(secretName) {
		t.Error("a Secret that was forgotten is known")
	}
}
