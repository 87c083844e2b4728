// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxPause bounds what Aiven can demand with one answer.
	maxPause = 5 * time.Minute
	// firstPause is how long to wait after a 429 that does not say how long. It doubles with each one in a row, up to
	// lastPause.
	firstPause = time.Second
	lastPause  = 30 * time.Second
	// maxSpread bounds the jitter after a pause: those who waited do not all start at once.
	maxSpread = time.Second
)

// A limiter admits requests: so many per second, so many at one time, and none while Aiven demands a pause.
type limiter struct {
	rate  *rate.Limiter // nil: no limit
	slots chan struct{}
	now   func() time.Time

	mu     sync.Mutex
	until  time.Time // end of the pause
	spread time.Duration
	inRow  int // 429s without a hint since the last success
}

func newLimiter(l Limits, now func() time.Time) *limiter {
	out := &limiter{slots: make(chan struct{}, l.MaxInFlight), now: now}
	if l.RequestsPerSecond > 0 {
		out.rate = rate.NewLimiter(rate.Limit(l.RequestsPerSecond), l.Burst)
	}
	return out
}

// admit waits until a request may be made, at most as long as patience. The caller must call release when the request is done.
func (l *limiter) admit(ctx context.Context, patience time.Duration) (release func(), err error) {
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
	case <-wait.Done():
		return nil, l.denied(ctx, "too many requests are in flight")
	}
	release = func() { <-l.slots }
	if err := l.pass(ctx, wait); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// pass waits for the end of a pause, then for the rate, and again if a pause began meanwhile.
func (l *limiter) pass(ctx, wait context.Context) error {
	for {
		for d := l.pauseLeft(); d > 0; d = l.pauseLeft() {
			if end, ok := wait.Deadline(); ok && time.Until(end) < d {
				return l.denied(ctx, "Aiven's rate limit is exceeded, try again later")
			}
			if sleep(wait, d+l.jitter()) != nil {
				return l.denied(ctx, "Aiven's rate limit is exceeded, try again later")
			}
		}
		if l.rate == nil {
			return nil
		}
		if err := l.rate.Wait(wait); err != nil {
			return l.denied(ctx, "the client's own rate limit is exceeded, try again later")
		}
		if l.pauseLeft() <= 0 {
			return nil
		}
	}
}

// denied is the error of a request that was not made: the caller's own, when it gave up, else that it was limited.
func (l *limiter) denied(ctx context.Context, detail string) error {
	if err := ctx.Err(); err != nil {
		text, cause := networkDetail(err)
		return &callError{kind: ErrUnavailable, detail: text, cause: cause}
	}
	return &callError{kind: ErrRateLimited, detail: detail}
}

func (l *limiter) pauseLeft() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until.IsZero() {
		return 0
	}
	return l.until.Sub(l.now())
}

func (l *limiter) jitter() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spread <= 0 {
		return 0
	}
	return rand.N(l.spread) //nolint:gosec // Spreading load needs no unpredictability.
}

// observe learns from an answer: a 429 pauses everybody.
func (l *limiter) observe(status int, header http.Header, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if status != http.StatusTooManyRequests {
		l.inRow = 0
		return
	}
	now := l.now()
	d, ok := retryHint(header.Get("Retry-After"), message, now)
	if !ok {
		d = min(firstPause<<min(l.inRow, 10), lastPause)
		l.inRow++
	}
	d = min(d, maxPause)
	if until := now.Add(d); until.After(l.until) {
		l.until, l.spread = until, min(d/10, maxSpread)
	}
}

var tryAgain = regexp.MustCompile(`(?i)try again in\s+([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h)?`)

// retryHint reads how long Aiven asks to wait: the header Retry-After in seconds or as a date, or the words "try again in
// Ns" of the message, whichever is longer.
func retryHint(header, message string, now time.Time) (time.Duration, bool) {
	var d time.Duration
	found := false
	header = strings.TrimSpace(header)
	if s, err := strconv.ParseFloat(header, 64); err == nil && s >= 0 {
		d, found = time.Duration(min(s, maxPause.Seconds())*float64(time.Second)), true
	} else if at, err := http.ParseTime(header); err == nil {
		d, found = max(at.Sub(now), 0), true
	}
	m := tryAgain.FindStringSubmatch(message)
	if m == nil {
		return d, found
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return d, found
	}
	unit := map[string]time.Duration{"ms": time.Millisecond, "m": time.Minute, "h": time.Hour}[strings.ToLower(m[2])]
	if unit == 0 {
		unit = time.Second
	}
	return max(d, time.Duration(min(n*float64(unit), float64(maxPause)))), true
}

// sleep waits for a time or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
