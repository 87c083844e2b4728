// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestRedaction(t *testing.T) {
	const (
		told     = "told"
		redacted = "redacted"
		refused  = "refused"
	)
	cases := map[string]struct {
		reason    string
		redaction bool
		token     string
		method    string
		path      string
		body      string
		want      string
	}{
		"OffGet":              {"Today a GET tells.", false, "t-admin", "GET", "/user/app", "", told},
		"OffPut":              {"Today a PUT tells.", false, "t-admin", "PUT", "/user/app", `{"operation":"reset-credentials"}`, told},
		"OffReader":           {"A reader never sees.", false, "t-reader", "GET", "", "", redacted},
		"OnGetUser":           {"Without asking there is nothing.", true, "t-admin", "GET", "", "", redacted},
		"OnGetUserFalse":      {"false is not asking.", true, "t-admin", "GET", "?include_secrets=false", "", redacted},
		"OnGetServiceAsked":   {"A service tells who asks.", true, "t-admin", "GET", "?include_secrets=true", "", told},
		"OnGetUserAsked":      {"A user tells who asks.", true, "t-admin", "GET", "/user/app?include_secrets=true", "", told},
		"OnOperatorAsked":     {"Operators may see.", true, "t-operator", "GET", "?include_secrets=true", "", told},
		"OnUsersWriteAsked":   {"service:users:write suffices.", true, "t-users", "GET", "?include_secrets=true", "", told},
		"OnReaderAsked":       {"A reader is not refused but sees nothing.", true, "t-reader", "GET", "?include_secrets=true", "", redacted},
		"OnServicesReadAsked": {"Granular permissions without the right are refused.", true, "t-services", "GET", "?include_secrets=true", "", refused},
		"OnServicesRead":      {"Unless they do not ask.", true, "t-services", "GET", "", "", redacted},
		"OnPut":               {"Writes cannot reveal.", true, "t-admin", "PUT", "/user/app?include_secrets=true", `{"operation":"reset-credentials"}`, redacted},
		"OnReset":             {"Writes cannot reveal.", true, "t-admin", "PUT", "/user/app/credentials/reset?include_secrets=true", "", redacted},
		"OnPost":              {"But a create always does.", true, "t-admin", "POST", "/user", `{"username":"made"}`, told},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, aivensim.WithRedaction(tc.redaction))
			res := r.as(t, tc.token, tc.method, valkeyPath+tc.path, tc.body)
			if tc.want == refused {
				if res.status != 403 {
					t.Errorf("%s got %d", tc.reason, res.status)
				}
				return
			}
			u := userOf(res, "app")
			if u == nil {
				u, _ = at(res.json, "user").(map[string]any)
			}
			username, _ := u["username"].(string)
			stored, _ := r.User("p", "v", username)
			want := stored.Password
			if tc.want == redacted {
				want = "<redacted>"
			}
			if u["password"] != want {
				t.Errorf("%s got %s", tc.reason, res.raw)
			}
			builtIn, _ := r.User("p", "v", "default")
			if shows := strings.Contains(res.raw, builtIn.Password); shows && tc.want == redacted {
				t.Errorf("%s The built-in user's password is in %s", tc.reason, res.raw)
			}
		})
	}
}

func TestRedactionOfCertificates(t *testing.T) {
	r := newRig(t, aivensim.WithRedaction(true))
	u := userOf(r.do(t, "GET", kafkaPath, ""), "avnadmin")
	if key, _ := u["access_key"].(string); !strings.Contains(key, "PRIVATE KEY") {
		t.Errorf("by default certificates stay: %v", u)
	}
	r.UpdatePolicy(func(p *aivensim.Policy) { p.RedactCertificates = true })
	got := r.do(t, "GET", kafkaPath, "")
	if u := userOf(got, "avnadmin"); u["access_key"] != "<redacted>" || u["access_cert"] != "<redacted>" {
		t.Errorf("by policy: %v", u)
	}
	if strings.Contains(got.raw, "PRIVATE KEY") {
		t.Error("a key is left in the document")
	}
	r.SetRedaction(false)
	if got := r.do(t, "GET", kafkaPath, ""); !strings.Contains(got.raw, "PRIVATE KEY") {
		t.Error("redaction can be switched off")
	}
}

func TestIssued(t *testing.T) {
	r := newRig(t)
	u := r.createUser(t, kafkaPath, "a")
	first, _ := u["password"].(string)
	r.do(t, "PUT", kafkaPath+"/user/a", `{"operation":"reset-credentials","new_password":"chosen by hand"}`)
	r.SetPassword("p", "k", "a", "set from outside")
	issued := r.Issued()
	for _, want := range []string{first, "chosen by hand", "set from outside", "t-admin"} {
		if !slices.Contains(issued, want) {
			t.Errorf("%q is not among what was issued", want)
		}
	}
	key, _ := u["access_key"].(string)
	lines := strings.Split(strings.TrimSpace(key), "\n")
	if !slices.Contains(issued, strings.Join(lines[1:len(lines)-1], "\n")) || !slices.Contains(issued, lines[len(lines)-3]) {
		t.Error("the private key is not among what was issued")
	}
	for _, user := range append(r.Users("p", "o"), r.Users("p", "v")...) {
		if !slices.Contains(issued, user.Password) {
			t.Errorf("the password of %s is not among what was issued", user.Username)
		}
	}
}
