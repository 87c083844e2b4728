// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// WriteTree writes a tree as a table.
func WriteTree(w io.Writer, tree []Node) {
	const padding = 2
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, padding, ' ', 0)
	fmt.Fprintln(t, "NAME\tREADY\tSYNCED\tEXTERNAL-NAME")
	for _, n := range tree {
		writeRow(t, "", n.Kind+" "+qualified(n.Namespace, n.Name), n)
		for i, c := range n.Children {
			branch := "├─ "
			if i == len(n.Children)-1 {
				branch = "└─ "
			}
			writeRow(t, branch, c.Kind+" "+c.Name, c)
		}
	}
	_ = t.Flush() // A strings.Builder never fails.
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

func writeRow(w io.Writer, branch, name string, n Node) {
	if n.Kind == kindSecret {
		fmt.Fprintf(w, "%s%s (%d keys)\t\t\t\n", branch, name, len(n.Keys))
		return
	}
	fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\n", branch, name, n.Ready, n.Synced, n.ExternalName)
}

// WriteSecrets writes the keys of all Secrets of a tree with the sizes of their
// values, and no value.
func WriteSecrets(w io.Writer, tree []Node) {
	const padding = 2
	for _, n := range tree {
		for _, s := range n.Children {
			if s.Kind != kindSecret {
				continue
			}
			fmt.Fprintf(w, "Secret %s:\n", qualified(s.Namespace, s.Name))
			t := tabwriter.NewWriter(w, 0, 0, padding, ' ', 0)
			for _, k := range s.Keys {
				fmt.Fprintf(t, "  %s\t%d bytes\n", k.Name, k.Size)
			}
			_ = t.Flush() // What is printed for people is not retried.
		}
	}
}

// WriteConditions writes why objects of a tree are not ready.
func WriteConditions(w io.Writer, tree []Node) {
	for _, n := range tree {
		for _, o := range append([]Node{n}, n.Children...) {
			if o.Kind == kindSecret || o.settled() {
				continue
			}
			fmt.Fprintf(w, "%s %s is not ready (Ready=%s, Synced=%s): %s\n", o.Kind, qualified(o.Namespace, o.Name), o.Ready, o.Synced, o.state())
		}
	}
}

// A Summary is what came of a run.
type Summary struct {
	// Tree of all objects.
	Tree []Node
	// Kubectl is how to call kubectl, and Kubeconfig the file it needs.
	Kubectl, Kubeconfig string
	// URL of the simulator, and MetricsURL of the provider.
	URL, MetricsURL string
	// Took is the time from the start of everything, and Provisioned that from
	// applying the first manifest, until all was ready.
	Took, Provisioned time.Duration
	// Calls to Aiven so far.
	Calls int64
}

// WriteSummary writes a summary: the objects, the Secrets' keys without their
// values, and what to try next.
func WriteSummary(w io.Writer, s Summary) {
	fmt.Fprintln(w)
	WriteTree(w, s.Tree)
	fmt.Fprintln(w)
	WriteSecrets(w, s.Tree)
	fmt.Fprint(w, "\nTo look around:\n")
	fmt.Fprintf(w, "  export KUBECONFIG=%s\n", s.Kubeconfig)
	fmt.Fprintf(w, "  %s get aivenapplications,managed -A\n", s.Kubectl)
	if app, secret, ok := example(s.Tree); ok {
		fmt.Fprintf(w, "  %s describe aivenapplication %s -n %s\n", s.Kubectl, app.Name, app.Namespace)
		fmt.Fprintf(w, "  %s get secret %s -n %s -o jsonpath='{.data.%s}' | base64 -d\n", s.Kubectl, secret.Name, secret.Namespace, secret.Keys[0].Name)
	}
	fmt.Fprint(w, "Services and users at the simulated Aiven, calls to it, and the provider's metrics:\n")
	fmt.Fprintf(w, "  curl -s %s/-/state\n  curl -s %s/-/stats\n  curl -s %s\n", s.URL, s.URL, s.MetricsURL)
	fmt.Fprintf(w, "The provider's log is provider.log beside the kubeconfig. What nothing uses goes after %s here, not 10 minutes.\n", janitorGrace)
	fmt.Fprintf(w, "\nReady after %s, of which %s from the first manifest on, with %d calls to Aiven for %d users.\n",
		s.Took.Round(100*time.Millisecond), s.Provisioned.Round(10*time.Millisecond), s.Calls, users(s.Tree))
}

// example returns an application and its Secret to show commands with.
func example(tree []Node) (app, secret Node, ok bool) {
	for _, n := range tree {
		for _, c := range n.Children {
			if c.Kind == kindSecret && len(c.Keys) > 0 {
				return n, c, true
			}
		}
	}
	return Node{}, Node{}, false
}

// users counts the managed resources that are ready.
func users(tree []Node) int {
	count := 0
	for _, n := range tree {
		for _, o := range append([]Node{n}, n.Children...) {
			if o.ExternalName != "" && o.Ready == corev1.ConditionTrue {
				count++
			}
		}
	}
	return count
}
