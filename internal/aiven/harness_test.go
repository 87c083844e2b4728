// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

const (
	testToken   = "token-of-the-tests-4711"
	testProject = "test-project"

	// patience is how long what happens in real time may take.
	patience = 2 * time.Minute
)

var (
	kafkaRef  = ServiceRef{Project: testProject, Service: "kafka-test"}
	searchRef = ServiceRef{Project: testProject, Service: "opensearch-test"}
	valkeyRef = ServiceRef{Project: testProject, Service: "valkey-test"}
)

func user(ref ServiceRef, name string) UserRef { return UserRef{ServiceRef: ref, Username: name} }

// newSim returns a simulator with one service of each kind.
func newSim(opts ...aivensim.Option) *aivensim.Server {
	return aivensim.New(append([]aivensim.Option{
		aivensim.WithKeySize(1024),
		aivensim.WithSeed(aivensim.Seed{
			Tokens: []aivensim.Token{{Token: testToken}},
			Projects: []aivensim.Project{{Name: testProject, Services: []aivensim.Service{
				{Name: kafkaRef.Service, Type: "kafka"},
				{Name: searchRef.Service, Type: "opensearch", ACLEnabled: true, UserLimit: -1},
				{Name: valkeyRef.Service, Type: "valkey", Replica: true},
			}}},
		}),
	}, opts...)...)
}

// connect serves the simulator over HTTP and returns a client of it.
func connect(t *testing.T, h http.Handler, change ...func(*Options)) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o := Options{Token: testToken, BaseURL: server.URL, Limits: Limits{RequestsPerSecond: -1}, CallTimeout: patience}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// inBubble returns a client that calls a handler without a network, for tests on a synthetic clock. The caller closes it.
func inBubble(t *testing.T, h http.Handler, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{Token: testToken, BaseURL: "http://aiven.test", Limits: Limits{RequestsPerSecond: -1}, Transport: handlerTransport{h}}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	return c
}

type handlerTransport struct{ h http.Handler }

func (t handlerTransport) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() == nil {
			return
		}
		if err = req.Context().Err(); err == nil {
			err = io.ErrUnexpectedEOF
		}
	}()
	in := req.Clone(req.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	t.h.ServeHTTP(rec, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

// pass lets time go by in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// eventually polls for a condition.
func eventually(t *testing.T, reason string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %s", reason, patience)
		}
	}
}

func calls(s *aivensim.Server, op string) int { return int(s.Stats().ByOperation[op].Calls) }

// an inbox collects events.
type inbox struct {
	mu   sync.Mutex
	seen map[UserRef]int
}

func subscribe(c *Client) *inbox {
	i := &inbox{seen: map[UserRef]int{}}
	c.Subscribe(func(r UserRef) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.seen[r]++
	})
	return i
}

func (i *inbox) count(r UserRef) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.seen[r]
}

func (i *inbox) all() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return fmt.Sprint(i.seen)
}

// noSecrets fails when a text holds anything the simulator ever handed out.
func noSecrets(t *testing.T, s *aivensim.Server, text string) {
	t.Helper()
	for _, secret := range append(s.Issued(), testToken) {
		if secret != "" && strings.Contains(text, secret) {
			t.Errorf("text holds a credential: %s", strings.ReplaceAll(text, secret, "<<<SECRET>>>"))
		}
	}
}

func rules(pairs ...string) []Rule {
	var out []Rule
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, Rule{Index: pairs[i], Permission: pairs[i+1]})
	}
	return out
}
