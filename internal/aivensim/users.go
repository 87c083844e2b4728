// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"
)

// mint issues a client certificate, or nil for a type without certificates. It takes milliseconds, so
// callers do not hold the lock where it matters.
func (s *Server) mint(p *project, kind *serviceType, username string, before *certificate) *certificate {
	if !kind.certificates {
		return nil
	}
	now := s.Now()
	cert := p.ca.newest(now).issue(keyPoolOf(s.keyBits), username, before, now)
	s.issued.addKey(cert.key.pem)
	return cert
}

// newUser is a complete user that is not in a service yet.
func (s *Server) newUser(p *project, kind *serviceType, username, createdBy string) *user {
	now := s.Now()
	u := &user{name: username, kind: userTypeNormal, createdBy: createdBy, createdAt: now}
	if username == kind.primary {
		u.kind = userTypePrimary
	}
	u.setPassword(newPassword(), now)
	u.cert = s.mint(p, kind, username, nil)
	if kind.aclPrefix != "" {
		u.access = AccessControl{Categories: []string{"+@all"}, Keys: []string{"*"}, Channels: []string{"*"}}
	}
	s.issued.add(u.password)
	return u
}

func (s *Server) createUser(c *call) (any, *apiError) {
	var req struct {
		Username       *string                    `json:"username"`
		AccessControl  map[string]json.RawMessage `json:"access_control"`
		Authentication *string                    `json:"authentication"`
		MySQLGrants    []json.RawMessage          `json:"mysql_grants"`
	}
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	if req.Username == nil || *req.Username == "" || utf8.RuneCountInString(*req.Username) > 64 {
		return nil, invalidInput("username: must have 1 to 64 characters")
	}
	name := *req.Username
	var p *project
	var kind *serviceType
	check := func(svc *service) *apiError {
		p, kind = svc.project, svc.kind
		return svc.mayCreate(name, c.settings.policy)
	}
	if err := s.read(c, check); err != nil {
		return nil, err
	}
	access, err := parseAccessControl(kind, req.AccessControl)
	if err != nil {
		return nil, err
	}
	u := s.newUser(p, kind, name, c.caller.name)
	u.visibleAt, u.passwordAt = c.now.Add(c.settings.visibilityDelay), c.now.Add(c.settings.passwordDelay)
	if req.AccessControl != nil {
		u.access = access.list.canonical()
	}
	var encoded json.RawMessage
	err = s.write(c, func(svc *service) *apiError {
		if err := check(svc); err != nil {
			return err
		}
		if svc.security {
			u.effective = ""
		}
		svc.add(u)
		encoded = view{now: c.now, created: true}.encodedUser(svc, u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{keyMessage: "created", "user": encoded}, nil
}

// mayCreate tells whether a name is free and within the limit. Built-in users count.
func (svc *service) mayCreate(name string, p Policy) *apiError {
	switch {
	case svc.users[name] != nil:
		return errUserExists(name)
	case slices.Contains(svc.kind.reserved, name):
		return invalidInput("username: '%s' is reserved", name)
	case svc.userLimit() > 0 && len(svc.users) >= svc.userLimit():
		return errUserQuota(p.QuotaStatus, name)
	}
	return nil
}

func (s *Server) getUser(c *call) (any, *apiError) {
	v, err := s.view(c)
	if err != nil {
		return nil, err
	}
	var encoded json.RawMessage
	err = s.read(c, func(svc *service) *apiError {
		u := svc.users[c.user]
		if u == nil || c.now.Before(u.visibleAt) {
			return errNoUser
		}
		encoded = v.encodedUser(svc, u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"user": encoded}, nil
}

func (s *Server) updateUser(c *call) (any, *apiError) {
	var req struct {
		Operation      *string                    `json:"operation"`
		NewPassword    *string                    `json:"new_password"`
		Authentication *string                    `json:"authentication"`
		AccessControl  map[string]json.RawMessage `json:"access_control"`
	}
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	if req.Operation == nil {
		return nil, invalidInput("operation: is a required property")
	}
	var err *apiError
	switch *req.Operation {
	case "reset-credentials":
		if req.AccessControl != nil {
			return nil, invalidInput("access_control: is not allowed with this operation")
		}
		err = s.reset(c, req.NewPassword)
	case "set-access-control":
		if req.NewPassword != nil || req.Authentication != nil {
			return nil, invalidInput("new_password and authentication: are not allowed with this operation")
		}
		err = s.setAccessControl(c, req.AccessControl)
	case "acknowledge-renewal":
		err = s.acknowledge(c)
	default:
		return nil, invalidInput("operation: is not one of reset-credentials, set-access-control, acknowledge-renewal")
	}
	if err != nil {
		return nil, err
	}
	return s.answerService(c, "updated")
}

func (s *Server) resetCredentials(c *call) (any, *apiError) {
	if err := s.reset(c, nil); err != nil {
		return nil, err
	}
	return s.answerService(c, "updated")
}

// reset sets the password given, or makes one and, by policy, a certificate.
func (s *Server) reset(c *call, password *string) *apiError {
	if password != nil {
		if n := utf8.RuneCountInString(*password); n < 8 || n > 256 {
			return invalidInput("new_password: must have 8 to 256 characters")
		}
	}
	policy := c.settings.policy
	var before *user
	var p *project
	var kind *serviceType
	if err := s.read(c, func(svc *service) *apiError {
		before, p, kind = svc.users[c.user], svc.project, svc.kind
		return nil
	}); err != nil {
		return err
	}
	if before == nil {
		return errNoUser
	}
	var fresh *certificate
	next := newPassword()
	if password != nil {
		next = *password
	} else if policy.ResetRotatesCertificate {
		fresh = s.mint(p, kind, c.user, before.cert)
	}
	s.issued.add(next)
	return s.write(c, func(svc *service) *apiError {
		old := svc.users[c.user]
		if old == nil {
			return errNoUser
		}
		svc.edit(old, func(u *user) {
			accepted := u.effective
			u.setPassword(next, c.now)
			if svc.security {
				u.effective = accepted
			}
			u.passwordAt = c.now.Add(c.settings.passwordDelay)
			if fresh != nil {
				u.replaceCertificate(fresh, policy)
			}
		})
		return nil
	})
}

// replaceCertificate after a reset. Strictly, nothing issued before is accepted any more.
func (u *user) replaceCertificate(fresh *certificate, p Policy) {
	if p.StrictCertificates {
		u.old, u.expiring = nil, time.Time{}
	} else {
		u.old = append(slices.Clone(u.old), u.cert)
	}
	u.cert = fresh
}

func (s *Server) setAccessControl(c *call, raw map[string]json.RawMessage) *apiError {
	if raw == nil {
		return invalidInput("access_control: is a required property")
	}
	return s.write(c, func(svc *service) *apiError {
		access, err := parseAccessControl(svc.kind, raw)
		if err != nil {
			return err
		}
		old := svc.users[c.user]
		if old == nil {
			return errNoUser
		}
		svc.edit(old, func(u *user) {
			next := access.list
			if c.settings.policy.PartialAccessControlKeeps {
				had := listsOf(&u.access)
				for name, list := range listsOf(&next) {
					if !access.sent[name] {
						*list = *had[name]
					}
				}
			}
			u.access = next.canonical()
		})
		return nil
	})
}

func (s *Server) acknowledge(c *call) *apiError {
	return s.write(c, func(svc *service) *apiError {
		old := svc.users[c.user]
		switch {
		case old == nil:
			return errNoUser
		case !c.now.Before(old.expiring):
			if status := c.settings.policy.AcknowledgeStatus; status != http.StatusOK {
				return &apiError{status: status, message: messageNoRenewal}
			}
			return nil
		}
		svc.edit(old, func(u *user) { u.expiring = time.Time{} })
		return nil
	})
}

func (s *Server) deleteUser(c *call) (any, *apiError) {
	err := s.write(c, func(svc *service) *apiError {
		u := svc.users[c.user]
		switch {
		case u == nil:
			return errNoUser
		case u.kind == userTypePrimary:
			return errUserBuiltIn(c.user)
		}
		svc.remove(u)
		if c.settings.policy.DeleteUserPrunesACL {
			svc.pruneACL(c.user)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{keyMessage: "deleted"}, nil
}

// sentAccessControl is an access_control of a request, and which lists it names.
type sentAccessControl struct {
	list AccessControl
	sent map[string]bool
}

// What entries look like. Names are those that lists have behind their type's prefix.
var accessPatterns = map[string]*regexp.Regexp{
	"categories": regexp.MustCompile(`^[+-]@\S+$`),
	"commands":   regexp.MustCompile(`^[+-][^@\s]\S*$`),
	"keys":       regexp.MustCompile(`^\S+$`),
	"channels":   regexp.MustCompile(`^\S+$`),
	"databases":  regexp.MustCompile(`^(\d+|alldbs|resetdbs)$`),
}

func parseAccessControl(kind *serviceType, raw map[string]json.RawMessage) (sentAccessControl, *apiError) {
	out := sentAccessControl{sent: map[string]bool{}}
	lists := listsOf(&out.list)
	left := len(raw)
	for name, list := range lists {
		value, ok := raw[kind.aclPrefix+name]
		if !ok || kind.aclPrefix == "" {
			continue
		}
		left--
		if json.Unmarshal(value, list) != nil {
			return out, invalidInput("access_control.%s%s: is not a list of strings", kind.aclPrefix, name)
		}
		if len(*list) > 256 {
			return out, invalidInput("access_control.%s%s: has more than 256 entries", kind.aclPrefix, name)
		}
		for _, entry := range *list {
			if !accessPatterns[name].MatchString(entry) {
				return out, invalidInput("access_control.%s%s: '%s' is not valid", kind.aclPrefix, name, entry)
			}
		}
		out.sent[name] = *list != nil
	}
	if left > 0 {
		return out, invalidInput("access_control: additional properties are not allowed")
	}
	return out, nil
}

// renewAll gives every user whose certificate is due a new pair, as Aiven does by itself.
func (s *Server) renewAll(svc *service, now time.Time) {
	defer svc.outbox.deliver()
	s.mu.Lock()
	defer s.mu.Unlock()
	svc.renewDue = time.Time{}
	for _, u := range slices.Clone(svc.order) {
		if u.cert != nil && !now.Before(u.cert.notAfter.Add(-renewBefore)) {
			s.renewUser(svc, u)
			continue
		}
		svc.noteRenewal(u)
	}
}

// renewUser is the renewal of one certificate. The caller holds the lock.
func (s *Server) renewUser(svc *service, u *user) {
	fresh := s.mint(svc.project, svc.kind, u.name, u.cert)
	svc.edit(u, func(u *user) { u.renew(fresh) })
}
