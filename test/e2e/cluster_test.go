// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/cluster/node"
)

// clusterOptions chooses the cluster of the tests by the flag -level and the variables
// KUBECONFIG and E2E_HOST. A note is what may surprise whoever set them.
func clusterOptions(level node.Level, kubeconfig, host string) (o node.Options, note string, err error) {
	o = node.Options{Level: level, Progress: os.Stderr}
	switch {
	case level != "" && level != node.LevelCluster:
		if kubeconfig != "" {
			note = "KUBECONFIG is not used: -level=" + string(level) + " asks for a cluster of our own."
		}
	case kubeconfig != "" && host != "":
		o.Kubeconfig, o.Host = kubeconfig, host
	case level == node.LevelCluster || host != "":
		return o, "", errors.New("the tests use a cluster that somebody else runs if KUBECONFIG names it and E2E_HOST is the address[:port] at which its Pods reach this machine")
	case kubeconfig != "":
		note = "KUBECONFIG is not used: the tests install and remove Crossplane, so they use that cluster only if E2E_HOST is the address[:port] at which its Pods reach this machine."
	}
	return o, note, nil
}

func TestClusterOptions(t *testing.T) {
	type want struct {
		options node.Options
		note    string
		err     string
	}
	cases := map[string]struct {
		reason           string
		level            node.Level
		kubeconfig, host string
		want             want
	}{
		"Nothing": {
			reason: "Without anything it is a cluster of our own, of the highest level.",
		},
		"Level": {
			reason: "A level of a cluster of our own can be asked for.", level: node.LevelProcesses,
			want: want{options: node.Options{Level: node.LevelProcesses}},
		},
		"Cluster": {
			reason: "KUBECONFIG and E2E_HOST together name a cluster.", kubeconfig: "/k", host: "172.18.0.1",
			want: want{options: node.Options{Kubeconfig: "/k", Host: "172.18.0.1"}},
		},
		"ClusterAsked": {
			reason: "The level of that cluster can be named.", level: node.LevelCluster, kubeconfig: "/k", host: "172.18.0.1",
			want: want{options: node.Options{Level: node.LevelCluster, Kubeconfig: "/k", Host: "172.18.0.1"}},
		},
		"KubeconfigOnly": {
			reason: "Whoever happens to have KUBECONFIG set does not mean that cluster, and is told so.", kubeconfig: "/k",
			want: want{note: "KUBECONFIG is not used: the tests install and remove"},
		},
		"LevelWins": {
			reason: "Whoever asks for a cluster of our own gets it.", level: node.LevelNode, kubeconfig: "/k", host: "172.18.0.1",
			want: want{options: node.Options{Level: node.LevelNode}, note: "KUBECONFIG is not used: -level=node asks"},
		},
		"HostOnly": {
			reason: "Whoever set E2E_HOST means a cluster, and must not get another.", host: "172.18.0.1",
			want: want{err: "the tests use a cluster that somebody else runs if"},
		},
		"ClusterAskedWithoutHost": {
			reason: "Whoever asks for a cluster that somebody else runs must not get another.", level: node.LevelCluster, kubeconfig: "/k",
			want: want{options: node.Options{Level: node.LevelCluster}, err: "the tests use a cluster that somebody else runs if"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o, note, err := clusterOptions(tc.level, tc.kubeconfig, tc.host)
			tc.want.options.Progress = os.Stderr
			if o != tc.want.options {
				t.Errorf("\n%s\nclusterOptions(...): got %+v, want %+v", tc.reason, o, tc.want.options)
			}
			if tc.want.note == "" && note != "" || !strings.HasPrefix(note, tc.want.note) {
				t.Errorf("\n%s\nclusterOptions(...): got note %q, want %q", tc.reason, note, tc.want.note)
			}
			text := ""
			if err != nil {
				text = err.Error()
			}
			if (err == nil) != (tc.want.err == "") || !strings.HasPrefix(text, tc.want.err) {
				t.Errorf("\n%s\nclusterOptions(...): got error %q, want %q", tc.reason, text, tc.want.err)
			}
		})
	}
}
