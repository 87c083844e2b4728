// SPDX-License-Identifier: Apache-2.0

package aivensim

import "sync"

// A Backend is a real server behind a service. It is told about the service's users, so that they can
// really log in. A Backend belongs to one service.
//
// Changes come one at a time, in the order in which they were made, outside the lock of the Server, and
// before the request or the function that made them returns. They cannot be refused: a Backend that
// cannot follow tells its owner. It is told about users alone; a service that is powered off is not off
// in its Backend.
type Backend interface {
	// SetUser makes a user, or makes an existing one what it is now.
	SetUser(a Account)
	// DeleteUser removes a user, and ends its connections.
	DeleteUser(username string)
}

// An Account is what a Backend needs to know about a user.
type Account struct {
	// Username, unique in its service. The built-in user is one too.
	Username string
	// Password that is accepted now. With none, nobody can log in as this user.
	Password string
	// AccessControl of a Valkey user.
	AccessControl AccessControl
}

// outbox keeps what a Backend is to be told until the lock of the server is released. A nil one, of a
// service without a Backend, does nothing.
type outbox struct {
	backend Backend

	mu    sync.Mutex // guards queue
	queue []func(Backend)

	delivering sync.Mutex // held while the backend is told, so that what came first is told first
}

func newOutbox(b Backend) *outbox {
	if b == nil {
		return nil
	}
	return &outbox{backend: b}
}

func (o *outbox) set(u *user) {
	a := Account{Username: u.name, Password: u.effective, AccessControl: u.access.clone()}
	o.put(func(b Backend) { b.SetUser(a) })
}

func (o *outbox) remove(u *user) {
	o.put(func(b Backend) { b.DeleteUser(u.name) })
}

// put is called with the server's lock held, which makes the order.
func (o *outbox) put(change func(Backend)) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, change)
}

// deliver returns when the backend knows everything that was put before. It is called without the
// server's lock.
func (o *outbox) deliver() {
	if o == nil {
		return
	}
	o.delivering.Lock()
	defer o.delivering.Unlock()
	o.mu.Lock()
	queue := o.queue
	o.queue = nil
	o.mu.Unlock()
	for _, change := range queue {
		change(o.backend)
	}
}
