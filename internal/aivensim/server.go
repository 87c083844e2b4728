// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a simulated Aiven API. It is an http.Handler, safe for concurrent use, and must be made
// with New.
type Server struct {
	clock   func() time.Time
	offset  atomic.Int64 // nanoseconds that the server's clock is ahead of clock
	keyBits int

	log        requestLog
	faults     faultSet
	issued     issuedSet
	inspection http.Handler

	mu       sync.RWMutex // guards everything below, down to the users
	settings settings
	tokens   tokens
	projects map[string]*project
}

// settings are what tests change while the server runs.
type settings struct {
	latency         time.Duration
	redaction       bool
	limitPerMinute  int
	visibilityDelay time.Duration
	passwordDelay   time.Duration
	aclDelay        time.Duration
	policy          Policy
}

// Option configures a new server.
type Option func(*options)

type options struct {
	clock    func() time.Time
	keyBits  int
	seed     Seed
	settings settings
}

// WithClock sets the clock that certificates, delays, renewals and rate limits go by. Default time.Now.
func WithClock(now func() time.Time) Option {
	return func(o *options) { o.clock = now }
}

// WithLatency delays every API answer by d, after its effect. It waits in real time, and ends early
// with the request. Default 0.
func WithLatency(d time.Duration) Option {
	return func(o *options) { o.settings.latency = d }
}

// WithRedaction makes the server redact passwords unless a GET asks for them with
// include_secrets=true. Aiven does so from 1 March 2027. Default off.
func WithRedaction(on bool) Option {
	return func(o *options) { o.settings.redaction = on }
}

// WithKeySize sets the RSA key size of client certificates in bits. Default 2048, at least 1024.
func WithKeySize(bits int) Option {
	return func(o *options) { o.keyBits = max(bits, 1024) }
}

// WithSeed sets what the server starts with. Default an empty Seed.
func WithSeed(s Seed) Option {
	return func(o *options) { o.seed = s }
}

// WithLimitPerMinute answers 429 to a token's requests beyond n in a minute of the server's clock.
// Default 0: no limit.
func WithLimitPerMinute(n int) Option {
	return func(o *options) { o.settings.limitPerMinute = n }
}

// New makes a server that is ready to serve.
func New(opts ...Option) *Server {
	o := options{clock: time.Now, keyBits: 2048, settings: settings{policy: DefaultPolicy()}}
	for _, opt := range opts {
		opt(&o)
	}
	s := &Server{
		clock:    o.clock,
		keyBits:  o.keyBits,
		settings: o.settings,
		projects: map[string]*project{},
	}
	s.inspection = s.newInspection()
	for _, t := range o.seed.Tokens {
		s.AddToken(t)
	}
	for _, p := range o.seed.Projects {
		s.AddProject(p.Name)
		for _, svc := range p.Services {
			s.AddService(p.Name, svc)
		}
	}
	return s
}

// ServeHTTP answers requests below /v1 as the Aiven API does, and those below /-/ with the inspection API.
// Faults that break a connection panic with http.ErrAbortHandler, as net/http asks for.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/-/") {
		s.inspection.ServeHTTP(w, r)
		return
	}
	s.serveAPI(w, r)
}

// Now is the time by the server's clock, in UTC.
func (s *Server) Now() time.Time {
	return s.clock().Add(time.Duration(s.offset.Load())).UTC()
}

// Advance moves the server's clock forward by d.
func (s *Server) Advance(d time.Duration) {
	s.offset.Add(int64(d))
}

// SetLatency changes what WithLatency set.
func (s *Server) SetLatency(d time.Duration) {
	s.configure(func(c *settings) { c.latency = d })
}

// SetRedaction changes what WithRedaction set.
func (s *Server) SetRedaction(on bool) {
	s.configure(func(c *settings) { c.redaction = on })
}

// SetLimitPerMinute changes what WithLimitPerMinute set.
func (s *Server) SetLimitPerMinute(n int) {
	s.configure(func(c *settings) { c.limitPerMinute = n })
}

// SetVisibilityDelay makes users that are created from now on missing from GET answers for d of the
// server's clock. Writes find them at once.
func (s *Server) SetVisibilityDelay(d time.Duration) {
	s.configure(func(c *settings) { c.visibilityDelay = d })
}

// SetPasswordDelay makes passwords null for d of the server's clock after creates and resets from now
// on. The answer to the create itself has the password.
func (s *Server) SetPasswordDelay(d time.Duration) {
	s.configure(func(c *settings) { c.passwordDelay = d })
}

// SetACLDelay makes entries of Aiven's Kafka ACL and of the Schema Registry's that are added over the API
// from now on missing from GET service for d of the server's clock. They are in force at once, and in all
// answers about the lists themselves.
func (s *Server) SetACLDelay(d time.Duration) {
	s.configure(func(c *settings) { c.aclDelay = d })
}

func (s *Server) configure(change func(*settings)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.settings)
}

func (s *Server) current() settings {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.settings
}
