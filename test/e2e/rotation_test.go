// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// overlap is longer than the kubelet takes to notice that a Secret has changed, and
// a Deployment to replace its pods.
const overlap = time.Minute

// settled is how long after a publication pods start with what was published. See
// docs/rotation.md.
const settled = 20 * time.Second

func metaOf(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// same fails the test unless a Secret has that content, and nothing else.
func (te *team) same(secret string, want map[string][]byte) {
	te.t.Helper()
	if diff := changed(want, te.secret(secret).Data); len(diff) > 0 {
		te.t.Errorf("Secret %s is not the same: %v", secret, diff)
	}
}

// TestRotation: pods that use a Secret as files log in with what is new, those that
// have it in their environment are restarted, and no login fails, until what is old
// is gone from Aiven and after that.
func TestRotation(t *testing.T) {
	s.installed(t, older)
	s.noRefusals(t)
	te := s.team(t, "rotation")
	te.create(te.app("orders"), te.workload("orders", "orders-aiven"))
	te.logsIn("orders", 5)
	before := te.ready("orders", 1)

	te.change("orders", func(a *v1.AivenApplication) {
		a.Spec.Rotation = &v1.RotationSpec{RequestedAt: new(metav1.Now()), Overlap: &metav1.Duration{Duration: overlap}}
	})
	after := te.ready("orders", 2)
	if n := te.count(); n != 6 {
		t.Errorf("there are %d users during the overlap, want 6: %v", n, te.users())
	}
	te.logsIn("orders", 5)
	// Who starts at the moment of the publication may have got either revision, and is
	// taken to hold the old one.
	harness.Eventually(t, "pods that start now have what is new", func(context.Context) error {
		if age := time.Since(after.Status.Secrets[0].PublishedAt.Time); age < settled {
			return errors.Errorf("it was published %s ago", age)
		}
		return nil
	})
	s.run(t, "-n", te.namespace, "rollout", "restart", "deployment/orders")
	s.run(t, "-n", te.namespace, "rollout", "status", "deployment/orders", "--timeout=5m")
	te.logsIn("orders", 5)

	harness.Within(t, harness.Patience+overlap, "what is old is gone", func(context.Context) error {
		if n := te.count(); n != 3 {
			return errors.Errorf("there are %d users: %v", n, te.users())
		}
		return nil
	})
	for _, u := range before.Status.Credentials.Users {
		for _, now := range after.Status.Credentials.Users {
			if u.Username == now.Username {
				t.Errorf("the user %s is the same as before", u.Username)
			}
		}
	}
	te.logsIn("orders", 20)
}
