// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/provider-aiven/provider-aiven/cluster/node"
)

var (
	level = flag.String("level", "", "node or processes; empty is the cluster of KUBECONFIG and E2E_HOST, or the highest that the machine offers")
	dump  = flag.String("dump", "", "folder for logs and objects when a test fails; empty is _output/e2e/failed")
)

// s is shared by all tests.
var s *suite

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(logr.Discard()) // What the client says is in its errors, too.
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o, note, err := clusterOptions(node.Level(*level), os.Getenv("KUBECONFIG"), os.Getenv("E2E_HOST"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot start:", err)
		return 2
	}
	if note != "" {
		fmt.Fprintln(os.Stderr, note)
	}
	out, err := filepath.Abs(filepath.Join(root, "_output", "e2e"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot start:", err)
		return 1
	}
	if o.Failed = *dump; o.Failed == "" {
		o.Failed = filepath.Join(out, "failed")
	}
	if o.Kubeconfig != "" {
		fmt.Fprintln(os.Stderr, "THE CLUSTER OF KUBECONFIG MUST BE A THROWAWAY: the tests install and remove Crossplane and the provider, with all kinds and objects of both. Ctrl-C removes what is there by then.")
	}
	watch(cancel, o.Failed)
	if s, err = start(ctx, out, o); err != nil {
		fmt.Fprintln(os.Stderr, "cannot start:", err)
		return 1
	}
	running.Store(s)
	if ctx.Err() != nil { // Whoever woke up saw nothing to stop.
		_ = s.stop()
		return 1
	}
	code := m.Run()
	ending.Lock()
	return s.end(code, o.Failed)
}

// end looks for credentials, stops everything and returns the code of the process. Logs
// and objects stay in the folder if it is not 0.
func (s *suite) end(code int, dir string) int {
	if leaks, _ := s.leaks(dir); len(leaks) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: credentials were found where none may be:", leaks)
		code = 1
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "logs and objects are in", dir)
	} else if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "cannot remove", dir)
	}
	if err := s.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: cannot stop:", err)
		code = 1
	}
	return code
}
