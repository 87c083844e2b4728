// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/pkg/errors"
)

// errKilled is what a provider sees of the world once its gate is shut.
var errKilled = errors.New("the process was killed")

// A Gate stands between one provider and everything outside of its process. A
// provider whose gate is shut is as good as killed: nothing that it does has an
// effect any more. Made with NewGate, it is open.
type Gate struct {
	mu     sync.Mutex
	shut   chan struct{}
	isShut bool
	writes []string
	// at is the number of the write that shuts the gate, 0 for none.
	at    int
	after bool
}

// NewGate returns an open gate.
func NewGate() *Gate { return &Gate{shut: make(chan struct{})} }

// ShutAt counts writes from one again, and shuts the gate at the supplied one:
// before it is sent, or after it had its effect and before its answer. 0 only
// counts.
func (g *Gate) ShutAt(n int, after bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.after, g.writes = n, after, nil
}

// Shut shuts the gate.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.close()
}

// close shuts the gate. The caller holds the lock.
func (g *Gate) close() {
	if !g.isShut {
		g.isShut = true
		close(g.shut)
	}
}

// IsShut tells whether the gate is shut.
func (g *Gate) IsShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.isShut
}

// Killed is closed when the gate is shut.
func (g *Gate) Killed() <-chan struct{} { return g.shut }

// Writes returns the writes since ShutAt, or since the beginning, in the order
// in which they came to the gate.
func (g *Gate) Writes() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.writes)
}

// Wrap returns a transport that leads through the gate.
func (g *Gate) Wrap(next http.RoundTripper) http.RoundTripper {
	return &gateway{gate: g, next: next}
}

type gateway struct {
	gate *Gate
	next http.RoundTripper
}

// RoundTrip sends the request if the gate is open, and returns the answer if it
// still is then.
func (w *gateway) RoundTrip(req *http.Request) (*http.Response, error) {
	last, open := w.gate.enter(req)
	if !open {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, errKilled
	}
	resp, err := w.next.RoundTrip(req)
	if last {
		w.gate.Shut()
	}
	select {
	case <-w.gate.shut:
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, errKilled
	default:
		return resp, err //nolint:wrapcheck // A decorator.
	}
}

// enter counts a request, and tells whether the gate is open for it and shuts
// behind it.
func (g *Gate) enter(req *http.Request) (last, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isShut {
		return false, false
	}
	if !isWrite(req) {
		return false, true
	}
	g.writes = append(g.writes, req.Method+" "+req.URL.Path)
	if g.at == 0 || len(g.writes) != g.at {
		return false, true
	}
	if !g.after {
		g.close()
	}
	return g.after, g.after
}

// isWrite tells whether a request changes something that anybody acts on. Events
// are for people to read, and leases for the choice of a leader.
func isWrite(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	default:
		return !strings.Contains(req.URL.Path, "/events") && !strings.Contains(req.URL.Path, "/leases")
	}
}
