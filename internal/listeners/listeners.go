// SPDX-License-Identifier: Apache-2.0

// Package listeners tells functions of what happens.
package listeners

import "sync"

// Listeners are functions that want to be told of something. The zero value has
// none. Safe for concurrent use.
type Listeners[T any] struct {
	mu   sync.Mutex
	fns  map[int]func(T)
	next int
}

// Subscribe has fn called by each Tell until it is cancelled. fn is called
// concurrently and must not block. cancel may be called many times; a call of fn that began before
// may still be running when it returns.
func (l *Listeners[T]) Subscribe(fn func(T)) (cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fns == nil {
		l.fns = make(map[int]func(T))
	}
	id := l.next
	l.next++
	l.fns[id] = fn
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.fns, id)
	}
}

// Tell calls all functions with each of the values. The caller holds no lock that
// they may want.
func (l *Listeners[T]) Tell(values ...T) {
	if len(values) == 0 {
		return
	}
	l.mu.Lock()
	fns := make([]func(T), 0, len(l.fns))
	for _, fn := range l.fns {
		fns = append(fns, fn)
	}
	l.mu.Unlock()
	for _, v := range values {
		for _, fn := range fns {
			fn(v)
		}
	}
}
