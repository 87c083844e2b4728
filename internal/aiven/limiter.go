// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
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
	// maxSpread bounds the jitter after a pause: not all who use the token start at the same moment.
	maxSpread = time.Second
)

// Details of errors of requests that were not made.
const (
	detailAiven    = "Aiven's rate limit is exceeded, try again later"
	detailOwn      = "the client's own rate limit is exceeded, try again later"
	detailInFlight = "too many requests are in flight"
	detailWaiting  = "too many requests wait already, try again later"
)

// A limiter admits the requests of one token: so many at one time, as many per second as we want and as Aiven was seen to
// allow, none while Aiven demands a pause, and of those who wait the most urgent first.
type limiter struct {
	now func() time.Time

	mu       sync.Mutex // guards what follows, and what tickets and waiters hold
	most     int        // requests in flight
	own      *rate.Limiter
	budget   budget
	until    time.Time // end of the pause
	inRow    int       // pauses without a hint since the last success
	inFlight int
	queue    queue
	timer    *time.Timer // runs dispatch
	closed   bool
}

// newLimiter returns a limiter that takes Aiven's limit to hold per window.
func newLimiter(limits Limits, window time.Duration, now func() time.Time) *limiter {
	l := &limiter{now: now, own: rate.NewLimiter(rate.Inf, 1), budget: newBudget(window), queue: newQueue()}
	l.setLimits(limits)
	return l
}

// setLimits replaces the limits. Requests in flight beyond them are left to end.
func (l *limiter) setLimits(limits Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.most = limits.MaxInFlight
	unlimited := l.own.Limit() == rate.Inf
	switch {
	case limits.RequestsPerSecond < 0:
		l.own = rate.NewLimiter(rate.Inf, 1)
	case unlimited:
		l.own = rate.NewLimiter(rate.Limit(limits.RequestsPerSecond), limits.Burst)
	default:
		l.own.SetLimitAt(now, rate.Limit(limits.RequestsPerSecond))
		l.own.SetBurstAt(now, limits.Burst)
	}
	l.dispatch(now)
}

// close denies those who wait, and all who come.
func (l *limiter) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for l.queue.len() > 0 {
		l.queue.take(l.now()).leave(errLimiterClosed)
	}
	l.dispatch(l.now())
}

var errLimiterClosed = &callError{kind: ErrClosed, detail: "client is closed"}

// admit waits until a request may be made, at most as long as patience. The caller must call release when the request is done.
func (l *limiter) admit(ctx context.Context, patience time.Duration) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, denied(ctx, "")
	}
	w, err := l.enter(ctx, bounded(ctx, patience))
	if err == nil {
		err = l.await(ctx, w, patience)
	}
	if err != nil {
		return nil, err
	}
	return l.release, nil
}

// enter puts a request in line unless it would wait in vain.
func (l *limiter) enter(ctx context.Context, patience time.Duration) (*waiter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	switch {
	case l.closed:
		return nil, errLimiterClosed
	case l.until.Sub(now) > patience:
		return nil, denied(ctx, detailAiven)
	}
	w := l.queue.add(ticketOf(ctx), now, patience)
	l.dispatch(now)
	return w, nil
}

// bounded returns the patience of a request whose context may end before.
func bounded(ctx context.Context, patience time.Duration) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(patience, time.Until(end))
	}
	return patience
}

// await waits until w left the queue, or takes it out.
func (l *limiter) await(ctx context.Context, w *waiter, patience time.Duration) error {
	select {
	case <-w.left:
		return w.err
	default:
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-w.left:
		return w.err
	case <-ctx.Done():
	case <-t.C:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !w.queued() { // It was admitted or denied at the same moment.
		return w.err
	}
	now := l.now()
	l.queue.remove(w)
	l.dispatch(now)
	return denied(ctx, l.reason(now))
}

func (l *limiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.dispatch(l.now())
}

// dispatch admits those who may go now, and has itself run when the next one may. The caller holds the lock, as for all
// that follow.
func (l *limiter) dispatch(now time.Time) {
	for l.queue.len() > 0 && l.inFlight < l.most {
		if d := l.spend(now); d > 0 {
			l.runIn(d)
			return
		}
		l.inFlight++
		l.queue.take(now).leave(nil)
	}
	if l.timer != nil {
		l.timer.Stop() // Somebody's release or admit runs dispatch.
	}
}

func (l *limiter) runIn(d time.Duration) {
	if l.timer != nil {
		l.timer.Reset(d)
		return
	}
	l.timer = time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.dispatch(l.now())
	})
}

// spend takes one request out of both rates, or returns after what time it can be tried again.
func (l *limiter) spend(now time.Time) time.Duration {
	if d := l.until.Sub(now); d > 0 {
		return d
	}
	own, learned := l.own.ReserveN(now, 1), l.budget.pace(now).ReserveN(now, 1)
	d := max(own.DelayFrom(now), learned.DelayFrom(now))
	if d > 0 {
		own.CancelAt(now)
		learned.CancelAt(now)
	}
	return d
}

// reason tells why a request would have to wait.
func (l *limiter) reason(now time.Time) string {
	switch {
	case l.until.After(now):
		return detailAiven
	case l.inFlight >= l.most:
		return detailInFlight
	case l.budget.known():
		return detailAiven
	}
	return detailOwn
}

// denied is the error of a request that was not made: the caller's own, when it gave up, else that it was limited.
func denied(ctx context.Context, detail string) error {
	if err := ctx.Err(); err != nil {
		text, cause := networkDetail(err)
		return &callError{kind: ErrUnavailable, detail: text, cause: cause}
	}
	return &callError{kind: ErrRateLimited, detail: detail}
}

// observe learns from the answer to a request that was made at a time: a 429 pauses everybody.
func (l *limiter) observe(made time.Time, status int, header http.Header, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if status != http.StatusTooManyRequests {
		l.inRow = 0
		l.budget.answered(now)
		return
	}
	// What was in flight when the pause began says nothing new.
	fresh := !made.Before(l.until)
	hint, ok := retryHint(header.Get("Retry-After"), message, now)
	hint = min(hint, maxPause)
	l.budget.refused(now, tooMany{limit: limitHint(message), wait: hint, fresh: fresh})
	if !ok {
		if fresh {
			l.inRow++
		}
		hint = min(firstPause<<min(max(l.inRow-1, 0), 10), lastPause)
	}
	if until := now.Add(hint + jitter(min(hint/10, maxSpread))); until.After(l.until) {
		l.until = until
	}
	for _, w := range slices.Clone(l.queue.line.items) {
		if w.until.Before(l.until) {
			l.queue.remove(w)
			w.leave(&callError{kind: ErrRateLimited, detail: detailAiven})
		}
	}
}

func jitter(spread time.Duration) time.Duration {
	if spread <= 0 {
		return 0
	}
	return rand.N(spread) //nolint:gosec // Spreading load needs no unpredictability.
}

// congested tells why a request would better not be made now: "" when it may.
func (l *limiter) congested(t *ticket, patience time.Duration) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	switch {
	case l.until.Sub(now) > patience:
		return detailAiven
	case l.queue.ahead(t.urgency, now, maxWaiting) >= maxWaiting:
		return detailWaiting
	}
	return ""
}

// room returns how many more requests may wait without being too many.
func (l *limiter) room() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until.After(l.now()) {
		return 0
	}
	return max(maxWaiting-l.queue.len(), 0)
}

// hasten makes a request that may wait already as urgent as somebody who came to wait for it.
func (l *limiter) hasten(t *ticket, u Urgency) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !u.above(t.urgency) {
		return
	}
	t.urgency = u
	if t.waiter != nil && t.waiter.queued() {
		l.queue.moved(t.waiter)
	}
}

// class returns the class of the requests made with a context.
func (l *limiter) class(ctx context.Context) Class {
	t := ticketOf(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	return t.urgency.Class
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
