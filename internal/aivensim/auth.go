// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// right is what a route asks of a token.
type right int

const (
	rightRead right = iota
	rightUsers
	rightData
	rightCA
)

// tokens are guarded by Server.mu.
type tokens struct {
	strict  bool // some token was added once: unknown ones are refused
	known   map[string]Token
	windows map[string]*window
}

// window counts the requests of a token in Policy.RateWindow.
type window struct {
	start time.Time
	calls int
}

// caller is who sent a request.
type caller struct {
	name        string
	permission  Permission
	projects    []string
	secretToken string
}

func (c caller) member(project string) bool {
	return len(c.projects) == 0 || slices.Contains(c.projects, project)
}

func (c caller) may(r right, p Policy) bool {
	switch c.permission {
	case PermissionReadOnly, PermissionServicesRead:
		return r == rightRead || r == rightCA && !p.CANeedsAdmin
	case PermissionUsersWrite:
		return r == rightRead || r == rightUsers || r == rightCA && !p.CANeedsAdmin
	default:
		return true
	}
}

// bearer returns the token of a request, in either scheme that the API takes.
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "aivenv1") && !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func tokenName(token string) string {
	return fmt.Sprintf("token-%x", sha256.Sum256([]byte(token)))[:14]
}

// authenticate finds out who calls and counts the call against the rate limit.
func (s *Server) authenticate(r *http.Request, now time.Time) (caller, *apiError) {
	token := bearer(r)
	if token == "" {
		return caller{}, errMissingToken
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens.known[token]
	if !ok {
		if s.tokens.strict {
			return caller{}, errInvalidToken
		}
		t = Token{Token: token}
	}
	if t.Name == "" {
		t.Name = tokenName(token)
	}
	c := caller{name: t.Name, permission: t.Permissions, projects: t.Projects, secretToken: token}
	return c, s.count(token, now)
}

// count answers 429 once a token used up its minute. The caller holds the lock.
func (s *Server) count(token string, now time.Time) *apiError {
	limit := s.settings.limitPerMinute
	if limit <= 0 {
		return nil
	}
	if s.tokens.windows == nil {
		s.tokens.windows = map[string]*window{}
	}
	w, length := s.tokens.windows[token], s.settings.policy.RateWindow
	if w == nil || now.Sub(w.start) >= length {
		w = &window{start: now}
		s.tokens.windows[token] = w
	}
	w.calls++
	if w.calls <= limit {
		return nil
	}
	left := length - now.Sub(w.start)
	return errRateLimit(limit, int((left+time.Second-1)/time.Second))
}

// view decides how an answer shows secrets. It fails for who must not even ask for them.
func (s *Server) view(c *call) (view, *apiError) {
	v := view{
		now:          c.now,
		certificates: c.settings.policy.RedactCertificates,
		connections:  c.settings.policy.RedactConnectionInfo,
	}
	read := c.request.Method == http.MethodGet
	asked := read && c.request.URL.Query().Get("include_secrets") == "true"
	switch {
	case c.caller.permission == PermissionReadOnly:
		v.redact = true
	case c.caller.permission == PermissionServicesRead && asked:
		return v, errForbidden
	default:
		v.redact = c.settings.redaction && !asked
	}
	return v, nil
}
