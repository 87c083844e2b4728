// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"fmt"
	"slices"
	"time"
)

// The functions of this file change and read the state of a server from outside the API, at any time,
// without delays, faults or log entries. A project, service or user that a change needs and that does
// not exist is a mistake in a test: they panic. What removes things does not mind their absence.

// AddProject adds a project without services. An existing one stays as it is.
func (s *Server) AddProject(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addProject(name)
}

func (s *Server) addProject(name string) *project {
	if s.projects[name] == nil {
		s.projects[name] = &project{name: name, created: s.Now(), services: map[string]*service{}}
	}
	return s.projects[name]
}

// AddService adds a service, and its project when there is none. An existing one of that name is
// replaced, with all its users.
func (s *Server) AddService(projectName string, in Service) {
	s.mu.Lock()
	p := s.addProject(projectName)
	s.mu.Unlock()

	now := s.Now()
	kind := typeOf(in.Type)
	svc := &service{
		project: p, name: in.Name, kind: kind, state: in.State, limit: in.UserLimit, replica: in.Replica,
		created: now, updated: now, users: map[string]*user{},
		openSearch: OpenSearchACLConfig{Enabled: in.ACLEnabled, ACLs: []OpenSearchACL{}},
		outbox:     newOutbox(in.Backend),
	}
	if svc.state == "" {
		svc.state = stateRunning
	}
	svc.components = withDefaults(in.Components)
	if len(in.Components) == 0 {
		svc.components = withDefaults(kind.components(addressOf(projectName, in.Name), in.Replica))
	}
	if kind.kafka {
		svc.kafkaACL = []KafkaACLEntry{{ID: "default", Permission: "admin", Topic: "*", Username: kind.primary}}
		svc.schemaACL = []SchemaRegistryACLEntry{
			{ID: "default-sr-admin-config", Permission: "schema_registry_write", Resource: "Config:", Username: kind.primary},
			{ID: "default-sr-admin-subject", Permission: "schema_registry_write", Resource: "Subject:*", Username: kind.primary},
		}
	}
	for _, name := range append([]string{kind.primary}, in.Users...) {
		if svc.users[name] == nil {
			svc.add(s.newUser(p, kind, name, "seed"))
		}
	}

	s.mu.Lock()
	before := p.services[in.Name].end()
	p.services[in.Name] = svc
	s.mu.Unlock()
	before.deliver()
	svc.outbox.deliver()
}

// RemoveService removes a service and its users.
func (s *Server) RemoveService(project, name string) {
	var told *outbox
	defer func() { told.deliver() }()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.projects[project]; p != nil {
		told = p.services[name].end()
		delete(p.services, name)
	}
}

// change runs f with a service that must exist.
func (s *Server) change(project, name string, f func(*service)) {
	var told *outbox
	defer func() { told.deliver() }()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.projects[project]
	if p == nil || p.services[name] == nil {
		panic(fmt.Sprintf("aivensim: no service %q in project %q", name, project))
	}
	told = p.services[name].outbox
	f(p.services[name])
}

// changeUser edits a user that must exist.
func (s *Server) changeUser(project, name, username string, f func(*user)) {
	s.change(project, name, func(svc *service) { svc.edit(svc.mustUser(username), f) })
}

func (svc *service) mustUser(username string) *user {
	u := svc.users[username]
	if u == nil {
		panic(fmt.Sprintf("aivensim: no user %q on service %q", username, svc.name))
	}
	return u
}

// look runs f with a service, if it exists.
func (s *Server) look(project, name string, f func(*service)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.projects[project]; p != nil && p.services[name] != nil {
		f(p.services[name])
	}
}

// SetServiceState sets RUNNING, REBALANCING, REBUILDING or POWEROFF. Users stay; see PowerCycle.
func (s *Server) SetServiceState(project, name, state string) {
	s.change(project, name, func(svc *service) { svc.state, svc.updated = state, s.Now() })
}

// SetUserLimit sets how many users a service may have, built-in ones included: 0 means the type's
// default, -1 no limit. Users beyond it stay.
func (s *Server) SetUserLimit(project, name string, n int) {
	s.change(project, name, func(svc *service) { svc.limit = n })
}

// SetOpenSearchSecurity turns OpenSearch's own security management on or off. While it is on, passwords
// that are set over the API do not take effect.
func (s *Server) SetOpenSearchSecurity(project, name string, on bool) {
	s.change(project, name, func(svc *service) { svc.security = on })
}

// AddToken adds or replaces a token. From the first one on, unknown tokens are refused.
func (s *Server) AddToken(t Token) {
	s.issued.add(t.Token)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.strict = true
	if s.tokens.known == nil {
		s.tokens.known = map[string]Token{}
	}
	s.tokens.known[t.Token] = t
}

// RevokeToken makes a token invalid. Unknown tokens are refused from now on, also when none is left.
func (s *Server) RevokeToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.strict = true
	delete(s.tokens.known, token)
}

// AddUser makes a user as from outside: CreatedBy is "outside", no limit applies, it is visible at once.
// A user that exists stays as it is and is returned.
func (s *Server) AddUser(project, name, username string) User {
	u := s.newUserOf(project, name, username)
	var out User
	s.change(project, name, func(svc *service) {
		if svc.users[username] == nil {
			svc.add(u)
		}
		out = svc.users[username].export()
	})
	return out
}

func (s *Server) newUserOf(projectName, name, username string) *user {
	var p *project
	var kind *serviceType
	s.change(projectName, name, func(svc *service) { p, kind = svc.project, svc.kind })
	return s.newUser(p, kind, username, "outside")
}

// DeleteUser removes a user, a built-in one too.
func (s *Server) DeleteUser(project, name, username string) {
	s.change(project, name, func(svc *service) {
		if u := svc.users[username]; u != nil {
			svc.remove(u)
		}
	})
}

// SetPassword sets a password, at once.
func (s *Server) SetPassword(project, name, username, password string) {
	s.issued.add(password)
	now := s.Now()
	s.changeUser(project, name, username, func(u *user) {
		u.setPassword(password, now)
		u.passwordAt = time.Time{}
	})
}

// ClearPassword makes a password null until it is set again, as after a change within the database.
// The old one does not work any more.
func (s *Server) ClearPassword(project, name, username string) {
	s.changeUser(project, name, username, func(u *user) { u.setPassword("", s.Now()) })
}

// SetAccessControl sets the access control of a Valkey user, canonicalised as the API does.
func (s *Server) SetAccessControl(project, name, username string, ac AccessControl) {
	s.changeUser(project, name, username, func(u *user) { u.access = ac.canonical() })
}

// RenewCertificate renews a certificate as Aiven does by itself: the user has a new pair, and the old
// one stays valid to its end.
func (s *Server) RenewCertificate(project, name, username string) {
	s.change(project, name, func(svc *service) {
		u := svc.mustUser(username)
		if u.cert == nil {
			panic(fmt.Sprintf("aivensim: user %q has no certificate", username))
		}
		s.renewUser(svc, u)
	})
}

// PowerCycle switches a service off and on. Only its built-in user comes back.
func (s *Server) PowerCycle(project, name string) {
	s.change(project, name, func(svc *service) {
		for _, u := range slices.Clone(svc.order) {
			if u.kind != userTypePrimary {
				svc.remove(u)
			}
		}
		svc.state, svc.updated = stateRunning, s.Now()
	})
}

// RotateProjectCA adds a CA certificate, with another key and name, behind those that the project has.
// It signs from now on; certificates of the others stay valid.
func (s *Server) RotateProjectCA(project string) {
	s.mu.RLock()
	p := s.projects[project]
	s.mu.RUnlock()
	if p == nil {
		panic(fmt.Sprintf("aivensim: no project %q", project))
	}
	p.ca.rotate(s.Now())
}

// ServerCertificate issues a certificate of the project's CA for a server of at least one name or address,
// and its key, both PEM: for what stands behind a service as its Backend.
func (s *Server) ServerCertificate(project string, hosts ...string) (certPEM, keyPEM string) {
	s.mu.RLock()
	p := s.projects[project]
	s.mu.RUnlock()
	if p == nil || len(hosts) == 0 {
		panic(fmt.Sprintf("aivensim: no project %q, or no name of a server", project))
	}
	now := s.Now()
	cert := p.ca.newest(now).issueServer(keyPoolOf(s.keyBits), hosts, now)
	s.issued.addKey(cert.key.pem)
	return cert.pem, cert.key.pem
}

// ProjectCA is what the API answers as the project's CA, PEM. Empty for an unknown project.
func (s *Server) ProjectCA(project string) string {
	s.mu.RLock()
	p := s.projects[project]
	s.mu.RUnlock()
	if p == nil {
		return ""
	}
	return p.ca.bundle(s.Now())
}

// User returns a user; false when there is none.
func (s *Server) User(project, name, username string) (User, bool) {
	var out User
	found := false
	s.look(project, name, func(svc *service) {
		if u := svc.users[username]; u != nil {
			out, found = u.export(), true
		}
	})
	return out, found
}

// Users are all users of a service: the built-in one first, then by creation. Nil for an unknown service.
func (s *Server) Users(project, name string) []User {
	var out []User
	s.look(project, name, func(svc *service) {
		for _, u := range svc.order {
			out = append(out, u.export())
		}
	})
	return out
}

// OpenSearchACL is the access control document of a service. Zero for an unknown service.
func (s *Server) OpenSearchACL(project, name string) OpenSearchACLConfig {
	var out OpenSearchACLConfig
	s.look(project, name, func(svc *service) { out = svc.openSearch.clone() })
	return out
}

// SetOpenSearchACL replaces the access control document of a service.
func (s *Server) SetOpenSearchACL(project, name string, c OpenSearchACLConfig) {
	s.change(project, name, func(svc *service) { svc.openSearch = c.clone() })
}

// KafkaACL is Aiven's Kafka ACL of a service, the built-in entry included.
func (s *Server) KafkaACL(project, name string) []KafkaACLEntry {
	var out []KafkaACLEntry
	s.look(project, name, func(svc *service) { out = slices.Clone(svc.kafkaACL) })
	return out
}

// AddKafkaACL appends an entry, under an ID of its own when it has none, and returns it.
func (s *Server) AddKafkaACL(project, name string, e KafkaACLEntry) KafkaACLEntry {
	if e.ID == "" {
		e.ID = newACLID()
	}
	s.change(project, name, func(svc *service) { svc.kafkaACL = append(svc.kafkaACL, e) })
	return e
}

// DeleteKafkaACL removes the entry with an ID, a built-in one too.
func (s *Server) DeleteKafkaACL(project, name, id string) {
	s.change(project, name, func(svc *service) {
		svc.kafkaACL, _ = without(svc.kafkaACL, func(e KafkaACLEntry) bool { return e.ID == id })
	})
}

// SchemaRegistryACL is the Schema Registry's ACL of a service, the built-in entries included.
func (s *Server) SchemaRegistryACL(project, name string) []SchemaRegistryACLEntry {
	var out []SchemaRegistryACLEntry
	s.look(project, name, func(svc *service) { out = slices.Clone(svc.schemaACL) })
	return out
}

// AddSchemaRegistryACL appends an entry, under an ID of its own when it has none, and returns it.
func (s *Server) AddSchemaRegistryACL(project, name string, e SchemaRegistryACLEntry) SchemaRegistryACLEntry {
	if e.ID == "" {
		e.ID = newACLID()
	}
	s.change(project, name, func(svc *service) { svc.schemaACL = append(svc.schemaACL, e) })
	return e
}

// DeleteSchemaRegistryACL removes the entry with an ID, a built-in one too.
func (s *Server) DeleteSchemaRegistryACL(project, name, id string) {
	s.change(project, name, func(svc *service) {
		svc.schemaACL, _ = without(svc.schemaACL, func(e SchemaRegistryACLEntry) bool { return e.ID == id })
	})
}
