// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"path"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// names collects whom a handler served, by the names of services.
type names struct {
	mu   sync.Mutex
	list []string
}

func (n *names) add(r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, path.Base(r.URL.Path))
}

// line makes requests wait in the order given behind one that is under way, and returns in what order they were made.
func line(t *testing.T, patience time.Duration, after func(c *Client), requests ...waiting) []string {
	t.Helper()
	var got names
	w := &windows{hold: make(chan struct{}), served: got.add}
	c := inBubble(t, w, func(o *Options) {
		o.Limits.MaxInFlight, o.CallTimeout = 1, patience
	})
	defer c.Close()
	var wg sync.WaitGroup
	call := func(ctx context.Context, name string) {
		wg.Go(func() {
			if _, err := c.getService(ctx, ServiceRef{testProject, name}); err != nil {
				t.Errorf("getService(%s): %v", name, err)
			}
		})
		synctest.Wait()
	}
	call(context.Background(), "first")
	for _, r := range requests {
		pass(r.later)
		ctx := context.Background()
		if r.urgency != nil {
			ctx = WithUrgency(ctx, *r.urgency)
		}
		call(ctx, r.name)
	}
	after(c)
	close(w.hold)
	wg.Wait()
	return got.list[1:]
}

type waiting struct {
	name    string
	urgency *Urgency
	later   time.Duration // after the one before
}

func TestOrder(t *testing.T) {
	at := func(class Class, minute int) *Urgency {
		return &Urgency{Class: class, Since: testStart.Add(time.Duration(minute) * time.Minute)}
	}
	background := &Urgency{Class: ClassBackground}
	cases := map[string]struct {
		reason   string
		requests []waiting
		want     []string
	}{
		"Classes": {"people first, the poller last, and routine is what is not said", []waiting{
			{"background", background, 0}, {"none", nil, 0}, {"edit", at(ClassEdit, 0), 0}, {"routine", at(ClassRoutine, 0), 0},
		}, []string{"edit", "routine", "none", "background"}},
		"Since": {"within a class the newest", []waiting{
			{"old", at(ClassEdit, 0), 0}, {"new", at(ClassEdit, 9), 0}, {"middle", at(ClassEdit, 5), 0},
		}, []string{"new", "middle", "old"}},
		"Ties": {"otherwise the first", []waiting{
			{"a", at(ClassEdit, 0), 0}, {"b", at(ClassEdit, 0), 0}, {"c", at(ClassEdit, 0), 0},
		}, []string{"a", "b", "c"}},
		"Ages": {"the poller's turn comes after half of its patience, the oldest first", []waiting{
			{"old", background, 0},
			{"older", background, time.Second},
			{"edit", at(ClassEdit, 0), 15 * time.Second},
			{"young", background, time.Second},
			{"routine", at(ClassRoutine, 0), 0},
		}, []string{"old", "older", "edit", "routine", "young"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := line(t, 30*time.Second, func(*Client) {}, tc.requests...)
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
				}
			})
		})
	}
}

// Who comes to wait for a read of the poller has it made at once.
func TestHasten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polled := ServiceRef{testProject, "polled"}
		var wg sync.WaitGroup
		got := line(t, 30*time.Second, func(c *Client) {
			e := c.entry(polled)
			e.mu.Lock()
			e.next(Urgency{Class: ClassBackground})
			e.mu.Unlock()
			synctest.Wait()
			wg.Go(func() {
				if _, err := c.Service(WithUrgency(context.Background(), Urgency{Class: ClassEdit}), polled); err != nil {
					t.Errorf("Service(...): %v", err)
				}
			})
			synctest.Wait()
		}, waiting{"routine", nil, 0}, waiting{"background", &Urgency{Class: ClassBackground}, 0})
		wg.Wait()
		if diff := cmp.Diff([]string{"polled", "routine", "background"}, got); diff != "" {
			t.Errorf("order: -want, +got:\n%s", diff)
		}
	})
}

func TestCongested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := make([]waiting, 0, maxWaiting)
		for range maxWaiting {
			requests = append(requests, waiting{name: "routine", urgency: &Urgency{Since: testStart}})
		}
		cases := map[string]struct {
			reason  string
			urgency Urgency
			want    error
		}{
			"Edit":       {"none of them goes before it", Urgency{Class: ClassEdit}, nil},
			"Newer":      {"nor before this one", Urgency{Since: testStart.Add(time.Second)}, nil},
			"Same":       {"all do, having come first", Urgency{Since: testStart}, ErrRateLimited},
			"None":       {"all do, being newer", Urgency{}, ErrRateLimited},
			"Background": {"all do, being of a higher class", Urgency{Class: ClassBackground}, ErrRateLimited},
		}
		check := func(c *Client) {
			for name, tc := range cases {
				err := c.Congested(WithUrgency(context.Background(), tc.urgency), UserRef{})
				if !errors.Is(err, tc.want) {
					t.Errorf("%s: %s: got %v, want %v", name, tc.reason, err, tc.want)
				}
			}
		}
		line(t, 30*time.Second, check, requests...)
		line(t, 30*time.Second, func(c *Client) {
			if err := c.Congested(context.Background(), UserRef{}); err != nil {
				t.Errorf("Congested(...) with %d waiting: %v", maxWaiting-1, err)
			}
		}, requests[1:]...)
	})
}

// During a pause nobody needs to come who could not wait for its end, and those who wait in vain are told at once.
func TestCongestedPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{limit: 2, length: time.Minute}
		c := inBubble(t, w, func(o *Options) { o.Limits.MaxInFlight = 3 })
		defer c.Close()
		began := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		limited := 0
		for range 10 {
			wg.Go(func() {
				err := c.CheckToken(context.Background())
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, ErrRateLimited) {
					limited++
				}
			})
		}
		wg.Wait()
		if limited != 8 || time.Since(began) > time.Second {
			t.Errorf("%d callers were told to come again, after %v; want 8 at once", limited, time.Since(began))
		}
		if err := c.Congested(context.Background(), UserRef{}); !errors.Is(err, ErrRateLimited) {
			t.Errorf("Congested(...) during a pause: got %v, want ErrRateLimited", err)
		}
		pass(45 * time.Second)
		if err := c.Congested(context.Background(), UserRef{}); err != nil {
			t.Errorf("Congested(...) shortly before the end of the pause: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := c.Congested(ctx, UserRef{}); !errors.Is(err, ErrRateLimited) {
			t.Errorf("Congested(...) of a caller without time: got %v, want ErrRateLimited", err)
		}
	})
}

func TestSetLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{}
		c := inBubble(t, w, func(o *Options) {
			o.Limits, o.CallTimeout = Limits{RequestsPerSecond: 1, Burst: 1, MaxInFlight: 1}, time.Hour
		})
		defer c.Close()
		var wg sync.WaitGroup
		run := func(n int) {
			for range n {
				wg.Go(func() {
					if err := c.CheckToken(context.Background()); err != nil {
						t.Errorf("CheckToken(...): %v", err)
					}
				})
			}
		}
		made := func() int {
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.codes[http.StatusOK]
		}
		run(100)
		pass(4500 * time.Millisecond)
		if n := made(); n != 5 {
			t.Errorf("%d calls within 4.5 seconds at one a second, want 5", n)
		}
		c.SetLimits(Limits{RequestsPerSecond: 10, Burst: 1, MaxInFlight: 50})
		pass(time.Second)
		if n := made(); n < 14 || n > 16 {
			t.Errorf("%d calls after a second at ten a second, want 15", n)
		}
		c.SetLimits(Limits{RequestsPerSecond: -1, MaxInFlight: 20})
		wg.Wait()
		if w.inMost != 20 {
			t.Errorf("%d requests in flight, want 20", w.inMost)
		}
		run(100)
		synctest.Wait()
		c.SetLimits(Limits{RequestsPerSecond: 2, Burst: 4})
		began := time.Now()
		wg.Wait()
		if d := time.Since(began); d < 37*time.Second || d > 40*time.Second {
			t.Errorf("80 calls took %v at two a second, want 38 seconds", d)
		}
	})
}

// Close ends the wait of those who wait, and nothing runs on.
func TestCloseDenies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{limit: 1, length: time.Minute}
		c := inBubble(t, w, func(o *Options) { o.CallTimeout = time.Hour })
		_ = c.CheckToken(context.Background())
		_ = c.CheckToken(context.Background())
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := c.CheckToken(context.Background()); !errors.Is(err, ErrClosed) {
					t.Errorf("CheckToken(...): got %v, want ErrClosed", err)
				}
			})
		}
		synctest.Wait()
		c.Close()
		wg.Wait()
		if err := c.CheckToken(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("CheckToken(...) after Close: got %v, want ErrClosed", err)
		}
		if n := w.codes[http.StatusOK] + w.codes[http.StatusTooManyRequests]; n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
		c.SetLimits(Limits{})
	})
}

// A caller who gives up makes room, and takes nothing of the rate with it.
func TestGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{}
		c := inBubble(t, w, func(o *Options) { o.Limits = Limits{RequestsPerSecond: 0.1, Burst: 1} })
		defer c.Close()
		if err := c.CheckToken(context.Background()); err != nil {
			t.Fatalf("CheckToken(...): %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := c.CheckToken(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("CheckToken(...): got %v, want context.DeadlineExceeded", err)
				}
			})
		}
		wg.Wait()
		for range 4 {
			if err := c.CheckToken(context.Background()); err != nil {
				t.Errorf("CheckToken(...): %v", err)
			}
		}
		for range 5 {
			wg.Go(func() { _ = c.CheckToken(context.Background()) })
		}
		pass(31 * time.Second)
		wg.Wait()
		if n := w.codes[http.StatusOK]; n != 8 {
			t.Errorf("%d calls, want 8: the patience of two is over before their turn", n)
		}
	})
}

// The reads of the poller are background, those that somebody waits for as urgent as the caller.
func TestReadClasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{calls: map[string]int{}, codes: map[int]int{}, classes: map[string]int{}}
		c := inBubble(t, newSim(), func(o *Options) { o.Recorder = r })
		defer c.Close()
		if _, err := c.Service(context.Background(), valkeyRef); err != nil {
			t.Fatalf("Service(...): %v", err)
		}
		if _, err := c.Refresh(WithUrgency(context.Background(), Urgency{Class: ClassEdit}), valkeyRef); err != nil {
			t.Fatalf("Refresh(...): %v", err)
		}
		pass(defaultPollInterval + time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		if diff := cmp.Diff(map[string]int{"routine": 1, "edit": 1, "background": 1}, r.classes); diff != "" {
			t.Errorf("classes: -want, +got:\n%s", diff)
		}
	})
}
