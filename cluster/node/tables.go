// SPDX-License-Identifier: Apache-2.0

package node

import (
	"strings"
)

// chainPrefix begins the name of every chain that kube-proxy and kubelet make.
const chainPrefix = "KUBE-"

// chainRemoval reads what iptables-save prints, and returns what makes
// iptables-restore remove every chain of Kubernetes and every rule that leads to
// one. It is empty when there is none.
func chainRemoval(saved string) string {
	var out, rules, chains strings.Builder
	for line := range strings.Lines(saved) {
		line = strings.TrimSpace(line)
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "*"):
			rules.Reset()
			chains.Reset()
			rules.WriteString(line + "\n")
		case strings.HasPrefix(line, ":"+chainPrefix):
			rules.WriteString("-F " + f[0][1:] + "\n")
			chains.WriteString("-X " + f[0][1:] + "\n")
		case len(f) > 2 && f[0] == "-A" && !strings.HasPrefix(f[1], chainPrefix) && leadsToChain(f):
			rules.WriteString("-D" + strings.TrimPrefix(line, "-A") + "\n")
		case line == "COMMIT" && chains.Len() > 0:
			// No rule of any chain may lead to one that is removed.
			out.WriteString(rules.String() + chains.String() + "COMMIT\n")
		}
	}
	return out.String()
}

// leadsToChain reports whether a rule jumps to a chain of Kubernetes.
func leadsToChain(rule []string) bool {
	for i, f := range rule[:len(rule)-1] {
		if (f == "-j" || f == "-g") && strings.HasPrefix(rule[i+1], chainPrefix) {
			return true
		}
	}
	return false
}

// mountsBelow returns the mount points below a folder, in the order of their
// mounting, from the content of a mountinfo file.
func mountsBelow(mountinfo, dir string) []string {
	var out []string
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		// The kernel writes white space as three octal digits.
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(f[4])
		if strings.HasPrefix(point, dir+"/") {
			out = append(out, point)
		}
	}
	return out
}
