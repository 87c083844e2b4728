// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func application(children ...Node) Node {
	return Node{
		Kind: "AivenApplication", Namespace: "demo", Name: "orders", Children: children,
		Ready: corev1.ConditionTrue, Synced: corev1.ConditionUnknown, Reason: "Available", Current: true,
	}
}

func user(name string, ready corev1.ConditionStatus) Node {
	return Node{
		Kind: "ValkeyServiceUser", Namespace: "demo", Name: name, ExternalName: "demo_" + name,
		Ready: ready, Synced: corev1.ConditionUnknown, Reason: "Reason", Message: "A message.", Current: true,
	}
}

func published(name string, keys ...Key) Node {
	return Node{Kind: "Secret", Namespace: "demo", Name: name, Keys: keys}
}

func TestWrite(t *testing.T) {
	type args struct {
		write func(w io.Writer, tree []Node)
		tree  []Node
	}
	cases := map[string]struct {
		reason string
		args   args
		want   string
	}{
		"Tree": {
			reason: "A tree is a table: what belongs to an application hangs below it, and columns go through.",
			args: args{
				write: WriteTree,
				tree: []Node{
					application(user("orders-valkey-cache-r1", corev1.ConditionTrue), published("orders-aiven", Key{"A", 1}, Key{"B", 2})),
					user("alone", corev1.ConditionFalse),
				},
			},
			want: `
NAME                                         READY  SYNCED   EXTERNAL-NAME
AivenApplication demo/orders                 True   Unknown
├─ ValkeyServiceUser orders-valkey-cache-r1  True   Unknown  demo_orders-valkey-cache-r1
└─ Secret orders-aiven (2 keys)
ValkeyServiceUser demo/alone                 False  Unknown  demo_alone
`,
		},
		"Secrets": {
			reason: "Of Secrets only keys and sizes are shown; of other objects nothing.",
			args: args{
				write: WriteSecrets,
				tree:  []Node{application(user("a", corev1.ConditionTrue), published("one", Key{"SHORT", 1}, Key{"LONGER", 22}), published("two"))},
			},
			want: `
Secret demo/one:
  SHORT   1 bytes
  LONGER  22 bytes
Secret demo/two:
`,
		},
		"Conditions": {
			reason: "Only what is not ready is explained, also below what is ready.",
			args: args{
				write: WriteConditions,
				tree:  []Node{application(user("good", corev1.ConditionTrue), user("bad", corev1.ConditionFalse), published("one"))},
			},
			want: `
ValkeyServiceUser demo/bad is not ready (Ready=False, Synced=Unknown): Reason "A message."
`,
		},
		"Summary": {
			reason: "A summary ends with commands that work, and with what it took.",
			args: args{
				write: func(w io.Writer, tree []Node) {
					WriteSummary(w, Summary{
						Tree: tree, Kubectl: "/cache/kubectl", Kubeconfig: "/tmp/kubeconfig", URL: "http://127.0.0.1:1", MetricsURL: "http://127.0.0.1:2/metrics",
						Took: 8123 * time.Millisecond, Provisioned: 1234 * time.Millisecond, Calls: 7,
					})
				},
				tree: []Node{application(user("u", corev1.ConditionTrue), user("v", corev1.ConditionFalse), published("s", Key{"KEY", 3}))},
			},
			want: `

NAME                          READY  SYNCED   EXTERNAL-NAME
AivenApplication demo/orders  True   Unknown
├─ ValkeyServiceUser u        True   Unknown  demo_u
├─ ValkeyServiceUser v        False  Unknown  demo_v
└─ Secret s (1 keys)

Secret demo/s:
  KEY  3 bytes

To look around:
  export KUBECONFIG=/tmp/kubeconfig
  /cache/kubectl get aivenapplications,managed -A
  /cache/kubectl describe aivenapplication orders -n demo
  /cache/kubectl get secret s -n demo -o jsonpath='{.data.KEY}' | base64 -d
Services and users at the simulated Aiven, calls to it, and the provider's metrics:
  curl -s http://127.0.0.1:1/-/state
  curl -s http://127.0.0.1:1/-/stats
  curl -s http://127.0.0.1:2/metrics
The provider's log is provider.log beside the kubeconfig. What nothing uses goes after 5s here, not 10 minutes.

Ready after 8.1s, of which 1.23s from the first manifest on, with 7 calls to Aiven for 1 users.
`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			tc.args.write(&b, tc.args.tree)
			if diff := cmp.Diff(strings.TrimPrefix(tc.want, "\n"), b.String()); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
