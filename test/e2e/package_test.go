// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/cluster/node"
)

// TestUpgrade: another version of the package takes over 100 applications without
// changing a credential, or making a user.
func TestUpgrade(t *testing.T) {
	s.installed(t, older)
	s.noRefusals(t)
	te := s.team(t, "upgrade")
	const applications = 100
	name := func(i int) string { return fmt.Sprintf("app-%03d", i) }
	for i := range applications {
		te.create(te.app(name(i)))
	}
	secrets := make(map[string]map[string][]byte)
	for i := range applications {
		te.ready(name(i), 1)
		secrets[name(i)] = te.secret(name(i) + "-aiven").Data
	}
	te.create(te.workload(name(0), name(0)+"-aiven"))
	te.logsIn(name(0), 5)
	users := te.users()

	s.apply(t, withCrossplane, newer)
	s.healthy(t, newer)
	s.runs(t, node.Namespace, newer)

	// The new version does something, after which it has looked at everything.
	te.create(te.app("after"))
	te.ready("after", 1)
	for i := range applications {
		te.ready(name(i), 1)
		te.same(name(i)+"-aiven", secrets[name(i)])
	}
	if err := s.kube.Delete(t.Context(), te.app("after")); err != nil {
		t.Fatal(err)
	}
	s.gone(t, te.app("after"))
	te.eventually("the users are those of before", func() string { return cmp.Diff(users, te.users()) })
	te.logsIn(name(0), 5)
	s.lacksNothing(t)
}
