// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody is more than the largest access control document that the API takes.
const maxBody = 64 << 20

// call is one API request on its way through the server.
type call struct {
	request   *http.Request
	route     *route // nil matches no route
	operation string
	project   string
	service   string
	user      string
	id        string // of an ACL entry
	body      []byte
	settings  settings
	caller    caller
	now       time.Time
	started   time.Time
}

// serveAPI answers a request below /v1, and everything else that is not the inspection API.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := s.newCall(r)
	answering, hooks := s.faults.take(c)
	for _, hook := range hooks {
		hook(r)
	}
	c.now, c.settings = s.Now(), s.current()
	var a answer
	if answering != nil {
		a = s.apply(answering, c)
	} else {
		a = s.handle(c)
	}
	wait(r, c.settings.latency)
	s.send(w, c, a)
}

func (s *Server) newCall(r *http.Request) *call {
	c := &call{request: r, operation: "Unknown", started: time.Now(), now: s.Now()}
	c.body, _ = io.ReadAll(io.LimitReader(r.Body, maxBody))
	rt, values := match(r.Method, r.URL.EscapedPath())
	if rt == nil {
		return c
	}
	c.route, c.operation = rt, rt.operation
	c.project, c.service, c.user, c.id = values["project"], values["service"], values["user"], values["id"]
	if rt.operation == "CreateUser" {
		var named struct {
			Username string `json:"username"`
		}
		if json.Unmarshal(c.body, &named) == nil {
			c.user = named.Username
		}
	}
	return c
}

// wait for d or the end of the request.
func wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// handle answers a request as the API would.
func (s *Server) handle(c *call) answer {
	v, err := s.try(c)
	if err != nil {
		return answer{status: err.status, retryAfter: err.retry, body: err.body()}
	}
	if raw, ok := v.(rawJSON); ok {
		return answer{status: http.StatusOK, body: raw}
	}
	return answer{status: http.StatusOK, body: mustJSON(v)}
}

func (s *Server) try(c *call) (any, *apiError) {
	if c.route == nil {
		return nil, errNoRoute
	}
	who, err := s.authenticate(c.request, c.now)
	if err != nil {
		return nil, err
	}
	c.caller = who
	if err := c.checkLimit(); err != nil {
		return nil, err
	}
	if c.project != "" && !who.member(c.project) {
		return nil, errNotMember
	}
	if !who.may(c.route.needs, c.settings.policy) {
		return nil, errForbidden
	}
	if err := s.checkService(c); err != nil {
		return nil, err
	}
	return c.route.handle(s, c)
}

func (c *call) checkLimit() *apiError {
	limit, err := strconv.Atoi(c.request.URL.Query().Get("limit"))
	if most := c.settings.policy.MaxLimit; most > 0 && err == nil && limit > most {
		return &apiError{
			status:  http.StatusBadRequest,
			message: "Invalid value for limit parameter: maximum allowed value is " + strconv.Itoa(most),
		}
	}
	return nil
}

// checkService answers for a project or a service that is missing, of another type or powered off, and
// renews what is due.
func (s *Server) checkService(c *call) *apiError {
	if c.project == "" {
		return nil
	}
	s.mu.RLock()
	p := s.projects[c.project]
	var svc *service
	var state string
	due := false
	if p != nil {
		svc = p.services[c.service]
	}
	if svc != nil {
		state = svc.state
		due = c.settings.policy.AutoRenew && !svc.renewDue.IsZero() && !c.now.Before(svc.renewDue)
	}
	s.mu.RUnlock()
	switch {
	case p == nil:
		return errNoProject
	case c.service == "":
		return nil
	case svc == nil:
		return errNoService(c.service)
	case c.route.only != nil && !c.route.only(svc.kind):
		return errWrongType
	case c.route.powered && state == statePowerOff:
		if c.settings.policy.PowerOffStatus == http.StatusConflict {
			return errNotPowered
		}
		return &apiError{status: c.settings.policy.PowerOffStatus, message: messageUnavailable}
	}
	if due && state != statePowerOff {
		s.renewAll(svc, c.now)
	}
	return nil
}

// find returns the service of a call. The caller holds the lock.
func (s *Server) find(c *call) (*service, *apiError) {
	p := s.projects[c.project]
	if p == nil {
		return nil, errNoProject
	}
	svc := p.services[c.service]
	if svc == nil {
		return nil, errNoService(c.service)
	}
	return svc, nil
}

// read runs f with the service of a call, under the lock for reading.
func (s *Server) read(c *call, f func(*service) *apiError) *apiError {
	s.mu.RLock()
	defer s.mu.RUnlock()
	svc, err := s.find(c)
	if err != nil {
		return err
	}
	return f(svc)
}

// write runs f with the service of a call, under the lock for writing.
func (s *Server) write(c *call, f func(*service) *apiError) *apiError {
	var told *outbox
	defer func() { told.deliver() }()
	s.mu.Lock()
	defer s.mu.Unlock()
	svc, err := s.find(c)
	if err != nil {
		return err
	}
	told = svc.outbox
	return f(svc)
}

// decode reads the body strictly: the API takes no properties that it does not know.
func (c *call) decode(into any) *apiError {
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return invalidInput("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// send records a request and then answers it.
func (s *Server) send(w http.ResponseWriter, c *call, a answer) {
	out := a.body
	switch a.broken {
	case cut:
		out = out[:len(out)/2]
	case closed, hanging:
		a.status, out = 0, nil
	case whole:
	}
	s.record(c, a.status, len(out))
	switch a.broken {
	case hanging:
		<-c.request.Context().Done()
		panic(http.ErrAbortHandler)
	case closed:
		panic(http.ErrAbortHandler)
	case whole, cut:
	}
	h := w.Header()
	if a.html {
		h.Set("Content-Type", "text/html")
	} else {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	if a.retryAfter != "" {
		h.Set("Retry-After", a.retryAfter)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(out)
	if a.broken == cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) record(c *call, status, bytesOut int) {
	r := Request{
		Time:      c.now,
		Operation: c.operation,
		Method:    c.request.Method,
		Path:      c.request.URL.EscapedPath(),
		Query:     c.request.URL.RawQuery,
		UserAgent: c.request.UserAgent(),
		Project:   c.project,
		Service:   c.service,
		User:      c.user,
		Status:    status,
		BytesIn:   int64(len(c.body)),
		BytesOut:  int64(bytesOut),
		Duration:  time.Since(c.started),
	}
	if c.request.Method != http.MethodGet {
		r.Body = c.body
	}
	s.log.add(r)
}

// match finds the route of an escaped path, and what its variables are, unescaped.
func match(method, path string) (*route, map[string]string) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i := range routes {
		rt := &routes[i]
		if rt.method != method || len(rt.segments) != len(segments) {
			continue
		}
		if values, ok := rt.match(segments); ok {
			return rt, values
		}
	}
	return nil, nil
}

func (rt *route) match(segments []string) (map[string]string, bool) {
	values := map[string]string{}
	for i, want := range rt.segments {
		name, variable := strings.CutPrefix(want, ":")
		if !variable {
			if want != segments[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil || value == "" {
			return nil, false
		}
		values[name] = value
	}
	return values, true
}
