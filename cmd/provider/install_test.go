// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// TestInstalled: what is installed starts the provider with flags that it has, and
// looks for it where these say.
func TestInstalled(t *testing.T) {
	for _, path := range []string{"../../cluster/install/standalone/deployment.yaml", "../../cluster/install/crossplane/runtime.yaml"} {
		t.Run(path, func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			type deployment struct {
				Spec struct {
					Template           corev1.PodTemplateSpec `json:"template"`
					DeploymentTemplate struct {
						Spec struct {
							Template corev1.PodTemplateSpec `json:"template"`
						} `json:"spec"`
					} `json:"deploymentTemplate"`
				} `json:"spec"`
			}
			var d deployment
			if err := yaml.Unmarshal(b, &d); err != nil {
				t.Fatal(err)
			}
			pod := d.Spec.Template
			if len(pod.Spec.Containers) == 0 {
				pod = d.Spec.DeploymentTemplate.Spec.Template
			}
			c := pod.Spec.Containers[0]
			app, s := flags()
			if _, err := app.Parse(c.Args); err != nil {
				t.Fatalf("args %v: %v", c.Args, err)
			}
			for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
				if got := port(c, p); got != s.HealthAddress {
					t.Errorf("%s is asked for at %s, and served at %s", p.HTTPGet.Path, got, s.HealthAddress)
				}
			}
			if s.MetricsAddress != ":8080" || !s.LeaderElection {
				t.Errorf("metrics are at %s, want the port that Crossplane announces; leader election: %t", s.MetricsAddress, s.LeaderElection)
			}
		})
	}
}

// port returns the address that a probe asks.
func port(c corev1.Container, p *corev1.Probe) string {
	i := slices.IndexFunc(c.Ports, func(port corev1.ContainerPort) bool { return port.Name == p.HTTPGet.Port.String() })
	if i < 0 {
		return ":" + p.HTTPGet.Port.String()
	}
	return ":" + strconv.Itoa(int(c.Ports[i].ContainerPort))
}
