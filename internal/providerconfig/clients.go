// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"sync"
	"time"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/listeners"
)

// closeDelay is how long a client that nothing uses any more lives on, so that
// calls in flight end by themselves.
const closeDelay = 2 * time.Minute

// A Key says which client serves whom: those with equal keys share one, and with
// it snapshots, limits and what Aiven demands of the token.
type Key struct {
	Token   string
	BaseURL string
}

// A ClientFn makes the client for a key.
type ClientFn func(k Key, l aiven.Limits) (*aiven.Client, error)

// Clients are the Aiven clients in use: one for each Key. Safe for concurrent
// use.
type Clients struct {
	make ClientFn

	users  listeners.Listeners[aiven.UserRef]
	tokens listeners.Listeners[Access]

	mu     sync.Mutex
	byKey  map[Key]*aiven.Client
	uses   map[Access]use
	closed bool
}

// A use is which client is used, and how fast.
type use struct {
	key    Key
	limits aiven.Limits
}

// NewClients returns an empty set of clients that are made with fn.
func NewClients(fn ClientFn) *Clients {
	return &Clients{make: fn, byKey: make(map[Key]*aiven.Client), uses: make(map[Access]use)}
}

// For returns the client for a key, and records that it is used from now on for
// this access, within these limits. Where several share a client the strictest of their limits
// hold. A client that nothing uses is closed after a while. aiven.ErrClosed: all clients
// were closed, and nobody would close another one.
func (c *Clients) For(a Access, k Key, l aiven.Limits) (*aiven.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, aiven.ErrClosed
	}
	was, had := c.uses[a]
	cl := c.byKey[k]
	if cl != nil && had && was == (use{k, l}) {
		return cl, nil
	}
	if cl == nil {
		made, err := c.make(k, l)
		if err != nil {
			return nil, err
		}
		made.Subscribe(func(u aiven.UserRef) { c.users.Tell(u) })
		made.SubscribeToken(func() { c.tokenChanged(k) })
		c.byKey[k], cl = made, made
	}
	c.uses[a] = use{k, l}
	cl.SetLimits(c.strictest(k))
	if had && was.key != k {
		c.retire(was.key)
	}
	return cl, nil
}

// Forget takes note that those for whom match is true use no client any more.
func (c *Clients) Forget(match func(a Access) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a, u := range c.uses {
		if match(a) {
			delete(c.uses, a)
			c.retire(u.key)
		}
	}
}

// Subscribe calls fn for each user that a client saw change. fn must not block.
func (c *Clients) Subscribe(fn func(aiven.UserRef)) (cancel func()) { return c.users.Subscribe(fn) }

// SubscribeTokens calls fn for each access whose token Aiven refuses from now on,
// or accepts again. fn must not block.
func (c *Clients) SubscribeTokens(fn func(Access)) (cancel func()) { return c.tokens.Subscribe(fn) }

// Close closes all clients, for good.
func (c *Clients) Close() {
	c.mu.Lock()
	c.closed = true
	all := c.byKey
	c.byKey = make(map[Key]*aiven.Client)
	c.mu.Unlock()
	// It waits for calls, whose answers are told.
	for _, cl := range all {
		cl.Close()
	}
}

func (c *Clients) tokenChanged(k Key) {
	c.mu.Lock()
	var who []Access
	for a, u := range c.uses {
		if u.key == k {
			who = append(who, a)
		}
	}
	c.mu.Unlock()
	for _, a := range who {
		c.tokens.Tell(a)
	}
}

// strictest returns the limits of a client. The caller holds the lock.
func (c *Clients) strictest(k Key) aiven.Limits {
	out := aiven.Limits{RequestsPerSecond: -1}
	central := false
	for a, u := range c.uses {
		central = central || u.key == k && a.IsCentral()
	}
	for a, u := range c.uses {
		if u.key != k || central && !a.IsCentral() {
			continue // A tenant who has the central token does not slow down all others.
		}
		l := u.limits
		if l.RequestsPerSecond > 0 && (out.RequestsPerSecond < 0 || l.RequestsPerSecond < out.RequestsPerSecond) {
			out.RequestsPerSecond, out.Burst = l.RequestsPerSecond, l.Burst
		}
		if l.MaxInFlight > 0 && (out.MaxInFlight == 0 || l.MaxInFlight < out.MaxInFlight) {
			out.MaxInFlight = l.MaxInFlight
		}
	}
	return out
}

// retire closes the client of a key that nothing uses, and frees the others of
// limits that are no longer asked for. The caller holds the lock.
func (c *Clients) retire(k Key) {
	cl := c.byKey[k]
	if cl == nil {
		return
	}
	for _, u := range c.uses {
		if u.key == k {
			cl.SetLimits(c.strictest(k))
			return
		}
	}
	delete(c.byKey, k)
	time.AfterFunc(closeDelay, cl.Close)
}
