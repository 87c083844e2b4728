// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const simToken = "token-of-the-tests-4711"

// A ward is a checker with a configuration, an Aiven and a clock.
type ward struct {
	*rig
	*checker

	t     *testing.T
	sim   *aivensim.Server
	clock time.Time
}

func newWard(t *testing.T, objects ...client.Object) *ward {
	t.Helper()
	w := &ward{t: t, rig: newRig(t, append(objects, teams())...), clock: noon}
	w.sim = aivensim.New(aivensim.WithKeySize(1024), aivensim.WithSeed(aivensim.Seed{
		Tokens:   []aivensim.Token{{Token: simToken}},
		Projects: []aivensim.Project{{Name: "search"}, {Name: "nav-dev"}},
	}))
	server := httptest.NewServer(w.sim)
	t.Cleanup(server.Close)
	c, err := aiven.New(aiven.Options{Token: simToken, BaseURL: server.URL, Limits: aiven.Limits{RequestsPerSecond: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w.connect = func() (*aiven.Client, error) { return c, nil }
	w.checker = w.rig.checker()
	w.now = func() time.Time { return w.clock }
	return w
}

// check makes a check, and returns when the next is due.
func (w *ward) check() time.Duration {
	w.t.Helper()
	res, err := w.Reconcile(w.t.Context(), request(configName))
	if err != nil {
		w.t.Fatal(err)
	}
	return res.RequeueAfter
}

func (w *ward) healthy() xpv2.Condition {
	w.t.Helper()
	pc := w.config(w.t)
	return pc.Status.GetCondition(v1alpha1.TypeHealthy)
}

func (w *ward) want(reason string, status corev1.ConditionStatus, because xpv2.ConditionReason) {
	w.t.Helper()
	if c := w.healthy(); c.Status != status || c.Reason != because {
		w.t.Errorf("%s: want %s %s, got %s %s: %s", reason, status, because, c.Status, c.Reason, c.Message)
	}
	if measured := fmt.Sprintf("ProviderConfig %s %t %s", configName, status == corev1.ConditionTrue, because); w.measured != measured {
		w.t.Errorf("%s: want metrics to be told %q, got %q", reason, measured, w.measured)
	}
}

// around tells whether a duration is another one, give or take the jitter.
func around(d, want time.Duration) bool {
	return d >= want-want/8 && d <= want+want/8
}

func TestCheckWritesStatus(t *testing.T) {
	w := newWard(t)
	pc := w.config(t)
	pc.Status.Users = 7
	pc.Status.SetConditions(xpv2.Condition{Type: "Terminating", Status: corev1.ConditionTrue})
	if err := w.kube.Status().Update(t.Context(), pc); err != nil {
		t.Fatal(err)
	}
	w.statuses = 0

	if d := w.check(); !around(d, HealthInterval) {
		t.Errorf("the next check is due in %s", d)
	}
	got := w.config(t).Status
	want := v1alpha1.ProviderConfigStatus{
		ProviderConfigStatus: xpv2.ProviderConfigStatus{Users: 7},
		Token: &v1alpha1.TokenStatus{
			CheckedAt: metav1.NewTime(noon),
			Projects:  []v1alpha1.ProjectRights{{Name: "nav-dev", ReadServices: "Yes"}, {Name: "search", ReadServices: "Yes"}},
		},
	}
	want.Conditions = []xpv2.Condition{
		{Type: "Terminating", Status: corev1.ConditionTrue},
		v1alpha1.Healthy("Reads projects nav-dev, search.").WithObservedGeneration(1),
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(xpv2.Condition{}, "LastTransitionTime")); diff != "" {
		t.Errorf("status: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"default Normal TokenAccepted: Reads projects nav-dev, search."}, w.events); diff != "" {
		t.Errorf("events: -want, +got:\n%s", diff)
	}

	// What leads here at once again, such as the watch of the Secret that the
	// check began, is not another check.
	calls := len(w.sim.Requests())
	w.clock = w.clock.Add(time.Second)
	w.check()
	if n := len(w.sim.Requests()); n != calls || w.statuses != 1 {
		t.Errorf("want no call and no write, got %d calls and %d writes", n-calls, w.statuses-1)
	}

	// When it is due, only the time is written.
	w.clock = noon.Add(HealthInterval)
	w.check()
	at := metav1.NewTime(w.clock)
	if got := w.config(t).Status.Token.CheckedAt; !got.Equal(&at) {
		t.Errorf("checked at %s, want %s", got, at)
	}
	if len(w.events) != 1 {
		t.Errorf("want no other event, got %v", w.events)
	}
}

func TestCheckFlaps(t *testing.T) {
	w := newWard(t)
	down := func() func() {
		return w.sim.Inject(aivensim.Fault{Operation: "ListProjects", Status: 400 + 1, Message: "Invalid token"})
	}
	out := func() func() { return w.sim.Inject(aivensim.Fault{Operation: "ListServices", CloseConnection: true}) }

	restore := out()
	w.check()
	w.want("nothing was known before", corev1.ConditionUnknown, v1alpha1.ReasonAivenUnavailable)
	restore()
	w.check()
	w.want("Aiven is back", corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted)

	w.clock = w.clock.Add(HealthInterval)
	restore = out()
	if d := w.check(); !around(d, retryInterval) {
		t.Errorf("after a check that found out nothing the next is due in %s", d)
	}
	w.want("one check says little", corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted)
	w.check()
	w.want("two in a row say more", corev1.ConditionUnknown, v1alpha1.ReasonAivenUnavailable)
	if got := w.config(t).Status.Token; got == nil || len(got.Projects) != 2 {
		t.Errorf("status.token: want what was known before, got %+v", got)
	}
	restore()
	w.check()
	w.want("Aiven is back again", corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted)

	// A refusal is not passing. It is looked at less and less often.
	w.clock = w.clock.Add(HealthInterval)
	restore = down()
	for i, want := range []int{1, 2, 4, 8, 15, 15} {
		if d := w.check(); !around(d, time.Duration(want)*time.Minute) {
			t.Errorf("after %d refusals the next check is due in %s, want %d minutes", i+1, d, want)
		}
		w.want("the token is refused", corev1.ConditionFalse, v1alpha1.ReasonTokenRejected)
	}
	restore()
	w.check()
	w.want("the token is accepted again", corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted)
	if n := len(w.events); n != 6 {
		t.Errorf("want an event for each of 6 changes, got %v", w.events)
	}
}

func TestCheckNoToken(t *testing.T) {
	w := newWard(t)
	w.check()
	w.connect = func() (*aiven.Client, error) {
		return nil, errors.Wrap(providerconfig.ErrNoToken, "Secret shop/token does not exist")
	}
	w.check()
	w.want("the Secret is gone", corev1.ConditionFalse, v1alpha1.ReasonNoToken)
	if got := w.config(t).Status.Token; got != nil {
		t.Errorf("status.token: want none, got %+v", got)
	}
	w.connect = func() (*aiven.Client, error) { return nil, errors.Wrap(providerconfig.ErrNoConfig, "cannot get it") }
	writes := w.statuses
	if d := w.check(); d != 0 || w.statuses != writes {
		t.Errorf("a configuration that has gone was written, or is checked again in %s", d)
	}
	if err := w.kube.Delete(t.Context(), w.config(t)); err != nil {
		t.Fatal(err)
	}
	if w.check(); w.measured != "" {
		t.Errorf("metrics of a configuration that has gone: %s", w.measured)
	}
}

// TestCheckLeaving: who looks at the configuration is told that its token is
// about to go.
func TestCheckLeaving(t *testing.T) {
	s := tokenSecret(finalizers(ours))
	w := newWard(t, s)
	w.check()
	if err := w.kube.Delete(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w.check()
	want := "Reads projects nav-dev, search. Secret shop/token is being deleted, and stays until the managed resources that need its token are gone. To change the token, edit the Secret."
	if diff := cmp.Diff(want, w.healthy().Message); diff != "" {
		t.Errorf("message: -want, +got:\n%s", diff)
	}
}

// TestCheckConflict: others write the same status.
func TestCheckConflict(t *testing.T) {
	w := newWard(t)
	failures := 2
	w.funcs.SubResourceUpdate = func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
		if failures--; failures >= 0 {
			return kerrors.NewConflict(schema.GroupResource{Resource: "providerconfigs"}, o.GetName(), errBoom)
		}
		return c.SubResource(sub).Update(ctx, o, opts...)
	}
	w.check()
	w.want("it was written on top of what others wrote", corev1.ConditionTrue, v1alpha1.ReasonTokenAccepted)
	if n := len(w.sim.Requests()); n != 3 {
		t.Errorf("want 3 calls to Aiven, got %d", n)
	}
}
