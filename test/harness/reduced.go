// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"

	"github.com/pkg/errors"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// Reduced returns a Process.Config that leaves the provider all rights but those to
// objects of Aiven's own operator, which it needs for little.
func (h *Harness) Reduced(ctx context.Context) (func(cfg *rest.Config), error) {
	const name = "reduced"
	for _, o := range []client.Object{
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"", "apps", "batch", "coordination.k8s.io", v1.Group}, Resources: []string{"*"}, Verbs: []string{"*"},
		}}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
		},
	} {
		if err := h.Kube.Create(ctx, o); err != nil {
			return nil, errors.Wrapf(err, "cannot create %T", o)
		}
	}
	return func(cfg *rest.Config) { cfg.Impersonate.UserName = name }, nil
}
