// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
)

// windows answers as Aiven does: so many calls of a token in a fixed window, then 429 until it ends.
type windows struct {
	limit  int
	length time.Duration
	silent bool                  // names neither the limit nor a time to wait
	others func(window int) int  // calls that somebody else makes first in each window
	served func(r *http.Request) // is told of each call that is not refused
	hold   chan struct{}         // answers wait for it when it is not nil

	mu      sync.Mutex
	began   time.Time
	window  int
	used    int
	codes   map[int]int
	most    int // accepted in one window
	flights int
	inMost  int
}

func (w *windows) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	code, left := w.count(r)
	<-time.After(300 * time.Millisecond)
	if w.hold != nil {
		<-w.hold
	}
	w.mu.Lock()
	w.flights--
	w.mu.Unlock()
	rw.WriteHeader(code)
	switch {
	case code == http.StatusOK:
		_, _ = fmt.Fprint(rw, `{"projects":[],"service":{"service_type":"kafka","state":"RUNNING"}}`)
	case w.silent:
		_, _ = fmt.Fprint(rw, `{"message":"no"}`)
	default:
		_, _ = fmt.Fprintf(rw, `{"message":"The user has sent too many requests in a given amount of time: Rate limit %d exceeded - try again in %ds"}`,
			w.limit, (left+time.Second-1)/time.Second)
	}
}

func (w *windows) count(r *http.Request) (code int, left time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights++
	w.inMost = max(w.inMost, w.flights)
	now := time.Now()
	if w.codes == nil {
		w.codes, w.began = map[int]int{}, now
	}
	for w.length > 0 && now.Sub(w.began) >= w.length {
		w.began, w.used = w.began.Add(w.length), 0
		w.window++
		if w.others != nil {
			w.used = w.others(w.window)
		}
	}
	code = http.StatusOK
	if w.limit > 0 && w.used >= w.limit {
		code = http.StatusTooManyRequests
	} else {
		w.used++
		w.most = max(w.most, w.used)
		if w.served != nil {
			w.served(r)
		}
	}
	w.codes[code]++
	return code, w.length - now.Sub(w.began)
}

// A crowd of callers calls at what rate Aiven allows, and hardly ever beyond.
func TestLearns(t *testing.T) {
	half := func(int) int { return 60 }
	cases := map[string]struct {
		reason  string
		windows *windows
		calls   int
		refused int // at most, beside one for each request in flight when the first window was full
		needed  int // windows, at most
	}{
		"Told":   {"Aiven names its limit", &windows{limit: 120, length: time.Minute}, 3000, 0, 29},
		"Long":   {"the window is longer than was assumed", &windows{limit: 120, length: 3 * time.Minute}, 1000, 0, 11},
		"Large":  {"a larger limit", &windows{limit: 1000, length: time.Minute}, 3000, 0, 5},
		"Small":  {"a small limit", &windows{limit: 3, length: time.Minute}, 60, 0, 24},
		"Silent": {"Aiven says only that it is too much", &windows{limit: 120, length: time.Minute, silent: true}, 1500, 15, 25},
		"Others": {"somebody else uses half of it", &windows{limit: 120, length: time.Minute, others: half}, 1500, 15, 40},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tc.windows
				c := inBubble(t, w, func(o *Options) { o.CallTimeout = 24 * time.Hour })
				defer c.Close()
				var wg sync.WaitGroup
				for range tc.calls {
					wg.Go(func() {
						err := c.CheckToken(context.Background())
						for errors.Is(err, ErrRateLimited) {
							err = c.CheckToken(context.Background())
						}
						if err != nil {
							t.Errorf("%s: CheckToken(...): %v", tc.reason, err)
						}
					})
				}
				wg.Wait()
				if n := w.codes[http.StatusTooManyRequests]; n > DefaultMaxInFlight+tc.refused {
					t.Errorf("%s: %d of %d calls were answered with 429, want at most %d", tc.reason, n, tc.calls, DefaultMaxInFlight+tc.refused)
				}
				if w.window+1 > tc.needed {
					t.Errorf("%s: %d windows, want at most %d", tc.reason, w.window+1, tc.needed)
				}
			})
		})
	}
}
