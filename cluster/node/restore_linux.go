// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/pkg/errors"
)

const (
	// overlayMagic is the type of an overlay file system, on which there can be
	// no other.
	overlayMagic = 0x794c7630
	// accessWrite asks whether a file can be written.
	accessWrite = 2
)

// cgroupsWritable reports whether control groups can be made.
func cgroupsWritable() bool {
	for _, dir := range []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup"} {
		if _, err := os.Stat(dir); err == nil {
			return syscall.Access(dir, accessWrite) == nil
		}
	}
	return false
}

// snapshotter is how containerd is to lay containers' files over one another in
// a folder.
func snapshotter(dir string) string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err == nil && fs.Type == overlayMagic {
		return "native"
	}
	return "overlayfs"
}

// killPods kills every process of every Pod, and returns when they are gone.
func killPods() error { return killGroups(podCgroups) }

// killPod kills every process of a Pod, and returns when they are gone.
func killPod(uid string) error {
	return killGroups(func() []string {
		var out []string
		for _, top := range podCgroups() {
			// Below the group of its quality of service, if it has one.
			for _, pattern := range []string{"pod" + uid, filepath.Join("*", "pod"+uid)} {
				groups, _ := filepath.Glob(filepath.Join(top, pattern))
				out = append(out, groups...)
			}
		}
		return out
	})
}

// killGroups kills every process of control groups and those below them, and
// returns when they are gone.
func killGroups(groups func() []string) error {
	return errors.Wrap(until(func() error {
		left := 0
		for _, group := range groups() {
			pids, err := processesBelow(group)
			if err != nil {
				return err
			}
			left += len(pids)
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL) // It may be gone already.
			}
		}
		if left > 0 {
			return errors.Errorf("%d still run", left)
		}
		return nil
	}), "cannot kill the processes of Pods")
}

// processesBelow returns the processes of a control group and those below it.
func processesBelow(group string) ([]int, error) {
	var out []int
	err := filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return skipGone(err)
		}
		b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return skipGone(err)
		}
		for f := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
				out = append(out, pid)
			}
		}
		return nil
	})
	return out, errors.Wrap(err, "cannot list the processes of Pods")
}

func skipGone(err error) error {
	if os.IsNotExist(err) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}

// killShims kills what containerd left to look after the containers whose
// files are in dir.
func killShims(dir string) error {
	return errors.Wrap(until(func() error {
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return errors.Wrap(err, "cannot list processes")
		}
		left := 0
		for _, path := range lines {
			b, err := os.ReadFile(path)
			if err != nil || !isShim(b, dir) {
				continue
			}
			left++
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			_ = syscall.Kill(pid, syscall.SIGKILL) // It may be gone already.
		}
		if left > 0 {
			return errors.Errorf("%d still run", left)
		}
		return nil
	}), "cannot kill containerd's shims")
}

// isShim reports whether a command line, with zeros between the arguments, is
// that of a shim whose containerd listens in dir.
func isShim(cmdline []byte, dir string) bool {
	args := bytes.Split(cmdline, []byte{0})
	return strings.HasPrefix(filepath.Base(string(args[0])), "containerd-shim") &&
		slices.ContainsFunc(args, func(a []byte) bool { return bytes.HasPrefix(a, []byte(dir+"/")) })
}

// unmountBelow unmounts everything that is mounted below dir.
func unmountBelow(dir string) error {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return errors.Wrap(err, "cannot list mounts")
	}
	for _, m := range slices.Backward(mountsBelow(string(b), dir)) {
		if err := syscall.Unmount(m, 0); err == nil {
			continue
		}
		// Something still looks at it: it goes when that does.
		if err := syscall.Unmount(m, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) && !os.IsNotExist(err) {
			return errors.Wrapf(err, "cannot unmount %s", m)
		}
	}
	return nil
}

// removeBridge removes the bridge. What was attached to it goes with the
// network namespaces of the Pods.
func removeBridge(name string) error {
	if _, err := os.Stat(filepath.Join("/sys/class/net", name)); name == "" || err != nil {
		return nil //nolint:nilerr // It is gone.
	}
	return errors.Wrap(run(exec.Command("ip", "link", "delete", name)), "cannot remove the bridge of the Pods") //nolint:noctx // It takes no time.
}

// removeChains removes kube-proxy's chains of packet filter rules.
func removeChains() error {
	for _, prefix := range []string{iptables, ip6tables} {
		saved, err := exec.Command(prefix + saving).Output() //nolint:noctx // It takes no time.
		if err != nil {
			continue // The machine does not have this protocol.
		}
		script := chainRemoval(string(saved))
		if script == "" {
			continue
		}
		cmd := exec.Command(prefix+restoring, "--noflush") //nolint:noctx // It takes no time.
		cmd.Stdin = strings.NewReader(script)
		if err := run(cmd); err != nil {
			return errors.Wrap(err, "cannot remove kube-proxy's rules")
		}
	}
	return nil
}
