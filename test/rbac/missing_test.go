// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// TestMissingRight: a provider that lacks rights in a namespace that it is to watch
// says so, and begins to work when it gets them.
func TestMissingRight(t *testing.T) {
	prepare(t)
	apply(t, "", load(t, filepath.Join(manifests, "base")))
	te, missing := newTenant(t, "bound"), newTenant(t, "missing")
	binding := filepath.Join(manifests, "chosen-namespaces")
	apply(t, te.namespace, load(t, binding))
	start(t, te.namespace, missing.namespace)
	app := te.app("orders", v1alpha1.ClusterProviderConfigKind, central)
	te.create(app)
	harness.Eventually(t, "the missing right is told", func(context.Context) error {
		for line := range strings.SplitSeq(h.Log.String(), "\n") {
			if strings.Contains(line, "lacks a right") && strings.Contains(line, missing.namespace) {
				return nil
			}
		}
		return errors.New("it is not in the log")
	})
	apply(t, missing.namespace, load(t, binding))
	te.ready(app)
	te.delete(app)
	te.gone(app)
}
