// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
)

func TestKindOf(t *testing.T) {
	cases := map[string]struct {
		reason string
		status int
		body   string
		want   error
	}{
		"Unauthorized":   {"a bad token", 401, `{"message":"Invalid token"}`, ErrUnauthorized},
		"Forbidden":      {"a token of somebody else", 403, `{"message":"Not a project member"}`, ErrForbidden},
		"Quota403":       {"the plan is full", 403, `{"message":"Service user 'x' cannot be created, maximum number of users for this plan exceeded"}`, ErrQuota},
		"Quota400":       {"whatever the status", 400, `{"message":"Service user 'x' cannot be created, maximum number of users for this plan exceeded"}`, ErrQuota},
		"NoService":      {"the service is missing", 404, `{"message":"Service 'x' does not exist"}`, ErrServiceNotFound},
		"NoServiceUser":  {"a service called user", 404, `{"message":"Service 'user' does not exist"}`, ErrServiceNotFound},
		"NoProject":      {"the project is missing", 404, `{"errors":[{"error_code":"project_not_found"}]}`, ErrServiceNotFound},
		"NoUser":         {"the user is missing", 404, `{"message":"Service user does not exist"}`, ErrUserNotFound},
		"Lag":            {"Aiven's own users lag behind", 404, `{"message":"User avnadmin with component main not found"}`, ErrUnavailable},
		"NotAiven":       {"something else knows no such page", 404, `<html>`, ErrUnavailable},
		"Exists":         {"the user is there", 409, `{"message":"Service user 'x' already exists"}`, ErrUserExists},
		"NotPowered":     {"by its code", 409, `{"message":"x","errors":[{"status":409,"message":"x","error_code":"not_powered"}]}`, ErrServiceNotRunning},
		"NotPoweredText": {"by its text", 409, `{"message":"Database not powered on"}`, ErrServiceNotRunning},
		"Conflict":       {"another conflict", 409, `{"message":"no"}`, ErrInvalid},
		"RateLimited":    {"too many", 429, `{"message":"try again in 1s"}`, ErrRateLimited},
		"Invalid":        {"schema violation", 400, `{"message":"Invalid input: x"}`, ErrInvalid},
		"ErrorList":      {"errors may be strings", 400, `{"errors":["a","b"],"message":"m"}`, ErrInvalid},
		"ErrorString":    {"or one string", 400, `{"errors":"a","message":"m"}`, ErrInvalid},
		"Timeout":        {"408 may pass", 408, `{}`, ErrUnavailable},
		"Dependents":     {"417 may pass", 417, `{}`, ErrUnavailable},
		"Internal":       {"a server error", 500, `{"message":"oops"}`, ErrUnavailable},
		"Unavailable":    {"a server error", 503, `not json`, ErrUnavailable},
		"Redirect":       {"not what was asked for", 302, ``, ErrUnavailable},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := kindOf(parseAnswer(tc.status, []byte(tc.body)))
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			c, err := New(Options{Token: "t", BaseURL: server.URL})
			if err != nil {
				t.Fatalf("New(...): %v", err)
			}
			defer c.Close()
			_, err = c.CreateUser(context.Background(), user(kafkaRef, "u"), AccessControl{})
			var e *Error
			if !errors.Is(errors.Wrap(err, "wrapped"), tc.want) || !errors.As(err, &e) || e.Status != tc.status {
				t.Errorf("%s: CreateUser(...): got %v, want kind %v and status %d", tc.reason, err, tc.want, tc.status)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	_, err := c.Service(context.Background(), ServiceRef{testProject, "gone"})
	if want := "cannot get service test-project/gone: Service 'gone' does not exist"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNetworkErrors(t *testing.T) {
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	cases := map[string]struct{ reason, url, want string }{
		"Refused": {"nobody listens", "http://127.0.0.1:1", "cannot create user test-project/kafka-test/u: connection refused"},
		"TLS":     {"the certificate is not trusted", tls.URL, "cannot create user test-project/kafka-test/u: TLS handshake failed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, err := New(Options{Token: "t", BaseURL: tc.url, CallTimeout: patience})
			if err != nil {
				t.Fatalf("New(...): %v", err)
			}
			defer c.Close()
			_, err = c.CreateUser(context.Background(), user(kafkaRef, "u"), AccessControl{})
			if !errors.Is(err, ErrUnavailable) || err.Error() != tc.want {
				t.Errorf("%s: got %v, want %s", tc.reason, err, tc.want)
			}
		})
	}
}

func TestNew(t *testing.T) {
	cases := map[string]struct {
		reason string
		opts   Options
		ok     bool
	}{
		"Default":      {"a token is enough", Options{Token: "t"}, true},
		"Space":        {"files end with a newline", Options{Token: " t\n"}, true},
		"NoToken":      {"nothing works without", Options{Token: " \n"}, false},
		"OddToken":     {"it could not be sent", Options{Token: "a\nb"}, false},
		"V1":           {"the version is part of every path", Options{Token: "t", BaseURL: "https://x/v1/"}, true},
		"Relative":     {"no host", Options{Token: "t", BaseURL: "/v1"}, false},
		"OtherScheme":  {"not HTTP", Options{Token: "t", BaseURL: "ftp://x"}, false},
		"Credentials":  {"a URL is no place for them", Options{Token: "t", BaseURL: "https://u:secret@x"}, false},
		"Query":        {"every request has its own", Options{Token: "t", BaseURL: "https://x?a=secret"}, false},
		"NotParseable": {"not a URL", Options{Token: "t", BaseURL: "https://u:secret%zz@x"}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, err := New(tc.opts)
			if (err == nil) != tc.ok {
				t.Errorf("%s: got %v", tc.reason, err)
			}
			if err == nil {
				c.Close()
			} else if s := err.Error(); s == "" || len(s) > 100 || containsAny(s, "secret", "a\nb") {
				t.Errorf("%s: unfit error: %s", tc.reason, s)
			}
		})
	}
}
