// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"

	"github.com/provider-aiven/provider-aiven/cluster/node"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// TestUpgrade: another version of the package takes over 100 applications without
// changing a credential, making a user, or writing a Secret. There is no release yet, so
// both versions are of one commit, unless E2E_OLDER names another: what is shown is that
// the package is replaced and nothing starts over, and not that what another release
// wrote is understood.
func TestUpgrade(t *testing.T) {
	s.installed(t, older)
	s.noRefusals(t)
	te := s.team(t, "upgrade")
	const applications = 100
	name := func(i int) string { return fmt.Sprintf("app-%03d", i) }
	for i := range applications {
		te.create(te.app(name(i)))
	}
	secrets := make([]*corev1.Secret, applications)
	for i := range applications {
		te.ready(name(i), 1)
	}
	te.create(te.workload(name(0), name(0)+"-aiven"))
	te.logsIn(name(0), 5)
	users := te.users()
	s.idle(t, node.Namespace, applications)
	for i := range applications {
		secrets[i] = te.secret(name(i) + "-aiven")
	}

	s.apply(t, withCrossplane, newer)
	s.healthy(t, newer)
	s.runs(t, node.Namespace, newer)
	s.idle(t, node.Namespace, applications)

	// The new version does something.
	te.create(te.app("after"))
	te.ready("after", 1)
	for i := range applications {
		te.ready(name(i), 1)
		te.same(secrets[i].Name, secrets[i].Data)
		if got := te.secret(secrets[i].Name); got.ResourceVersion != secrets[i].ResourceVersion {
			t.Errorf("Secret %s was written, as version %s after %s", got.Name, got.ResourceVersion, secrets[i].ResourceVersion)
		}
	}
	if err := s.kube.Delete(t.Context(), te.app("after")); err != nil {
		t.Fatal(err)
	}
	s.gone(t, te.app("after"))
	te.eventually("the users are those of before", func() string { return cmp.Diff(users, te.users()) })
	te.logsIn(name(0), 5)
	s.lacksNothing(t)
}

// idle waits until the leader has looked at that many applications at least, and has
// nothing to do.
func (s *suite) idle(t *testing.T, namespace string, applications int) {
	t.Helper()
	harness.Eventually(t, "the provider has looked at everything", func(ctx context.Context) error {
		leader, err := s.leader(ctx, namespace)
		if err != nil {
			return err
		}
		metrics, err := s.PodGet(ctx, namespace, leader, 8080, "/metrics")
		if err != nil {
			return err
		}
		var looked, waiting float64
		for line := range strings.Lines(string(metrics)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
			n, _ := strconv.ParseFloat(value, 64)
			switch {
			case strings.HasPrefix(name, `controller_runtime_reconcile_total{controller="aivenapplication",`) && !strings.HasSuffix(name, `result="error"`):
				looked += n
			case strings.HasPrefix(name, "workqueue_depth{"), strings.HasPrefix(name, "controller_runtime_active_workers{"):
				waiting += n
			}
		}
		if looked < float64(applications) || waiting > 0 {
			return errors.Errorf("%s looked %v times at applications, and has %v things to do", leader, looked, waiting)
		}
		return nil
	})
}
