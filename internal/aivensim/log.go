// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxRequests is how many requests the log keeps; older ones go. Statistics count all.
const maxRequests = 100_000

// Request is an API request that was answered, or not. It has no token.
type Request struct {
	// Time of arrival, by the server's clock.
	Time time.Time `json:"time"`
	// Operation such as "GetService"; "Unknown" for requests that match no route.
	Operation string `json:"operation"`
	// Method is the HTTP method.
	Method string `json:"method"`
	// Path is the escaped path.
	Path string `json:"path"`
	// Query is the raw query.
	Query string `json:"query,omitempty"`
	// UserAgent is the header of that name.
	UserAgent string `json:"user_agent,omitempty"`
	// Project of the request, unescaped. Empty where there is none.
	Project string `json:"project,omitempty"`
	// Service of the request, unescaped. Empty where there is none.
	Service string `json:"service,omitempty"`
	// User of the request, unescaped; of a create the one to be created. Empty where there is none.
	User string `json:"user,omitempty"`
	// Status of the answer; 0 when the connection was closed without one.
	Status int `json:"status"`
	// BytesIn is the length of the request's body.
	BytesIn int64 `json:"bytes_in"`
	// BytesOut is the length of the answer's body as far as it was sent.
	BytesOut int64 `json:"bytes_out"`
	// Duration until the answer was ready, latency included, in nanoseconds of real time.
	Duration time.Duration `json:"duration"`
	// Body of the request; only for writes. It may hold a password.
	Body []byte `json:"body,omitempty"`
}

// Stats counts requests since the server started or ResetRequests was called.
type Stats struct {
	// Calls is the number of requests.
	Calls int64 `json:"calls"`
	// BytesIn is the length of all requests' bodies.
	BytesIn int64 `json:"bytes_in"`
	// BytesOut is the length of all answers' bodies.
	BytesOut int64 `json:"bytes_out"`
	// ByOperation has the same per operation.
	ByOperation map[string]OperationStats `json:"by_operation"`
}

// OperationStats counts requests of one operation.
type OperationStats struct {
	// Calls is the number of requests.
	Calls int64 `json:"calls"`
	// BytesIn is the length of the requests' bodies.
	BytesIn int64 `json:"bytes_in"`
	// BytesOut is the length of the answers' bodies.
	BytesOut int64 `json:"bytes_out"`
	// Errors is the number of requests without a 2xx answer.
	Errors int64 `json:"errors"`
}

type requestLog struct {
	mu       sync.Mutex
	requests []Request
	stats    Stats
}

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.requests) >= maxRequests {
		l.requests = slices.Delete(l.requests, 0, maxRequests/10)
	}
	l.requests = append(l.requests, r)
	l.stats.Calls++
	l.stats.BytesIn += r.BytesIn
	l.stats.BytesOut += r.BytesOut
	if l.stats.ByOperation == nil {
		l.stats.ByOperation = map[string]OperationStats{}
	}
	op := l.stats.ByOperation[r.Operation]
	op.Calls++
	op.BytesIn += r.BytesIn
	op.BytesOut += r.BytesOut
	if r.Status < 200 || r.Status > 299 {
		op.Errors++
	}
	l.stats.ByOperation[r.Operation] = op
}

// Requests are the API requests so far, in the order in which their answers were ready; the last
// 100 000 at most. A request is in it before its client sees the answer.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.requests)
}

// ResetRequests forgets requests and statistics.
func (s *Server) ResetRequests() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.requests, s.log.stats = nil, Stats{}
}

// Stats counts the API requests so far. ByOperation is never nil.
func (s *Server) Stats() Stats {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	out := s.log.stats
	out.ByOperation = maps.Clone(out.ByOperation)
	if out.ByOperation == nil {
		out.ByOperation = map[string]OperationStats{}
	}
	return out
}

// issuedSet remembers credentials, each once.
type issuedSet struct {
	mu   sync.Mutex
	seen map[string]bool
	list []string
}

func (i *issuedSet) add(secrets ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.seen == nil {
		i.seen = map[string]bool{}
	}
	for _, secret := range secrets {
		if secret != "" && !i.seen[secret] {
			i.seen[secret] = true
			i.list = append(i.list, secret)
		}
	}
}

// addKey remembers the body of a PEM key, and its last full line alone, which is found where line
// breaks were escaped or removed.
func (i *issuedSet) addKey(key string) {
	lines := strings.Split(strings.TrimSpace(key), "\n")
	if len(lines) < 4 {
		return
	}
	body := lines[1 : len(lines)-1]
	i.add(strings.Join(body, "\n"), body[len(body)-2])
}

// Issued is every credential that was ever issued, set or seeded: passwords, tokens, and of private
// keys the PEM body (lines joined by "\n") and its last full line alone. For scans of logs and objects.
func (s *Server) Issued() []string {
	s.issued.mu.Lock()
	defer s.issued.mu.Unlock()
	return slices.Clone(s.issued.list)
}
