// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// TestNamespaceGoes: the rights in a chosen namespace go with it, before what needs
// them. The way out is the one that docs/rbac.md tells.
func TestNamespaceGoes(t *testing.T) {
	prepare(t)
	apply(t, "", load(t, filepath.Join(manifests, "base")))
	te := newTenant(t, "going")
	binding := load(t, filepath.Join(manifests, "chosen-namespaces"))
	apply(t, te.namespace, binding)
	start(t, te.namespace)
	app := te.app("orders", v1alpha1.ClusterProviderConfigKind, central)
	before := te.users()
	te.create(app)
	te.ready(app)

	for _, o := range binding {
		te.delete(o)
	}
	settled(t)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: te.namespace}}
	te.delete(ns)
	harness.Eventually(t, "the namespace waits", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(ns), ns); err != nil {
			return err
		}
		for _, c := range ns.Status.Conditions {
			if c.Type == corev1.NamespaceFinalizersRemaining && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return errors.Errorf("conditions are %+v", ns.Status.Conditions)
	})

	rescue := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "provider-aiven-rescue"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "provider-aiven-namespaces"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "provider-aiven", Namespace: ownNamespace}},
	}
	apply(t, "", []client.Object{rescue})
	te.gone(ns)
	te.left(before)
}
