// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// A Level says how real a cluster is.
type Level string

const (
	// LevelNode is a node: containerd, kubelet, a network of Pods, kube-proxy and
	// CoreDNS. Crossplane runs in Pods that its chart makes.
	LevelNode Level = "node"

	// LevelProcesses has no node. Crossplane runs as processes under the service
	// accounts that its chart makes, and so does what stands for Pods. It needs
	// no rights on the machine.
	LevelProcesses Level = "processes"

	// LevelCluster is a cluster that somebody else runs. Only what it is given is
	// of this machine: the registry, and who installs Crossplane.
	LevelCluster Level = "cluster"
)

// RealPods reports whether Pods run in containers, as a kubelet runs them.
func (l Level) RealPods() bool { return l == LevelNode || l == LevelCluster }

func (l Level) description() string {
	switch l {
	case LevelNode:
		return "a real node with containerd, kubelet, kube-proxy and CoreDNS; Crossplane in Pods"
	case LevelCluster:
		return "a cluster that somebody else runs"
	case LevelProcesses:
	}
	return "API server and controllers; Crossplane as processes under its service accounts"
}

// A Detection says what a machine offers.
type Detection struct {
	// Level is the highest that it offers.
	Level Level
	// Missing is what LevelNode needs besides, in words.
	Missing []string
}

// Detect looks at this machine.
func Detect() Detection { return decide(look()) }

func (d Detection) reasons() string { return strings.Join(d.Missing, "; ") }

// nodePrograms are the programs that a node takes from the machine, with the
// Debian packages that have them.
var nodePrograms = map[string]string{
	"containerd": "containerd", "runc": "runc", "ip": "iproute2",
	iptables: iptables, ip6tables: iptables, iptables + saving: iptables, iptables + restoring: iptables,
}

const (
	// The programs of the packet filter, of both protocols.
	iptables  = "iptables"
	ip6tables = "ip6tables"
	saving    = "-save"
	restoring = "-restore"

	// pluginsPackage has the network plugins below.
	pluginsPackage = "containernetworking-plugins"

	// What a node does needs these capabilities.
	capNetAdmin = 12
	capSysAdmin = 21
)

var (
	nodePlugins = []string{"bridge", "host-local", "loopback"}
	// pluginFolders are where distributions keep network plugins.
	pluginFolders = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}
)

// A machine is what matters of one.
type machine struct {
	os           string
	uid          int
	capabilities uint64
	programs     map[string]string // The paths of those that are there.
	plugins      string            // The folder with all network plugins, or nothing.
	cgroups      bool              // Control groups can be made.
	kubelet      bool              // Another kubelet runs Pods here.
}

// decide says what a machine offers.
func decide(m machine) Detection {
	d := Detection{Level: LevelProcesses}
	switch {
	case m.os != "linux":
		d.Missing = append(d.Missing, "Linux")
		return d
	case m.uid != 0:
		d.Missing = append(d.Missing, "root")
	case m.capabilities&(1<<capNetAdmin) == 0 || m.capabilities&(1<<capSysAdmin) == 0:
		d.Missing = append(d.Missing, "the capabilities NET_ADMIN and SYS_ADMIN (this container should be privileged)")
	case !m.cgroups:
		d.Missing = append(d.Missing, "control groups that can be written (/sys/fs/cgroup)")
	case m.kubelet:
		d.Missing = append(d.Missing, "a machine on which no other kubelet runs (there are control groups named kubepods)")
	}
	if p := m.packages(); len(p) > 0 {
		d.Missing = append(d.Missing, "the Debian packages "+strings.Join(p, ", "))
	}
	if len(d.Missing) == 0 {
		d.Level = LevelNode
	}
	return d
}

// packages returns the packages that the machine lacks, in order.
func (m machine) packages() []string {
	var out []string
	for program, pkg := range nodePrograms {
		if m.programs[program] == "" {
			out = append(out, pkg)
		}
	}
	if m.plugins == "" {
		out = append(out, pluginsPackage)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// look looks at this machine. What a killed run left is not taken for somebody
// else's.
func look() machine {
	m := machine{os: runtime.GOOS, uid: os.Geteuid(), capabilities: capabilities(), programs: map[string]string{}}
	for program := range nodePrograms {
		if path, err := exec.LookPath(program); err == nil {
			m.programs[program] = path
		}
	}
	for _, dir := range pluginFolders {
		if hasAll(dir, nodePlugins) {
			m.plugins = dir
			break
		}
	}
	m.cgroups = cgroupsWritable()
	m.kubelet = len(foreignCgroups()) > 0 || len(podCgroups()) > 0 && !recorded()
	return m
}

// foreignCgroups are the control groups of Pods of a kubelet that leaves them to
// systemd, which ours does not.
func foreignCgroups() []string {
	unified, _ := filepath.Glob("/sys/fs/cgroup/kubepods.slice")
	separate, _ := filepath.Glob("/sys/fs/cgroup/*/kubepods.slice")
	return append(unified, separate...)
}

// hasAll reports whether a folder has files of all names.
func hasAll(dir string, names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool {
		_, err := os.Stat(filepath.Join(dir, n))
		return err != nil
	})
}

// capabilities returns the effective capabilities of this process.
func capabilities() uint64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if hex, ok := bytes.CutPrefix(line, []byte("CapEff:")); ok {
			n, _ := strconv.ParseUint(string(bytes.TrimSpace(hex)), 16, 64)
			return n
		}
	}
	return 0
}
