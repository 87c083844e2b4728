// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"container/heap"
	"context"
	"strconv"
	"time"
)

// maxWaiting is how many may wait before it is better to come again than to stand in line.
const maxWaiting = 8

// A Class says who waits for a request. The higher one goes first.
type Class int

const (
	// ClassBackground is for what nobody waits for: reads of the poller, sweeps.
	ClassBackground Class = iota - 1
	// ClassRoutine is for rotations, repairs and deletions. It is the zero value.
	ClassRoutine
	// ClassEdit is for what a person waits for.
	ClassEdit
)

// String returns the class in lower case.
func (c Class) String() string {
	switch c {
	case ClassBackground:
		return "background"
	case ClassRoutine:
		return "routine"
	case ClassEdit:
		return "edit"
	}
	return strconv.Itoa(int(c))
}

// An Urgency is a request's place in the line of those who wait for the limiter: by class, within a class the newest Since
// first, and those of equal urgency in the order in which they came. So that nothing starves, a request of a class below
// ClassEdit that has waited for more than half of its patience goes before all others.
type Urgency struct {
	// Class of the request.
	Class Class
	// Since is when what is done was asked for. The zero value is the oldest.
	Since time.Time
}

// above tells whether a request of this urgency goes before one of another that came earlier.
func (u Urgency) above(o Urgency) bool {
	if u.Class != o.Class {
		return u.Class > o.Class
	}
	return u.Since.After(o.Since)
}

type (
	urgencyKey struct{}
	ticketKey  struct{}
)

// WithUrgency returns a context whose requests are that urgent. Without one they are of ClassRoutine.
func WithUrgency(ctx context.Context, u Urgency) context.Context {
	return context.WithValue(ctx, urgencyKey{}, u)
}

func urgencyOf(ctx context.Context) Urgency {
	u, _ := ctx.Value(urgencyKey{}).(Urgency)
	return u
}

// A ticket stands for requests that are made one after the other, and for which somebody may come to wait who is more in a
// hurry. It belongs to one limiter, whose lock guards it.
type ticket struct {
	urgency Urgency
	waiter  *waiter // the latest
}

func withTicket(ctx context.Context, t *ticket) context.Context {
	return context.WithValue(ctx, ticketKey{}, t)
}

// ticketOf returns the ticket of a context, or one of its urgency.
func ticketOf(ctx context.Context) *ticket {
	if t, ok := ctx.Value(ticketKey{}).(*ticket); ok {
		return t
	}
	return &ticket{urgency: urgencyOf(ctx)}
}

// A waiter is a request that waits.
type waiter struct {
	ticket *ticket
	number uint64    // in the order of coming
	ages   time.Time // when half of its patience is over
	until  time.Time // when all of it is
	aged   bool      // goes before all others

	place [2]int // in the heaps of the queue; -1 when it is not there
	left  chan struct{}
	err   error // set before left is closed: nil when admitted
}

func (w *waiter) queued() bool { return w.place[inLine] >= 0 }

// leave tells the one who waits. It is not in the queue any more.
func (w *waiter) leave(err error) {
	w.err = err
	close(w.left)
}

func (w *waiter) before(o *waiter) bool {
	switch {
	case w.aged != o.aged:
		return w.aged
	case w.aged, w.ticket.urgency.Class == o.ticket.urgency.Class && w.ticket.urgency.Since.Equal(o.ticket.urgency.Since):
		return w.number < o.number
	}
	return w.ticket.urgency.above(o.ticket.urgency)
}

func (w *waiter) agesBefore(o *waiter) bool { return w.ages.Before(o.ages) }

// Indexes of waiter.place.
const (
	inLine = iota
	inAging
)

// waiters are a heap.
type waiters struct {
	items []*waiter
	place int
	less  func(a, b *waiter) bool
}

func (h *waiters) Len() int           { return len(h.items) }
func (h *waiters) Less(i, j int) bool { return h.less(h.items[i], h.items[j]) }

func (h *waiters) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.items[i].place[h.place], h.items[j].place[h.place] = i, j
}

func (h *waiters) Push(x any) {
	w := x.(*waiter) //nolint:forcetypeassert // Will always be one.
	w.place[h.place] = len(h.items)
	h.items = append(h.items, w)
}

func (h *waiters) Pop() any {
	last := len(h.items) - 1
	w := h.items[last]
	h.items[last] = nil
	h.items = h.items[:last]
	w.place[h.place] = -1
	return w
}

// before counts the waiters that go before w, up to enough. It looks below those only that do.
func (h *waiters) before(w *waiter, i, enough int) int {
	if enough <= 0 || i >= len(h.items) || !h.less(h.items[i], w) {
		return 0
	}
	n := 1
	for _, child := range []int{2*i + 1, 2*i + 2} {
		n += h.before(w, child, enough-n)
	}
	return n
}

// A queue is the line of those who wait.
type queue struct {
	line  waiters // all, the most urgent first
	aging waiters // those that may come to go before all others, the next one first
	came  uint64
}

func newQueue() queue {
	return queue{
		line:  waiters{place: inLine, less: (*waiter).before},
		aging: waiters{place: inAging, less: (*waiter).agesBefore},
	}
}

func (q *queue) len() int { return len(q.line.items) }

// add puts a request in line that waits at most as long as patience.
func (q *queue) add(t *ticket, now time.Time, patience time.Duration) *waiter {
	w := &waiter{
		ticket: t, number: q.came, ages: now.Add(patience / 2), until: now.Add(patience),
		place: [2]int{-1, -1}, left: make(chan struct{}),
	}
	q.came++
	t.waiter = w
	heap.Push(&q.line, w)
	if t.urgency.Class < ClassEdit {
		heap.Push(&q.aging, w)
	}
	return w
}

// take takes the first one out. The queue must not be empty.
func (q *queue) take(now time.Time) *waiter {
	q.age(now)
	w := q.line.items[0]
	q.remove(w)
	return w
}

func (q *queue) remove(w *waiter) {
	heap.Remove(&q.line, w.place[inLine])
	if i := w.place[inAging]; i >= 0 {
		heap.Remove(&q.aging, i)
	}
}

// moved restores the order after a waiter became more urgent.
func (q *queue) moved(w *waiter) {
	heap.Fix(&q.line, w.place[inLine])
	if i := w.place[inAging]; i >= 0 && w.ticket.urgency.Class >= ClassEdit {
		heap.Remove(&q.aging, i)
	}
}

// age lets those go first that have waited long enough for it.
func (q *queue) age(now time.Time) {
	for len(q.aging.items) > 0 && q.aging.items[0].ages.Before(now) {
		w := q.aging.items[0]
		heap.Remove(&q.aging, 0)
		w.aged = true
		heap.Fix(&q.line, w.place[inLine])
	}
}

// ahead counts those who would go before a request that came now, up to enough.
func (q *queue) ahead(u Urgency, now time.Time, enough int) int {
	q.age(now)
	return q.line.before(&waiter{ticket: &ticket{urgency: u}, number: q.came}, 0, enough)
}
