// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestServiceSingleFlight(t *testing.T) {
	s := newSim(aivensim.WithLatency(50 * time.Millisecond))
	c := connect(t, s)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := c.Service(context.Background(), valkeyRef); err != nil {
				t.Errorf("Service(...): %v", err)
			}
		})
	}
	wg.Wait()
	if n := calls(s, "GetService"); n != 1 {
		t.Errorf("%d reads for 100 callers, want 1", n)
	}
	before := calls(s, "GetService")
	for range 100 {
		wg.Go(func() {
			if _, err := c.Refresh(context.Background(), valkeyRef); err != nil {
				t.Errorf("Refresh(...): %v", err)
			}
		})
	}
	wg.Wait()
	if n := calls(s, "GetService") - before; n < 1 || n > 5 {
		t.Errorf("%d reads for 100 calls to Refresh, want few", n)
	}
	for _, r := range s.Requests() {
		if !strings.Contains(r.Query, "include_secrets=true") {
			t.Errorf("query %q does not ask for secrets", r.Query)
		}
	}
}

// The read of a Refresh begins after the call to it, also when another read is under way.
func TestRefreshBeginsAfterCall(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	ctx := context.Background()
	began, goOn := make(chan struct{}), make(chan struct{})
	remove := s.Inject(aivensim.Fault{Operation: "GetService", Count: 1, Hook: func(*http.Request) { close(began); <-goOn }})
	defer remove()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Errorf("Service(...): %v", err)
		}
	})
	<-began
	wg.Go(func() {
		svc, err := c.Refresh(ctx, valkeyRef)
		if err != nil {
			t.Errorf("Refresh(...): %v", err)
			return
		}
		if _, ok := svc.User("late"); !ok {
			t.Errorf("Refresh shared a read that began before it")
		}
	})
	e := c.entry(valkeyRef)
	eventually(t, "a second read is queued", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.queued != nil
	})
	s.AddUser(testProject, valkeyRef.Service, "late")
	close(goOn)
	wg.Wait()
	if n := calls(s, "GetService"); n != 2 {
		t.Errorf("%d reads, want 2", n)
	}
}

func TestCallerGivesUp(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	goOn := make(chan struct{})
	s.Inject(aivensim.Fault{Operation: "GetService", Count: 1, Hook: func(*http.Request) { <-goOn }})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Service(ctx, valkeyRef); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("Service(...): got %v, want context.Canceled of kind ErrUnavailable", err)
	}
	close(goOn)
	if _, err := c.Service(context.Background(), valkeyRef); err != nil {
		t.Errorf("the read ended with the caller who gave up: %v", err)
	}
	if n := calls(s, "GetService"); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
}

func TestFailedReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		c := inBubble(t, s)
		defer c.Close()
		ctx := context.Background()
		remove := s.Inject(aivensim.Fault{Operation: "GetService", Status: 503})
		for range 50 {
			if _, err := c.Service(ctx, valkeyRef); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("Service(...): got %v, want ErrUnavailable", err)
			}
		}
		if n := calls(s, "GetService"); n != 3 {
			t.Errorf("%d reads, want one and two repetitions, then a memory of it", n)
		}
		remove()
		pass(defaultErrorTTL)
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Fatalf("Service(...) after the memory's end: %v", err)
		}
		remove = s.Inject(aivensim.Fault{Operation: "GetService", Status: 500})
		if _, err := c.Refresh(ctx, valkeyRef); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Refresh(...): got %v, want ErrUnavailable", err)
		}
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Errorf("Service(...) with a good snapshot: %v", err)
		}
		pass(defaultPollInterval + time.Minute)
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Errorf("Service(...) with a snapshot of a bit more than an interval: %v", err)
		}
		pass(defaultPollInterval)
		if _, err := c.Service(ctx, valkeyRef); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Service(...) with a snapshot of more than two intervals: got %v, want ErrUnavailable", err)
		}
		remove()
		pass(time.Minute)
		s.RevokeToken(testToken)
		if _, err := c.Refresh(ctx, valkeyRef); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("Refresh(...): got %v, want ErrUnauthorized", err)
		}
		if _, err := c.Service(ctx, valkeyRef); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("Service(...) after a refusal: got %v, want ErrUnauthorized at once", err)
		}
	})
}

func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		reason string
		ref    ServiceRef
		setup  func(*aivensim.Server)
		want   error
	}{
		"ServiceMissing": {"a 404 of the service", ServiceRef{testProject, "none"}, nil, ErrServiceNotFound},
		"ProjectMissing": {"a 404 of the project", ServiceRef{"none", "none"}, nil, ErrServiceNotFound},
		"Token":          {"a revoked token", valkeyRef, func(s *aivensim.Server) { s.RevokeToken(testToken) }, ErrUnauthorized},
		"NotMember": {"a token for other projects", valkeyRef, func(s *aivensim.Server) {
			s.AddToken(aivensim.Token{Token: testToken, Projects: []string{"other"}})
		}, ErrForbidden},
		"EmptyName": {"a list would be read instead", ServiceRef{testProject, ""}, nil, ErrInvalid},
		"DotName":   {"another path would be read", ServiceRef{testProject, ".."}, nil, ErrInvalid},
		"LongName":  {"no name is that long", ServiceRef{testProject, strings.Repeat("x", 9000)}, nil, ErrInvalid},
		"SlashName": {"a slash is part of the name", ServiceRef{testProject, "a/b"}, nil, ErrServiceNotFound},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			if tc.setup != nil {
				tc.setup(s)
			}
			c := connect(t, s)
			for range 3 {
				_, err := c.Service(context.Background(), tc.ref)
				if !errors.Is(err, tc.want) {
					t.Fatalf("%s: got %v, want %v", tc.reason, err, tc.want)
				}
				if len(err.Error()) > 600 {
					t.Errorf("%s: error of %d bytes", tc.reason, len(err.Error()))
				}
			}
			if n := s.Stats().Calls; n > 1 {
				t.Errorf("%s: %d calls, want at most 1", tc.reason, n)
			}
		})
	}
}

func TestBrokenAnswers(t *testing.T) {
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
		// network is true for what takes a real connection, in real time.
		network bool
	}{
		"Hang":        {"a server that never answers must not hold anybody", aivensim.Fault{Hang: true}, true},
		"CutBody":     {"half a document is none", aivensim.Fault{CutBody: true}, true},
		"Closed":      {"no answer", aivensim.Fault{CloseConnection: true}, true},
		"EmptyBody":   {"the client library panics on these", aivensim.Fault{EmptyBody: true}, false},
		"HTML":        {"a proxy's page", aivensim.Fault{HTML: true, Status: 502}, false},
		"HTML200":     {"a captive portal's page", aivensim.Fault{HTML: true, Status: 200}, false},
		"Status500":   {"a server error", aivensim.Fault{Status: 500}, false},
		"Status501":   {"temporarily unsupported", aivensim.Fault{Status: 501}, false},
		"ErrorsIn200": {"an error in a good answer", aivensim.Fault{ErrorsIn200: true, Status: 500}, false},
		"Redirect":    {"a redirect is not followed with the token", aivensim.Fault{Status: 302}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.fault.EchoSecrets = tc.fault.Status != 0
			tc.fault.Operation = "GetService"
			s := newSim()
			short := func(o *Options) { o.CallTimeout = 200 * time.Millisecond }
			if tc.network {
				t.Parallel() // Each waits for the pauses between repetitions.
				brokenAnswer(t, tc.reason, s, tc.fault, connect(t, s, short))
				return
			}
			synctest.Test(t, func(t *testing.T) {
				c := inBubble(t, s, short)
				defer c.Close()
				brokenAnswer(t, tc.reason, s, tc.fault, c)
			})
		})
	}
}

func brokenAnswer(t *testing.T, reason string, s *aivensim.Server, fault aivensim.Fault, c *Client) {
	t.Helper()
	ctx := context.Background()
	remove := s.Inject(fault)
	_, err := c.Refresh(ctx, valkeyRef)
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("%s: got %v, want ErrUnavailable", reason, err)
	}
	noSecrets(t, s, err.Error())
	if strings.ContainsAny(err.Error(), "<>{}") {
		t.Errorf("%s: the error quotes a body: %v", reason, err)
	}
	_, again := c.Refresh(ctx, valkeyRef)
	if again == nil || again.Error() != err.Error() {
		t.Errorf("%s: the error is not stable: %v, then %v", reason, err, again)
	}
	remove()
	if _, err := c.Refresh(ctx, valkeyRef); err != nil {
		t.Errorf("%s: afterwards: %v", reason, err)
	}
}

func TestAnswersWithoutService(t *testing.T) {
	for _, body := range []string{`{}`, `{"service":null}`, `{"message":"ok"}`, `[]`, `null`, `"x"`, `{"service":{"users":[{"username":"u","password":"AVNS_leak"}`} {
		t.Run(body, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
				c := inBubble(t, h)
				defer c.Close()
				ctx := context.Background()
				_, err := c.Refresh(ctx, valkeyRef)
				if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "AVNS_") {
					t.Errorf("Refresh(...) answered with %s: %v", body, err)
				}
				// The library dereferences the service of this answer.
				err = c.SetAccessControl(ctx, user(valkeyRef, "u"), AccessControl{})
				if !errors.Is(err, ErrUnavailable) {
					t.Errorf("SetAccessControl(...) answered with %s: %v", body, err)
				}
			})
		})
	}
}

func TestRedactedAnswers(t *testing.T) {
	s := newSim()
	s.AddToken(aivensim.Token{Token: testToken, Permissions: aivensim.PermissionReadOnly})
	s.SetRedaction(true)
	s.AddUser(testProject, kafkaRef.Service, "u")
	c := connect(t, s)
	svc, err := c.Service(context.Background(), kafkaRef)
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	got, ok := svc.User("u")
	if !ok || !got.Redacted || got.Password != "" {
		t.Errorf("User(u): got password %q, redacted %t; want none and true", got.Password, got.Redacted)
	}
	for _, v := range []string{got.Password, got.AccessCert, got.AccessKey} {
		if strings.Contains(v, "redacted") {
			t.Errorf("a field holds the placeholder: %q", v)
		}
	}
}

func TestPoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		c := inBubble(t, s)
		defer c.Close()
		ctx := context.Background()
		events := subscribe(c)
		for _, name := range []string{"a", "b", "same"} {
			s.AddUser(testProject, valkeyRef.Service, name)
		}
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Fatalf("Service(...): %v", err)
		}
		s.SetPassword(testProject, valkeyRef.Service, "a", "another-password")
		s.DeleteUser(testProject, valkeyRef.Service, "b")
		s.AddUser(testProject, valkeyRef.Service, "c")
		pass(defaultPollInterval + time.Second)
		for name, want := range map[string]int{"a": 1, "b": 1, "c": 1, "same": 0, "": 0} {
			if got := events.count(user(valkeyRef, name)); got != want {
				t.Errorf("events of %q: got %d, want %d", name, got, want)
			}
		}
		if n := calls(s, "GetService"); n != 2 {
			t.Errorf("%d reads, want the first and one of the poller", n)
		}
		s.SetServiceState(testProject, valkeyRef.Service, "REBALANCING")
		pass(defaultPollInterval + time.Second)
		if got := events.count(user(valkeyRef, "")); got != 1 {
			t.Errorf("events of the service: got %d, want 1 for its state", got)
		}
		if _, err := c.Service(ctx, valkeyRef); err != nil { // Keeps it in use.
			t.Fatalf("Service(...): %v", err)
		}
		remove := s.Inject(aivensim.Fault{Operation: "GetService", Status: 500})
		pass(defaultPollInterval + time.Second)
		remove()
		pass(defaultPollInterval + time.Second)
		if got := events.count(user(valkeyRef, "")); got != 2 {
			t.Errorf("events of the service: got %d, want another one for its recovery", got)
		}
		pass(unusedIntervals * defaultPollInterval)
		before := calls(s, "GetService")
		pass(10 * defaultPollInterval)
		if n := calls(s, "GetService") - before; n > 1 {
			t.Errorf("%d reads of a service that nobody asks for", n)
		}
	})
}

func TestProjectCA(t *testing.T) {
	s := newSim()
	var now struct {
		sync.Mutex
		offset time.Duration
	}
	c := connect(t, s, func(o *Options) {
		o.Now = func() time.Time {
			now.Lock()
			defer now.Unlock()
			return time.Now().Add(now.offset)
		}
	})
	ctx := context.Background()
	if _, err := c.Service(ctx, kafkaRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	events := subscribe(c)
	first, err := c.ProjectCA(ctx, testProject)
	if err != nil {
		t.Fatalf("ProjectCA(...): %v", err)
	}
	s.RotateProjectCA(testProject)
	if again, err := c.ProjectCA(ctx, testProject); err != nil || again != first {
		t.Errorf("ProjectCA(...) is not cached: %v", err)
	}
	now.Lock()
	now.offset = caTTL
	now.Unlock()
	if next, err := c.ProjectCA(ctx, testProject); err != nil || next == first {
		t.Errorf("ProjectCA(...) is not read again: %v", err)
	}
	if n := calls(s, "GetProjectCA"); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
	if events.count(user(kafkaRef, "")) == 0 {
		t.Errorf("a changed CA was not told: %s", events.all())
	}
	if _, err := c.ProjectCA(ctx, "none"); !errors.Is(err, ErrServiceNotFound) {
		t.Errorf("ProjectCA(none): got %v, want ErrServiceNotFound", err)
	}
}

func TestKafkaService(t *testing.T) {
	s := newSim()
	s.AddProject("empty")
	s.AddService("two", aivensim.Service{Name: "k1", Type: "kafka"})
	s.AddService("two", aivensim.Service{Name: "k2", Type: "kafka"})
	c := connect(t, s)
	ctx := context.Background()
	cases := map[string]struct {
		reason, project, want string
		err                   error
	}{
		"One":       {reason: "the only one is it", project: testProject, want: kafkaRef.Service},
		"None":      {reason: "there is none", project: "empty", err: ErrNoService},
		"Two":       {reason: "nobody may guess", project: "two", err: ErrAmbiguousService},
		"NoProject": {reason: "the project is missing", project: "gone", err: ErrServiceNotFound},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				got, err := c.KafkaService(ctx, tc.project)
				if got != tc.want || !errors.Is(err, tc.err) {
					t.Errorf("%s: got %q, %v; want %q, %v", tc.reason, got, err, tc.want, tc.err)
				}
			}
		})
	}
	if n := calls(s, "ListServices"); n != len(cases) {
		t.Errorf("%d calls, want one for each project", n)
	}
	for _, r := range s.Requests() {
		if strings.Contains(r.Query, "include_secrets") {
			t.Errorf("the list was asked for with secrets: %s", r.Query)
		}
	}
}

func TestComponent(t *testing.T) {
	plain := false
	s := newSim()
	s.AddService(testProject, aivensim.Service{Name: "odd", Type: "kafka", Components: []aivensim.Component{
		{Component: "kafka", Host: "public", Port: 1, Route: "public", KafkaAuthenticationMethod: "certificate"},
		{Component: "kafka", Host: "sasl", Port: 2, KafkaAuthenticationMethod: "sasl"},
		{Component: "kafka", Host: "cert", Port: 3, KafkaAuthenticationMethod: "certificate"},
		{Component: "valkey", Host: "plain", Port: 4, SSL: &plain},
		{Component: "valkey", Host: "tls", Port: 5},
		{Component: "valkey", Host: "replica", Port: 6, Usage: "replica"},
	}})
	c := connect(t, s)
	svc, err := c.Service(context.Background(), ServiceRef{testProject, "odd"})
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	cases := map[string]struct{ reason, name, usage, auth, want string }{
		"Certificate": {"not the public route, not SASL", "kafka", "primary", "certificate", "cert"},
		"SASL":        {"the method decides", "kafka", "", "sasl", "sasl"},
		"Any":         {"the first dynamic one", "kafka", "", "", "sasl"},
		"TLS":         {"plain text is never chosen", "valkey", "primary", "", "tls"},
		"Replica":     {"the usage decides", "valkey", "replica", "", "replica"},
		"None":        {"there is none", "schema_registry", "", "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := svc.Component(tc.name, tc.usage, tc.auth)
			if diff := cmp.Diff(tc.want, got.Host); diff != "" || ok != (tc.want != "") {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestClose(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	began := make(chan struct{})
	s.Inject(aivensim.Fault{Operation: "GetService", Count: 1, Hang: true, Hook: func(*http.Request) { close(began) }})
	failed := make(chan error, 1)
	go func() {
		_, err := c.Service(context.Background(), valkeyRef)
		failed <- err
	}()
	<-began
	c.Close()
	c.Close()
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("a read under way: got %v, want ErrClosed", err)
	}
	if _, err := c.Service(context.Background(), kafkaRef); !errors.Is(err, ErrClosed) {
		t.Errorf("Service(...): got %v, want ErrClosed", err)
	}
	if _, err := c.ProjectCA(context.Background(), testProject); !errors.Is(err, ErrClosed) {
		t.Errorf("ProjectCA(...): got %v, want ErrClosed", err)
	}
	c.SubmitRules(user(searchRef, "u"), rules("a", "read"))
	if err := c.WaitRules(context.Background(), user(searchRef, "u")); !errors.Is(err, ErrClosed) {
		t.Errorf("WaitRules(...): got %v, want ErrClosed", err)
	}
}
