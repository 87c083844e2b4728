// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"

	"github.com/provider-aiven/provider-aiven/cluster/node"
)

// TestRestarts: neither a restart of the API server nor one of the kubelet takes
// anything from anybody.
func TestRestarts(t *testing.T) {
	if s.Level() == node.LevelCluster {
		t.Skip("somebody else runs the API server and the kubelets")
	}
	s.installed(t, older)
	s.noRefusals(t)
	te := s.team(t, "restarts")
	te.create(te.app("orders"), te.workload("orders", "orders-aiven"))
	te.logsIn("orders", 5)
	before := te.secret("orders-aiven").Data

	if err := s.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	te.create(te.app("after-api"))
	te.ready("after-api", 1)
	te.logsIn("orders", 5)

	if s.Level() == node.LevelNode {
		if err := s.RestartKubelet(t.Context()); err != nil {
			t.Fatal(err)
		}
		te.create(te.app("after-kubelet"), te.workload("after-kubelet", "after-kubelet-aiven"))
		te.logsIn("after-kubelet", 1)
		te.logsIn("orders", 5)
	} else {
		t.Log("there is no kubelet that could be restarted")
	}
	s.runs(t, node.Namespace, older)
	te.same("orders-aiven", before)
}
