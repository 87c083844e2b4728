// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

// application returns the one of the tests, which wants a Secret of this name.
func application(secret string, with ...func(a *v1.AivenApplication)) *v1.AivenApplication {
	a := &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "orders", UID: "uid-of-orders"},
		Spec:       v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "pool", SecretName: secret}},
	}
	for _, w := range with {
		w(a)
	}
	return a
}

func holding(names ...string) func(a *v1.AivenApplication) {
	return func(a *v1.AivenApplication) {
		for _, n := range names {
			a.Status.Secrets = append(a.Status.Secrets, v1.SecretStatus{Name: n})
		}
	}
}

func TestSweep(t *testing.T) {
	since := func(d time.Duration) func(o client.Object) {
		return annotate(v1.AnnotationUnusedSince, noon.Add(-d).Format(time.RFC3339))
	}
	expires := func(d time.Duration) func(a *v1.AivenApplication) {
		return func(a *v1.AivenApplication) { a.Spec.ExpiresAt = new(metav1.NewTime(noon.Add(d))) }
	}
	protected := annotate(v1.AnnotationProtected, "true")
	marked := noon.Format(time.RFC3339)

	type want struct {
		gone   bool
		since  string
		result ctrl.Result
		counts []string
	}
	cases := map[string]struct {
		reason string
		secret []func(o client.Object)
		app    *v1.AivenApplication
		// late is an application that caches do not show yet.
		late *v1.AivenApplication
		uses []janitor.Use
		want want
	}{
		"Wanted": {
			reason: "What an application names needs no attention.",
			app:    application(mine),
		},
		"WantedAgain": {
			reason: "What it names again is not unused any more.",
			secret: []func(o client.Object){since(2 * time.Hour)}, app: application(mine),
			want: want{counts: []string{"spared Wanted"}},
		},
		"NotReplaced": {
			reason: "A Secret with another name is wanted until the other one is published.",
			app:    application("renamed", holding(mine)),
		},
		"Replaced": {
			reason: "And not after.",
			app:    application("renamed", holding("renamed")),
			want:   want{since: marked, result: ctrl.Result{RequeueAfter: time.Hour}, counts: []string{"marked Unused"}},
		},
		"Unused": {
			reason: "What nobody names or uses is marked first.",
			want:   want{since: marked, result: ctrl.Result{RequeueAfter: time.Hour}, counts: []string{"marked Unused"}},
		},
		"GracePeriod": {
			reason: "It stays for a while, of which the mark has told.",
			secret: []func(o client.Object){since(40 * time.Minute)},
			want:   want{since: noon.Add(-40 * time.Minute).Format(time.RFC3339), result: ctrl.Result{RequeueAfter: 20 * time.Minute}},
		},
		"Over": {
			reason: "Then it goes.",
			secret: []func(o client.Object){since(time.Hour)},
			want:   want{gone: true, result: ctrl.Result{RequeueAfter: sweep}, counts: []string{"deleted Unused"}},
		},
		"OnlyForTheCache": {
			reason: "But not when an application wants it that the cache does not show yet.",
			secret: []func(o client.Object){since(time.Hour)}, late: application(mine),
			want: want{counts: []string{"spared Wanted"}},
		},
		"Used": {
			reason: "Nor when a workload refers to it.",
			secret: []func(o client.Object){since(time.Hour)}, uses: []janitor.Use{{Kind: "deployment", Name: "orders"}},
			want: want{result: ctrl.Result{RequeueAfter: sweep}, counts: []string{"spared InUse"}},
		},
		"Protected": {
			reason: "Nor when only a person may remove it.",
			secret: []func(o client.Object){since(time.Hour), protected},
			want:   want{result: ctrl.Result{RequeueAfter: sweep}, counts: []string{"spared Protected"}},
		},
		"NotProtectedAnyMore": {
			reason: "What the application says about that is newer than what is on the Secret.",
			secret: []func(o client.Object){since(time.Hour), protected}, app: application("renamed"),
			want: want{gone: true, result: ctrl.Result{RequeueAfter: sweep}, counts: []string{"deleted Unused"}},
		},
		"Expired": {
			reason: "Access that ended goes, whoever uses it.",
			app:    application(mine, expires(-time.Second)), uses: []janitor.Use{{Kind: "pod", Name: "x"}},
			want: want{gone: true, result: ctrl.Result{RequeueAfter: sweep}, counts: []string{"deleted Expired"}},
		},
		"ExpiredWithoutApplication": {
			reason: "Also when the application is gone, and protected or not.",
			secret: []func(o client.Object){protected, annotate(v1.AnnotationExpiresAt, noon.Format(time.RFC3339))},
			want:   want{gone: true, result: ctrl.Result{RequeueAfter: sweep}, counts: []string{"deleted Expired"}},
		},
		"ExpiresLater": {
			reason: "An end that was moved holds, whatever the Secret says.",
			secret: []func(o client.Object){annotate(v1.AnnotationExpiresAt, noon.Format(time.RFC3339))}, app: application(mine, expires(time.Minute)),
			want: want{result: ctrl.Result{RequeueAfter: time.Minute}},
		},
		"ApplicationGoes": {
			reason: "An application that is being deleted wants nothing.",
			app:    application(mine, func(a *v1.AivenApplication) { going(a); finalizers("x")(a) }),
			want:   want{since: marked, result: ctrl.Result{RequeueAfter: time.Hour}, counts: []string{"marked Unused"}},
		},
		"NotPublished": {
			reason: "A Secret that no application published is nobody's to judge.",
			secret: []func(o client.Object){func(o client.Object) { o.SetAnnotations(nil) }},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := published(mine, append([]func(o client.Object){finalizers()}, tc.secret...)...)
			objects := []client.Object{s}
			if tc.app != nil {
				objects = append(objects, tc.app)
			}
			r := newRig(t, objects...)
			r.uses = tc.uses
			if tc.late != nil {
				r.live = apiServer(t, tc.late)
			}
			var got want
			var err error
			if got.result, err = r.reconcile(t); err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if s := r.secret(t); s == nil {
				got.gone = true
			} else {
				got.since = s.GetAnnotations()[v1.AnnotationUnusedSince]
			}
			got.counts = r.counts
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if len(r.events) != len(r.counts) {
				t.Errorf("people are told what is counted: %d events, %d counts", len(r.events), len(r.counts))
			}
		})
	}
}

// TestSweepAgain has one decision be told once, and again when there was another
// in between.
func TestSweepAgain(t *testing.T) {
	r := newRig(t, published(mine))
	use := []janitor.Use{{Kind: "deployment", Name: "orders"}}
	for _, uses := range [][]janitor.Use{use, use, nil, nil, use} {
		r.uses = uses
		if _, err := r.reconcile(t); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"spared InUse", "marked Unused", "spared InUse"}, r.counts); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// TestSaid: what people were told of a Secret is kept no longer than the Secret.
func TestSaid(t *testing.T) {
	anew := func(r *rig) error {
		s := published(mine, finalizers())
		s.SetUID("another")
		return r.kube.Create(t.Context(), s)
	}
	cases := map[string]struct {
		reason string
		then   func(r *rig) error
		want   []string
		kept   int
	}{
		"Stays": {reason: "It is told once.", then: func(*rig) error { return nil }, want: []string{"spared InUse"}, kept: 1},
		"Gone":  {reason: "Nothing is kept of a Secret that is gone.", then: func(r *rig) error { return r.kube.Delete(t.Context(), r.secret(t)) }, want: []string{"spared InUse"}},
		"Another": {
			reason: "One of the same name is another one.", want: []string{"spared InUse", "spared InUse"}, kept: 1,
			then: func(r *rig) error {
				if err := r.kube.Delete(t.Context(), r.secret(t)); err != nil {
					return err
				}
				return anew(r)
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, published(mine, finalizers()))
			r.uses = []janitor.Use{{Kind: "deployment", Name: "orders"}}
			if _, err := r.reconcile(t); err != nil {
				t.Fatal(err)
			}
			if err := tc.then(r); err != nil {
				t.Fatal(err)
			}
			if _, err := r.reconcile(t); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, r.counts); diff != "" || len(r.said) != tc.kept {
				t.Errorf("%s: %d are kept, want %d; told: -want, +got:\n%s", tc.reason, len(r.said), tc.kept, diff)
			}
		})
	}
}

func TestWantsChanged(t *testing.T) {
	cases := map[string]struct {
		reason  string
		was, is *v1.AivenApplication
		want    bool
	}{
		"New":       {reason: "A new application may want what is there.", is: application(mine), want: true},
		"Known":     {reason: "One that published Secrets is looked at with these, after a restart too.", is: application(mine, holding(mine))},
		"Same":      {reason: "Most changes of a status do not matter.", was: application(mine, holding(mine)), is: application(mine, holding(mine), func(a *v1.AivenApplication) { a.Status.ObservedGeneration = 2 })},
		"Spec":      {reason: "A change of the spec does.", was: application(mine), is: application(mine, func(a *v1.AivenApplication) { a.SetGeneration(2) }), want: true},
		"Published": {reason: "So does another Secret being published.", was: application("renamed", holding(mine)), is: application("renamed", holding("renamed")), want: true},
		"Content":   {reason: "New content of the same Secret does not.", was: application(mine, holding(mine)), is: application(mine, holding(mine), func(a *v1.AivenApplication) { a.Status.Secrets[0].ContentHash = "new" })},
		"Deleted":   {reason: "And so does the end of an application.", was: application(mine), is: application(mine, func(a *v1.AivenApplication) { going(a) }), want: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got bool
			if tc.was == nil {
				got = wantsChanged().Create(ctrlevent.CreateEvent{Object: tc.is})
			} else {
				got = wantsChanged().Update(ctrlevent.UpdateEvent{ObjectOld: tc.was, ObjectNew: tc.is})
			}
			if got != tc.want {
				t.Errorf("%s: want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}
