// SPDX-License-Identifier: Apache-2.0

// Package rbac runs the provider with exactly the rights that cluster/install/rbac
// gives it: nothing that it does may be refused, and no right may be left unused.
package rbac

import (
	"context"
	"os"
	"testing"

	"github.com/provider-aiven/provider-aiven/test/harness"
)

// h is shared by the tests of the package, which run one after the other.
var h *harness.Harness

func TestMain(m *testing.M) { harness.Exit(run(m)) }

// noStreams has caches list and then watch, as they do with API servers that
// cannot stream lists. Streaming takes the right to watch alone.
const noStreams = "KUBE_FEATURE_WatchListClient"

func run(m *testing.M) (code int, err error) {
	_ = os.Setenv(noStreams, "false")
	if h, err = harness.New(context.Background()); err != nil {
		return 1, err
	}
	return h.End(m.Run(), nil), nil
}
