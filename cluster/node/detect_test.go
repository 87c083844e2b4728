// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// capable is a machine that offers everything.
func capable() machine {
	m := machine{os: "linux", capabilities: 1<<capNetAdmin | 1<<capSysAdmin, programs: map[string]string{}, plugins: "/usr/lib/cni", cgroups: true}
	for p := range nodePrograms {
		m.programs[p] = "/usr/bin/" + p
	}
	return m
}

func TestDecide(t *testing.T) {
	cases := map[string]struct {
		reason string
		but    func(*machine)
		want   Detection
	}{
		"Capable": {
			reason: "A machine that has everything runs a node.",
			but:    func(*machine) {}, want: Detection{Level: LevelNode},
		},
		"OtherSystem": {
			reason: "Elsewhere than on Linux nothing else is worth telling.",
			but:    func(m *machine) { *m = machine{os: "darwin"} },
			want:   Detection{Level: LevelProcesses, Missing: []string{"Linux"}},
		},
		"NotRoot": {
			reason: "Who is not root has no capabilities either, and is told once.",
			but:    func(m *machine) { m.uid, m.capabilities = 1000, 0 },
			want:   Detection{Level: LevelProcesses, Missing: []string{"root"}},
		},
		"NotRootWithoutPackages": {
			reason: "What has to be installed is told together with who has to run it.",
			but: func(m *machine) {
				m.uid, m.plugins = 1000, ""
				m.programs = map[string]string{"ip": "/usr/sbin/ip"}
			},
			want: Detection{Level: LevelProcesses, Missing: []string{"root", "the Debian packages containerd, containernetworking-plugins, iptables, runc"}},
		},
		"Container": {
			reason: "Root of an ordinary container may not mount or change the network.",
			but:    func(m *machine) { m.capabilities = 0xa80425fb },
			want:   Detection{Level: LevelProcesses, Missing: []string{"the capabilities NET_ADMIN and SYS_ADMIN (this container should be privileged)"}},
		},
		"ReadOnlyCgroups": {
			reason: "The kubelet makes a control group for each Pod.",
			but:    func(m *machine) { m.cgroups = false },
			want:   Detection{Level: LevelProcesses, Missing: []string{"control groups that can be written (/sys/fs/cgroup)"}},
		},
		"OtherKubelet": {
			reason: "Two kubelets would kill each other's Pods.",
			but:    func(m *machine) { m.kubelet = true },
			want:   Detection{Level: LevelProcesses, Missing: []string{"a machine on which no other kubelet runs (there are control groups named kubepods)"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := capable()
			tc.but(&m)
			if diff := cmp.Diff(tc.want, decide(m)); diff != "" {
				t.Errorf("\n%s\ndecide(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	limited := capable()
	limited.uid = 1000
	cases := map[string]struct {
		reason  string
		machine machine
		asked   Level
		want    Level
		err     string
	}{
		"Highest":  {reason: "Who does not ask gets the highest level.", machine: capable(), want: LevelNode},
		"Possible": {reason: "Who does not ask gets what is possible.", machine: limited, want: LevelProcesses},
		"Lower":    {reason: "Less than the machine offers can be asked for.", machine: capable(), asked: LevelProcesses, want: LevelProcesses},
		"Higher":   {reason: "More than the machine offers is refused with what is missing.", machine: limited, asked: LevelNode, want: LevelNode, err: "cannot run a node here: root"},
		"Unknown":  {reason: "A mistyped level is not taken for the default.", machine: capable(), asked: "nod", want: "nod", err: `cannot start a cluster of level "nod": the levels are node, processes and cluster`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &Cluster{level: tc.asked, machine: tc.machine, progress: newProgress(t.Output())}
			err := c.choose(Options{})
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Errorf("\n%s\nchoose(): -want error, +got error:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, c.Level()); diff != "" {
				t.Errorf("\n%s\nchoose(): -want level, +got level:\n%s", tc.reason, diff)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
