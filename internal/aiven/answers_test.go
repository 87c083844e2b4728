// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		reason string
		ref    ServiceRef
		setup  func(*aivensim.Server)
		want   error
	}{
		"ServiceMissing": {"a 404 of the service", ServiceRef{testProject, "none"}, nil, ErrServiceNotFound},
		"ProjectMissing": {"a 404 of the project", ServiceRef{"none", "none"}, nil, ErrServiceNotFound},
		"Token":          {"a revoked token", valkeyRef, func(s *aivensim.Server) { s.RevokeToken(testToken) }, ErrUnauthorized},
		"NotMember": {"a token for other projects", valkeyRef, func(s *aivensim.Server) {
			s.AddToken(aivensim.Token{Token: testToken, Projects: []string{"other"}})
		}, ErrForbidden},
		"EmptyName": {"a list would be read instead", ServiceRef{testProject, ""}, nil, ErrInvalid},
		"DotName":   {"another path would be read", ServiceRef{testProject, ".."}, nil, ErrInvalid},
		"LongName":  {"no name is that long", ServiceRef{testProject, strings.Repeat("x", 9000)}, nil, ErrInvalid},
		"SlashName": {"a slash is part of the name", ServiceRef{testProject, "a/b"}, nil, ErrServiceNotFound},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			if tc.setup != nil {
				tc.setup(s)
			}
			c := connect(t, s)
			for range 3 {
				_, err := c.Service(context.Background(), tc.ref)
				if !errors.Is(err, tc.want) {
					t.Fatalf("%s: got %v, want %v", tc.reason, err, tc.want)
				}
				if len(err.Error()) > 600 {
					t.Errorf("%s: error of %d bytes", tc.reason, len(err.Error()))
				}
			}
			if n := s.Stats().Calls; n > 1 {
				t.Errorf("%s: %d calls, want at most 1", tc.reason, n)
			}
		})
	}
}

func TestBrokenAnswers(t *testing.T) {
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
		// network is true for what takes a real connection.
		network bool
	}{
		"Hang":        {"a server that never answers must not hold anybody", aivensim.Fault{Hang: true}, false},
		"CutBody":     {"half a document is none", aivensim.Fault{CutBody: true}, true},
		"Closed":      {"no answer", aivensim.Fault{CloseConnection: true}, true},
		"EmptyBody":   {"the client library panics on these", aivensim.Fault{EmptyBody: true}, false},
		"HTML":        {"a proxy's page", aivensim.Fault{HTML: true, Status: 502}, false},
		"HTML200":     {"a captive portal's page", aivensim.Fault{HTML: true, Status: 200}, false},
		"Status500":   {"a server error", aivensim.Fault{Status: 500}, false},
		"Status501":   {"temporarily unsupported", aivensim.Fault{Status: 501}, false},
		"ErrorsIn200": {"an error in a good answer", aivensim.Fault{ErrorsIn200: true, Status: 500}, false},
		"Redirect":    {"a redirect is not followed with the token", aivensim.Fault{Status: 302}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.fault.EchoSecrets = tc.fault.Status != 0
			tc.fault.Operation = "GetService"
			s := newSim()
			if tc.network {
				t.Parallel() // Each waits for the pauses between repetitions.
				brokenAnswer(t, tc.reason, s, tc.fault, connect(t, s))
				return
			}
			synctest.Test(t, func(t *testing.T) {
				c := inBubble(t, s)
				defer c.Close()
				brokenAnswer(t, tc.reason, s, tc.fault, c)
			})
		})
	}
}

func brokenAnswer(t *testing.T, reason string, s *aivensim.Server, fault aivensim.Fault, c *Client) {
	t.Helper()
	ctx := context.Background()
	remove := s.Inject(fault)
	_, err := c.Refresh(ctx, valkeyRef)
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("%s: got %v, want ErrUnavailable", reason, err)
	}
	noSecrets(t, s, err.Error())
	if strings.ContainsAny(err.Error(), "<>{}") {
		t.Errorf("%s: the error quotes a body: %v", reason, err)
	}
	_, again := c.Refresh(ctx, valkeyRef)
	if again == nil || again.Error() != err.Error() {
		t.Errorf("%s: the error is not stable: %v, then %v", reason, err, again)
	}
	remove()
	if _, err := c.Refresh(ctx, valkeyRef); err != nil {
		t.Errorf("%s: afterwards: %v", reason, err)
	}
}

func TestAnswersWithoutService(t *testing.T) {
	for _, body := range []string{`{}`, `{"service":null}`, `{"message":"ok"}`, `[]`, `null`, `"x"`, `{"service":{"users":[{"username":"u","password":"AVNS_leak"}`} {
		t.Run(body, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
				c := inBubble(t, h)
				defer c.Close()
				ctx := context.Background()
				_, err := c.Refresh(ctx, valkeyRef)
				if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "AVNS_") {
					t.Errorf("Refresh(...) answered with %s: %v", body, err)
				}
				// The library dereferences the service of this answer.
				err = c.SetAccessControl(ctx, user(valkeyRef, "u"), AccessControl{})
				if !errors.Is(err, ErrUnavailable) {
					t.Errorf("SetAccessControl(...) answered with %s: %v", body, err)
				}
			})
		})
	}
}

func TestRedactedAnswers(t *testing.T) {
	s := newSim()
	s.AddToken(aivensim.Token{Token: testToken, Permissions: aivensim.PermissionReadOnly})
	s.SetRedaction(true)
	s.AddUser(testProject, kafkaRef.Service, "u")
	c := connect(t, s)
	svc, err := c.Service(context.Background(), kafkaRef)
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	got, ok := svc.User("u")
	if !ok || !got.Redacted || got.Password != "" {
		t.Errorf("User(u): got password %q, redacted %t; want none and true", got.Password, got.Redacted)
	}
	for _, v := range []string{got.Password, got.AccessCert, got.AccessKey} {
		if strings.Contains(v, "redacted") {
			t.Errorf("a field holds the placeholder: %q", v)
		}
	}
}
