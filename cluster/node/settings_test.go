// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var testSettings = settings{
	Node: "node", Dir: "/d", PKI: "/d/pki", Registry: "10.201.0.1:5000", PauseImage: "10.201.0.1:5000/pause:1",
	Runc: "/usr/sbin/runc", Plugins: "/usr/lib/cni", Snapshotter: "overlayfs",
	Bridge: "b0", Pods: "10.201.0.0/24", Gateway: "10.201.0.1", KubeletPort: 10250,
}

// Every configuration file is of its format and says what it is rendered for.
func TestRender(t *testing.T) {
	object := func(t *testing.T, b []byte) map[string]any {
		o := map[string]any{}
		if err := yaml.UnmarshalStrict(b, &o); err != nil {
			t.Errorf("not YAML: %v", err)
		}
		return o
	}
	cases := map[string]struct {
		reason string
		file   string
		check  func(t *testing.T, b []byte)
	}{
		"Kubelet": {reason: "The kubelet listens at the bridge and asks CoreDNS there.", file: "kubelet.yaml", check: func(t *testing.T, b []byte) {
			o := object(t, b)
			if diff := cmp.Diff([]any{"10.201.0.1", []any{"10.201.0.1"}, float64(10250)}, []any{o["address"], o["clusterDNS"], o["port"]}); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		}},
		"Proxy": {reason: "kube-proxy goes by the name that the kubelet registers.", file: "proxy.yaml", check: func(t *testing.T, b []byte) {
			if diff := cmp.Diff("node", object(t, b)["hostnameOverride"]); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		}},
		"Scheduler": {reason: "The scheduler has an identity of its own.", file: "scheduler.yaml", check: func(t *testing.T, b []byte) {
			if diff := cmp.Diff(map[string]any{"kubeconfig": "/d/kube-scheduler.kubeconfig"}, object(t, b)["clientConnection"]); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		}},
		"Network": {reason: "The plugins' configuration is JSON.", file: "network.conflist", check: func(t *testing.T, b []byte) {
			if !json.Valid(b) {
				t.Error("not JSON")
			}
		}},
		"Containerd": {reason: "What containerd writes is in the cluster's folder.", file: "containerd.toml", check: func(t *testing.T, b []byte) {
			for _, want := range []string{`root = "/d/containerd"`, `state = "/d/containerd-state"`, `Root = "/d/runc"`, `sandbox_image = "10.201.0.1:5000/pause:1"`} {
				if !strings.Contains(string(b), want) {
					t.Errorf("%q is not in it", want)
				}
			}
		}},
		"Hosts": {reason: "The registry is spoken to in plain HTTP.", file: "hosts.toml", check: func(t *testing.T, b []byte) {
			if !strings.Contains(string(b), `[host."http://10.201.0.1:5000"]`) {
				t.Error("it names another host")
			}
		}},
		"Corefile": {reason: "CoreDNS leaves the other addresses of the machine to others.", file: "Corefile", check: func(t *testing.T, b []byte) {
			if !strings.Contains(string(b), "bind 10.201.0.1\n") {
				t.Error("it does not bind to the bridge")
			}
		}},
	}
	tested := map[string]bool{}
	for name, tc := range cases {
		tested[tc.file] = true
		t.Run(name, func(t *testing.T) {
			b, err := testSettings.render(tc.file)
			if err != nil {
				t.Fatalf("\n%s\nrender(%q): %v", tc.reason, tc.file, err)
			}
			tc.check(t, b)
			if t.Failed() {
				t.Logf("\n%s\nrender(%q):\n%s", tc.reason, tc.file, b)
			}
		})
	}
	for _, f := range configuration.Templates() {
		if !tested[f.Name()] {
			t.Errorf("%s is not tested", f.Name())
		}
	}
}
