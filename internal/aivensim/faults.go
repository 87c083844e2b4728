// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"net/http"
	"strings"
	"sync"
)

// Fault is something that goes wrong with requests. The zero value matches every request and does
// nothing. Of several faults that match a request the one injected first decides the answer; hooks of
// all are called.
//
// Note for CloseConnection and CutBody: net/http's transport sends a GET again by itself when a reused
// connection closes before the first byte of an answer. Count such faults generously or not at all.
type Fault struct {
	// Operation to match, named as in Request. Empty matches any.
	Operation string `json:"operation,omitempty"`
	// Project, Service and User to match; the user of a create is the one to be created. Empty matches any.
	Project string `json:"project,omitempty"`
	// Service to match.
	Service string `json:"service,omitempty"`
	// User to match.
	User string `json:"user,omitempty"`
	// Count is how many matching requests go wrong; 0 means all until the fault is removed.
	Count int `json:"count,omitempty"`
	// Skip is how many matching requests pass before that.
	Skip int `json:"skip,omitempty"`

	// Status answers with that status and without effect, unless After is set.
	Status int `json:"status,omitempty"`
	// Message of the answer. Empty means what the API says with such a status.
	Message string `json:"message,omitempty"`
	// RetryAfter is the header of that name: seconds or a date. Empty leaves it out.
	RetryAfter string `json:"retry_after,omitempty"`
	// After lets the request have its effect before the answer is replaced: a lost answer.
	After bool `json:"after,omitempty"`
	// Hang never answers, until the request's context ends.
	Hang bool `json:"hang,omitempty"`
	// CutBody lets the request have its effect, sends half of the body and closes the connection.
	CutBody bool `json:"cut_body,omitempty"`
	// CloseConnection closes the connection without an answer.
	CloseConnection bool `json:"close_connection,omitempty"`
	// HTML makes the body HTML, as a proxy's. Without Status it is a 502.
	HTML bool `json:"html,omitempty"`
	// ErrorsIn200 answers 200 with a non-empty list of errors, the first of which has Status, or 500.
	ErrorsIn200 bool `json:"errors_in_200,omitempty"`
	// EmptyBody answers 200, or Status, without a body.
	EmptyBody bool `json:"empty_body,omitempty"`
	// EchoSecrets makes the message quote the token and the user's password (without a user the
	// built-in one's). Without Status it is a 500.
	EchoSecrets bool `json:"echo_secrets,omitempty"`
	// Hook is called before the request is handled, without any lock held. It may block.
	Hook func(r *http.Request) `json:"-"`
}

// answers tells whether a fault replaces answers, rather than only calling its hook.
func (f *Fault) answers() bool {
	return f.Status != 0 || f.Hang || f.CutBody || f.CloseConnection || f.HTML || f.ErrorsIn200 || f.EmptyBody || f.EchoSecrets
}

func (f *Fault) matches(c *call) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	return same(f.Operation, c.operation) && same(f.Project, c.project) && same(f.Service, c.service) && same(f.User, c.user)
}

type faultSet struct {
	mu   sync.Mutex
	list []*armedFault
}

type armedFault struct {
	Fault
	skip, left int
}

// Inject makes requests that match go wrong from now on. The returned function removes the fault; it
// may be called any number of times.
func (s *Server) Inject(f Fault) (remove func()) {
	armed := &armedFault{Fault: f, skip: f.Skip, left: f.Count}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, armed)
	return func() { s.faults.drop(func(a *armedFault) bool { return a == armed }) }
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.faults.drop(func(*armedFault) bool { return true })
}

func (fs *faultSet) drop(which func(*armedFault) bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	kept := make([]*armedFault, 0, len(fs.list))
	for _, a := range fs.list {
		if !which(a) {
			kept = append(kept, a)
		}
	}
	fs.list = kept
}

// take uses up the faults that a request meets: one that answers at most, and hooks.
func (fs *faultSet) take(c *call) (answer *Fault, hooks []func(*http.Request)) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	kept := make([]*armedFault, 0, len(fs.list))
	for _, a := range fs.list {
		kept = append(kept, a)
		switch {
		case !a.matches(c), a.answers() && answer != nil:
			continue
		case a.skip > 0:
			a.skip--
			continue
		}
		if a.Hook != nil {
			hooks = append(hooks, a.Hook)
		}
		if a.answers() {
			answer = &a.Fault
		}
		if a.Count > 0 {
			a.left--
			if a.left <= 0 {
				kept = kept[:len(kept)-1]
			}
		}
	}
	fs.list = kept
	return answer, hooks
}

// broken is how a connection ends other than with a whole answer.
type broken int

const (
	whole broken = iota
	cut
	closed
	hanging
)

// answer is what goes over the wire.
type answer struct {
	status     int
	html       bool
	retryAfter string
	body       []byte
	broken     broken
}

// apply answers a request that met a fault.
func (s *Server) apply(f *Fault, c *call) answer {
	var effect answer
	if f.After || f.CutBody {
		effect = s.handle(c)
	}
	status := f.Status
	switch {
	case f.Hang:
		return answer{broken: hanging}
	case f.CloseConnection:
		return answer{broken: closed}
	case f.CutBody:
		effect.broken = cut
		return effect
	case f.EmptyBody:
		return answer{status: orStatus(status, http.StatusOK), retryAfter: f.RetryAfter}
	case f.HTML:
		status = orStatus(status, http.StatusBadGateway)
	default:
		status = orStatus(status, http.StatusInternalServerError)
	}
	e := &apiError{status: status, message: s.faultMessage(f, c, status)}
	out := answer{status: status, retryAfter: f.RetryAfter, body: e.body(), html: f.HTML}
	if f.ErrorsIn200 {
		out.status = http.StatusOK
	}
	if f.HTML {
		out.body = []byte("<html>\n<head><title>" + http.StatusText(status) + "</title></head>\n<body><h1>" +
			e.message + "</h1></body>\n</html>\n")
	}
	return out
}

func orStatus(status, fallback int) int {
	if status == 0 {
		return fallback
	}
	return status
}

func (s *Server) faultMessage(f *Fault, c *call, status int) string {
	parts := []string{f.Message}
	switch {
	case f.Message != "":
	case status == http.StatusTooManyRequests:
		parts[0] = rateLimitMessage(120, 28)
	case status == http.StatusServiceUnavailable:
		parts[0] = messageUnavailable
	default:
		parts[0] = http.StatusText(status)
	}
	if f.EchoSecrets {
		parts = append(parts, "token", bearer(c.request), "password", s.passwordOf(c))
	}
	return strings.Join(parts, " ")
}

// passwordOf the user that a request names, else of the built-in one.
func (s *Server) passwordOf(c *call) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.projects[c.project]
	if p == nil || p.services[c.service] == nil {
		return ""
	}
	svc := p.services[c.service]
	if u := svc.users[c.user]; u != nil {
		return u.password
	}
	return svc.primary().password
}
