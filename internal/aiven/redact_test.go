// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestScrub(t *testing.T) {
	pem := "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
	cases := map[string]struct {
		reason, message, want string
	}{
		"Plain":        {"what is harmless stays", "Service 'kafka-a' does not exist", "Service 'kafka-a' does not exist"},
		"Known":        {"known secrets go", "password hunter22 is wrong, hunter22!", "password [REDACTED] is wrong, [REDACTED]!"},
		"KnownShort":   {"a secret of few letters would tear words apart", "abc is not abcd", "abc is not abcd"},
		"AVNS":         {"Aiven's passwords are known by their prefix", "got AVNS_abc-DEF_123.", "got [REDACTED]."},
		"PEM":          {"keys go with their frame", "key " + pem + " end", "key [REDACTED] end"},
		"PEMCut":       {"keys that were cut off go too", "key -----BEGIN PRIVATE KEY-----\nMIIE", "key [REDACTED]"},
		"Body":         {"so does what may be a key without its frame", strings.Repeat("Ab1+", 12), "[REDACTED]"},
		"URL":          {"credentials in URLs", "at https://avnadmin:pw@host:1/x", "at https://[REDACTED]@host:1/x"},
		"Bearer":       {"tokens in headers", "Authorization: Bearer abc.def-1 and aivenv1 xyz", "Authorization: Bearer [REDACTED] and aivenv1 [REDACTED]"},
		"TryAgain":     {"the time left is not stable", "Rate limit 120 exceeded - try again in 28s", "Rate limit 120 exceeded - try again later"},
		"RequestID":    {"identifiers of requests are not stable", "oops (request id: 7f-33), 0b5e2a54-7f3c-4f5e-9d9c-1f3a5b7c9d0e", "oops (request id: [id]), [id]"},
		"Time":         {"times are not stable", "failed at 2026-11-20T12:00:00.123Z", "failed at [time]"},
		"Control":      {"an error is one line", "a\r\n\x00b\tc ", "a b c"},
		"TooLong":      {"what is too long is no message", strings.Repeat("x ", maxMessage), "the message is too long"},
		"InvalidUTF-8": {"an error is text", "a\xffb", "ab"},
		"Split":        {"what is put together again is found", "password hunt\xffer22", "password [REDACTED]"},
		"Overlap":      {"nothing stays of secrets that overlap", "got hunter22hunter22nter22 and 22nter22hunter", "got [REDACTED] and [REDACTED]hunter"},
		"JSON":         {"a secret in quotes may be escaped", `got {"password":"pass\"word"}`, ""},
		"Unicode":      {"each of its characters may be", `got pa\u0073s\u0022word`, ""},
		"URL-escaped":  {"in addresses too", "GET /?password=pass%22word", ""},
		"Form":         {"and in forms", "password=with+a+space", ""},
		"HTML":         {"a proxy may quote it as HTML", "<h1>pass&#34;word</h1>", ""},
		"Wrapped":      {"white space does not hide it", "got with\na  space", ""},
		"Hidden":       {"nothing that nobody sees stays", "a\u200bb\u202ec", "a b c"},
		"BearerNull":   {"what becomes a header's is one", "bearer\x00abc", "bearer [REDACTED]"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := scrub(tc.message, slices.Values([]string{"hunter22", "22nter22", "abc", "", `pass"word`, "with a space"}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	if got := scrub(strings.Repeat("ø ", 400), slices.Values([]string{})); len(got) > maxDetail || !utf8.ValidString(got) {
		t.Errorf("a long message: got %d bytes, valid %t", len(got), utf8.ValidString(got))
	}
}

// FuzzScrub hides a secret in a text, in the forms in which it may be quoted there.
func FuzzScrub(f *testing.F) {
	f.Add("hunter22", "password ", " is wrong", uint8(0))
	f.Add(`p"a<s>s\w&rd`, `{"password":"`, `"}`, uint8(1))
	f.Add("pæss wørd/+%20", "GET /?p=", "&q=1 HTTP/1.1", uint8(3))
	f.Add("REDACTED", "://", "@ AVNS_", uint8(0))
	f.Add("later]", "try again in 2", "8s, request id: 7f-33, 2026-11-20T12:00:00Z", uint8(4))
	f.Add("0123456789abcdef", "-----BEGIN bearer ", "\xff\x00\u2028"+strings.Repeat("ø ", 200), uint8(5))
	f.Fuzz(func(t *testing.T, secret, before, after string, form uint8) {
		secret = strings.ToValidUTF8(secret, "")
		if len(secret) < minSecret {
			t.Skip("too short to be one")
		}
		quoted := quote(secret, form)
		if form%6 > 0 { // What stands before must not make another escape sequence of it.
			before, after = before+" ", " "+after
		}
		known := slices.Values([]string{"another-one", secret})
		got := scrub(before+quoted+after, known)
		if strings.Contains(got, secret) || strings.Contains(got, quoted) {
			t.Errorf("scrub(...) holds the secret %q: %q", secret, got)
		}
		if len(got) > maxDetail || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("scrub(...) is no line of text: %q", got)
		}
		if again := scrub(got, known); again != got {
			t.Errorf("scrub(...) is not idempotent: %q, then %q", got, again)
		}
	})
}

// quote returns a text as it is quoted in one of several forms.
func quote(s string, form uint8) string {
	switch form % 6 {
	case 1:
		b, _ := json.Marshal(s) // Always possible.
		return string(b[1 : len(b)-1])
	case 2:
		q := strconv.QuoteToASCII(s)
		return q[1 : len(q)-1]
	case 3:
		return url.QueryEscape(s)
	case 4:
		return url.PathEscape(s)
	case 5:
		return html.EscapeString(s)
	}
	return s
}

// Aiven quotes the token and a password in the answer to every operation, and none gets through.
func TestErrorsHoldNoCredential(t *testing.T) {
	s := newSim()
	s.AddUser(testProject, kafkaRef.Service, "u")
	s.AddUser(testProject, valkeyRef.Service, "u")
	s.SetPassword(testProject, valkeyRef.Service, "u", "set by a person")
	c := connect(t, s)
	ctx := context.Background()
	for _, ref := range []ServiceRef{kafkaRef, valkeyRef} {
		if _, err := c.Service(ctx, ref); err != nil {
			t.Fatalf("Service(...): %v", err)
		}
	}
	s.Inject(aivensim.Fault{Status: 403, EchoSecrets: true})
	calls := map[string]func() error{
		"CreateUser":       func() error { _, err := c.CreateUser(ctx, user(valkeyRef, "u"), AccessControl{}); return err },
		"SetAccessControl": func() error { return c.SetAccessControl(ctx, user(valkeyRef, "u"), AccessControl{}) },
		"DeleteUser":       func() error { return c.DeleteUser(ctx, user(valkeyRef, "u")) },
		"ProjectCA":        func() error { _, err := c.ProjectCA(ctx, testProject); return err },
		"KafkaService":     func() error { _, err := c.KafkaService(ctx, testProject); return err },
		"CheckToken":       func() error { return c.CheckToken(ctx) },
		"Rules":            func() error { _, err := c.Rules(ctx, user(searchRef, "u")); return err },
		"Refresh":          func() error { _, err := c.Refresh(ctx, kafkaRef); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			err := call()
			if err == nil || !strings.Contains(err.Error(), removed) {
				t.Fatalf("got %v, want an error from which something was removed", err)
			}
			noSecrets(t, s, err.Error())
		})
	}
}
