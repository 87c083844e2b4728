// SPDX-License-Identifier: Apache-2.0

package node

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChartValues(t *testing.T) {
	images := []string{"--set=image.repository=127.0.0.1:5000/crossplane/crossplane", "--set=image.tag=v2.4.0"}
	unlimited := []string{"--set-json=resourcesCrossplane={}", "--set-json=resourcesRBACManager={}"}
	cases := map[string]struct {
		reason      string
		level       Level
		activations []string
		want        []string
	}{
		"Pods": {
			reason: "At a node the chart's Deployments run.", level: LevelNode, activations: []string{"*"},
			want: slices.Concat(images, []string{`--set-json=provider.defaultActivations=["*"]`}, unlimited),
		},
		"Processes": {
			reason: "Without a node they have no replicas, and are available all the same.", level: LevelProcesses, activations: []string{"a.b", "c.d"},
			want: slices.Concat(images, []string{`--set-json=provider.defaultActivations=["a.b","c.d"]`}, unlimited, []string{"--set=replicas=0", "--set=rbacManager.replicas=0"}),
		},
		"NoActivations": {
			reason: "No activations are not the chart's default ones.", level: LevelNode,
			want: slices.Concat(images, []string{`--set-json=provider.defaultActivations=[]`}, unlimited),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &Cluster{level: tc.level, registry: &registry{address: "127.0.0.1:5000"}}
			got, err := c.chartValues("v2.4.0", tc.activations)
			if err != nil {
				t.Fatalf("\n%s\nchartValues(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nchartValues(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
