// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"crypto/x509"
	"encoding/pem"
	"iter"
	"maps"
	"slices"
	"time"

	sdk "github.com/aiven/aiven-go-client/v2"
)

// States of a service. Aiven: the field "state" of a service.
const (
	// StateRunning means that the service works.
	StateRunning = "RUNNING"
	// StateRebalancing means that the service works while its nodes change.
	StateRebalancing = "REBALANCING"
	// StateRebuilding means that the service is being made or repaired.
	StateRebuilding = "REBUILDING"
	// StatePowerOff means that the service was switched off.
	StatePowerOff = "POWEROFF"
)

// Usages of a component.
const (
	// UsagePrimary is the endpoint that takes reads and writes.
	UsagePrimary = "primary"
	// UsageReplica is an endpoint for reads only.
	UsageReplica = "replica"
)

const (
	// Aiven: "dynamic" is the route that follows the service's network; "public" and "privatelink" are for special setups.
	routeDynamic = "dynamic"

	// foldOverlay is how many own writes a snapshot carries beside the users that were read. More are folded into one map,
	// so that a burst of creations does not copy all users each time.
	foldOverlay = 128
)

// A ServiceRef names a service.
type ServiceRef struct {
	// Project the service belongs to.
	Project string
	// Service is the service's name, unique in its project.
	Service string
}

// A UserRef names a user of a service.
type UserRef struct {
	ServiceRef
	// Username is unique in its service. In events "" stands for all users of the service.
	Username string
}

// A Service is an immutable snapshot of one Aiven service. It may be read concurrently; nothing reached through it may be
// modified.
type Service struct {
	// Ref names the service.
	Ref ServiceRef
	// Type is Aiven's code: "kafka", "opensearch", "valkey", …
	Type string
	// Plan is the name of the service's plan.
	Plan string
	// State is one of the State constants.
	State string
	// Components are the service's endpoints, in Aiven's order.
	Components []Component
	// ObservedAt is when the read that brought the snapshot began. Own writes made since are in the snapshot nevertheless.
	ObservedAt time.Time

	users userSet
	kafka kafkaSet
	seq   uint64 // of the read
}

// A Component is one endpoint of a service.
type Component struct {
	// Name is the kind of endpoint: "kafka", "schema_registry", "opensearch", "opensearch_dashboards", "valkey", …
	Name string
	// Host is a DNS name.
	Host string
	// Port is a TCP port.
	Port int
	// Route is "dynamic", "public", "private" or "privatelink".
	Route string
	// Usage is "primary", "replica", …
	Usage string
	// AuthenticationMethod is "certificate" or "sasl" for Kafka, "" otherwise.
	AuthenticationMethod string
	// SSL is false only when Aiven says that the endpoint takes plain text.
	SSL bool
}

// TypePrimary is the type of a service's built-in user.
const TypePrimary = "primary"

// A User is a service user as last seen.
type User struct {
	// Username is the user's name.
	Username string
	// Type is TypePrimary for the service's built-in user and "normal" for the others.
	Type string
	// Password is empty when Aiven does not know it or did not tell it yet.
	Password string
	// AccessCert is the client certificate (PEM), AccessKey its private key (PEM). Kafka only.
	AccessCert, AccessKey string
	// CertificateNotAfter is when AccessCert ends. Zero without a certificate.
	CertificateNotAfter time.Time
	// AccessControl is what a Valkey user may do.
	AccessControl AccessControl
	// Redacted is true when Aiven withheld a secret. The field of that secret is empty.
	Redacted bool
}

// Operational tells whether the service's users can work with it.
func (s *Service) Operational() bool {
	return s.State == StateRunning || s.State == StateRebalancing
}

// User returns a user of the service. The lookup is complete: what was read, with all own writes made since.
func (s *Service) User(name string) (User, bool) {
	u, ok := s.users.get(name)
	if !ok {
		return User{}, false
	}
	return *u, true
}

// Users yields all users of the service, complete as for User, in no particular order.
func (s *Service) Users() iter.Seq[User] {
	return func(yield func(User) bool) {
		s.users.each(func(u *User) bool { return yield(*u) })
	}
}

// UserCount is the number of users, the built-in ones included.
func (s *Service) UserCount() int {
	return s.users.count
}

// Component returns the endpoint of that name. Usage "" means UsagePrimary, auth "" any authentication method. Aiven may
// list several for one name and usage: only the dynamic route is considered and plain text never is; the first one wins.
func (s *Service) Component(name, usage, auth string) (Component, bool) {
	if usage == "" {
		usage = UsagePrimary
	}
	for _, c := range s.Components {
		if c.Name == name && c.Usage == usage && c.Route == routeDynamic && c.SSL && (auth == "" || c.AuthenticationMethod == auth) {
			return c, true
		}
	}
	return Component{}, false
}

// with returns the snapshot after an own write. A nil user is one that is gone.
func (s *Service) with(name string, u *User) *Service {
	n := *s
	n.users = s.users.with(name, u)
	return &n
}

// sameEndpoints tells whether two snapshots agree in all but the users.
func (s *Service) sameEndpoints(o *Service) bool {
	return s.State == o.State && s.Type == o.Type && slices.Equal(s.Components, o.Components)
}

// A userSet is an immutable set of users: those of a read and the own writes since.
type userSet struct {
	base    map[string]*User
	overlay map[string]*User // nil value: removed
	count   int
}

func (s userSet) get(name string) (*User, bool) {
	if u, ok := s.overlay[name]; ok {
		return u, u != nil
	}
	u, ok := s.base[name]
	return u, ok
}

func (s userSet) with(name string, u *User) userSet {
	n := userSet{base: s.base, overlay: maps.Clone(s.overlay), count: s.count}
	if n.overlay == nil {
		n.overlay = map[string]*User{}
	}
	n.overlay[name] = u
	_, had := s.get(name)
	switch {
	case u != nil && !had:
		n.count++
	case u == nil && had:
		n.count--
	}
	if len(n.overlay) < foldOverlay {
		return n
	}
	return userSet{base: n.all(), count: n.count}
}

// each yields all users.
func (s userSet) each(yield func(*User) bool) {
	for name, u := range s.base {
		if o, ok := s.overlay[name]; ok {
			u = o
		}
		if u != nil && !yield(u) {
			return
		}
	}
	for name, u := range s.overlay {
		if _, ok := s.base[name]; !ok && u != nil && !yield(u) {
			return
		}
	}
}

// all returns the users in a map of their own.
func (s userSet) all() map[string]*User {
	out := maps.Clone(s.base)
	if out == nil {
		out = map[string]*User{}
	}
	for name, u := range s.overlay {
		if u == nil {
			delete(out, name)
			continue
		}
		out[name] = u
	}
	return out
}

// newService translates all of an answer but the users.
func newService(ref ServiceRef, in *sdk.Service) *Service {
	s := &Service{Ref: ref, Type: in.Type, Plan: in.Plan, State: in.State}
	for _, c := range in.Components {
		if c == nil {
			continue
		}
		s.Components = append(s.Components, Component{
			Name: c.Component, Host: c.Host, Port: c.Port, Route: c.Route, Usage: c.Usage,
			AuthenticationMethod: c.KafkaAuthenticationMethod, SSL: c.Ssl == nil || *c.Ssl,
		})
	}
	return s
}

// newUsers translates the users of an answer by their names. Those that are as before are shared with the previous set.
func newUsers(in []*sdk.ServiceUser, previous userSet) map[string]*User {
	out := make(map[string]*User, len(in))
	for _, su := range in {
		if su == nil || su.Username == "" {
			continue
		}
		u := newUser(su)
		if p, ok := previous.get(u.Username); ok && p.same(u) {
			out[u.Username] = p
			continue
		}
		out[u.Username] = &u
	}
	return out
}

func newUser(in *sdk.ServiceUser) User {
	u := User{Username: in.Username, Type: in.Type, AccessControl: AccessControl{
		Categories: in.AccessControl.ValkeyACLCategories,
		Commands:   in.AccessControl.ValkeyACLCommands,
		Keys:       in.AccessControl.ValkeyACLKeys,
		Channels:   in.AccessControl.ValkeyACLChannels,
	}}
	u.Password = u.reveal(in.Password)
	u.AccessCert = u.reveal(in.AccessCert)
	u.AccessKey = u.reveal(in.AccessKey)
	switch {
	case in.AccessCertNotValidAfterTime != nil:
		u.CertificateNotAfter = in.AccessCertNotValidAfterTime.UTC()
	case u.AccessCert != "":
		u.CertificateNotAfter = notAfter(u.AccessCert)
	}
	return u
}

// reveal returns a secret, or notes that it was withheld. Aiven: from March 2027 secrets are "<redacted>" by default.
func (u *User) reveal(secret string) string {
	if isPlaceholder(secret) {
		u.Redacted = true
		return ""
	}
	return secret
}

// same tells whether two users are equal in all that matters to those who use them.
func (u *User) same(o User) bool {
	return u.Username == o.Username && u.Type == o.Type && u.Password == o.Password &&
		u.AccessCert == o.AccessCert && u.AccessKey == o.AccessKey && u.Redacted == o.Redacted &&
		u.CertificateNotAfter.Equal(o.CertificateNotAfter) && u.AccessControl.Equal(o.AccessControl)
}

// notAfter is the end of a PEM certificate, zero when it cannot be read.
func notAfter(cert string) time.Time {
	block, _ := pem.Decode([]byte(cert))
	if block == nil {
		return time.Time{}
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return c.NotAfter.UTC()
}
