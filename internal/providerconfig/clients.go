// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"sync"
	"time"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

// closeDelay is how long a client that no configuration uses any more lives on,
// so that calls in flight end by themselves.
const closeDelay = 2 * time.Minute

// A Key says which client serves a configuration: those with equal keys share
// one.
type Key struct {
	Token   string
	BaseURL string
	Limits  aiven.Limits
}

// A ClientFn makes the client for a key.
type ClientFn func(k Key) (*aiven.Client, error)

// Clients are the Aiven clients in use: one for each Key. Safe for concurrent
// use.
type Clients struct {
	make ClientFn

	mu        sync.Mutex
	byKey     map[Key]*aiven.Client
	byRef     map[Ref]Key
	listeners map[int]func(aiven.UserRef)
	next      int
}

// NewClients returns an empty set of clients that are made with fn.
func NewClients(fn ClientFn) *Clients {
	return &Clients{
		make:      fn,
		byKey:     make(map[Key]*aiven.Client),
		byRef:     make(map[Ref]Key),
		listeners: make(map[int]func(aiven.UserRef)),
	}
}

// For returns the client for a key, and records that ref uses it from now on. A
// client that no ref uses is closed after a while.
func (c *Clients) For(ref Ref, k Key) (*aiven.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl := c.byKey[k]
	if cl == nil {
		made, err := c.make(k)
		if err != nil {
			return nil, err
		}
		made.Subscribe(c.dispatch)
		c.byKey[k], cl = made, made
	}
	if old, ok := c.byRef[ref]; ok && old != k {
		c.byRef[ref] = k
		c.retire(old)
	}
	c.byRef[ref] = k
	return cl, nil
}

// Forget takes note that ref uses no client any more.
func (c *Clients) Forget(ref Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.byRef[ref]; ok {
		delete(c.byRef, ref)
		c.retire(k)
	}
}

// Subscribe calls fn for each user that a client saw change. fn must not block.
func (c *Clients) Subscribe(fn func(aiven.UserRef)) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.next
	c.next++
	c.listeners[id] = fn
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, id)
	}
}

// Close closes all clients.
func (c *Clients) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, cl := range c.byKey {
		cl.Close()
		delete(c.byKey, k)
	}
}

func (c *Clients) dispatch(u aiven.UserRef) {
	c.mu.Lock()
	fns := make([]func(aiven.UserRef), 0, len(c.listeners))
	for _, fn := range c.listeners {
		fns = append(fns, fn)
	}
	c.mu.Unlock()
	for _, fn := range fns {
		fn(u)
	}
}

// retire closes the client of a key that no ref uses. The caller holds the lock.
func (c *Clients) retire(k Key) {
	for _, used := range c.byRef {
		if used == k {
			return
		}
	}
	if cl := c.byKey[k]; cl != nil {
		delete(c.byKey, k)
		time.AfterFunc(closeDelay, cl.Close)
	}
}
