// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"slices"
	"time"
)

type writeKind int

const (
	userCreated writeKind = iota
	userDeleted
	accessControlSet
)

// A write is something this client did to a user.
type write struct {
	kind writeKind
	at   time.Time // when Aiven had confirmed it
	user User      // as created, or with the access control that was set
}

// apply returns the user as it is after the write, given how a read that may not show the write has it. nil means that
// there is no such user.
func (w write) apply(read *User) *User {
	switch w.kind {
	case userDeleted:
		return nil
	case accessControlSet:
		if read == nil {
			return nil
		}
		u := *read
		u.AccessControl = w.user.AccessControl
		return &u
	case userCreated:
	}
	u := w.user
	if read == nil {
		return &u
	}
	// Aiven: a password may be missing for a while after the creation. What was handed out then is right until then.
	u = *read
	if u.Password == "" {
		u.Password = w.user.Password
	}
	if u.AccessCert == "" || u.AccessKey == "" {
		u.AccessCert, u.AccessKey, u.CertificateNotAfter = w.user.AccessCert, w.user.AccessKey, w.user.CertificateNotAfter
	}
	if u.Password == w.user.Password && u.AccessKey == w.user.AccessKey {
		u.Redacted = w.user.Redacted
	}
	return &u
}

// A journal remembers own writes until no read can miss them any more.
type journal map[string][]write

func (j journal) record(name string, w write) {
	if w.kind != accessControlSet {
		// What a user was before its creation or deletion does not matter; that there was a deletion before a creation does.
		j[name] = slices.DeleteFunc(j[name], func(o write) bool { return o.kind != userDeleted || w.kind == userDeleted })
	}
	j[name] = append(j[name], w)
}

// settle forgets the writes that a read must show: those at least settleTime older than its beginning.
func (j journal) settle(began time.Time, settleTime time.Duration) {
	for name, writes := range j {
		writes = slices.DeleteFunc(writes, func(w write) bool { return !began.Before(w.at.Add(settleTime)) })
		if len(writes) == 0 {
			delete(j, name)
			continue
		}
		j[name] = writes
	}
}

// overlay applies the writes to the users of a read.
func (j journal) overlay(users map[string]*User) {
	for name, writes := range j {
		u := users[name]
		for _, w := range writes {
			u = w.apply(u)
		}
		if u == nil {
			delete(users, name)
			continue
		}
		users[name] = u
	}
}
