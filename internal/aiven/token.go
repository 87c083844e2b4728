// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"net/http"
	"slices"
	"sync"

	sdk "github.com/aiven/aiven-go-client/v2"

	"github.com/provider-aiven/provider-aiven/internal/listeners"
)

// Seen says whether something was seen to be permitted. "" means that it was not tried.
type Seen string

const (
	// SeenYes means that it was permitted.
	SeenYes Seen = "Yes"
	// SeenNo means that it was refused.
	SeenNo Seen = "No"
)

// Rights are what a token was seen to be permitted in a project. The latest answer wins.
type Rights struct {
	// ReadServices is whether services may be read or listed.
	ReadServices Seen
	// ReadSecrets is whether a service's answer held the users' secrets. Aiven: to ask for secrets without the right to
	// see them brings redacted ones, or a 403 to the whole read, which says No to both.
	ReadSecrets Seen
	// WriteUsers is whether service users may be created, changed and deleted.
	WriteUsers Seen
}

// A tokenState is what the answers told of the token. Its zero value is ready to use.
type tokenState struct {
	mu       sync.Mutex
	accepted Seen
	rights   map[string]Rights
	changed  listeners.Listeners[struct{}]
}

// Rights returns what was seen in the answers for a project since the client was made.
func (c *Client) Rights(project string) Rights {
	c.token.mu.Lock()
	defer c.token.mu.Unlock()
	return c.token.rights[project]
}

// SubscribeToken registers fn to be told when an answer shows that the token is refused (401) that was accepted, or accepted
// that was refused. That the first answer accepts it is no news. fn is called concurrently, must not block and must not call
// Close. cancel may be called many times; a call of fn that began before may still be running when it returns.
func (c *Client) SubscribeToken(fn func()) (cancel func()) {
	return c.token.changed.Subscribe(func(struct{}) { fn() })
}

// answered takes note of an answer.
func (s *tokenState) answered(a answer) {
	now := acceptance(a)
	if now == "" {
		return
	}
	s.mu.Lock()
	news := now != s.accepted && (now == SeenNo || s.accepted != "")
	s.accepted = now
	s.mu.Unlock()
	if news {
		s.changed.Tell(struct{}{})
	}
}

// acceptance is what an answer says of the token itself. What may come from something else on the way, or from before Aiven
// looked at the token, says nothing.
func acceptance(a answer) Seen {
	switch {
	case a.status == http.StatusUnauthorized:
		return SeenNo
	case !a.readable || a.code == "authentication_failed":
		return ""
	case a.status < 300:
		return SeenYes
	case a.status == http.StatusForbidden, a.status == http.StatusNotFound, a.status == http.StatusConflict:
		return SeenYes
	}
	return ""
}

// permitted takes note of whether a call was.
func (s *tokenState) permitted(cl call, seen Seen) {
	if len(cl.names) == 0 {
		return
	}
	s.update(cl.names[0], func(r *Rights) {
		switch cl.op {
		case opGetService:
			r.ReadServices = seen
			if seen == SeenNo {
				r.ReadSecrets = seen // Otherwise the answer tells.
			}
		case opListServices:
			r.ReadServices = seen
		case opCreateUser, opUpdateUser, opDeleteUser:
			r.WriteUsers = seen
		}
	})
}

// showed takes note of whether the users of a service came with their secrets.
func (s *tokenState) showed(project string, users []*sdk.ServiceUser) {
	seen := Seen("")
	for _, u := range users {
		if u == nil {
			continue
		}
		secrets := []string{u.Password, u.AccessKey, u.AccessCert}
		switch {
		case slices.ContainsFunc(secrets, isPlaceholder):
			seen = SeenNo
		case seen == "" && u.Password+u.AccessKey != "":
			seen = SeenYes
		}
	}
	if seen != "" {
		s.update(project, func(r *Rights) { r.ReadSecrets = seen })
	}
}

func (s *tokenState) update(project string, fn func(*Rights)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rights == nil {
		s.rights = map[string]Rights{}
	}
	r := s.rights[project]
	fn(&r)
	s.rights[project] = r
}
