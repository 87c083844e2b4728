// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/pkg/errors"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/provider-aiven/provider-aiven/test/harness"
)

// TestPeople: who has Kubernetes' own roles in a namespace may use what docs/rbac.md says.
func TestPeople(t *testing.T) {
	ns := h.Namespace(t, "people")
	apply(t, "", load(t, filepath.Join(manifests, "users")))
	for _, role := range []string{"view", "edit", "admin"} {
		ensure(t, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role, Namespace: ns},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: role}},
		})
	}
	may := func(ctx context.Context, user, verb, resource string) bool {
		allowed, err := may(ctx, user, ns, verb, resource)
		if err != nil {
			t.Fatal(err)
		}
		return allowed
	}
	// The last that Kubernetes gathers into its own roles.
	harness.Eventually(t, "roles are gathered", func(ctx context.Context) error {
		if !may(ctx, "admin", "get", "aivenapplications") || !may(ctx, "admin", "create", "aivenapplications") || !may(ctx, "admin", "create", "providerconfigs") {
			return errors.New("admin lacks rights")
		}
		return nil
	})

	cases := map[string]struct {
		reason, verb, resource string
		view, edit, admin      bool
	}{
		"SeeApplications":     {"Everybody sees what came of an application.", "get", "aivenapplications", true, true, true},
		"SeeManaged":          {"Everybody sees why an application is not ready.", "list", "kafkaserviceusers", true, true, true},
		"WriteApplications":   {"Whoever deploys says what is needed.", "patch", "aivenapplications", false, true, true},
		"DeleteApplications":  {"Whoever deploys may also stop.", "deletecollection", "aivenapplications", false, true, true},
		"WriteKafkaUsers":     {"A managed resource is a user on any service.", "create", "kafkaserviceusers", false, false, true},
		"WriteValkeyUsers":    {"A managed resource is a user on any service.", "update", "valkeyserviceusers", false, false, true},
		"WriteConfigurations": {"A configuration is a token.", "create", "providerconfigs", false, false, true},
		"WriteStatus":         {"A status is the provider's.", "update", "aivenapplications/status", false, false, false},
		"WriteUsages":         {"Usages are the provider's.", "delete", "providerconfigusages", false, false, false},
		"ClusterConfigs":      {"What is for all namespaces is the platform team's.", "get", "clusterproviderconfigs", false, false, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for user, want := range map[string]bool{"view": tc.view, "edit": tc.edit, "admin": tc.admin} {
				if got := may(t.Context(), user, tc.verb, tc.resource); got != want {
					t.Errorf("%s: %s %s %s: got %t, want %t", tc.reason, user, tc.verb, tc.resource, got, want)
				}
			}
		})
	}
}
