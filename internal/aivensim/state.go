// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"slices"
	"sync/atomic"
	"time"
)

// project is guarded by Server.mu, but for its authorities, which guard themselves.
type project struct {
	name     string
	created  time.Time
	ca       authorities
	services map[string]*service
}

// service is guarded by Server.mu.
type service struct {
	project *project
	name    string
	kind    *serviceType
	state   string
	limit   int // of users; 0 means the type's default, negative none
	replica bool

	components       []Component
	created, updated time.Time
	outbox           *outbox // nil without a Backend

	users    map[string]*user
	order    []*user   // the built-in one first, then by creation
	renewDue time.Time // when the first certificate is to be renewed; zero if none

	kafkaACL   []KafkaACLEntry
	nativeACL  []KafkaNativeACLEntry
	schemaACL  []SchemaRegistryACLEntry
	aclSeenAt  map[string]time.Time // by ID: entries of both that are missing from GET service before
	openSearch OpenSearchACLConfig
	security   bool // OpenSearch's own security management is on
}

// user does not change once it is in a service: an edit puts a changed copy in its place.
type user struct {
	name, kind string
	password   string // what the API tells; "" is null
	effective  string // what the service accepts
	access     AccessControl
	createdBy  string
	createdAt  time.Time
	visibleAt  time.Time // missing from GETs before
	passwordAt time.Time // password is null in GETs before
	updatedAt  time.Time // of the password
	cert       *certificate
	old        []*certificate // still accepted until they end
	expiring   time.Time      // end of the pair before the last renewal that nobody acknowledged

	encoded *encodedUser
}

// encodedUser caches how a user is answered, per form. A user that changes gets a new one.
type encodedUser struct {
	forms [4]atomic.Pointer[[]byte]
}

func (svc *service) userLimit() int {
	switch {
	case svc.limit > 0:
		return svc.limit
	case svc.limit < 0:
		return 0
	default:
		return svc.kind.userLimit
	}
}

func (svc *service) primary() *user {
	return svc.users[svc.kind.primary]
}

// add appends a user whose name is free.
func (svc *service) add(u *user) {
	u.encoded = &encodedUser{}
	svc.users[u.name] = u
	if u.kind == userTypePrimary {
		svc.order = slices.Insert(svc.order, 0, u)
	} else {
		svc.order = append(svc.order, u)
	}
	svc.noteRenewal(u)
	svc.outbox.set(u)
}

// edit replaces a user by a changed copy.
func (svc *service) edit(old *user, change func(*user)) {
	next := *old
	change(&next)
	next.encoded = &encodedUser{}
	svc.users[old.name] = &next
	svc.order[slices.Index(svc.order, old)] = &next
	svc.noteRenewal(&next)
	svc.outbox.set(&next)
}

func (svc *service) remove(u *user) {
	delete(svc.users, u.name)
	svc.order = slices.DeleteFunc(svc.order, func(o *user) bool { return o == u })
	svc.outbox.remove(u)
}

// end removes all users of a service that is replaced or removed, which may be nil.
func (svc *service) end() *outbox {
	if svc == nil {
		return nil
	}
	for _, u := range slices.Clone(svc.order) {
		svc.remove(u)
	}
	return svc.outbox
}

// hideACL keeps an entry that a call adds out of GET service for the time that is set.
func (svc *service) hideACL(id string, c *call) {
	if c.settings.aclDelay <= 0 {
		return
	}
	if svc.aclSeenAt == nil {
		svc.aclSeenAt = map[string]time.Time{}
	}
	svc.aclSeenAt[id] = c.now.Add(c.settings.aclDelay)
}

func (svc *service) noteRenewal(u *user) {
	if u.cert == nil {
		return
	}
	due := u.cert.notAfter.Add(-renewBefore)
	if svc.renewDue.IsZero() || due.Before(svc.renewDue) {
		svc.renewDue = due
	}
}

// visible are the users that a GET finds.
func (svc *service) visible(now time.Time) []*user {
	out := make([]*user, 0, len(svc.order))
	for _, u := range svc.order {
		if !now.Before(u.visibleAt) {
			out = append(out, u)
		}
	}
	return out
}

// renew gives a user a new pair beside the old one, which stays valid to its end.
func (u *user) renew(fresh *certificate) {
	u.old = append(slices.Clone(u.old), u.cert)
	u.expiring = u.cert.notAfter
	u.cert = fresh
}

// setPassword changes what the API tells and what the service accepts.
func (u *user) setPassword(password string, now time.Time) {
	u.password, u.effective, u.updatedAt = password, password, now
}

func (u *user) export() User {
	out := User{
		Username:             u.name,
		Type:                 u.kind,
		Password:             u.password,
		AccessControl:        u.access.clone(),
		CreatedBy:            u.createdBy,
		CreatedAt:            u.createdAt,
		ExpiringCertNotAfter: u.expiring,
	}
	if u.cert != nil {
		out.AccessCert, out.AccessKey, out.CertNotAfter = u.cert.pem, u.cert.key.pem, u.cert.notAfter
	}
	return out
}

func (a AccessControl) clone() AccessControl {
	return AccessControl{
		Categories: slices.Clone(a.Categories),
		Commands:   slices.Clone(a.Commands),
		Keys:       slices.Clone(a.Keys),
		Channels:   slices.Clone(a.Channels),
		Databases:  slices.Clone(a.Databases),
	}
}

// canonical is the form that the API keeps: keys and channels sorted, each once, and no empty lists.
func (a AccessControl) canonical() AccessControl {
	sorted := func(in []string) []string {
		return slices.Compact(slices.Sorted(slices.Values(in)))
	}
	full := func(in []string) []string {
		if len(in) == 0 {
			return nil
		}
		return slices.Clone(in)
	}
	return AccessControl{
		Categories: full(a.Categories),
		Commands:   full(a.Commands),
		Keys:       full(sorted(a.Keys)),
		Channels:   full(sorted(a.Channels)),
		Databases:  full(a.Databases),
	}
}

func (c OpenSearchACLConfig) clone() OpenSearchACLConfig {
	out := OpenSearchACLConfig{Enabled: c.Enabled, ExtendedACL: c.ExtendedACL, ACLs: make([]OpenSearchACL, 0, len(c.ACLs))}
	for _, a := range c.ACLs {
		rules := append(make([]OpenSearchACLRule, 0, len(a.Rules)), a.Rules...)
		out.ACLs = append(out.ACLs, OpenSearchACL{Username: a.Username, Rules: rules})
	}
	return out
}
