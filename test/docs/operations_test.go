// SPDX-License-Identifier: Apache-2.0

package docs

import "strings"

// operations is what is left of the page: test/e2e removes everything.
func operations(p *page) {
	p.Skip("Remove everything")
	provide()
	p.Run(orders)
	p.ready("team-a")
	users := p.users("team-a")
	if len(users) != 3 {
		p.t.Fatalf("the application should have a user of each service: %v", users)
	}
	p.In("Uninstall and install again").Next("managementPolicies")
	if out := p.Run("kubectl get kafkaserviceusers,opensearchserviceusers,valkeyserviceusers -A -o jsonpath='{.items[*].spec.managementPolicies}'"); strings.Contains(out, "*") || strings.Contains(out, "Delete") {
		p.t.Errorf("users would go with managed resources: %s", out)
	}
	p.Run("kubectl -n team-a delete aivenapp orders; kubectl -n team-a delete secret orders-aiven --ignore-not-found")
	p.eventually("No resources found", "kubectl -n team-a get managed")
	for service, user := range users {
		if _, ok := h.Sim.User(project, service, user); !ok {
			p.t.Errorf("%s should still have the user %s", service, user)
		}
		h.Sim.DeleteUser(project, service, user)
	}
}

// users returns those of a namespace's managed resources, by service.
func (p *page) users(namespace string) map[string]string {
	p.t.Helper()
	users := map[string]string{}
	for line := range strings.Lines(p.Run("kubectl -n " + namespace + ` get managed -o jsonpath='{range .items[*]}{.spec.forProvider.serviceName} {.metadata.annotations.crossplane\.io/external-name}{"\n"}{end}'`)) {
		service, user, _ := strings.Cut(strings.TrimSpace(line), " ")
		users[service] = user
	}
	return users
}
