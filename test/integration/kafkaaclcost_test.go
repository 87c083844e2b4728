// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/provider-aiven/provider-aiven/test/harness"
)

// accepted are the requests to write that the API server accepted from a provider. One
// that it did not, because somebody else was faster, is made again.
type accepted struct {
	mu     sync.Mutex
	writes []string
}

// A tripper is a function that makes requests.
type tripper func(req *http.Request) (*http.Response, error)

// RoundTrip makes a request.
func (t tripper) RoundTrip(req *http.Request) (*http.Response, error) { return t(req) }

// wrap returns a transport whose requests are looked at.
func (a *accepted) wrap(next http.RoundTripper) http.RoundTripper {
	return tripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err == nil && resp.StatusCode < http.StatusBadRequest && req.Method != http.MethodGet {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.writes = append(a.writes, req.Method+" "+req.URL.Path)
		}
		return resp, err
	})
}

// about returns the writes of the managed resource of that name.
func (a *accepted) about(name string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, w := range a.writes {
		if _, of, found := strings.Cut(w, "/kafkaserviceusers/"); found && strings.HasPrefix(of, name) {
			method, _, _ := strings.Cut(w, " ")
			out = append(out, method+" "+strings.Replace(of, name, "NAME", 1))
		}
	}
	return out
}

// TestKafkaACLCost counts the writes that three topics cost. It has a provider to
// itself.
func TestKafkaACLCost(t *testing.T) {
	te := newTenant(t, "aclcost")
	te.topicsAllowed("*")
	if err := h.StopProvider(); err != nil {
		t.Fatalf("cannot stop the provider: %v", err)
	}
	all := &accepted{}
	h.StartProvider(func(p *harness.Process) { p.Config = func(cfg *rest.Config) { cfg.Wrap(all.wrap) } })
	te.create(te.app("warm", kafkaOnly))
	te.ready("warm")
	// A machine that stands still now and then may cost a write more, but not each time.
	const tries = 3
	least := map[string][]string{}
	for i := range tries {
		for kind, asked := range map[string][]string{"plain": nil, "granted": {"one", "two", "three"}} {
			name, entries := fmt.Sprintf("%s-%d", kind, i), len(te.entryWrites())
			te.create(te.app(name, kafkaOnly, topics(asked...)))
			te.ready(name)
			te.grants(name+"-kafka-r1", len(asked))
			u := te.kafkaUser(name + "-kafka-r1")
			te.isReady(u)
			cost := append(all.about(u.GetName()), te.entryWrites()[entries:]...)
			if i == 0 || len(cost) < len(least[kind]) {
				least[kind] = cost
			}
			te.delete(te.app(name))
			gone(t, u)
		}
	}
	t.Logf("without topics %d writes:\n%s", len(least["plain"]), strings.Join(least["plain"], "\n"))
	t.Logf("with three topics %d writes:\n%s", len(least["granted"]), strings.Join(least["granted"], "\n"))
	if !slices.Contains(least["granted"], "AddKafkaACL") {
		t.Error("the topics cost no write, want the test to count them")
	}
	if more := len(least["granted"]) - len(least["plain"]); more > 5 {
		t.Errorf("three topics cost %d writes more, want at most one for each, the record before and one after", more)
	}
}
