// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// Two clients of one process speak to two places, below a path, with escaped names.
func TestBaseURL(t *testing.T) {
	var mu sync.Mutex
	got := map[string]string{}
	serve := func(name string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			got[name] = r.URL.EscapedPath() + "?" + r.URL.RawQuery + " " + r.Header.Get("Authorization")
			mu.Unlock()
			_, _ = w.Write([]byte(`{"service":{"service_type":"kafka","state":"RUNNING"}}`))
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	for name, path := range map[string]string{"one": "", "two": "/some/where/"} {
		c, err := New(Options{Token: "t-" + name, BaseURL: serve(name) + path})
		if err != nil {
			t.Fatalf("New(...): %v", err)
		}
		defer c.Close()
		if _, err := c.Service(context.Background(), ServiceRef{"p/q", "s t"}); err != nil {
			t.Fatalf("Service(...): %v", err)
		}
	}
	want := map[string]string{
		"one": "/v1/project/p%2Fq/service/s%20t?include_secrets=true aivenv1 t-one",
		"two": "/some/where/v1/project/p%2Fq/service/s%20t?include_secrets=true aivenv1 t-two",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests: -want, +got:\n%s", diff)
	}
}

func TestRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Errorf("a redirect was followed")
	}))
	defer elsewhere.Close()
	c := connect(t, http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	if err := c.CheckToken(context.Background()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("CheckToken(...): got %v, want ErrUnavailable", err)
	}
	// Within the same host it would repeat a write.
	calls := 0
	c = connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}))
	if _, err := c.CreateUser(context.Background(), user(kafkaRef, "u"), AccessControl{}); !errors.Is(err, ErrUnavailable) || calls != 1 {
		t.Errorf("CreateUser(...): got %v after %d calls, want ErrUnavailable after 1", err, calls)
	}
}

func TestRetryHint(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		reason, header, message string
		want                    time.Duration
		ok                      bool
	}{
		"None":     {"nothing is said", "", "Too many", 0, false},
		"Seconds":  {"the header in seconds", "7", "", 7 * time.Second, true},
		"Date":     {"the header as a date", "Fri, 20 Nov 2026 12:00:09 GMT", "", 9 * time.Second, true},
		"PastDate": {"that time is over", "Fri, 20 Nov 2026 11:00:00 GMT", "", 0, true},
		"Message":  {"Aiven's words", "", "Rate limit 120 exceeded - try again in 28s", 28 * time.Second, true},
		"Minutes":  {"in other units", "", "Try again in 2m", 2 * time.Minute, true},
		"Both":     {"the longer one", "30", "try again in 28 s", 30 * time.Second, true},
		"Huge":     {"nothing overflows", "1e300", "try again in 99999999999999999999s", maxPause, true},
		"Negative": {"nonsense is none", "-5", "", 0, false},
		"Garbage":  {"nonsense is none", "soon", "", 0, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := retryHint(tc.header, tc.message, now)
			if got != tc.want || ok != tc.ok {
				t.Errorf("%s: got %v, %t; want %v, %t", tc.reason, got, ok, tc.want, tc.ok)
			}
		})
	}
}

// One caller's 429 makes all callers of the client wait.
func TestPause(t *testing.T) {
	cases := map[string]struct {
		reason  string
		fault   aivensim.Fault
		atMost  time.Duration
		atLeast time.Duration
	}{
		"Header":  {"Retry-After", aivensim.Fault{RetryAfter: "20", Message: "no"}, 21 * time.Second, 20 * time.Second},
		"Message": {"Aiven's words", aivensim.Fault{Message: "Rate limit 120 exceeded - try again in 12s"}, 14 * time.Second, 12 * time.Second},
		"NoHint":  {"nothing is said", aivensim.Fault{Message: "no"}, 2 * time.Second, firstPause},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSim()
				c := inBubble(t, s)
				defer c.Close()
				ctx := context.Background()
				tc.fault.Status, tc.fault.Count = 429, 1
				s.Inject(tc.fault)
				if _, err := c.CreateUser(ctx, user(valkeyRef, "u"), AccessControl{}); !errors.Is(err, ErrRateLimited) {
					t.Fatalf("%s: got %v, want ErrRateLimited", tc.reason, err)
				}
				began := time.Now()
				var wg sync.WaitGroup
				for _, ref := range []ServiceRef{valkeyRef, searchRef} {
					wg.Go(func() {
						if _, err := c.Service(ctx, ref); err != nil {
							t.Errorf("%s: Service(...): %v", tc.reason, err)
						}
						if d := time.Since(began); d < tc.atLeast || d > tc.atMost {
							t.Errorf("%s: the others waited %v, want %v to %v", tc.reason, d, tc.atLeast, tc.atMost)
						}
					})
				}
				wg.Wait()
			})
		})
	}
}

func TestLongPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		c := inBubble(t, s)
		defer c.Close()
		s.Inject(aivensim.Fault{Status: 429, Count: 1, RetryAfter: time.Now().Add(24 * time.Hour).UTC().Format(http.TimeFormat)})
		if err := c.CheckToken(context.Background()); !errors.Is(err, ErrRateLimited) {
			t.Fatalf("CheckToken(...): got %v, want ErrRateLimited", err)
		}
		began := time.Now()
		if err := c.CheckToken(context.Background()); !errors.Is(err, ErrRateLimited) || time.Since(began) > time.Second {
			t.Errorf("CheckToken(...) during a long pause: %v after %v, want ErrRateLimited at once", err, time.Since(began))
		}
		pass(maxPause)
		if err := c.CheckToken(context.Background()); err != nil {
			t.Errorf("CheckToken(...) after the longest pause: %v", err)
		}
		if n := s.Stats().Calls; n != 2 {
			t.Errorf("%d calls, want none during the pause", n)
		}
	})
}

func TestRateAndInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		inFlight, most := 0, 0
		s := newSim(aivensim.WithLatency(time.Second))
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			inFlight++
			most = max(most, inFlight)
			mu.Unlock()
			s.ServeHTTP(w, r)
			mu.Lock()
			inFlight--
			mu.Unlock()
		})
		c := inBubble(t, h, func(o *Options) { o.Limits = Limits{RequestsPerSecond: 2, Burst: 3, MaxInFlight: 2} })
		defer c.Close()
		began := time.Now()
		var wg sync.WaitGroup
		for range 13 {
			wg.Go(func() {
				if err := c.CheckToken(context.Background()); err != nil {
					t.Errorf("CheckToken(...): %v", err)
				}
			})
		}
		wg.Wait()
		if most != 2 {
			t.Errorf("%d requests at one time, want 2", most)
		}
		if d := time.Since(began); d < 5*time.Second || d > 8*time.Second {
			t.Errorf("13 requests took %v, want 5 to 8 seconds", d)
		}
	})
}

type recorder struct {
	mu    sync.Mutex
	calls map[string]int
	codes map[int]int
	in    int64
	waits int

	classes map[string]int // nil: not counted
}

func (r *recorder) Call(op string, code int, _ time.Duration, _, received int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[op]++
	r.codes[code]++
	r.in += received
}

func (r *recorder) LimiterWait(class Class, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits++
	if r.classes != nil {
		r.classes[class.String()]++
	}
}

func TestRecorder(t *testing.T) {
	s := newSim()
	r := &recorder{calls: map[string]int{}, codes: map[int]int{}}
	c := connect(t, s, func(o *Options) { o.Recorder = r }, quick)
	ctx := context.Background()
	for _, err := range []error{
		c.CheckToken(ctx),
		c.SetAccessControl(ctx, user(valkeyRef, "u"), AccessControl{}),
		c.DeleteUser(ctx, user(valkeyRef, "u")),
	} {
		if err != nil && !errors.Is(err, ErrUserNotFound) {
			t.Fatalf("setup: %v", err)
		}
	}
	if _, err := c.CreateUser(ctx, user(valkeyRef, "u"), AccessControl{}); err != nil {
		t.Fatalf("CreateUser(...): %v", err)
	}
	if _, err := c.Service(ctx, valkeyRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	remove := s.Inject(aivensim.Fault{Operation: "CreateUser", CloseConnection: true})
	if _, err := c.CreateUser(ctx, user(valkeyRef, "v"), AccessControl{}); err == nil {
		t.Fatalf("CreateUser(...): no error")
	}
	remove()
	want := map[string]int{"ListProjects": 1, "UpdateUser": 1, "DeleteUser": 1, "CreateUser": 2, "GetService": 1}
	if diff := cmp.Diff(want, r.calls); diff != "" {
		t.Errorf("operations: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[int]int{200: 3, 404: 2, 0: 1}, r.codes); diff != "" {
		t.Errorf("codes: -want, +got:\n%s", diff)
	}
	if r.waits != 6 || r.in != s.Stats().BytesOut {
		t.Errorf("%d waits, %d bytes received; want 6 and %d", r.waits, r.in, s.Stats().BytesOut)
	}
}

// A limit on lists that Aiven starts to enforce does not stop the work on services.
func TestLimitParameter(t *testing.T) {
	s := newSim()
	s.UpdatePolicy(func(p *aivensim.Policy) { p.MaxLimit = 250 })
	c := connect(t, s)
	if _, err := c.Service(context.Background(), valkeyRef); err != nil {
		t.Errorf("Service(...): %v", err)
	}
	if _, err := c.CreateUser(context.Background(), user(valkeyRef, "u"), AccessControl{}); err != nil {
		t.Errorf("CreateUser(...): %v", err)
	}
}
