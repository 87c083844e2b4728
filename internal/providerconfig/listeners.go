// SPDX-License-Identifier: Apache-2.0

package providerconfig

import "sync"

// listeners are functions that want to be told of something. The zero value has
// none. Safe for concurrent use.
type listeners[T any] struct {
	mu   sync.Mutex
	fns  map[int]func(T)
	next int
}

// subscribe has fn called by each tell until it is cancelled. fn must not block.
func (l *listeners[T]) subscribe(fn func(T)) (cancel func()) {
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

func (l *listeners[T]) tell(v T) {
	l.mu.Lock()
	fns := make([]func(T), 0, len(l.fns))
	for _, fn := range l.fns {
		fns = append(fns, fn)
	}
	l.mu.Unlock()
	for _, fn := range fns {
		fn(v)
	}
}
