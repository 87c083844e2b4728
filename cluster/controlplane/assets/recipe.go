// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// A module pins programs: what they are built from is in its go.mod file.
type module struct {
	// dir is where the module is below the root of the source tree.
	dir string

	// packages maps the name of each program to the package it is built from.
	// A published package is imported by the module's tools.go too, which keeps
	// its dependencies in the module's go.mod. One of the module's own begins
	// with "./".
	packages map[string]string

	// released is the published module whose version the programs report, by
	// these linker flags.
	released string
	ldflags  func(version string) string

	// env is the environment variable that may name a folder with ready
	// programs.
	env string
}

// modules are the pinning modules. They are separate, because Crossplane and
// CoreDNS would move the versions of what Kubernetes is built from.
var modules = []module{
	{
		dir: "cluster/binaries",
		packages: map[string]string{
			"etcd":                    "go.etcd.io/etcd/server/v3",
			"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
			"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
			"kube-proxy":              "k8s.io/kubernetes/cmd/kube-proxy",
			"kube-scheduler":          "k8s.io/kubernetes/cmd/kube-scheduler",
			"kubectl":                 "k8s.io/kubernetes/cmd/kubectl",
			"kubelet":                 "k8s.io/kubernetes/cmd/kubelet",
		},
		released: "k8s.io/kubernetes",
		ldflags:  kubernetesFlags,
		env:      EnvAssets,
	},
	{
		dir: "cluster/node/binaries",
		packages: map[string]string{
			"coredns":    "./coredns",
			"crossplane": "github.com/crossplane/crossplane/v2/cmd/crossplane",
			"helm":       "helm.sh/helm/v3/cmd/helm",
			"pause":      "./pause",
		},
		released: "github.com/crossplane/crossplane/v2",
		ldflags:  crossplaneFlags,
	},
}

// kubernetesFlags are the linker flags for a version of Kubernetes such as
// v1.35.4. Without them kube-apiserver reports v0.0.0-master, which clients
// that compare versions do not accept.
func kubernetesFlags(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	var b strings.Builder
	b.WriteString("-s -w")
	for _, p := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		fmt.Fprintf(&b, " -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s -X %[1]s.gitTreeState=clean", p, version, major, minor)
	}
	return b.String()
}

// crossplaneFlags are the linker flags for a version of Crossplane such as
// v2.4.0, with which packages compare what they need. They also move the metrics
// of the RBAC manager, for which it has no flag, from port 8080 to a free one:
// as a process it shares the ports of the machine.
func crossplaneFlags(version string) string {
	return "-s -w" +
		" -X github.com/crossplane/crossplane-runtime/v2/pkg/version.version=" + version +
		" -X sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=127.0.0.1:0"
}

// moduleOf returns the module that pins all of the named programs.
func moduleOf(want ...string) (module, error) {
	if len(want) == 0 {
		return module{}, errors.New("cannot build nothing: name a program")
	}
	var known []string
	for _, m := range modules {
		if _, ok := m.packages[want[0]]; !ok {
			known = append(known, m.names()...)
			continue
		}
		for _, n := range want[1:] {
			if _, ok := m.packages[n]; !ok {
				return module{}, errors.Errorf("cannot build %q together with %q: the programs of %s are %s",
					n, want[0], m.dir, strings.Join(m.names(), ", "))
			}
		}
		return m, nil
	}
	slices.Sort(known)
	return module{}, errors.Errorf("cannot build %q: the known programs are %s", want[0], strings.Join(known, ", "))
}

// names returns the module's programs in order.
func (m module) names() []string { return slices.Sorted(maps.Keys(m.packages)) }

// in returns the module's folder in the source tree at root.
func (m module) in(root string) string { return filepath.Join(root, filepath.FromSlash(m.dir)) }
