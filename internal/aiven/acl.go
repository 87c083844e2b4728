// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aiven/aiven-go-client/v2"
	"github.com/pkg/errors"
)

// securityTTL is how long the answer is kept whether Aiven's access control applies to an OpenSearch service at all.
const securityTTL = time.Hour

// A RuleState is what is known of one user's access rules.
type RuleState struct {
	// Known is false as long as the document was not read. Enabled and Rules say nothing then.
	Known bool
	// Enabled tells whether the service enforces its access control document. While it does not, every user may do all.
	Enabled bool
	// Pending is true while a submitted change is not confirmed.
	Pending bool
	// Err is the last error of a pending change, or why the last submitted one was refused, or ErrACLUnmanageable. A refusal
	// is remembered for three times Options.ErrorTTL, one of kind ErrInvalid for Options.PollInterval if that is longer; the
	// rules are then not those that were submitted, and to submit them once more is another attempt.
	Err error
	// Refusals is how many changes of the user's rules were given up in a row.
	Refusals int
	// Rules of the user in the document. Nil when it names none.
	Rules []Rule
}

// An aclWriter is the only one of this client to write an OpenSearch service's access control document. That is one
// document for all users without a version: whoever writes it writes all of it. See Documents for other clients.
type aclWriter struct {
	c    *Client
	ref  ServiceRef
	io   chan struct{} // holds one token: who has it may read and write the document
	wake chan struct{}

	mu       sync.Mutex
	doc      *sdk.OpenSearchACLConfig // as last seen; not modified once it is here
	docAt    time.Time
	readFail *failure
	pending  map[string]*ruleChange
	refused  map[string]failure    // why the last change of a user was given up
	refusals map[string]int        // how often in a row
	written  map[string]ruleChange // confirmed, and not yet verified
	schedule aclSchedule
	lastErr  error
	running  bool
	ticket   *ticket // of the batch that is under way, or was

	security   error // ErrACLUnmanageable or nil
	securityAt time.Time

	lastUsed atomic.Int64
}

// A ruleChange is what a user's row is to become.
type ruleChange struct {
	rules   []Rule
	urgency Urgency
	done    chan struct{} // closed when it is confirmed, refused or replaced
}

// SubmitRules has the user's row in the access control document of its OpenSearch service replaced; no rules remove it.
// It returns at once. Changes of several users are written together, as urgently as the most urgent of them by its context,
// and a later submit for the same user wins. Rules, WaitRules and Subscribe tell the outcome.
func (c *Client) SubmitRules(ctx context.Context, ref UserRef, rules []Rule) {
	w := c.writer(ref.ServiceRef)
	cl := userCall(opUpdateOpenSearchACL, "set access rules of user", ref)
	w.mu.Lock()
	delete(w.refused, ref.Username)
	err := cl.check()
	if len(rules) > 0 && err == nil {
		err = w.security
	}
	if err != nil {
		w.refuse(ref.Username, err)
		w.mu.Unlock()
		c.subscribers.Tell(ref)
		return
	}
	if old, ok := w.pending[ref.Username]; ok {
		if EqualRules(old.rules, rules) {
			w.mu.Unlock()
			return // It is on its way. To begin anew would only put it off.
		}
		close(old.done)
	}
	w.schedule.lastSubmit = c.opts.Now()
	w.pending[ref.Username] = &ruleChange{rules: slices.Clone(rules), urgency: urgencyOf(ctx), done: make(chan struct{})}
	if !w.running {
		w.running = c.spawn(w.run)
	}
	if w.ticket != nil {
		c.limiter.hasten(w.ticket, urgencyOf(ctx))
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Rules tells what the service's access control document says about a user as far as is known. It reads the document when
// that was never done, or not for Options.PollInterval, and no change of the service is pending; all who ask share the
// read. A failed read is remembered as for Service, and the error is returned when nothing at all is known.
func (c *Client) Rules(ctx context.Context, ref UserRef) (RuleState, error) {
	cl := userCall(opGetOpenSearchACL, "get access rules of user", ref)
	if err := cl.check(); err != nil {
		return RuleState{}, err
	}
	w := c.writer(ref.ServiceRef)
	if state, ok, err := w.state(ref.Username); ok {
		return state, err
	}
	select {
	case w.io <- struct{}{}:
	case <-ctx.Done():
		return RuleState{}, cl.ended(ctx)
	}
	defer func() { <-w.io }()
	if state, ok, err := w.state(ref.Username); ok { // Somebody else has read it meanwhile.
		return state, err
	}
	w.checkSecurity(ctx)
	doc, err := w.get(ctx)
	w.read(ctx, doc, err)
	if state, ok, err := w.state(ref.Username); ok {
		return state, err
	}
	return RuleState{}, err // The caller's context ended.
}

// WaitRules waits until the user's pending change is written and confirmed. It returns the error of a change that was
// given up, and when the context ends the last error of the writer, if there is one.
func (c *Client) WaitRules(ctx context.Context, ref UserRef) error {
	cl := userCall(opUpdateOpenSearchACL, "set access rules of user", ref)
	w := c.writer(ref.ServiceRef)
	for {
		w.mu.Lock()
		change, ok := w.pending[ref.Username]
		refused, last := w.refusal(ref.Username), w.lastErr
		w.mu.Unlock()
		if !ok {
			return refused
		}
		select {
		case <-change.done:
		case <-ctx.Done():
			if last != nil {
				return last
			}
			return cl.ended(ctx)
		case <-c.ctx.Done():
			return cl.failed(ErrClosed, "client is closed")
		}
	}
}

func (c *Client) writer(ref ServiceRef) *aclWriter {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.writers[ref]
	if !ok {
		w = &aclWriter{
			c: c, ref: ref,
			io: make(chan struct{}, 1), wake: make(chan struct{}, 1),
			pending: map[string]*ruleChange{}, refused: map[string]failure{}, refusals: map[string]int{}, written: map[string]ruleChange{},
			schedule: aclSchedule{interval: c.opts.ACLInterval},
		}
		c.writers[ref] = w
	}
	w.lastUsed.Store(c.opts.Now().UnixNano())
	return w
}

// refuse remembers why a change was given up. The caller holds the lock, as for refusal.
func (w *aclWriter) refuse(name string, err error) {
	ttl := quotaTTLs * w.c.opts.ErrorTTL
	if isInvalid(err) {
		ttl = max(ttl, w.c.opts.PollInterval)
	}
	w.refusals[name]++
	w.refused[name] = failure{err: err, until: w.c.opts.Now().Add(ttl)}
}

// refusal returns why the last change was given up, nil when that is long ago: what Aiven refused may be right by now.
func (w *aclWriter) refusal(name string) error {
	f, ok := w.refused[name]
	if !ok || !w.c.opts.Now().Before(f.until) {
		delete(w.refused, name)
		return nil
	}
	return f.err
}

// state returns what can be said without a read, and whether that will do.
func (w *aclWriter) state(name string) (RuleState, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.c.opts.Now()
	s := RuleState{Err: w.refusal(name), Refusals: w.refusals[name]}
	if _, ok := w.pending[name]; ok {
		s.Pending, s.Err = true, w.lastErr
	}
	if s.Err == nil {
		s.Err = w.security
	}
	if w.doc != nil {
		s.Known, s.Enabled, s.Rules = true, w.doc.Enabled, rulesIn(*w.doc, name)
	}
	age := now.Sub(w.docAt)
	switch {
	case s.Known && age < w.c.opts.PollInterval, len(w.pending) > 0:
		return s, true, nil
	case w.readFail == nil || !now.Before(w.readFail.until):
		return s, false, nil
	case s.Known && age < 2*w.c.opts.PollInterval && passing(w.readFail.err):
		return s, true, nil
	}
	return RuleState{Err: s.Err}, true, w.readFail.err
}

// read takes note of what a read of the document brought, and tells who changed.
func (w *aclWriter) read(ctx context.Context, doc sdk.OpenSearchACLConfig, err error) {
	if err != nil {
		if ctx.Err() != nil {
			return // It says nothing about the service.
		}
		ttl := w.c.opts.ErrorTTL
		if refused(err) {
			ttl *= 3
		}
		w.mu.Lock()
		w.readFail = &failure{err: err, until: w.c.opts.Now().Add(ttl)}
		w.mu.Unlock()
		return
	}
	w.c.subscribers.Tell(w.publish(doc)...)
}

// publish keeps a document and returns the users of whom it says something else than before, those with a pending change
// left out.
func (w *aclWriter) publish(doc sdk.OpenSearchACLConfig) []UserRef {
	w.mu.Lock()
	defer w.mu.Unlock()
	var events []UserRef
	if w.doc != nil {
		for _, name := range changedRows(*w.doc, doc) {
			if _, ok := w.pending[name]; !ok {
				events = append(events, UserRef{ServiceRef: w.ref, Username: name})
			}
		}
	}
	w.doc, w.docAt, w.readFail = &doc, w.c.opts.Now(), nil
	return events
}

// get reads the document. The caller holds the token.
func (w *aclWriter) get(ctx context.Context) (sdk.OpenSearchACLConfig, error) {
	cl := serviceCall(opGetOpenSearchACL, "get access control of service", w.ref).reading()
	return do(ctx, w.c, cl, func(ctx context.Context) (sdk.OpenSearchACLConfig, error) {
		r, err := w.c.sdk.OpenSearchACLs.Get(ctx, w.ref.Project, w.ref.Service)
		if err != nil {
			return sdk.OpenSearchACLConfig{}, err
		}
		return r.OpenSearchACLConfig, nil
	})
}

// put writes the document and returns it as Aiven has it then. The caller holds the token.
func (w *aclWriter) put(ctx context.Context, doc sdk.OpenSearchACLConfig) (sdk.OpenSearchACLConfig, error) {
	cl := serviceCall(opUpdateOpenSearchACL, "set access control of service", w.ref)
	answer, err := do(ctx, w.c, cl, func(ctx context.Context) (sdk.OpenSearchACLConfig, error) {
		r, err := w.c.sdk.OpenSearchACLs.Update(ctx, w.ref.Project, w.ref.Service, sdk.OpenSearchACLRequest{OpenSearchACLConfig: doc})
		if err != nil {
			return sdk.OpenSearchACLConfig{}, err
		}
		return r.OpenSearchACLConfig, nil
	})
	if err != nil || answer.ACLs != nil {
		return answer, err
	}
	return w.get(ctx) // The answer holds no document.
}

// checkSecurity finds out whether OpenSearch's own security management is on. Aiven: its access control has no effect
// then, and that cannot be undone. A service that does not know the question is managed by Aiven.
func (w *aclWriter) checkSecurity(ctx context.Context) {
	w.mu.Lock()
	known := !w.securityAt.IsZero() && w.c.opts.Now().Sub(w.securityAt) < securityTTL
	w.mu.Unlock()
	if known {
		return
	}
	cl := serviceCall(opGetOpenSearchSecurity, "get security management of service", w.ref)
	r, err := do(ctx, w.c, cl, func(ctx context.Context) (*sdk.OpenSearchSecurityPluginConfigurationStatusResponse, error) {
		return w.c.sdk.OpenSearchSecurityPluginHandler.Get(ctx, w.ref.Project, w.ref.Service)
	})
	if err != nil && passing(err) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.security, w.securityAt = nil, w.c.opts.Now()
	if err == nil && r != nil && r.SecurityPluginEnabled {
		w.security = cl.failed(ErrACLUnmanageable, "OpenSearch security management is on, Aiven's access control does not apply")
	}
}

func isInvalid(err error) bool { return errors.Is(err, ErrInvalid) }
