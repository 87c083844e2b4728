// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// forbidden refuses everything about ConfigMaps.
func forbidden(o any) error {
	switch o.(type) {
	case *corev1.ConfigMap, *corev1.ConfigMapList:
		return kerrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "", errors.New("no right"))
	}
	return nil
}

// TestWithoutLedger: without records everything is reported and nothing deleted,
// and that is said once.
func TestWithoutLedger(t *testing.T) {
	cases := map[string]struct {
		reason string
		breaks func(r *rig)
		want   string
		line   string
	}{
		"NoNamespace": {
			reason: "The namespace is not known.",
			breaks: func(r *rig) { r.ledgers.namespace = "" },
			want:   "0/1", line: "namespace is not known",
		},
		"MayNotRead": {
			reason: "ConfigMaps may not be read.",
			breaks: func(r *rig) {
				r.funcs.List = func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
					if err := forbidden(l); err != nil {
						return err
					}
					return c.List(ctx, l, opts...)
				}
			},
			want: "0/1", line: "ConfigMaps may not be read",
		},
		"MayNotWrite": {
			reason: "ConfigMaps may not be written: one that is there may lack what took away a proof.",
			breaks: func(r *rig) {
				r.funcs.Patch = func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
					if err := forbidden(o); err != nil {
						return err
					}
					return c.Patch(ctx, o, p, opts...)
				}
				r.claim("another") // There is something to write.
			},
			want: "1/0", line: "Cannot record which users",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.policy(v1alpha1.OrphansDelete)
			mg := r.claim("orders")
			r.note1()
			r.claim("other")
			r.note1()
			r.force(mg)
			tc.breaks(r)
			r.sweep(4)
			if !r.has(kafka, generated("orders")) {
				t.Errorf("%s: the user was deleted", tc.reason)
			}
			if got := r.orphans[kafka]; got != tc.want {
				t.Errorf("%s: orphans: got %s, want %s", tc.reason, got, tc.want)
			}
			if len(r.lines) != 1 || !strings.Contains(r.lines[0], tc.line) {
				t.Errorf("%s: log: want one line of %q, got %v", tc.reason, tc.line, r.lines)
			}
		})
	}
}

// TestRecord changes what is stored behind the back of the sweeper.
func TestRecord(t *testing.T) {
	k := key(central, kafka)
	const at = "2026-11-20T12:00:00Z"
	orders, billing := generated("orders"), generated("billing")
	stored := func(r *rig) *corev1.ConfigMap {
		cm := &corev1.ConfigMap{}
		if err := r.kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: k.name()}, cm); err != nil {
			t.Fatal(err)
		}
		return cm
	}
	update := func(r *rig, change func(cm *corev1.ConfigMap)) {
		cm := stored(r)
		change(cm)
		if err := r.kube.Update(t.Context(), cm); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		reason string
		// between the record of orders and that of billing, too.
		between func(r *rig)
		want    map[string]string
		fails   bool
	}{
		"Nothing": {
			reason: "What is new is added.",
			want:   map[string]string{orders: at, billing: at},
		},
		"Restart": {
			reason: "A new process goes on with what is stored.",
			between: func(r *rig) {
				update(r, func(cm *corev1.ConfigMap) { cm.Data[generated("before")] = at })
				r.ledgers.books = nil
			},
			want: map[string]string{orders: at, billing: at, generated("before"): at},
		},
		"Changed": {
			reason:  "What somebody else wrote meanwhile is kept.",
			between: func(r *rig) { update(r, func(cm *corev1.ConfigMap) { cm.Data[generated("before")] = at }) },
			want:    map[string]string{orders: at, billing: at, generated("before"): at},
		},
		"Emptied": {
			reason:  "An entry that was lost comes back.",
			between: func(r *rig) { update(r, func(cm *corev1.ConfigMap) { cm.Data = nil }) },
			want:    map[string]string{orders: at, billing: at},
		},
		"Deleted": {
			reason:  "So does a ledger.",
			between: func(r *rig) { r.force(stored(r)) },
			want:    map[string]string{orders: at, billing: at},
		},
		"Copied": {
			reason: "One that belongs to a configuration of another UID is begun anew.",
			between: func(r *rig) {
				update(r, func(cm *corev1.ConfigMap) {
					cm.Annotations[annotationConfigUID], cm.Data[generated("before")] = "uid-elsewhere", at
				})
			},
			want: map[string]string{orders: at, billing: at},
		},
		"NotOurs": {
			reason: "A ConfigMap that is no ledger is left alone.",
			between: func(r *rig) {
				update(r, func(cm *corev1.ConfigMap) { cm.Annotations, cm.Data = nil, map[string]string{"mine": "untouched"} })
			},
			want: map[string]string{"mine": "untouched"}, fails: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.claim("orders")
			r.note1()
			if tc.between != nil {
				tc.between(r)
			}
			r.claim("billing")
			r.note1()
			if diff := cmp.Diff(tc.want, stored(r).Data); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if got := len(r.lines) > 0; got != tc.fails {
				t.Errorf("%s: log: %v", tc.reason, r.lines)
			}
		})
	}
}

func TestLedgerObject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.claim("orders")
	r.note1()
	cm := r.ledgers.books[key(central, kafka)]
	want := map[string]string{
		"aiven.nais.io/project": project, "aiven.nais.io/service-name": kafka,
		"aiven.nais.io/provider-config": "ClusterProviderConfig//default", "aiven.nais.io/provider-config-uid": "uid-of-central",
	}
	if diff := cmp.Diff(want, cm.GetAnnotations()); diff != "" {
		t.Errorf("annotations: -want, +got:\n%s", diff)
	}
	if len(cm.GetName()) != len("aiven-users-01234567") || cm.GetLabels()["app.kubernetes.io/managed-by"] != "provider-aiven" {
		t.Errorf("name %s, labels %v", cm.GetName(), cm.GetLabels())
	}
	if k, ok := r.ledgers.keyOf(cm); !ok || k != key(central, kafka) {
		t.Errorf("keyOf(...): %v, %t", k, ok)
	}
}

// TestWatched: what was recorded while other namespaces were watched proves
// nothing, as nobody sees who claims it.
func TestWatched(t *testing.T) {
	cases := map[string]struct {
		reason   string
		was, is  []string
		want     string
		isThere  bool
		isProven bool
	}{
		"All":       {reason: "All namespaces are watched, as before.", want: "0/0"},
		"Same":      {reason: "The same namespaces are watched, in another order.", was: []string{"team", "other"}, is: []string{"other", "team"}, want: "0/0"},
		"Fewer":     {reason: "The user's namespace is not watched any more.", was: []string{"team", "other"}, is: []string{"other"}, want: "", isThere: true},
		"Some":      {reason: "All namespaces were watched before.", is: []string{"other"}, want: "", isThere: true},
		"FarApart":  {reason: "Another provider watches the others.", was: []string{"team"}, is: []string{"other"}, want: "", isThere: true},
		"AllAgain":  {reason: "Some namespaces were watched before.", was: []string{"team"}, want: "", isThere: true},
		"NowOneToo": {reason: "One more is watched.", was: []string{"team"}, is: []string{"other", "team"}, want: "", isThere: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.policy(v1alpha1.OrphansDelete)
			r.ledgers.watched = tc.was
			recordAndForce(r, r.claim("orders"))
			r.ledgers.watched = tc.is
			r.sweep(3)
			if got := r.has(kafka, generated("orders")); got != tc.isThere {
				t.Errorf("%s: user is there: got %t, want %t", tc.reason, got, tc.isThere)
			}
			if got := r.orphans[kafka]; got != tc.want {
				t.Errorf("%s: orphans: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

// TestFull: a ledger has an end, and what is in it stays.
func TestFull(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	k := key(central, kafka)
	many := func(prefix string, n int) map[string]string {
		out := make(map[string]string, n)
		for i := range n {
			out[fmt.Sprintf("%s_app_%08x_aaa", prefix, i)] = "2026-11-20T12:00:00Z"
		}
		return out
	}
	r.ledgers.books = map[ledgerKey]*corev1.ConfigMap{}
	first := many("a", maxEntries-1)
	for _, add := range []map[string]string{first, many("b", 3), many("c", 3)} {
		if err := r.ledgers.change(t.Context(), k, "uid-of-central", add, nil); err != nil {
			t.Fatalf("change(...): %v", err)
		}
	}
	want := maps.Clone(first)
	want["b_app_00000000_aaa"] = "2026-11-20T12:00:00Z"
	if diff := cmp.Diff(want, r.ledgers.made(k)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if len(r.lines) != 1 || !strings.Contains(r.lines[0], "is full") {
		t.Errorf("log: want one line, got %v", r.lines)
	}
	// What goes makes room.
	if err := r.ledgers.change(t.Context(), k, "uid-of-central", many("c", 1), []string{"b_app_00000000_aaa"}); err != nil {
		t.Fatalf("change(...): %v", err)
	}
	if _, ok := r.ledgers.made(k)["c_app_00000000_aaa"]; !ok {
		t.Error("there is no room although an entry was removed")
	}
}

// TestConfigGone: records go with the configuration, and are not taken up by
// another one of its name.
func TestConfigGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	recordAndForce(r, r.claim("orders"))
	r.force(&v1alpha1.ClusterProviderConfig{ObjectMeta: objectMeta(central)})
	r.sweep(1)
	if _, ok := r.ledger(key(central, kafka)); ok {
		t.Error("the ledger of a configuration that is gone is still there")
	}
	if len(r.orphans) > 0 {
		t.Errorf("metrics of a service that nothing uses: %v", r.orphans)
	}
}

// TestConflicts gives up after some attempts, and tries again the next time.
func TestConflicts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.claim("orders")
	r.note1()
	attempts := 0
	r.funcs.Patch = func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		attempts++
		return kerrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, "", nil)
	}
	r.claim("billing")
	r.note1()
	if attempts != writeAttempts || len(r.lines) != 1 {
		t.Errorf("%d attempts, log %v", attempts, r.lines)
	}
	r.funcs.Patch = nil
	r.note1()
	if data, _ := r.ledger(key(central, kafka)); len(data) != 2 {
		t.Errorf("recorded: %v", data)
	}
}

// TestSpared: that a user is to be kept is remembered until it is recorded.
func TestSpared(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mg := r.claim("orders")
	r.note1()
	mg.Spec.ManagementPolicies = keepsUser
	r.force(mg)
	r.gone(mg)
	r.funcs.Patch = func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return forbidden(&corev1.ConfigMap{})
	}
	r.note1()
	if n := len(r.spared.all()); n != 1 {
		t.Errorf("%d users are remembered, want the one that could not be recorded", n)
	}
	r.funcs.Patch = nil
	r.note1()
	if n := len(r.spared.all()); n != 0 {
		t.Errorf("%d users are remembered although all is recorded", n)
	}
	if data, _ := r.ledger(key(central, kafka)); len(data) != 0 {
		t.Errorf("recorded as made: %v", data)
	}
}

func TestKeys(t *testing.T) {
	a, b := key(central, kafka), key(providerconfig.Ref{Kind: central.Kind, Name: "other"}, kafka)
	if compareKeys(a, b) >= 0 || compareKeys(b, a) <= 0 || compareKeys(a, a) != 0 || a.name() == b.name() {
		t.Error("services have a ledger for each configuration")
	}
}
