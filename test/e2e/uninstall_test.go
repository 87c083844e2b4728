// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/cluster/node"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// removed removes the provider as docs/operations.md says, and leaves what it made.
func (s *suite) removed(t *testing.T) {
	t.Helper()
	s.run(t, "delete", "provider.pkg.crossplane.io", name, "--cascade=orphan")
	s.run(t, "delete", "providerrevision.pkg.crossplane.io", "-l", "pkg.crossplane.io/package="+name, "--cascade=orphan")
	s.run(t, "-n", node.Namespace, "delete", "deployment", "-l", "pkg.crossplane.io/provider="+name)
	harness.Eventually(t, "the provider is gone", func(ctx context.Context) error {
		pods, err := s.replicas(ctx, node.Namespace)
		if err == nil && len(pods) > 0 {
			err = errors.Errorf("%d pods are left", len(pods))
		}
		return err
	})
}

// A keepsake is what must not change when the provider comes and goes.
type keepsake struct {
	te     *team
	secret map[string][]byte
	users  map[string][]string
}

// keep makes an application with a workload that uses it.
func (s *suite) keep(t *testing.T, namespace string) keepsake {
	t.Helper()
	te := s.team(t, namespace)
	te.create(te.app("orders"), te.workload("orders", "orders-aiven"))
	te.logsIn("orders", 5)
	return keepsake{te: te, secret: te.secret("orders-aiven").Data, users: te.users()}
}

// kept fails the test if something has changed.
func (k keepsake) kept() {
	k.te.t.Helper()
	k.te.logsIn("orders", 5)
	k.te.same("orders-aiven", k.secret)
	if diff := cmp.Diff(k.users, k.te.users()); diff != "" {
		k.te.t.Errorf("users at Aiven: -want, +got:\n%s", diff)
	}
}

// works fails the test unless the provider looks after the application that it found,
// and makes new ones.
func (k keepsake) works() {
	k.te.t.Helper()
	k.te.change("orders", func(a *v1.AivenApplication) { a.Spec.Valkey[0].Access = v1.AccessRead })
	k.te.ready("orders", 1)
	k.kept()
	k.te.create(k.te.app("parcels"))
	k.te.ready("parcels", 1)
	if err := k.te.kube.Delete(k.te.t.Context(), k.te.app("parcels")); err != nil {
		k.te.t.Fatal(err)
	}
	k.te.eventually("the users are those of before", func() string { return cmp.Diff(k.users, k.te.users()) })
}

// TestReinstall: the provider and Crossplane are removed and installed again, this time
// with Crossplane's default activation policy, and nothing is lost.
func TestReinstall(t *testing.T) {
	s.installed(t, older)
	s.noRefusals(t)
	k := s.keep(t, "reinstall")
	s.removed(t)
	s.withoutCrossplane(t)
	k.kept()

	s.crossplane(t, everything)
	s.apply(t, withCrossplane+withoutActivation, older)
	s.healthy(t, older)
	s.runs(t, node.Namespace, older)
	k.works()
}

// TestStandalone: whoever does without Crossplane goes on with what he has.
func TestStandalone(t *testing.T) {
	s.installed(t, older)
	s.noRefusals(t)
	k := s.keep(t, "standalone")
	s.removed(t)
	s.withoutCrossplane(t)

	s.apply(t, alone, newer)
	s.runs(t, standaloneSystem, newer)
	k.works()
	if leader, err := s.leader(t.Context(), standaloneSystem); err != nil || !strings.HasPrefix(leader, name) {
		t.Errorf("leader is %s: %v", leader, err)
	}
}

func (s *suite) withoutCrossplane(t *testing.T) {
	t.Helper()
	if err := s.UninstallCrossplane(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.core = false
}
