// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"maps"
	"slices"
	"time"

	sdk "github.com/aiven/aiven-go-client/v2"
	"github.com/pkg/errors"
)

const (
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 30 * time.Second
	// verifyAfter is after how many ACL intervals without a batch the document is read once more. Somebody else who had
	// read it before a batch may have written it back after.
	verifyAfter = 10
)

// batchGaps are the least times between the starts of batches of one service, in ACL intervals: two users that are made
// together wait little, and a thousand cost few calls. They begin anew when the service was quiet.
var batchGaps = [...]int{1, 8, 20}

// quietAfter is how many ACL intervals without a new change end a burst: what waits then is written without waiting for more.
const quietAfter = 3

// An aclSchedule decides when a writer does what.
type aclSchedule struct {
	interval   time.Duration
	lastStart  time.Time // of a batch
	lastSubmit time.Time // of a change
	lastFail   time.Time
	failures   int // in a row
	streak     int // batches that followed one another
}

// gap is how long after the start of the last batch the next one may start.
func (s *aclSchedule) gap() time.Duration {
	return s.interval * time.Duration(batchGaps[min(s.streak, len(batchGaps)-1)])
}

// started takes note of a batch.
func (s *aclSchedule) started(now time.Time) {
	if now.Sub(s.lastStart) > 2*s.gap() {
		s.streak = 0
	} else {
		s.streak++
	}
	s.lastStart = now
}

type aclAction int

const (
	aclIdle aclAction = iota
	aclBatch
	aclVerify
)

// next returns what there is to do and when.
func (s *aclSchedule) next(pending, written int) (aclAction, time.Time) {
	action, at := aclIdle, time.Time{}
	switch {
	case pending > 0:
		action = aclBatch
		if !s.lastStart.IsZero() {
			at = s.lastStart.Add(s.gap())
			if quiet := later(s.lastStart.Add(s.interval), s.lastSubmit.Add(quietAfter*s.interval)); quiet.Before(at) {
				at = quiet
			}
		}
	case written > 0:
		action, at = aclVerify, s.lastStart.Add(verifyAfter*s.interval)
	}
	if s.failures > 0 {
		at = s.lastFail.Add(min(firstBackoff<<min(s.failures-1, 16), lastBackoff))
	}
	return action, at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// run writes what is pending until there is nothing left to write or to verify.
func (w *aclWriter) run() {
	for {
		w.mu.Lock()
		action, at := w.schedule.next(len(w.pending), len(w.written))
		if action == aclIdle {
			w.running = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		if action == aclVerify && w.c.limiter.room() == 0 {
			// Others need the calls more, and the next batch looks as well.
			at = later(at, w.c.opts.Now().Add(verifyAfter*w.schedule.interval))
		}
		if d := at.Sub(w.c.opts.Now()); !at.IsZero() && d > 0 {
			if !w.rest(d) {
				return
			}
			continue
		}
		select {
		case w.io <- struct{}{}:
		case <-w.c.ctx.Done():
			return
		}
		if action == aclBatch {
			release := w.c.opts.Documents.take(w.c.ctx, documentID{w.c.opts.BaseURL, w.ref})
			w.batch()
			release()
		} else {
			w.verify()
		}
		<-w.io
	}
}

// rest waits for a time or for another submit. It returns false when the client is closed.
func (w *aclWriter) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.wake:
	case <-w.c.ctx.Done():
		return false
	}
	return true
}

// batch writes all changes that are pending now.
func (w *aclWriter) batch() {
	w.mu.Lock()
	w.schedule.started(w.c.opts.Now())
	w.ticket = &ticket{urgency: mostUrgent(w.pending)}
	ctx := withTicket(w.c.ctx, w.ticket)
	w.mu.Unlock()
	doc, err := w.get(ctx)
	if err == nil {
		w.relook(doc)
	}
	// What came meanwhile is written as well.
	w.mu.Lock()
	todo := maps.Clone(w.pending)
	w.mu.Unlock()
	if err == nil {
		err = w.apply(ctx, doc, todo)
	}
	if err != nil {
		w.failed(todo, err)
		return
	}
	w.mu.Lock()
	w.schedule.failures, w.lastErr = 0, nil
	w.mu.Unlock()
}

// mostUrgent returns the urgency of the change that is in the greatest hurry.
func mostUrgent(pending map[string]*ruleChange) Urgency {
	u := Urgency{Class: ClassBackground}
	for _, change := range pending {
		if change.urgency.above(u) {
			u = change.urgency
		}
	}
	return u
}

// apply merges changes into the document, writes it and compares what came of it. Changes that can never be written are
// given up; an error means that the others are to be tried again.
func (w *aclWriter) apply(ctx context.Context, doc sdk.OpenSearchACLConfig, todo map[string]*ruleChange) error {
	wanted := make(map[string][]Rule, len(todo))
	for name, change := range todo {
		wanted[name] = change.rules
	}
	m := mergeRules(doc, wanted)
	for name, r := range m.refused {
		cl := userCall(opUpdateOpenSearchACL, "set access rules of user", UserRef{ServiceRef: w.ref, Username: name})
		w.giveUp(name, todo[name], cl.failed(r.kind, r.detail))
		delete(todo, name)
	}
	if m.changed {
		var err error
		// It goes before all others: what somebody else writes since the read is lost.
		doc, err = w.put(WithUrgency(w.c.ctx, Urgency{Class: ClassEdit, Since: w.c.opts.Now()}), m.doc) //nolint:contextcheck // It is as urgent as nothing else.
		if isInvalid(err) {
			return w.isolate(ctx, todo, err)
		}
		if err != nil {
			return err
		}
	}
	events := w.publish(doc)
	var lost error
	for _, name := range slices.Sorted(maps.Keys(todo)) {
		if shows(doc, name, todo[name].rules) {
			w.confirm(name, todo[name])
			continue
		}
		lost = serviceCall(opUpdateOpenSearchACL, "set access control of service", w.ref).
			failed(ErrUnavailable, "Aiven accepted the rules and does not show them")
	}
	w.c.subscribers.Tell(events...)
	return lost
}

// isolate finds the change that makes Aiven refuse the document, by halves, so that it does not keep the others back.
func (w *aclWriter) isolate(ctx context.Context, todo map[string]*ruleChange, err error) error {
	names := slices.Sorted(maps.Keys(todo))
	if len(names) == 1 {
		w.giveUp(names[0], todo[names[0]], err)
		return nil
	}
	half := len(names) / 2
	for _, part := range [][]string{names[:half], names[half:]} {
		sub := make(map[string]*ruleChange, len(part))
		for _, name := range part {
			sub[name] = todo[name]
		}
		doc, err := w.get(ctx)
		if err == nil {
			err = w.apply(ctx, doc, sub)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// verify reads the document once more and has submitted again what was lost.
func (w *aclWriter) verify() {
	doc, err := w.get(w.c.ctx)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.schedule.failures++
		w.schedule.lastFail = w.c.opts.Now()
		if refused(err) {
			w.schedule.failures = 0
			clear(w.written)
		}
		return
	}
	w.mu.Lock()
	w.schedule.failures = 0
	w.mu.Unlock()
	w.relook(doc)
	w.mu.Lock()
	clear(w.written)
	w.mu.Unlock()
	w.c.subscribers.Tell(w.publish(doc)...)
}

// relook has submitted again what was written and is not in a document that was read after.
func (w *aclWriter) relook(doc sdk.OpenSearchACLConfig) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, change := range w.written {
		if _, ok := w.pending[name]; !ok && !shows(doc, name, change.rules) {
			w.pending[name] = &ruleChange{rules: change.rules, done: make(chan struct{})}
		}
	}
}

// confirm notes that a change is in the document.
func (w *aclWriter) confirm(name string, change *ruleChange) {
	w.mu.Lock()
	w.written[name] = ruleChange{rules: change.rules}
	delete(w.refusals, name)
	w.finish(name, change)
	w.mu.Unlock()
	w.c.subscribers.Tell(UserRef{ServiceRef: w.ref, Username: name})
}

// giveUp notes that a change will not be written.
func (w *aclWriter) giveUp(name string, change *ruleChange, err error) {
	w.mu.Lock()
	if w.finish(name, change) {
		w.refuse(name, err)
	}
	w.mu.Unlock()
	w.c.subscribers.Tell(UserRef{ServiceRef: w.ref, Username: name})
}

// finish takes a change from the pending ones unless a later one has replaced it. The caller holds the lock.
func (w *aclWriter) finish(name string, change *ruleChange) bool {
	if w.pending[name] != change {
		return false
	}
	delete(w.pending, name)
	close(change.done)
	return true
}

// gone tells whether the service does not exist, rather than that one answer said so.
func (w *aclWriter) gone() bool {
	_, err := w.c.Refresh(w.c.ctx, w.ref)
	return errors.Is(err, ErrServiceNotFound)
}

// failed keeps the changes for another attempt. When the service is gone they are done or pointless.
func (w *aclWriter) failed(todo map[string]*ruleChange, err error) {
	if w.c.ctx.Err() != nil {
		return
	}
	if errors.Is(err, ErrServiceNotFound) && w.gone() {
		for name, change := range todo {
			if len(change.rules) > 0 {
				w.giveUp(name, change, err)
				continue
			}
			w.mu.Lock()
			w.finish(name, change)
			w.mu.Unlock()
			w.c.subscribers.Tell(UserRef{ServiceRef: w.ref, Username: name})
		}
		w.mu.Lock()
		w.schedule.failures, w.lastErr = 0, nil
		w.mu.Unlock()
		return
	}
	w.mu.Lock()
	news := w.lastErr == nil || w.lastErr.Error() != err.Error()
	w.lastErr = err
	w.schedule.failures++
	if errors.Is(err, ErrRateLimited) {
		w.schedule.failures = 1 // The limiter knows better when it is worth another try.
	}
	w.schedule.lastFail = w.c.opts.Now()
	var events []UserRef
	for name, change := range todo {
		if news && w.pending[name] == change {
			events = append(events, UserRef{ServiceRef: w.ref, Username: name})
		}
	}
	w.mu.Unlock()
	w.c.opts.Logger.Debug("Cannot write access rules", "project", w.ref.Project, "service", w.ref.Service, "error", err.Error())
	w.c.subscribers.Tell(events...)
}
