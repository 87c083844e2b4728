// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestSubscribeToken(t *testing.T) {
	ok := answer{status: http.StatusOK, readable: true}
	refused := answer{status: http.StatusUnauthorized, readable: true}
	missing := answer{status: http.StatusNotFound, readable: true}
	forbidden := answer{status: http.StatusForbidden, readable: true}
	cases := map[string]struct {
		reason  string
		answers []answer
		want    int32
	}{
		"Accepted":  {"that it works from the first is no news", []answer{ok, ok, missing}, 0},
		"Refused":   {"that it never worked is", []answer{refused, refused}, 1},
		"Revoked":   {"it stopped working", []answer{ok, refused, refused}, 1},
		"Restored":  {"and works again", []answer{ok, refused, ok, ok}, 2},
		"Forbidden": {"a right that it lacks is not the token", []answer{ok, forbidden}, 0},
		"NotFound":  {"only who knows the token looks for a service", []answer{refused, missing}, 2},
		"Proxy":     {"what is not Aiven's says nothing", []answer{refused, {status: http.StatusForbidden}, {status: http.StatusOK}}, 1},
		"Login":     {"nor does a failure to find out who calls", []answer{refused, {status: http.StatusForbidden, readable: true, code: "authentication_failed"}}, 1},
		"Trouble":   {"nor trouble at Aiven", []answer{refused, {status: http.StatusBadGateway, readable: true}, {status: http.StatusTooManyRequests, readable: true}}, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &Client{}
			var told atomic.Int32
			cancel := c.SubscribeToken(func() { told.Add(1) })
			for _, a := range tc.answers {
				c.token.answered(a)
			}
			cancel()
			cancel()
			c.token.answered(refused)
			c.token.answered(ok)
			if n := told.Load(); n != tc.want {
				t.Errorf("%s: told %d times, want %d", tc.reason, n, tc.want)
			}
		})
	}
}

func TestTokenRevoked(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	var told atomic.Int32
	defer c.SubscribeToken(func() { told.Add(1) })()
	ctx := context.Background()
	_ = c.CheckToken(ctx)
	s.RevokeToken(testToken)
	_ = c.CheckToken(ctx)
	s.AddToken(aivensim.Token{Token: testToken})
	if err := c.CheckToken(ctx); err != nil {
		t.Fatalf("CheckToken(...): %v", err)
	}
	if n := told.Load(); n != 2 {
		t.Errorf("told %d times, want 2", n)
	}
}

func TestRights(t *testing.T) {
	ctx := context.Background()
	read := func(c *Client) { _, _ = c.Refresh(ctx, valkeyRef) }
	list := func(c *Client) { _, _ = c.KafkaService(ctx, testProject) }
	write := func(c *Client) { _, _ = c.CreateUser(ctx, user(valkeyRef, "u"), AccessControl{}) }
	missing := func(c *Client) { _, _ = c.Refresh(ctx, ServiceRef{testProject, "none"}) }
	forbid := func(op string) func(*aivensim.Server) {
		return func(s *aivensim.Server) {
			s.Inject(aivensim.Fault{Operation: op, Status: 403, Message: "Not permitted"})
		}
	}
	cases := map[string]struct {
		reason string
		setup  func(*aivensim.Server)
		do     []func(*Client)
		want   Rights
	}{
		"Nothing": {"nothing was tried", nil, nil, Rights{}},
		"Read":    {"a service came with its secrets", nil, []func(*Client){read}, Rights{ReadServices: SeenYes, ReadSecrets: SeenYes}},
		"List":    {"lists say nothing about secrets", nil, []func(*Client){list}, Rights{ReadServices: SeenYes}},
		"Write":   {"a user was created", nil, []func(*Client){write}, Rights{WriteUsers: SeenYes}},
		"Missing": {"what is not there was not refused", nil, []func(*Client){missing}, Rights{}},
		"NoRead":  {"the read was refused", forbid("GetService"), []func(*Client){read}, Rights{ReadServices: SeenNo, ReadSecrets: SeenNo}},
		"NoWrite": {"the write was refused", forbid("CreateUser"), []func(*Client){read, write}, Rights{SeenYes, SeenYes, SeenNo}},
		"Redacted": {"the secrets were withheld", func(s *aivensim.Server) {
			s.AddToken(aivensim.Token{Token: testToken, Permissions: aivensim.PermissionReadOnly})
			s.SetRedaction(true)
		}, []func(*Client){read}, Rights{ReadServices: SeenYes, ReadSecrets: SeenNo}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			if tc.setup != nil {
				tc.setup(s)
			}
			c := connect(t, s)
			for _, f := range tc.do {
				f(c)
			}
			if diff := cmp.Diff(tc.want, c.Rights(testProject)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if got := c.Rights("other"); got != (Rights{}) {
				t.Errorf("%s: rights in another project: %v", tc.reason, got)
			}
		})
	}
}
