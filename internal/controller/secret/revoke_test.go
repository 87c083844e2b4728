// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"
	"strings"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// holdersOf returns who holds which user, and which users are being deleted, as
// in "kafka: orders-aiven" and "kafka: going".
func (r *rig) holdersOf(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, l := range r.lists {
		l := l.DeepCopyObject().(client.ObjectList)
		if err := r.kube.List(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		_ = apimeta.EachListItem(l, func(o runtime.Object) error {
			mg, how := o.(client.Object), "going"
			if !meta.WasDeleted(mg) {
				how = strings.Join(secretsOf(mg), ", ")
			}
			out = append(out, mg.GetName()+": "+how)
			return nil
		})
	}
	return sorted(out)
}

func TestRevoke(t *testing.T) {
	const external = "finalizer.managedresource.crossplane.io"
	kafka := func(with ...holder) client.Object { return user(&v1alpha1.KafkaServiceUser{}, "kafka", with...) }
	search := func(with ...holder) client.Object { return user(&v1alpha1.OpenSearchServiceUser{}, "search", with...) }
	valkey := func(with ...holder) client.Object { return user(&v1alpha1.ValkeyServiceUser{}, "valkey", with...) }
	const revoked = "RevokedSecret"

	type want struct {
		users      []string
		finalizers []string // Of the Secret; it is gone when it has none.
		result     ctrl.Result
		events     []string
	}
	stays := []string{v1.FinalizerRevoke}
	again := ctrl.Result{RequeueAfter: revokeAgain}
	cases := map[string]struct {
		reason  string
		secret  []func(o client.Object)
		objects []client.Object
		passes  int
		want    want
	}{
		"NoUsers": {
			reason: "A Secret that holds nothing goes at once.",
			want:   want{events: []string{revoked}},
		},
		"Alone": {
			reason:  "The users that only it holds are deleted, whatever their kind and however they know of it; it waits.",
			objects: []client.Object{kafka(named(mine), owned(mine)), search(named(mine)), valkey(owned(mine))},
			want:    want{finalizers: stays, result: again},
		},
		"AloneGone": {
			reason:  "When they are gone it goes too.",
			objects: []client.Object{kafka(named(mine), owned(mine)), search(named(mine)), valkey(owned(mine))}, passes: 2,
			want: want{events: []string{revoked}},
		},
		"NotGoneYet": {
			reason:  "As long as one is not deleted at Aiven the Secret stays, whatever became of the rest.",
			objects: []client.Object{kafka(named(mine), finalizers(external)), search(named(mine))}, passes: 3,
			want: want{users: []string{"kafka: going"}, finalizers: stays, result: again},
		},
		"Stuck": {
			reason: "People learn what the deletion of a user waits for.",
			objects: []client.Object{kafka(named(mine), finalizers(external), going, func(o client.Object) {
				o.(*v1alpha1.KafkaServiceUser).SetConditions(xpv2.ReconcileError(errBoom))
			})},
			want: want{
				users: []string{"kafka: going"}, finalizers: stays, result: again,
				events: []string{"CannotRevoke: kafka cannot be deleted at Aiven yet: boom"},
			},
		},
		"Shared": {
			reason:  "What another Secret of the application holds too stays, and belongs to that one alone.",
			objects: []client.Object{published(others), kafka(named(mine), owned(mine), owned(others)), search(named(others), owned(mine))},
			want:    want{users: []string{"kafka: " + others, "search: " + others}, events: []string{revoked}},
		},
		"SomeShared": {
			reason:  "Exactly those go that no other Secret holds.",
			objects: []client.Object{published(others), kafka(named(mine)), search(named(others), owned(mine)), valkey(named(others))},
			want:    want{users: []string{"search: " + others, "valkey: " + others}, finalizers: stays, result: again},
		},
		"OtherGone": {
			reason:  "A Secret that is gone holds nothing.",
			objects: []client.Object{kafka(named(mine), owned(others))},
			want:    want{finalizers: stays, result: again},
		},
		"OtherGoing": {
			reason:  "Nor does one that is deleted with it, or both would leave the user to each other.",
			objects: []client.Object{published(others, going), kafka(named(mine), owned(others))},
			want:    want{finalizers: stays, result: again},
		},
		"OtherApplication": {
			reason:  "A Secret of another application, or of nobody, never held it.",
			objects: []client.Object{published(others, annotate(v1.AnnotationApplication, "billing")), kafka(named(mine), owned(others))},
			want:    want{finalizers: stays, result: again},
		},
		"Imported": {
			reason: "A managed resource that a person made is nobody's to delete.",
			objects: []client.Object{kafka(named(mine), func(o client.Object) {
				o.SetLabels(nil)
			})},
			want: want{users: []string{"kafka: " + mine}, events: []string{revoked}},
		},
		"OtherNamespace": {
			reason: "A Secret of the same name in another namespace is another one.",
			objects: []client.Object{kafka(named(mine), func(o client.Object) {
				o.SetNamespace("elsewhere")
			})},
			want: want{users: []string{"kafka: " + mine}, events: []string{revoked}},
		},
		"OtherFinalizers": {
			reason: "What others wait for is theirs.",
			secret: []func(o client.Object){finalizers("example.org/audit", v1.FinalizerRevoke)},
			want:   want{finalizers: []string{"example.org/audit"}, events: []string{revoked}},
		},
		"NotWaiting": {
			reason:  "A Secret that does not wait for its users does not take them with it.",
			secret:  []func(o client.Object){finalizers("example.org/audit")},
			objects: []client.Object{kafka(named(mine))},
			want:    want{users: []string{"kafka: " + mine}, finalizers: []string{"example.org/audit"}},
		},
		"NotPublished": {
			reason:  "A Secret that says of no application holds what it owns alone, and is let go.",
			secret:  []func(o client.Object){func(o client.Object) { o.SetAnnotations(nil) }},
			objects: []client.Object{kafka(named(mine))},
			want:    want{users: []string{"kafka: " + mine}, events: []string{revoked}},
		},
		"MarksLost": {
			reason:  "What it owns goes with it all the same.",
			secret:  []func(o client.Object){func(o client.Object) { o.SetAnnotations(nil) }},
			objects: []client.Object{kafka(owned(mine))},
			want:    want{finalizers: stays, result: again},
		},
		"ClaimedByAnother": {
			reason:  "An application that names the Secret of another one by mistake does not lose its users with that.",
			objects: []client.Object{kafka(named(mine), annotate(v1.AnnotationApplication, "billing"))},
			want:    want{users: []string{"kafka: " + mine}, events: []string{revoked}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, append(tc.objects, published(mine, append([]func(o client.Object){going}, tc.secret...)...))...)
			var got want
			for range max(tc.passes, 1) {
				var err error
				if got.result, err = r.reconcile(t); err != nil {
					t.Fatalf("%s: %v", tc.reason, err)
				}
			}
			got.users, got.events = r.holdersOf(t), r.events
			if s := r.secret(t); s != nil {
				got.finalizers = s.GetFinalizers()
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRevokeErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		funcs  interceptor.Funcs
		want   string
	}{
		"List": {
			reason: "Who cannot see all users must not take it that there are none.",
			funcs:  interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return errBoom }},
			want:   "cannot list managed resources: boom",
		},
		"Get": {
			reason: "Who cannot see the other Secrets must not take it that there are none.",
			funcs: interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				if k.Name == others {
					return errBoom
				}
				return c.Get(ctx, k, o, opts...)
			}},
			want: "cannot get Secret: boom",
		},
		"Delete": {
			reason: "A user that cannot be deleted is there still.",
			funcs:  interceptor.Funcs{Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error { return errBoom }},
			want:   "cannot delete managed resource: boom",
		},
		"Patch": {
			reason: "And a Secret that cannot be let go comes again.",
			funcs: interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
				return errBoom
			}},
			want: "cannot take a Secret off a managed resource: boom",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, published(mine, going), published(others),
				user(&v1alpha1.KafkaServiceUser{}, "kafka", named(mine)), user(&v1alpha1.ValkeyServiceUser{}, "valkey", named(mine), owned(others)))
			r.breaks(tc.funcs)
			if _, err := r.reconcile(t); err == nil || err.Error() != tc.want {
				t.Errorf("%s: want error %q, got %v", tc.reason, tc.want, err)
			}
			if s := r.secret(t); s == nil || !meta.FinalizerExists(s, v1.FinalizerRevoke) {
				t.Errorf("%s: the Secret was let go", tc.reason)
			}
		})
	}
}

func TestSecretsOf(t *testing.T) {
	cases := map[string]struct {
		reason string
		with   []holder
		want   []string
	}{
		"None":  {reason: "An application is not a Secret."},
		"Named": {reason: "The Secret that is named comes first.", with: []holder{owned(others), named(mine)}, want: []string{mine, others}},
		"Twice": {reason: "Each once, however it is known.", with: []holder{named(mine), owned(mine)}, want: []string{mine}},
		"Owned": {reason: "Owners that it does not name hold it too.", with: []holder{owned(mine), owned(others)}, want: []string{mine, others}},
		"OtherKind": {
			reason: "A Secret is one of Kubernetes'.",
			with: []holder{func(o client.Object) {
				o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "example.org/v1", Kind: "Secret", Name: mine}})
			}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			mg := user(&v1alpha1.KafkaServiceUser{}, "kafka", tc.with...)
			if diff := cmp.Diff(tc.want, secretsOf(mg)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			var requests []ctrl.Request
			for _, n := range tc.want {
				requests = append(requests, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: n}})
			}
			if diff := cmp.Diff(requests, ofManaged(t.Context(), mg)); diff != "" {
				t.Errorf("each of them is looked at when the user is gone: -want, +got:\n%s", diff)
			}
		})
	}
}
