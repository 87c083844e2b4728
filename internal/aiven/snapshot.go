// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
)

// notOperationalTTL is how old the snapshot of a service that does not work may be, so that its recovery is seen soon.
const notOperationalTTL = 10 * time.Second

// An entry is what a client knows of one service, and the reads that are going on.
type entry struct {
	c   *Client
	ref ServiceRef

	mu      sync.Mutex
	view    *Service // nil: never read, or refused
	journal journal
	failure *failure // of the last read; nil after a success
	running *flight
	queued  *flight // starts when running ends

	seq     uint64 // of the last read that began
	needSeq uint64 // a snapshot of an earlier read is out of date: a write since has an unknown outcome

	nextPoll time.Time
	quota    quotaMemory
	creating int // users whose creation is under way

	kafkaJournal kafkaJournal
	kafkaTurn    chan struct{} // holds one token: who has it may write access entries

	lastUsed atomic.Int64 // nanoseconds of the clock
}

// A failure is a failed read that is remembered.
type failure struct {
	err   error
	until time.Time
}

// A flight is one read that many wait for.
type flight struct {
	seq    uint64
	began  time.Time
	ticket *ticket // of its requests
	done   chan struct{}
	view   *Service // set before done is closed, as is err
	err    error
}

// Service returns the service's snapshot. It makes no call while the snapshot is fresh (Options.PollInterval; 10 seconds
// for a service that is not operational), and otherwise shares one with all who ask meanwhile. While reads fail for a
// passing reason it returns the last good snapshot until that is two poll intervals old, then the error, which is
// remembered for Options.ErrorTTL. ErrUnauthorized, ErrForbidden and ErrServiceNotFound replace the snapshot at once.
func (c *Client) Service(ctx context.Context, ref ServiceRef) (*Service, error) {
	cl := serviceCall(opGetService, "get service", ref)
	if err := cl.check(); err != nil {
		return nil, err
	}
	e := c.entry(ref)
	e.mu.Lock()
	now := c.opts.Now()
	if e.fresh(now) {
		defer e.mu.Unlock()
		return e.view, nil
	}
	if e.failure != nil && now.Before(e.failure.until) {
		defer e.mu.Unlock()
		return e.lastGood(now, e.failure.err)
	}
	f := e.join(urgencyOf(ctx)) //nolint:contextcheck // The read is shared: it must not end with the caller.
	e.mu.Unlock()
	if err := f.wait(ctx, cl); err != nil {
		return nil, err
	}
	if f.err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.lastGood(c.opts.Now(), f.err)
	}
	return f.view, nil
}

// Refresh reads the service: the read begins after the call to Refresh. All who call it while a read is going on share
// the next one. There are never two reads of a service at one time.
func (c *Client) Refresh(ctx context.Context, ref ServiceRef) (*Service, error) {
	cl := serviceCall(opGetService, "get service", ref)
	if err := cl.check(); err != nil {
		return nil, err
	}
	e := c.entry(ref)
	e.mu.Lock()
	f := e.next(urgencyOf(ctx)) //nolint:contextcheck // As above.
	e.mu.Unlock()
	if err := f.wait(ctx, cl); err != nil {
		return nil, err
	}
	return f.view, f.err
}

func (f *flight) wait(ctx context.Context, cl call) error {
	select {
	case <-f.done:
		return nil
	default:
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return cl.ended(ctx)
	}
}

// entry returns what is known of a service, making room for it.
func (c *Client) entry(ref ServiceRef) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[ref]
	if !ok {
		e = &entry{c: c, ref: ref, journal: journal{}, kafkaTurn: make(chan struct{}, 1)}
		c.entries[ref] = e
	}
	e.lastUsed.Store(c.opts.Now().UnixNano()) // Under the lock that dropping entries takes.
	return e
}

func (c *Client) allEntries() []*entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*entry, 0, len(c.entries))
	for _, e := range c.entries {
		out = append(out, e)
	}
	return out
}

// Snapshots returns the snapshots of all services that were read and not refused
// since. It makes no call.
func (c *Client) Snapshots() []*Service {
	var out []*Service
	for _, e := range c.allEntries() {
		e.mu.Lock()
		if e.view != nil {
			out = append(out, e.view)
		}
		e.mu.Unlock()
	}
	return out
}

// fresh tells whether the snapshot may be returned without a read. The caller holds the lock, as for all that follow.
func (e *entry) fresh(now time.Time) bool {
	if e.view == nil || e.view.seq < e.needSeq {
		return false
	}
	ttl := e.c.opts.PollInterval
	if !e.view.Operational() {
		ttl = min(ttl, notOperationalTTL)
	}
	return now.Sub(e.view.ObservedAt) < ttl
}

// lastGood returns the last snapshot if it can still stand for the read that failed. A refusal has left none.
func (e *entry) lastGood(now time.Time, err error) (*Service, error) {
	if e.view == nil || e.view.seq < e.needSeq || now.Sub(e.view.ObservedAt) >= 2*e.c.opts.PollInterval {
		return nil, err
	}
	return e.view, nil
}

// join returns a read that shows the outcome of all writes that are done, the running one if possible.
func (e *entry) join(u Urgency) *flight {
	if e.running != nil && e.running.seq >= e.needSeq {
		e.c.limiter.hasten(e.running.ticket, u)
		return e.running
	}
	return e.next(u)
}

// next returns a read that begins now or later. It is as urgent as the most urgent caller, and so is one that it waits for.
func (e *entry) next(u Urgency) *flight {
	if e.running == nil {
		f := &flight{ticket: &ticket{urgency: u}, done: make(chan struct{})}
		e.start(f)
		return f
	}
	e.c.limiter.hasten(e.running.ticket, u)
	if e.queued == nil {
		e.queued = &flight{ticket: &ticket{urgency: u}, done: make(chan struct{})}
	}
	e.c.limiter.hasten(e.queued.ticket, u)
	return e.queued
}

func (e *entry) start(f *flight) {
	e.seq++
	f.seq, f.began = e.seq, e.c.opts.Now()
	e.running = f
	if !e.c.spawn(func() { e.read(f) }) {
		e.running = nil
		f.err = serviceCall(opGetService, "get service", e.ref).failed(ErrClosed, "client is closed")
		close(f.done)
	}
}

func (e *entry) read(f *flight) {
	in, err := e.c.getService(withTicket(e.c.ctx, f.ticket), e.ref)
	if err != nil && e.c.ctx.Err() != nil {
		err = serviceCall(opGetService, "get service", e.ref).failed(ErrClosed, "client is closed")
	}
	e.mu.Lock()
	var events []UserRef
	if err != nil {
		f.err = err
		events = e.fail(err)
	} else {
		view := newService(e.ref, in)
		view.ObservedAt, view.seq = f.began, f.seq
		var previous userSet
		if e.view != nil {
			previous = e.view.users
		}
		users := newUsers(in.Users, previous)
		e.journal.settle(f.began, e.c.opts.SettleTime)
		e.journal.overlay(users)
		view.users = userSet{base: users, count: len(users)}
		view.kafka = newKafkaSet(in)
		e.kafkaJournal.settle(f.began, e.c.opts.SettleTime)
		e.kafkaJournal.overlay(view.kafka)
		events = e.publish(view)
		f.view = view
	}
	e.running = nil
	if q := e.queued; q != nil {
		e.queued = nil
		e.start(q)
	}
	e.mu.Unlock()
	close(f.done)
	e.c.subscribers.Tell(events...)
}

// publish puts a new snapshot in place and returns what changed.
func (e *entry) publish(view *Service) []UserRef {
	var events []UserRef
	switch {
	case e.failure != nil:
		events = []UserRef{{ServiceRef: e.ref}}
	case e.view != nil:
		events = changes(e.view, view)
	}
	e.view, e.failure = view, nil
	e.quota.seen(view.UserCount())
	every := e.c.opts.PollInterval
	if view.State == StateRebuilding {
		every = min(every, e.c.opts.SettleTime)
	}
	e.nextPoll = view.ObservedAt.Add(every*4/5 + rand.N(every/5+1)) //nolint:gosec // Spreading load needs no unpredictability.
	return events
}

// fail remembers a failed read and returns what changed by it.
func (e *entry) fail(err error) []UserRef {
	if errors.Is(err, ErrClosed) {
		return nil
	}
	now, ttl := e.c.opts.Now(), e.c.opts.ErrorTTL
	var events []UserRef
	e.nextPoll = now.Add(2*ttl + rand.N(ttl+1)) //nolint:gosec // As above.
	if refused(err) {
		ttl *= 3
		e.nextPoll = now.Add(max(ttl, e.c.opts.PollInterval))
		if e.view != nil {
			events = []UserRef{{ServiceRef: e.ref}}
		}
		e.view = nil
	}
	e.failure = &failure{err: err, until: now.Add(ttl)}
	e.c.opts.Logger.Debug("Cannot read service", "project", e.ref.Project, "service", e.ref.Service, "error", err.Error())
	return events
}

// wrote records an own write and puts it into the snapshot.
func (e *entry) wrote(w write) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.at = e.c.opts.Now()
	e.journal.record(w.user.Username, w)
	if e.view == nil {
		return
	}
	var now *User
	if u, ok := e.view.users.get(w.user.Username); ok && w.kind == accessControlSet {
		now = u
	}
	e.view = e.view.with(w.user.Username, w.apply(now))
}

// doubt notes that the snapshot may not show what a failed write did.
func (e *entry) doubt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.needSeq = e.seq + 1
}
