// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJournal(t *testing.T) {
	const settle = 30 * time.Second
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	created := User{Username: "u", Type: "normal", Password: "new", AccessCert: "cert", AccessKey: "key", CertificateNotAfter: at(99)}
	with := func(change func(*User)) *User {
		u := created
		change(&u)
		return &u
	}
	ac := AccessControl{Keys: []string{"k"}}
	create := func(s int) write { return write{kind: userCreated, at: at(s), user: created} }
	remove := func(s int) write { return write{kind: userDeleted, at: at(s), user: User{Username: "u"}} }
	set := func(s int) write {
		return write{kind: accessControlSet, at: at(s), user: User{Username: "u", AccessControl: ac}}
	}

	cases := map[string]struct {
		reason string
		writes []write
		began  int
		read   *User
		want   *User
	}{
		"Nothing":          {"a read stands for itself", nil, 0, &created, &created},
		"CreatedBefore":    {"the read began before the creation", []write{create(1)}, 0, nil, &created},
		"CreatedLag":       {"the read began within the settle time", []write{create(1)}, 30, nil, &created},
		"CreatedSettled":   {"the read is the truth then", []write{create(1)}, 31, nil, nil},
		"NoPassword":       {"a password that is not there yet", []write{create(1)}, 5, with(func(u *User) { u.Password = "" }), &created},
		"NoPasswordLater":  {"a password that is not there any more", []write{create(1)}, 31, with(func(u *User) { u.Password = "" }), with(func(u *User) { u.Password = "" })},
		"OtherPassword":    {"a password is never a stale one", []write{create(1)}, 5, with(func(u *User) { u.Password = "x" }), with(func(u *User) { u.Password = "x" })},
		"NoCertificate":    {"a pair belongs together", []write{create(1)}, 5, with(func(u *User) { u.AccessKey = "" }), &created},
		"Withheld":         {"what was handed out is known", []write{create(1)}, 5, &User{Username: "u", Type: "normal", Redacted: true}, &created},
		"DeletedBefore":    {"the read must not bring it back", []write{remove(1)}, 0, &created, nil},
		"DeletedSettled":   {"somebody made it anew", []write{remove(1)}, 31, &created, &created},
		"Recreated":        {"the read has the old user", []write{remove(1), create(2)}, 0, with(func(u *User) { u.Password = "old" }), &created},
		"RecreatedMissing": {"the read has none", []write{remove(1), create(2)}, 5, nil, &created},
		"RecreatedHalf":    {"the deletion has settled", []write{remove(1), create(20)}, 40, with(func(u *User) { u.Password = "x" }), with(func(u *User) { u.Password = "x" })},
		"CreatedDeleted":   {"the last one counts", []write{create(1), remove(2)}, 5, &created, nil},
		"Access":           {"an old access control", []write{set(1)}, 5, &created, with(func(u *User) { u.AccessControl = ac })},
		"AccessSettled":    {"somebody changed it", []write{set(1)}, 31, &created, &created},
		"AccessGone":       {"somebody deleted the user", []write{set(1)}, 5, nil, nil},
		"CreatedAccess":    {"both count", []write{create(1), set(2)}, 5, nil, with(func(u *User) { u.AccessControl = ac })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			j := journal{}
			for _, w := range tc.writes {
				j.record("u", w)
			}
			other := &User{Username: "other"}
			users := map[string]*User{"other": other}
			if tc.read != nil {
				u := *tc.read
				users["u"] = &u
			}
			j.settle(at(tc.began), settle)
			j.overlay(users)
			want := map[string]*User{"other": other}
			if tc.want != nil {
				want["u"] = tc.want
			}
			if diff := cmp.Diff(want, users); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			j.settle(at(1000), settle)
			if len(j) != 0 {
				t.Errorf("the journal still holds %v", j)
			}
		})
	}
}

func TestUserSet(t *testing.T) {
	u := func(name string) *User { return &User{Username: name} }
	s := userSet{base: map[string]*User{"a": u("a"), "b": u("b")}, count: 2}
	next := s.with("a", nil).with("a", nil).with("c", u("c")).with("c", &User{Username: "c", Password: "2"}).with("b", u("b"))
	if s.count != 2 || len(s.overlay) != 0 {
		t.Errorf("the first set changed: %+v", s)
	}
	want := map[string]*User{"b": u("b"), "c": {Username: "c", Password: "2"}}
	if diff := cmp.Diff(want, next.all()); diff != "" || next.count != 2 {
		t.Errorf("count %d, -want, +got:\n%s", next.count, diff)
	}
	each := map[string]*User{}
	for u := range next.each {
		each[u.Username] = u
	}
	if diff := cmp.Diff(want, each); diff != "" {
		t.Errorf("each: -want, +got:\n%s", diff)
	}
}
