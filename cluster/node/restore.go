// SPDX-License-Identifier: Apache-2.0

package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// goneTimeout is how long what was killed or unmounted may take to be gone.
const goneTimeout = 10 * time.Second

// sysctls are what kubelet, kube-proxy and the network plugins set. Forwarding
// comes first: to set it sets some of the others.
var sysctls = []string{
	"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/all/route_localnet",
	"net/ipv4/conf/all/send_redirects", "net/ipv4/conf/all/accept_redirects", "net/ipv4/conf/default/accept_redirects",
	"net/netfilter/nf_conntrack_tcp_be_liberal", "net/bridge/bridge-nf-call-iptables",
	"vm/overcommit_memory", "vm/panic_on_oom",
	"kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// footprints are paths outside of the cluster's folder that its programs make
// whatever they are told. Those that were not there before are removed.
var footprints = []string{
	"/run/containerd", "/run/containerd/s", "/run/netns", "/run/xtables.lock", "/run/lock/iptables",
	"/var/lib/cni", "/var/lib/cni/results", "/var/lib/cni/networks",
	"/var/lib/kubelet", "/var/lib/kubelet/device-plugins", "/var/lib/kubelet/pod-resources", "/var/lib/kubelet/plugins",
	"/var/log/containers", "/var/log/pods", "/opt/containerd", "/usr/libexec/kubernetes",
}

// remember writes down what a node will change.
func (r *record) remember() {
	r.Sysctls = map[string]string{}
	for _, name := range sysctls {
		if b, err := os.ReadFile(sysctlPath(name)); err == nil {
			r.Sysctls[name] = strings.TrimSpace(string(b))
		}
	}
	for _, path := range footprints {
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			r.Absent = append(r.Absent, path)
		}
	}
}

// restore undoes what a cluster whose own processes are gone left on the
// machine, and removes its folder. What is gone already is no error. The first
// error is returned, after everything was tried.
func (r record) restore() error {
	if r.Dir == "" {
		return nil
	}
	var first error
	try := func(err error) {
		if first == nil {
			first = err
		}
	}
	if r.Level == LevelNode {
		// Containers first: their processes hold mounts and network namespaces.
		try(killPods())
		try(killShims(r.Dir))
		try(unmountBelow(r.Dir))
		try(removeCgroups(podCgroups()))
		try(removeBridge(r.Bridge))
		try(removeChains())
		try(r.restoreSysctls())
		for _, path := range r.Absent {
			try(errors.Wrap(os.RemoveAll(path), "cannot remove what a node made"))
		}
		try(removeResults())
	}
	try(errors.Wrap(os.RemoveAll(r.Dir), "cannot remove the cluster's folder"))
	return first
}

func (r record) restoreSysctls() error {
	var first error
	for _, name := range sysctls {
		want, ok := r.Sysctls[name]
		if !ok {
			continue
		}
		is, err := os.ReadFile(sysctlPath(name))
		if err != nil || strings.TrimSpace(string(is)) == want {
			continue
		}
		if err := os.WriteFile(sysctlPath(name), []byte(want), 0); err != nil && first == nil {
			first = errors.Wrap(err, "cannot restore a kernel parameter")
		}
	}
	return first
}

func sysctlPath(name string) string { return filepath.Join("/proc/sys", filepath.FromSlash(name)) }

// podCgroups are the control groups above those of all Pods, one for each
// hierarchy that the machine has mounted.
func podCgroups() []string {
	unified, _ := filepath.Glob("/sys/fs/cgroup/kubepods")
	separate, _ := filepath.Glob("/sys/fs/cgroup/*/kubepods")
	return append(unified, separate...)
}

// removeCgroups removes control groups without processes, with all below them.
func removeCgroups(groups []string) error {
	for _, top := range groups {
		var dirs []string
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			return errors.Wrap(err, "cannot list control groups")
		}
		for _, dir := range slices.Backward(dirs) {
			// A process that was killed stays in its group until it is reaped.
			if err := until(func() error { return os.Remove(dir) }); err != nil && !os.IsNotExist(err) {
				return errors.Wrap(err, "cannot remove a control group")
			}
		}
	}
	return nil
}

// removeResults removes what the network plugins wrote about our Pods, where
// others may write, too.
func removeResults() error {
	results, _ := filepath.Glob("/var/lib/cni/results/" + bridgeName + "-*")
	for _, path := range results {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return errors.Wrap(err, "cannot remove a result of a network plugin")
		}
	}
	return nil
}

// until tries something until it succeeds, or for a while.
func until(try func() error) error {
	tick, timeout := time.NewTicker(50*time.Millisecond), time.NewTimer(goneTimeout)
	defer tick.Stop()
	defer timeout.Stop()
	for {
		err := try()
		if err == nil || os.IsNotExist(err) {
			return err
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			return err
		}
	}
}
