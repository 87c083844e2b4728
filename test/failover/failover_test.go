// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/provider"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// managed is how many managed resources are made, and applications how many
// applications, when a leader is killed.
const (
	managed      = 20
	applications = 5
)

// TestLeaderKilled: a leader that is killed while it makes users, at any write, is
// followed by another, and no user is made twice or left behind.
func TestLeaderKilled(t *testing.T) {
	// Long enough to be renewed on a machine that is slow.
	brief := func(o *provider.Options) { o.LeaseDuration = 20 * time.Second }
	for _, after := range []bool{false, true} {
		for _, at := range []int{15, 60, 110} {
			t.Run(fmt.Sprintf("Write%d/Answered%t", at, !after), func(t *testing.T) {
				leader := start(t, brief)
				leads(t)
				standby := start(t, brief)
				standby.ready(t)
				leader.ready(t)
				ns := h.Namespace(t, "killed")
				leader.gate.ShutAt(at, after)
				var objects []client.Object
				for i := range managed {
					objects = append(objects, user(ns, i))
				}
				for i := range applications {
					objects = append(objects, app(ns, "app-"+strconv.Itoa(i), valkey))
				}
				for _, o := range objects {
					create(t, o)
				}
				select {
				case <-leader.gate.Killed():
				case <-time.After(harness.Patience):
					t.Fatalf("the leader did not come to write %d", at)
				}
				leader.kill()
				for _, o := range objects {
					condition(t, o.(conditioned), v1.ReasonAvailable)
				}
				standby.ready(t)
				theOnes(t, ns)
				deleteAll(t, objects...)
			})
		}
	}
}

// theOnes fails the test unless there is one user at Aiven for each managed
// resource, and no other.
func theOnes(t *testing.T, namespace string) {
	t.Helper()
	users, kafkas := &v1alpha1.ValkeyServiceUserList{}, &v1alpha1.KafkaServiceUserList{}
	for _, l := range []client.ObjectList{users, kafkas} {
		if err := h.Kube.List(t.Context(), l, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]string{}
	for i := range users.Items {
		want[valkey] = append(want[valkey], meta.GetExternalName(&users.Items[i]))
	}
	for i := range kafkas.Items {
		want[kafka] = append(want[kafka], meta.GetExternalName(&kafkas.Items[i]))
	}
	for service, n := range map[string]int{valkey: managed + applications, kafka: applications} {
		slices.Sort(want[service])
		if len(want[service]) != n {
			t.Errorf("%d managed resources of %s, want %d", len(want[service]), service, n)
		}
		if diff := cmp.Diff(want[service], usernames(service, namespace)); diff != "" {
			t.Errorf("users of %s: -managed, +at Aiven:\n%s", service, diff)
		}
	}
}

// TestHandOver: a leader that is told to end gives its lease back, so that another
// need not wait for the end of it.
func TestHandOver(t *testing.T) {
	long := func(o *provider.Options) { o.LeaseDuration = 10 * harness.Patience }
	first := start(t, long)
	was := leads(t)
	second := start(t, long)
	second.ready(t)
	first.stop()
	harness.Eventually(t, "the other one leads", func(ctx context.Context) error {
		if is := holder(ctx); is == "" || is == was {
			return errors.Errorf("%q leads", is)
		}
		return nil
	})
	second.ready(t)
	second.stop()
	harness.Eventually(t, "nobody leads", func(ctx context.Context) error {
		if is := holder(ctx); is != "" {
			return errors.Errorf("%q leads", is)
		}
		return nil
	})
}

// leads waits until there is a leader, and returns who it is.
func leads(t *testing.T) string {
	t.Helper()
	var is string
	harness.Eventually(t, "somebody leads", func(ctx context.Context) error {
		if is = holder(ctx); is == "" {
			return errors.New("nobody does")
		}
		return nil
	})
	return is
}

func holder(ctx context.Context) string {
	l := &coordinationv1.Lease{}
	if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: leases, Name: "crossplane-leader-election-provider-aiven"}, l); err != nil || l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}
