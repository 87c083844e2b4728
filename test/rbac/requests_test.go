// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

const account = "system:serviceaccount:" + ownNamespace + ":provider-aiven"

// A use is a right that was used, and where.
type use struct {
	right
	namespace string
}

// A recorder notes what a provider does at the API server and what is refused.
type recorder struct {
	mu      sync.Mutex
	used    map[use]bool
	refused []string
	since   int // where the provider's log begins
}

// impersonate has a provider act as its service account, as the API server does
// for a pod's token, and notes what it does.
func (r *recorder) impersonate(cfg *rest.Config) {
	cfg.Impersonate = rest.ImpersonationConfig{UserName: account, Groups: []string{
		"system:serviceaccounts", "system:serviceaccounts:" + ownNamespace, "system:authenticated",
	}}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return recording{recorder: r, next: next} })
}

type recording struct {
	recorder *recorder
	next     http.RoundTripper
}

func (t recording) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // A decorator.
	}
	t.recorder.mu.Lock()
	defer t.recorder.mu.Unlock()
	if resp.StatusCode == http.StatusForbidden {
		t.recorder.refused = append(t.recorder.refused, req.Method+" "+req.URL.RequestURI())
		return resp, nil
	}
	if u, ok := useOf(req); ok {
		t.recorder.used[u] = true
	}
	return resp, nil
}

// useOf tells which right a request needs, as the API server does. What is no
// resource needs none that anybody has to be given.
func useOf(req *http.Request) (use, bool) {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	var group string
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return use{}, false
	}
	u := use{}
	if parts[0] == "namespaces" && len(parts) > 1 {
		u.namespace = parts[1]
		if len(parts) > 2 {
			parts = parts[2:]
		}
	}
	resource, name := parts[0], len(parts) > 1
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	u.right = right{Verb: verb(req, name), Resource: resourceName(group, resource)}
	return u, true
}

func verb(req *http.Request, name bool) string {
	switch req.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		if name {
			return "delete"
		}
		return "deletecollection"
	}
	if w := req.URL.Query().Get("watch"); w == "true" || w == "1" {
		return "watch"
	}
	if name {
		return "get"
	}
	return "list"
}

// check fails the test for everything that was refused, and for every grant that
// was not used.
func (r *recorder) check(t *testing.T, given []grant) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, request := range r.refused {
		t.Errorf("refused: %s", request)
	}
	for _, g := range given {
		if _, ok := exempt[g.String()]; !ok && !r.uses(g) {
			t.Errorf("granted and not used: %s", g)
		}
	}
	for line := range strings.SplitSeq(h.Log.String()[r.since:], "\n") {
		if strings.Contains(line, "forbidden") || strings.Contains(line, "unknown namespace") {
			t.Errorf("logged: %s", line)
		}
	}
}

func (r *recorder) uses(g grant) bool {
	for u := range r.used {
		if u.right == g.right && (g.namespaces == nil || slices.Contains(g.namespaces, u.namespace)) {
			return true
		}
	}
	return false
}

func TestUseOf(t *testing.T) {
	cases := map[string]struct {
		reason      string
		method, url string
		want        use
		none        bool
	}{
		"Get":          {reason: "One object.", method: "GET", url: "/api/v1/namespaces/team/secrets/orders", want: use{right{"get", "secrets"}, "team"}},
		"List":         {reason: "All of a namespace.", method: "GET", url: "/apis/apps/v1/namespaces/team/deployments?limit=5", want: use{right{"list", "deployments.apps"}, "team"}},
		"Watch":        {reason: "All namespaces.", method: "GET", url: "/apis/batch/v1/jobs?watch=true", want: use{right{"watch", "jobs.batch"}, ""}},
		"Status":       {reason: "A subresource.", method: "PUT", url: "/apis/aiven.nais.io/v1/namespaces/team/aivenapplications/orders/status", want: use{right{"update", "aivenapplications.aiven.nais.io/status"}, "team"}},
		"Create":       {reason: "A creation.", method: "POST", url: "/api/v1/namespaces/default/events", want: use{right{"create", "events"}, "default"}},
		"ClusterScope": {reason: "What has no namespace.", method: "PATCH", url: "/apis/aiven.nais.io/v1alpha1/clusterproviderconfigs/default", want: use{right{"patch", "clusterproviderconfigs.aiven.nais.io"}, ""}},
		"Namespace":    {reason: "A namespace is in itself.", method: "GET", url: "/api/v1/namespaces/team", want: use{right{"get", "namespaces"}, "team"}},
		"Namespaces":   {reason: "All namespaces.", method: "GET", url: "/api/v1/namespaces", want: use{right{"list", "namespaces"}, ""}},
		"Delete":       {reason: "One object.", method: "DELETE", url: "/api/v1/namespaces/team/secrets/orders", want: use{right{"delete", "secrets"}, "team"}},
		"DeleteAll":    {reason: "Many objects.", method: "DELETE", url: "/api/v1/namespaces/team/secrets", want: use{right{"deletecollection", "secrets"}, "team"}},
		"Discovery":    {reason: "No resource.", method: "GET", url: "/apis/apps/v1", none: true},
		"Core":         {reason: "No resource.", method: "GET", url: "/api/v1", none: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(tc.method, "https://host"+tc.url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := useOf(req)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(use{})); diff != "" || ok == tc.none {
				t.Errorf("\n%s\nuseOf(...): %t, -want, +got:\n%s", tc.reason, ok, diff)
			}
		})
	}
}
