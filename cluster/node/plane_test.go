// SPDX-License-Identifier: Apache-2.0

package node

import (
	"net/netip"
	"slices"
	"testing"
)

func TestAPIServerArgs(t *testing.T) {
	cases := map[string]struct {
		reason string
		level  Level
		want   []string
		not    []string
	}{
		"Node": {
			reason: "At a node the API server listens where Pods reach it, and confines the kubelet.", level: LevelNode,
			want: []string{"--bind-address=10.201.0.1", "--service-cluster-ip-range=10.201.1.0/24", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"},
			not:  []string{"--endpoint-reconciler-type=none"},
		},
		"Processes": {
			reason: "Without a node nothing leaves the loopback interface.", level: LevelProcesses,
			want: []string{"--bind-address=127.0.0.1", "--authorization-mode=RBAC", "--endpoint-reconciler-type=none"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &Cluster{level: tc.level, pki: &pki{dir: "/pki"}, network: network{
				Pods: netip.MustParsePrefix("10.201.0.0/24"), Services: netip.MustParsePrefix("10.201.1.0/24"),
			}}
			got := c.apiServerArgs()
			for _, w := range tc.want {
				if !slices.Contains(got, w) {
					t.Errorf("\n%s\napiServerArgs(): %q lacks %s", tc.reason, got, w)
				}
			}
			for _, n := range tc.not {
				if slices.Contains(got, n) {
					t.Errorf("\n%s\napiServerArgs(): %q has %s", tc.reason, got, n)
				}
			}
		})
	}
}
