// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// limited has the configuration say how many users a service may have.
func (te tenant) limited(limit, headroom int32) {
	te.t.Helper()
	te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) {
		s.ServiceUsers = &v1alpha1.ServiceUsers{Limit: limit, Headroom: headroom}
	})
}

// quota waits until QuotaAvailable of an application has a reason, as it is
// specified now.
func (te tenant) quota(name string, status corev1.ConditionStatus, reason xpv2.ConditionReason) string {
	te.t.Helper()
	c := te.condition(name, v1.TypeQuotaAvailable, reason)
	if c.Status != status {
		te.t.Errorf("QuotaAvailable of %s is %s for reason %s, want %s", name, c.Status, reason, status)
	}
	return c.Message
}

// outside adds users that other people made.
func (te tenant) outside(service string, n int) {
	for i := range n {
		h.Sim.AddUser(te.project, service, fmt.Sprintf("somebody-%d", i))
	}
}

// looked waits until the provider has seen a service that it uses as it is now.
func (te tenant) looked(service string) {
	te.t.Helper()
	reads := func() int {
		count := 0
		for _, r := range h.Sim.Requests() {
			if r.Operation == "GetService" && r.Project == te.project && r.Service == service {
				count++
			}
		}
		return count
	}
	// The first may have been under way, and what the second returned is known when the
	// third is there: they come one after the other.
	before := reads()
	harness.Eventually(te.t, "the provider looks at "+service, func(context.Context) error {
		if n := reads() - before; n < 3 {
			return errors.Errorf("it was read %d times", n)
		}
		return nil
	})
}

func TestQuotaConfigured(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "quota")
	te.create(te.app("unlimited", kafkaOnly))
	te.ready("unlimited")
	te.quota("unlimited", corev1.ConditionTrue, v1.ReasonNoLimit)
	te.delete(te.app("unlimited", kafkaOnly))
	te.nobodyLeft()

	// Built in, three of somebody and ours: 5 of 6, one of which is for rotations.
	te.limited(6, 1)
	te.outside("kafka", 3)
	te.create(te.app("orders", shortOverlap))
	te.ready("orders")
	te.quota("orders", corev1.ConditionTrue, v1.ReasonWithinLimit)
	te.looked("kafka")
	before := te.secret("orders-aiven")

	te.create(te.app("late"))
	message := te.declined("late", v1.ReasonQuotaExceeded)
	for _, want := range []string{"kafka", te.project, "has 5 users of at most 6", "1 of which", "serviceUsers.limit"} {
		if !strings.Contains(message, want) {
			t.Errorf("the message does not say %q: %s", want, message)
		}
	}
	if diff := cmp.Diff(message, te.quota("late", corev1.ConditionFalse, v1.ReasonQuotaExceeded)); diff != "" {
		t.Errorf("message of QuotaAvailable: -Ready, +got:\n%s", diff)
	}
	if got := te.users(te.openSearch()); len(got) != 1 {
		t.Errorf("an application that was refused has users of other services: %v", got)
	}
	// A person's managed resource is a new user as well.
	u := te.kafkaUser("by-hand")
	te.create(u)
	te.refused(u, v1.ReasonQuotaExceeded)

	// The headroom is for who rotates.
	te.change("orders", request("one"))
	te.revision("orders", 2, true)
	te.works(te.secret("orders-aiven"))
	if diff := cmp.Diff(before.Data["KAFKA_CERTIFICATE"], te.secret("orders-aiven").Data["KAFKA_CERTIFICATE"]); diff == "" {
		t.Error("the rotation changed nothing")
	}
	// Not even for him when it is used up.
	te.outside("kafka", 4)
	te.looked("kafka")
	te.change("orders", request("two"))
	te.condition("orders", v1.TypeRotated, v1.ReasonQuotaExceeded)
	te.quota("orders", corev1.ConditionFalse, v1.ReasonQuotaExceeded)
	te.ready("orders")
	te.works(te.secret("orders-aiven"))

	since := time.Now()
	te.limited(60, 1)
	te.revision("orders", 3, true)
	te.quota("orders", corev1.ConditionTrue, v1.ReasonWithinLimit)
	te.ready("late")
	te.quota("late", corev1.ConditionTrue, v1.ReasonWithinLimit)
	te.isReady(u)
	t.Logf("all was ready %s after the limit was raised", time.Since(since).Round(time.Millisecond))
}

// TestQuotaAtOnce has many ask at once, applications and people.
func TestQuotaAtOnce(t *testing.T) {
	t.Parallel()
	const n, limit, headroom = 10, 8, 2
	te := newTenant(t, "atonce")
	te.limited(limit, headroom)
	for i := range n {
		te.create(te.app(fmt.Sprintf("app-%d", i), kafkaOnly))
	}
	hands := make([]*v1alpha1.KafkaServiceUser, n)
	for i := range hands {
		hands[i] = te.kafkaUser(fmt.Sprintf("by-hand-%d", i))
		te.create(hands[i])
	}
	harness.Eventually(t, "everything was decided", func(ctx context.Context) error {
		ready, refused := 0, 0
		for i := range n {
			a, u := te.app(fmt.Sprintf("app-%d", i)), hands[i]
			if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
				return err
			}
			if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
				return err
			}
			for _, c := range []xpv2.Condition{a.GetCondition(xpv2.TypeReady), u.GetCondition(xpv2.TypeReady)} {
				switch {
				case c.Status == corev1.ConditionTrue:
					ready++
				case c.Reason == v1.ReasonQuotaExceeded:
					refused++
				}
			}
		}
		if ready != limit-headroom-1 || ready+refused != 2*n {
			return errors.Errorf("%d are ready and %d refused", ready, refused)
		}
		return nil
	})
	// Nobody deleted any.
	if got := len(h.Sim.Users(te.project, "kafka")); got != limit-headroom {
		t.Errorf("there are %d users, want %d", got, limit-headroom)
	}
}

// TestQuotaOfAiven: what Aiven refuses without the configuration having said so.
func TestQuotaOfAiven(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "full")
	h.Sim.SetUserLimit(te.project, "kafka", 4)
	te.outside("kafka", 3)
	te.create(te.app("orders"))
	te.declined("orders", v1.ReasonQuotaExceeded)
	te.quota("orders", corev1.ConditionFalse, v1.ReasonQuotaExceeded)

	since := time.Now()
	h.Sim.DeleteUser(te.project, "kafka", "somebody-0")
	te.ready("orders")
	te.quota("orders", corev1.ConditionTrue, v1.ReasonNoLimit)
	t.Logf("the application was ready %s after a user was removed", time.Since(since).Round(time.Millisecond))

	te.create(te.app("late", kafkaOnly))
	te.declined("late", v1.ReasonQuotaExceeded)
	te.quota("late", corev1.ConditionFalse, v1.ReasonQuotaExceeded)
	since = time.Now()
	h.Sim.SetUserLimit(te.project, "kafka", 10)
	te.ready("late")
	te.quota("late", corev1.ConditionTrue, v1.ReasonNoLimit)
	t.Logf("the application was ready %s after the limit was raised", time.Since(since).Round(time.Millisecond))
}
