// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"sync"
	"time"
)

// documentPatience is how long a client waits for another one to have written a document. One that Aiven keeps waiting,
// or whose token has no calls left, must not hold up the others for longer: what is lost then is written once more.
const documentPatience = 5 * time.Second

// Documents have clients with several tokens write a service's access control document one after the other. It is one
// document for all users, without a version: what another client wrote between a read and a write is lost. The zero value
// is ready to use, and nil keeps nobody waiting. Safe for concurrent use.
type Documents struct {
	mu   sync.Mutex
	byID map[documentID]*document
}

type documentID struct {
	baseURL string
	service ServiceRef
}

type document struct {
	turn  chan struct{} // holds one token: who has it reads and writes
	users int           // who has it or waits for it
}

// take returns when it is the caller's turn, when he has waited long enough, or when the context ends. The caller calls
// release when he has written, whatever it was.
func (d *Documents) take(ctx context.Context, id documentID) (release func()) {
	if d == nil {
		return func() {}
	}
	d.mu.Lock()
	doc, ok := d.byID[id]
	if !ok {
		if d.byID == nil {
			d.byID = make(map[documentID]*document)
		}
		doc = &document{turn: make(chan struct{}, 1)}
		d.byID[id] = doc
	}
	doc.users++
	d.mu.Unlock()
	wait, cancel := context.WithTimeout(ctx, documentPatience)
	defer cancel()
	ours := false
	select {
	case doc.turn <- struct{}{}:
		ours = true
	case <-wait.Done():
	}
	return func() {
		if ours {
			<-doc.turn
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if doc.users--; doc.users == 0 {
			delete(d.byID, id)
		}
	}
}
