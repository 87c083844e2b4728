// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pkg/errors"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/cluster/node"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// leader returns the pod that holds the lease.
func (s *suite) leader(ctx context.Context, namespace string) (string, error) {
	l := &coordinationv1.LeaseList{}
	if err := s.kube.List(ctx, l, client.InNamespace(namespace)); err != nil {
		return "", err
	}
	for _, lease := range l.Items {
		if strings.Contains(lease.Name, name) && lease.Spec.HolderIdentity != nil {
			host, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
			return host, nil
		}
	}
	return "", errors.New("nobody holds the lease")
}

// TestLeaderKilled: who is killed while he makes users has not made one twice, and
// none is lost.
func TestLeaderKilled(t *testing.T) {
	s.installed(t, older)
	te := s.team(t, "killed")
	const applications = 30
	for i := range applications {
		te.create(te.app(fmt.Sprintf("app-%02d", i)))
	}
	harness.Eventually(t, "users are being made", func(context.Context) error {
		if te.count() < 5 {
			return errors.Errorf("there are %d users", te.count())
		}
		return nil
	})
	leader, err := s.leader(t.Context(), node.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	made := te.count()
	if err := s.Kill(t.Context(), node.Namespace, leader); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed %s after %d users", leader, made)
	for i := range applications {
		te.ready(fmt.Sprintf("app-%02d", i), 1)
	}
	next, err := s.leader(t.Context(), node.Namespace)
	if err != nil || next == leader {
		t.Errorf("leader is %s: %v", next, err)
	}
	if made >= 3*applications {
		t.Error("the leader was killed too late for this test to mean something")
	}
	for service, users := range te.users() {
		if len(users) != applications {
			t.Errorf("%s has %d users, want %d", service, len(users), applications)
		}
	}
}
