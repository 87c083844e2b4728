// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

var testStart = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// greedy takes calls out of a budget as soon as it gives any, and returns when they started.
func greedy(b *budget, from time.Time, d time.Duration) []time.Time {
	var out []time.Time
	for now := from; now.Before(from.Add(d)); {
		r := b.pace(now).ReserveN(now, 1)
		if wait := r.DelayFrom(now); wait > 0 {
			r.CancelAt(now)
			now = now.Add(wait)
			continue
		}
		out = append(out, now)
	}
	return out
}

// No more calls than Aiven named start in any window, however it is aligned, also when many waited, and hardly fewer.
func TestBudgetWindows(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 4, 5, 10, 19, 20, 21, 25, 49, 50, 120, 1000, 6000} {
		b := newBudget(time.Minute)
		b.refused(testStart, tooMany{limit: limit, wait: 28 * time.Second, fresh: true})
		// A quiet time first, so that the bucket is full.
		starts := greedy(&b, testStart.Add(10*time.Minute), 40*time.Minute)
		for i := range starts {
			if j := i + limit; j < len(starts) && starts[j].Sub(starts[i]) <= time.Minute {
				t.Fatalf("limit %d: %d calls within %v", limit, limit+1, starts[j].Sub(starts[i]))
			}
		}
		if least := 40 * limit * 94 / 100; len(starts) < least {
			t.Errorf("limit %d: %d calls in 40 windows, want at least %d", limit, len(starts), least)
		}
	}
}

func TestBudgetLearns(t *testing.T) {
	answered := func(n int) func(*budget) {
		return func(b *budget) {
			for i := range n {
				b.answered(testStart.Add(-time.Duration(i) * 100 * time.Millisecond))
			}
		}
	}
	told := func(limit int, wait time.Duration) func(*budget) {
		return func(b *budget) { b.refused(testStart, tooMany{limit: limit, wait: wait, fresh: true}) }
	}
	after := func(d time.Duration, r tooMany) func(*budget) {
		return func(b *budget) {
			b.pace(testStart.Add(d))
			b.refused(testStart.Add(d), r)
		}
	}
	again := func(n int, r tooMany) []func(*budget) {
		out := []func(*budget){told(120, 0)}
		for range n {
			out = append(out, after(time.Second, r))
		}
		return out
	}
	none := rate.Inf
	minute := func(calls float64) rate.Limit { return rate.Limit(paceShare * calls / 60) }
	cases := map[string]struct {
		reason string
		events []func(*budget)
		at     time.Duration
		want   rate.Limit
		burst  int
	}{
		"Nothing":   {"without a 429 there is no pace", nil, 0, none, 1},
		"Told":      {"Aiven's word", []func(*budget){answered(30), told(120, 28*time.Second)}, 0, minute(120), 4},
		"TwoPause":  {"a longer wait is the window", []func(*budget){told(120, 2*time.Minute)}, 0, minute(60), 4},
		"Shorter":   {"a window does not get shorter", []func(*budget){told(120, 2*time.Minute), after(time.Second, tooMany{limit: 120, wait: time.Second})}, 0, minute(60), 4},
		"Counted":   {"what was answered", []func(*budget){answered(300), told(0, 0)}, 0, minute(300), 12},
		"Few":       {"few answers are no evidence", []func(*budget){answered(2), told(0, 0)}, 0, none, 1},
		"NoAnswers": {"none is none at all", []func(*budget){told(0, 5*time.Second)}, 0, none, 1},
		"Old":       {"answers of earlier windows do not count", []func(*budget){answered(300), after(2*time.Minute, tooMany{fresh: true})}, 2 * time.Minute, none, 1},
		"Late":      {"those that were in flight when the pause began count", []func(*budget){answered(100), told(0, 0), answered(150), after(0, tooMany{})}, 0, minute(250), 10},
		"ThenTold":  {"Aiven's word replaces a count", []func(*budget){answered(300), told(0, 0), told(100, 0)}, 0, minute(100), 4},
		"NewLimit":  {"Aiven's limit changed", []func(*budget){told(100, 0), told(200, 0)}, 0, minute(200), 8},
		"Shrinks":   {"others use the token as well", again(1, tooMany{limit: 120, fresh: true}), time.Second, minute(120 * 0.7), 3},
		"Once":      {"what was in flight says nothing new", again(5, tooMany{limit: 120}), time.Second, minute(120), 4},
		"Least":     {"a tenth is kept", again(50, tooMany{limit: 120, fresh: true}), time.Second, minute(12), 1},
		"Grows":     {"quiet windows", again(1, tooMany{limit: 120, fresh: true}), 3*time.Minute + time.Second, minute(120 * 0.85), 4},
		"Whole":     {"not beyond Aiven's word", again(1, tooMany{limit: 120, fresh: true}), 50 * time.Minute, minute(120), 4},
		"Guess":     {"a count may have been low", []func(*budget){answered(300), told(0, 0)}, 2 * time.Minute, minute(300 * 1.44), 17},
		"Beyond":    {"also much too low", []func(*budget){answered(300), told(0, 0)}, 5 * time.Minute, minute(300 * 2.48832), 29},
		"Forgets":   {"an hour is over", []func(*budget){told(120, 0)}, time.Hour, none, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBudget(time.Minute)
			for _, event := range tc.events {
				event(&b)
			}
			got := b.pace(testStart.Add(tc.at))
			if d := float64(got.Limit() - tc.want); d > 1e-9 || d < -1e-9 || got.Burst() != tc.burst {
				t.Errorf("%s: got %v a second and a burst of %d, want %v and %d", tc.reason, got.Limit(), got.Burst(), tc.want, tc.burst)
			}
		})
	}
}

func TestTally(t *testing.T) {
	y := tally{width: time.Second, keep: time.Minute}
	for i := range 1000 {
		y.add(testStart.Add(time.Duration(i) * 250 * time.Millisecond))
	}
	end := testStart.Add(250 * time.Second)
	if n := y.since(end.Add(-10 * time.Second)); n != 40 {
		t.Errorf("%d in 10 seconds, want 40", n)
	}
	if len(y.slots) > 62 {
		t.Errorf("%d slots of a second for a minute", len(y.slots))
	}
}

func TestLimitHint(t *testing.T) {
	cases := map[string]struct {
		reason, message string
		want            int
	}{
		"Aiven": {"Aiven's words", "The user has sent too many requests in a given amount of time: Rate limit 120 exceeded - try again in 28s", 120},
		"None":  {"nothing is said", "Too many requests", 0},
		"Zero":  {"no budget is that small", "Rate limit 0 exceeded", 0},
		"Huge":  {"no budget is that large", "rate limit 99999999999999999999999 exceeded", 0},
		"Other": {"another sentence", "rate limit exceeded 5 times", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := limitHint(tc.message); got != tc.want {
				t.Errorf("%s: got %d, want %d", tc.reason, got, tc.want)
			}
		})
	}
}

func FuzzRetryHint(f *testing.F) {
	f.Add("7", "Rate limit 120 exceeded - try again in 28s", int64(0))
	f.Add("Fri, 20 Nov 2026 12:00:09 GMT", "try again in 0.5 h", int64(-1))
	f.Add("1e300", "try again in 99999999999999999999s", int64(1)<<60)
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "rate limit 99999999999999999999 exceeded", int64(0))
	f.Add("NaN", "", int64(0))
	f.Fuzz(func(t *testing.T, header, message string, at int64) {
		now := testStart.Add(time.Duration(at))
		d, ok := retryHint(header, message, now)
		if d < 0 || d > maxPause || (!ok && d != 0) {
			t.Errorf("retryHint(%q, %q): got %v, %t", header, message, d, ok)
		}
		n := limitHint(message)
		if n < 0 || n > maxLimit {
			t.Errorf("limitHint(%q): got %d", message, n)
		}
		if d2, ok2 := retryHint(header, message, now); d2 != d || ok2 != ok || limitHint(message) != n {
			t.Errorf("two hints of one answer: %v, %t and %v, %t", d, ok, d2, ok2)
		}
		b := newBudget(time.Minute)
		b.refused(now, tooMany{limit: n, wait: d, fresh: true})
		b.refused(now, tooMany{limit: n, wait: d, fresh: true})
		if p := b.pace(now); p.Limit() <= 0 || p.Burst() < 1 {
			t.Errorf("a pace of %v with a burst of %d lets nobody through", p.Limit(), p.Burst())
		}
	})
}
