// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

// A roundTripper is a function that answers requests.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answerWith(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

// tokenOf returns the token of a request.
func tokenOf(r *http.Request) string {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return token
}

func clientsOver(rt roundTripper) *Clients {
	return NewClients(func(k Key, l aiven.Limits) (*aiven.Client, error) {
		return aiven.New(aiven.Options{Token: k.Token, BaseURL: "http://aiven.test", Limits: l, Transport: rt})
	})
}

func accepts(r *http.Request) (*http.Response, error) {
	return answerWith(r, http.StatusOK, `{"projects":[]}`), nil
}

func access(name string) Access { return Access{Config: clusterRef(name)} }

func noLimit() aiven.Limits { return aiven.Limits{RequestsPerSecond: -1} }

func mustFor(t *testing.T, c *Clients, a Access, k Key, l aiven.Limits) *aiven.Client {
	t.Helper()
	cl, err := c.For(a, k, l)
	if err != nil {
		t.Fatalf("For(%s): %v", a, err)
	}
	return cl
}

func TestClientsAreShared(t *testing.T) {
	t.Parallel()
	c := clientsOver(accepts)
	t.Cleanup(c.Close)
	first := mustFor(t, c, access("a"), Key{"token-1", "u"}, noLimit())
	cases := map[string]struct {
		reason string
		access Access
		key    Key
		limits aiven.Limits
		same   bool
	}{
		"Again":        {"The same is the same.", access("a"), Key{"token-1", "u"}, noLimit(), true},
		"OtherConfig":  {"A configuration with the same token and base URL shares the client.", access("b"), Key{"token-1", "u"}, noLimit(), true},
		"OtherLimits":  {"Whatever its limits.", access("c"), Key{"token-1", "u"}, aiven.Limits{RequestsPerSecond: 5}, true},
		"Own":          {"So does an object that brings the token itself.", clusterRef("a").With(localKey("own", "token"), "team-a"), Key{"token-1", "u"}, noLimit(), true},
		"OtherToken":   {"Another token is another client.", access("d"), Key{"token-2", "u"}, noLimit(), false},
		"OtherBaseURL": {"So is another base URL: a token is never sent to the one of another configuration.", access("e"), Key{"token-1", "v"}, noLimit(), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := mustFor(t, c, tc.access, tc.key, tc.limits); (got == first) != tc.same {
				t.Errorf("%s: same client: %t", tc.reason, got == first)
			}
		})
	}
	boom := NewClients(func(Key, aiven.Limits) (*aiven.Client, error) { return nil, errBoom })
	if _, err := boom.For(access("a"), Key{}, noLimit()); !errors.Is(err, errBoom) {
		t.Errorf("For(...): got %v, want the error of making a client", err)
	}
}

func TestStrictestLimitsHold(t *testing.T) {
	t.Parallel()
	k := Key{"token-1", "u"}
	strict, wide := aiven.Limits{RequestsPerSecond: 2, Burst: 2, MaxInFlight: 8}, aiven.Limits{RequestsPerSecond: 10, Burst: 20, MaxInFlight: 4}
	cases := map[string]struct {
		reason string
		then   func(t *testing.T, c *Clients)
		want   aiven.Limits
	}{
		"One":      {"One alone has its own.", func(*testing.T, *Clients) {}, wide},
		"NoLimit":  {"One without any changes nothing.", func(t *testing.T, c *Clients) { t.Helper(); mustFor(t, c, access("b"), k, noLimit()) }, wide},
		"Stricter": {"Each limit is the strictest that anybody asks for; the burst goes with the rate.", func(t *testing.T, c *Clients) { t.Helper(); mustFor(t, c, access("b"), k, strict) }, aiven.Limits{RequestsPerSecond: 2, Burst: 2, MaxInFlight: 4}},
		"OtherToken": {"What is asked for of another token does not matter.", func(t *testing.T, c *Clients) {
			t.Helper()
			mustFor(t, c, access("b"), Key{"token-2", "u"}, strict)
		}, wide},
		"Relaxed": {"A limit that is no longer asked for does not hold.", func(t *testing.T, c *Clients) {
			t.Helper()
			mustFor(t, c, access("b"), k, strict)
			mustFor(t, c, access("b"), k, noLimit())
		}, wide},
		"Moved": {"Nor one of who has another token now.", func(t *testing.T, c *Clients) {
			t.Helper()
			mustFor(t, c, access("b"), k, strict)
			mustFor(t, c, access("b"), Key{"token-2", "u"}, strict)
		}, wide},
		"Gone": {"Nor one of who has gone.", func(t *testing.T, c *Clients) {
			t.Helper()
			mustFor(t, c, access("b"), k, strict)
			c.Forget(func(a Access) bool { return a == access("b") })
		}, wide},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clientsOver(accepts)
			t.Cleanup(c.Close)
			mustFor(t, c, access("a"), k, wide)
			tc.then(t, c)
			c.mu.Lock()
			defer c.mu.Unlock()
			if diff := cmp.Diff(tc.want, c.strictest(k)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestLimitsReachTheClient: limits hold for calls, from when they are asked for until they are not.
func TestLimitsReachTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clientsOver(accepts)
		defer c.Close()
		cl := mustFor(t, c, access("a"), Key{"token-1", "u"}, noLimit())
		took := func() time.Duration {
			began := time.Now()
			for range 11 {
				if err := cl.CheckToken(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(began)
		}
		if d := took(); d > 0 {
			t.Errorf("calls without a limit took %s", d)
		}
		mustFor(t, c, access("b"), Key{"token-1", "u"}, aiven.Limits{RequestsPerSecond: 1, Burst: 1})
		if d := took(); d < 9*time.Second {
			t.Errorf("11 calls at one a second took %s", d)
		}
		c.Forget(func(a Access) bool { return a == access("b") })
		if d := took(); d > 2*time.Second {
			t.Errorf("calls without a limit took %s after there was one", d)
		}
	})
}

// TestOldClientIsClosedLater: when the token changes, calls with the one before end by themselves.
func TestOldClientIsClosedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		c := clientsOver(func(r *http.Request) (*http.Response, error) {
			if tokenOf(r) == "token-1" {
				<-answer
			}
			return accepts(r)
		})
		defer c.Close()
		before := mustFor(t, c, access("a"), Key{"token-1", "u"}, noLimit())
		mustFor(t, c, access("b"), Key{"token-1", "u"}, noLimit())
		ended := make(chan error, 1)
		go func() { ended <- before.CheckToken(t.Context()) }()
		synctest.Wait()

		if after := mustFor(t, c, access("a"), Key{"token-2", "u"}, noLimit()); after == before {
			t.Fatal("another token has the same client")
		}
		<-time.After(2 * closeDelay) // Of synthetic time.
		if _, ok := c.byKey[Key{"token-1", "u"}]; !ok {
			t.Error("a client that somebody uses was retired")
		}
		mustFor(t, c, access("b"), Key{"token-2", "u"}, noLimit())
		go func() { ended <- before.CheckToken(t.Context()) }()
		synctest.Wait()
		close(answer)
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("a call that was under way while the token changed: %v", err)
			}
		}
		if err := before.CheckToken(t.Context()); err != nil {
			t.Errorf("a call soon after the token changed: %v", err)
		}
		<-time.After(closeDelay + time.Second)
		synctest.Wait()
		if err := before.CheckToken(t.Context()); !errors.Is(err, aiven.ErrClosed) {
			t.Errorf("a call long after: got %v, want %v", err, aiven.ErrClosed)
		}
	})
}

// TestTokenNewsReachAllWhoUseIt: whose token is refused is told to each, and only once.
func TestTokenNewsReachAllWhoUseIt(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	c := clientsOver(func(r *http.Request) (*http.Response, error) {
		return answerWith(r, status, `{"message":"Invalid token","projects":[]}`), nil
	})
	t.Cleanup(c.Close)
	var told []Access
	cancel := c.SubscribeTokens(func(a Access) { told = append(told, a) })
	one, two := access("a"), clusterRef("a").With(localKey("own", "token"), "team-a")
	cl := mustFor(t, c, one, Key{"token-1", "u"}, noLimit())
	mustFor(t, c, two, Key{"token-1", "u"}, noLimit())
	mustFor(t, c, access("other"), Key{"token-2", "u"}, noLimit())
	ask := func(s int) []Access {
		told, status = nil, s
		_ = cl.CheckToken(t.Context()) // What it tells is looked at.
		return told
	}
	sorted := cmpopts.SortSlices(func(a, b Access) bool { return a.String() < b.String() })
	for i, step := range []struct {
		reason string
		status int
		want   []Access
	}{
		{"That the first answer accepts it is no news.", http.StatusOK, nil},
		{"That it is refused is.", http.StatusUnauthorized, []Access{one, two}},
		{"Once.", http.StatusUnauthorized, nil},
		{"And that it is accepted again.", http.StatusOK, []Access{one, two}},
	} {
		if diff := cmp.Diff(step.want, ask(step.status), sorted, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d: %s -want, +got:\n%s", i, step.reason, diff)
		}
	}
	cancel()
	cancel()
	if got := ask(http.StatusUnauthorized); len(got) > 0 {
		t.Errorf("told %v after it was cancelled", got)
	}
}

// TestCloseWhileTokenIsRefused: the last answers of a client are told while it is being closed.
func TestCloseWhileTokenIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clientsOver(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return answerWith(r, http.StatusUnauthorized, `{"message":"Invalid token"}`), nil
		})
		cl := mustFor(t, c, access("a"), Key{"token-1", "u"}, noLimit())
		go func() {
			_, _ = cl.Service(context.WithoutCancel(t.Context()), aiven.ServiceRef{Project: "p", Service: "s"})
		}()
		synctest.Wait()
		c.Close() // A deadlock fails the test.
		if _, ok := c.byKey[Key{"token-1", "u"}]; ok {
			t.Error("a closed client is still in use")
		}
	})
}

// TestClosed: nobody would close a client that is made after all were closed.
func TestClosed(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		access Access
		key    Key
		close  bool
		want   error
	}{
		"Open":   {"Before that there is one.", access("a"), Key{"token-1", "u"}, false, nil},
		"Known":  {"One that was used is gone.", access("a"), Key{"token-1", "u"}, true, aiven.ErrClosed},
		"New":    {"One that was not is not made.", access("b"), Key{"token-2", "u"}, true, aiven.ErrClosed},
		"Shared": {"Nor is one that would have been shared.", access("b"), Key{"token-1", "u"}, true, aiven.ErrClosed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := 0
			c := NewClients(func(k Key, _ aiven.Limits) (*aiven.Client, error) {
				made++
				return aiven.New(aiven.Options{Token: k.Token, BaseURL: "http://aiven.test", Transport: roundTripper(accepts)})
			})
			t.Cleanup(c.Close)
			mustFor(t, c, access("a"), Key{"token-1", "u"}, noLimit())
			if tc.close {
				c.Close()
			}
			_, err := c.For(tc.access, tc.key, noLimit())
			if diff := cmp.Diff(tc.want, err, cmpopts.EquateErrors()); diff != "" || made != 1 {
				t.Errorf("%s: %d clients were made, error: -want, +got:\n%s", tc.reason, made, diff)
			}
		})
	}
}
