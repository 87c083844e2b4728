// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestCreateUser(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	ctx := context.Background()

	ca, err := c.ProjectCA(ctx, testProject)
	if err != nil || !strings.Contains(ca, "BEGIN CERTIFICATE") {
		t.Fatalf("ProjectCA(...): %q, %v", ca, err)
	}
	if _, err := c.Service(ctx, kafkaRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	created, err := c.CreateUser(ctx, user(kafkaRef, "orders"), AccessControl{})
	if err != nil {
		t.Fatalf("CreateUser(...): %v", err)
	}
	want, _ := s.User(testProject, kafkaRef.Service, "orders")
	if created.Password != want.Password || created.AccessCert != want.AccessCert || created.AccessKey != want.AccessKey {
		t.Errorf("CreateUser(...): the credentials are not those that Aiven has")
	}
	if !created.CertificateNotAfter.Equal(want.CertNotAfter) {
		t.Errorf("CreateUser(...): certificate ends %v, want %v", created.CertificateNotAfter, want.CertNotAfter)
	}

	svc, err := c.Service(ctx, kafkaRef)
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	got, ok := svc.User("orders")
	if diff := cmp.Diff(created, got); !ok || diff != "" {
		t.Errorf("Service(...).User: -created, +snapshot:\n%s", diff)
	}
	if svc.UserCount() != 2 {
		t.Errorf("UserCount: got %d, want avnadmin and orders", svc.UserCount())
	}
	if n := calls(s, "GetService"); n != 1 {
		t.Errorf("a creation was written through with %d reads, want the first one only", n)
	}
	if body := string(s.Requests()[2].Body); strings.Contains(body, "access_control") {
		t.Errorf("a zero access control was sent: %s", body)
	}

	if err := c.DeleteUser(ctx, user(kafkaRef, "orders")); err != nil {
		t.Fatalf("DeleteUser(...): %v", err)
	}
	if err := c.DeleteUser(ctx, user(kafkaRef, "orders")); err != nil {
		t.Errorf("DeleteUser(...) of a user that is gone: %v", err)
	}
	after, err := c.Service(ctx, kafkaRef)
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	if _, ok := after.User("orders"); ok {
		t.Errorf("the deleted user is still in the snapshot")
	}
	if _, ok := svc.User("orders"); !ok {
		t.Errorf("a snapshot in hand changed")
	}
}

func TestDeleteUserOfMissingService(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	gone := user(ServiceRef{Project: testProject, Service: "gone"}, "u")
	if err := c.DeleteUser(context.Background(), gone); err != nil {
		t.Errorf("DeleteUser(...): %v", err)
	}
	s.Inject(aivensim.Fault{Operation: "DeleteUser", Status: http.StatusNotFound, HTML: true})
	if err := c.DeleteUser(context.Background(), gone); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a 404 of something that is not Aiven: got %v, want ErrUnavailable", err)
	}
}

func TestSetAccessControl(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	ctx := context.Background()
	ref := user(valkeyRef, "cache")
	ac := AccessControl{Categories: []string{"-@all", "+@read"}, Keys: []string{"z:*", "a:*"}}
	if _, err := c.Service(ctx, valkeyRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	if err := c.SetAccessControl(ctx, ref, ac); !errors.Is(err, ErrUserNotFound) {
		t.Errorf("SetAccessControl(...) of no user: got %v, want ErrUserNotFound", err)
	}
	created, err := c.CreateUser(ctx, ref, ac)
	if err != nil {
		t.Fatalf("CreateUser(...): %v", err)
	}
	next := AccessControl{Categories: []string{"+@all"}, Channels: []string{"c"}}
	if err := c.SetAccessControl(ctx, ref, next); err != nil {
		t.Fatalf("SetAccessControl(...): %v", err)
	}
	svc, err := c.Service(ctx, valkeyRef)
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	if got, _ := svc.User("cache"); !got.AccessControl.Equal(next) || got.Password != created.Password {
		t.Errorf("the snapshot has %+v, want the access control %+v and the same password", got, next)
	}
	there, _ := s.User(testProject, valkeyRef.Service, "cache")
	if there.Password != created.Password {
		t.Errorf("setting the access control changed the password")
	}
	if diff := cmp.Diff([]string{"c"}, there.AccessControl.Channels); diff != "" || len(there.AccessControl.Keys) != 0 {
		t.Errorf("Aiven has %+v", there.AccessControl)
	}
	requests := s.Requests()
	body := string(requests[len(requests)-1].Body)
	if requests[len(requests)-1].Operation != "UpdateUser" {
		body = string(requests[len(requests)-2].Body)
	}
	for _, part := range []string{`"operation":"set-access-control"`, `"valkey_acl_keys":[]`, `"valkey_acl_commands":[]`} {
		if !strings.Contains(body, part) {
			t.Errorf("the request lacks %s: %s", part, body)
		}
	}
}

func TestAcknowledgeRenewal(t *testing.T) {
	cases := map[string]struct {
		reason   string
		arrange  func(s *aivensim.Server)
		username string
		want     error
		pending  bool
		calls    int
	}{
		"Pending": {
			reason:  "A renewal that is pending is acknowledged, and nothing else happens to the user.",
			arrange: func(s *aivensim.Server) { s.RenewCertificate(testProject, kafkaRef.Service, "orders") },
			calls:   1,
		},
		"NothingPending": {
			reason: "That nothing is pending is fine, when Aiven thinks so.",
			calls:  1,
		},
		"Conflict": {
			reason:  "And when Aiven calls it a conflict.",
			arrange: func(s *aivensim.Server) { s.UpdatePolicy(func(p *aivensim.Policy) { p.AcknowledgeStatus = 409 }) },
			calls:   1,
		},
		"NotPowered": {
			reason: "A conflict with the state of the service is another one.",
			arrange: func(s *aivensim.Server) {
				s.Inject(aivensim.Fault{Operation: "UpdateUser", Status: 409, Message: "Database not powered on"})
			},
			want:  ErrServiceNotRunning,
			calls: 1,
		},
		"NoUser": {
			reason:   "Nobody reminds people of a user that is gone.",
			username: "gone",
			calls:    1,
		},
		"ServerError": {
			reason: "What failed is not tried again in line.",
			arrange: func(s *aivensim.Server) {
				s.RenewCertificate(testProject, kafkaRef.Service, "orders")
				s.Inject(aivensim.Fault{Operation: "UpdateUser", Status: 503})
			},
			want:    ErrUnavailable,
			pending: true,
			calls:   1,
		},
		"EmptyBody": {
			reason: "A good answer without a body leaves the outcome open.",
			arrange: func(s *aivensim.Server) {
				s.Inject(aivensim.Fault{Operation: "UpdateUser", EmptyBody: true, After: true})
			},
			want:  ErrUnavailable,
			calls: 1,
		},
		"BadName": {
			reason:   "A name that would make another path is not sent.",
			username: "..",
			want:     ErrInvalid,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim()
			c := connect(t, s)
			s.AddUser(testProject, kafkaRef.Service, "orders")
			if tc.arrange != nil {
				tc.arrange(s)
			}
			before, _ := s.User(testProject, kafkaRef.Service, "orders")
			username := tc.username
			if username == "" {
				username = "orders"
			}
			if err := c.AcknowledgeRenewal(t.Context(), user(kafkaRef, username)); !errors.Is(err, tc.want) {
				t.Errorf("%s: AcknowledgeRenewal(...): got %v, want %v", tc.reason, err, tc.want)
			}
			if n := calls(s, "UpdateUser"); n != tc.calls {
				t.Errorf("%s: %d calls, want %d", tc.reason, n, tc.calls)
			}
			after, _ := s.User(testProject, kafkaRef.Service, "orders")
			if got := !after.ExpiringCertNotAfter.IsZero(); got != tc.pending {
				t.Errorf("%s: pending: got %t, want %t", tc.reason, got, tc.pending)
			}
			if after.Password != before.Password || after.AccessKey != before.AccessKey || after.AccessCert != before.AccessCert {
				t.Errorf("%s: the credentials changed", tc.reason)
			}
		})
	}
}

func TestUsers(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	ctx := t.Context()
	for _, name := range []string{"here", "going"} {
		s.AddUser(testProject, valkeyRef.Service, name)
	}
	before, err := c.Service(ctx, valkeyRef)
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	if _, err := c.CreateUser(ctx, user(valkeyRef, "coming"), AccessControl{}); err != nil {
		t.Fatalf("CreateUser(...): %v", err)
	}
	if err := c.DeleteUser(ctx, user(valkeyRef, "going")); err != nil {
		t.Fatalf("DeleteUser(...): %v", err)
	}
	after, err := c.Service(ctx, valkeyRef)
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	cases := map[string]struct {
		reason string
		svc    *Service
		want   []string
	}{
		"Read":   {"Users that were read, the built-in one included.", before, []string{"default", "going", "here"}},
		"Writes": {"Own writes are in it.", after, []string{"coming", "default", "here"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for u := range tc.svc.Users() {
				known, ok := tc.svc.User(u.Username)
				if diff := cmp.Diff(known, u); !ok || diff != "" {
					t.Errorf("%s: user %s differs: -User, +Users:\n%s", tc.reason, u.Username, diff)
				}
				got = append(got, u.Username)
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			for range tc.svc.Users() {
				break // An iteration that ends early must not go on.
			}
		})
	}
}

// A create whose answer was lost is found by the next read, in whatever way it was lost.
func TestLostAnswer(t *testing.T) {
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
	}{
		"ServerError": {"the effect happened, then a proxy failed", aivensim.Fault{Status: 502, After: true}},
		"HTML":        {"a proxy's page", aivensim.Fault{Status: 502, After: true, HTML: true}},
		"CutBody":     {"half of the answer arrived", aivensim.Fault{CutBody: true}},
		"Closed":      {"no answer at all", aivensim.Fault{CloseConnection: true, After: true}},
		"Hang":        {"no answer in time", aivensim.Fault{Hang: true, After: true}},
		"ErrorsIn200": {"an error in a good answer", aivensim.Fault{ErrorsIn200: true, Status: 500, After: true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			if !tc.fault.Hang {
				lostAnswer(t, tc.reason, s, tc.fault, connect(t, s))
				return
			}
			synctest.Test(t, func(t *testing.T) { // The call's time runs out.
				c := inBubble(t, s)
				defer c.Close()
				lostAnswer(t, tc.reason, s, tc.fault, c)
			})
		})
	}
}

func lostAnswer(t *testing.T, reason string, s *aivensim.Server, fault aivensim.Fault, c *Client) {
	t.Helper()
	ctx := context.Background()
	if _, err := c.Service(ctx, valkeyRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	fault.Operation, fault.Count = "CreateUser", 1
	s.Inject(fault)
	_, err := c.CreateUser(ctx, user(valkeyRef, "u"), AccessControl{})
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("%s: got %v, want ErrUnavailable", reason, err)
	}
	noSecrets(t, s, err.Error())
	if n := calls(s, "CreateUser"); n != 1 {
		t.Errorf("%s: %d calls to create, want 1", reason, n)
	}
	svc, err := c.Service(ctx, valkeyRef)
	if err != nil {
		t.Fatalf("%s: Service(...): %v", reason, err)
	}
	if got, ok := svc.User("u"); !ok || got.Password == "" {
		t.Errorf("%s: the user is not found", reason)
	}
	if _, err := c.CreateUser(ctx, user(valkeyRef, "u"), AccessControl{}); !errors.Is(err, ErrUserExists) {
		t.Errorf("%s: a second create: got %v, want ErrUserExists", reason, err)
	}
}

func TestCreateUserWithoutAnswer(t *testing.T) {
	cases := map[string]struct {
		reason string
		handle func(s *aivensim.Server) http.Handler
		want   error
		known  bool
	}{
		"EmptyObject": {
			reason: "a good answer without the user is followed by a read",
			handle: func(s *aivensim.Server) http.Handler { return replaceAnswer(s, `{"message":"created"}`) },
			known:  true,
		},
		"EmptyBody": {
			reason: "a good answer without a body leaves the outcome open",
			handle: func(s *aivensim.Server) http.Handler { return replaceAnswer(s, "") },
			want:   ErrUnavailable,
		},
		"List": {
			reason: "a JSON list is no answer",
			handle: func(s *aivensim.Server) http.Handler { return replaceAnswer(s, `[]`) },
			want:   ErrUnavailable,
		},
		"NoPassword": {
			reason: "an empty password is followed by a read",
			handle: func(s *aivensim.Server) http.Handler {
				return replaceAnswer(s, `{"user":{"username":"u","type":"normal","password":null}}`)
			},
			known: true,
		},
		"Redacted": {
			reason: "a withheld password is followed by a read",
			handle: func(s *aivensim.Server) http.Handler {
				return replaceAnswer(s, `{"user":{"username":"u","type":"normal","password":"\u003credacted\u003e"}}`)
			},
			known: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			c := connect(t, tc.handle(s))
			got, err := c.CreateUser(context.Background(), user(valkeyRef, "u"), AccessControl{})
			if !errors.Is(err, tc.want) {
				t.Fatalf("%s: got %v, want %v", tc.reason, err, tc.want)
			}
			there, _ := s.User(testProject, valkeyRef.Service, "u")
			if tc.known && (got.Password != there.Password || got.Redacted) {
				t.Errorf("%s: got %+v", tc.reason, got)
			}
		})
	}
}

// replaceAnswer lets the simulator create users and answers something else.
func replaceAnswer(s *aivensim.Server, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			s.ServeHTTP(w, r)
			return
		}
		s.ServeHTTP(&discard{header: http.Header{}}, r)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	})
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func TestQuota(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	ctx := context.Background()
	s.SetUserLimit(testProject, kafkaRef.Service, 2)
	if _, err := c.Service(ctx, kafkaRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	if _, err := c.CreateUser(ctx, user(kafkaRef, "a"), AccessControl{}); err != nil {
		t.Fatalf("CreateUser(a): %v", err)
	}
	for range 10 {
		if _, err := c.CreateUser(ctx, user(kafkaRef, "b"), AccessControl{}); !errors.Is(err, ErrQuota) {
			t.Fatalf("CreateUser(b): got %v, want ErrQuota", err)
		}
	}
	if n := calls(s, "CreateUser"); n != 2 {
		t.Errorf("%d calls to create, want one for a and one for b: the quota is remembered", n)
	}
	if err := c.DeleteUser(ctx, user(kafkaRef, "a")); err != nil {
		t.Fatalf("DeleteUser(a): %v", err)
	}
	if _, err := c.CreateUser(ctx, user(kafkaRef, "b"), AccessControl{}); err != nil {
		t.Errorf("CreateUser(b) after a deletion: %v", err)
	}
	if _, err := c.CreateUser(ctx, user(kafkaRef, "c"), AccessControl{}); !errors.Is(err, ErrQuota) {
		t.Fatalf("CreateUser(c): got %v, want ErrQuota", err)
	}
	s.DeleteUser(testProject, kafkaRef.Service, "b")
	if _, err := c.CreateUser(ctx, user(kafkaRef, "d"), AccessControl{}); !errors.Is(err, ErrQuota) {
		t.Errorf("CreateUser(d): got %v, want the remembered ErrQuota", err)
	}
}

func TestQuotaEndsWithReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		c := inBubble(t, s)
		defer c.Close()
		ctx := context.Background()
		s.SetUserLimit(testProject, valkeyRef.Service, 2)
		s.AddUser(testProject, valkeyRef.Service, "outside")
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Fatalf("Service(...): %v", err)
		}
		if _, err := c.CreateUser(ctx, user(valkeyRef, "a"), AccessControl{}); !errors.Is(err, ErrQuota) {
			t.Fatalf("CreateUser(a): got %v, want ErrQuota", err)
		}
		s.DeleteUser(testProject, valkeyRef.Service, "outside")
		if _, err := c.Refresh(ctx, valkeyRef); err != nil {
			t.Fatalf("Refresh(...): %v", err)
		}
		if _, err := c.CreateUser(ctx, user(valkeyRef, "a"), AccessControl{}); err != nil {
			t.Errorf("CreateUser(a) after a read with fewer users: %v", err)
		}
		if _, err := c.CreateUser(ctx, user(valkeyRef, "b"), AccessControl{}); !errors.Is(err, ErrQuota) {
			t.Fatalf("CreateUser(b): got %v, want ErrQuota", err)
		}
		s.SetUserLimit(testProject, valkeyRef.Service, 5)
		pass(31 * time.Second)
		if _, err := c.CreateUser(ctx, user(valkeyRef, "b"), AccessControl{}); err != nil {
			t.Errorf("CreateUser(b) after the memory's end: %v", err)
		}
	})
}

func TestServiceNotRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		c := inBubble(t, s)
		defer c.Close()
		ctx := context.Background()
		s.SetServiceState(testProject, valkeyRef.Service, "POWEROFF")
		svc, err := c.Service(ctx, valkeyRef)
		if err != nil || svc.Operational() {
			t.Fatalf("Service(...): %+v, %v", svc, err)
		}
		for range 5 {
			if _, err := c.CreateUser(ctx, user(valkeyRef, "u"), AccessControl{}); !errors.Is(err, ErrServiceNotRunning) {
				t.Fatalf("CreateUser(...): got %v, want ErrServiceNotRunning", err)
			}
		}
		if n := s.Stats().Calls; n != 1 {
			t.Errorf("%d calls, want the one read", n)
		}
		s.SetServiceState(testProject, valkeyRef.Service, "RUNNING")
		pass(notOperationalTTL)
		if _, err := c.CreateUser(ctx, user(valkeyRef, "u"), AccessControl{}); err != nil {
			t.Errorf("CreateUser(...) seconds after the service came back: %v", err)
		}
	})
}
