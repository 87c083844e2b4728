// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestErrors(t *testing.T) {
	long := strings.Repeat("x", 65)
	type want struct {
		status  int
		message string // a prefix
	}
	cases := map[string]struct {
		reason             string
		token              string
		method, path, body string
		want               want
	}{
		"NoToken": {"Requests need a token.", "-", "GET", "/v1/project", "", want{401, "Missing (expired) db token"}},
		"BadToken": {
			"Once tokens are seeded, others are refused.", "nope", "GET", "/v1/project", "",
			want{401, "Invalid token"},
		},
		"NoRoute":   {"Unknown routes answer JSON too.", "", "GET", "/v1/nothing", "", want{404, "Not found"}},
		"NoMethod":  {"A route has its methods only.", "", "PATCH", kafkaPath, "", want{404, "Not found"}},
		"NotMember": {"Tokens are members of projects.", "t-other", "GET", kafkaPath, "", want{403, "Not a project member"}},
		"NoProject": {
			"A missing project is not a missing service.", "", "GET", "/v1/project/x/service/k", "",
			want{404, "Project does not exist"},
		},
		"NoService": {
			"The message names the service.", "", "GET", "/v1/project/p/service/x", "",
			want{404, "Service 'x' does not exist"},
		},
		"NoUserGet":    {"A missing user is not a missing service.", "", "GET", kafkaPath + "/user/x", "", want{404, "Service user does not exist"}},
		"NoUserPut":    {"As for GET.", "", "PUT", kafkaPath + "/user/x", `{"operation":"reset-credentials"}`, want{404, "Service user does not exist"}},
		"NoUserReset":  {"As for GET.", "", "PUT", kafkaPath + "/user/x/credentials/reset", "", want{404, "Service user does not exist"}},
		"NoUserDelete": {"As for GET.", "", "DELETE", kafkaPath + "/user/x", "", want{404, "Service user does not exist"}},
		"UserExists": {
			"Usernames are unique.", "", "POST", valkeyPath + "/user", `{"username":"app"}`,
			want{409, "Service user 'app' already exists"},
		},
		"LongName":  {"Usernames have 64 characters at most.", "", "POST", valkeyPath + "/user", `{"username":"` + long + `"}`, want{400, "Invalid input: "}},
		"NoName":    {"Usernames are required.", "", "POST", valkeyPath + "/user", `{}`, want{400, "Invalid input: "}},
		"BadJSON":   {"Bodies are JSON.", "", "POST", valkeyPath + "/user", `{`, want{400, "Invalid input: "}},
		"Password":  {"A create takes no password.", "", "POST", valkeyPath + "/user", `{"username":"a","password":"12345678"}`, want{400, "Invalid input: "}},
		"Reserved":  {"OpenSearch reserves names.", "", "POST", openPath + "/user", `{"username":"os-sec-admin"}`, want{400, "Invalid input: "}},
		"NoOp":      {"A modification names its operation.", "", "PUT", valkeyPath + "/user/app", `{}`, want{400, "Invalid input: "}},
		"UnknownOp": {"There are three operations.", "", "PUT", valkeyPath + "/user/app", `{"operation":"x"}`, want{400, "Invalid input: "}},
		"ShortPassword": {
			"New passwords have 8 characters at least.", "", "PUT", valkeyPath + "/user/app",
			`{"operation":"reset-credentials","new_password":"1234567"}`,
			want{400, "Invalid input: "},
		},
		"ACLOnKafka": {
			"Kafka users have no access control of their own.", "", "POST", kafkaPath + "/user",
			`{"username":"a","access_control":{"valkey_acl_keys":["*"]}}`,
			want{400, "Invalid input: "},
		},
		"BadCategory": {
			"Categories have a sign and an @.", "", "POST", valkeyPath + "/user",
			`{"username":"a","access_control":{"valkey_acl_categories":["read"]}}`,
			want{400, "Invalid input: "},
		},
		"DeleteBuiltIn": {"The built-in user stays.", "", "DELETE", valkeyPath + "/user/default", "", want{403, "Service user 'default'"}},
		"WrongType":     {"A valkey service has no OpenSearch ACL.", "", "GET", valkeyPath + "/opensearch/acl", "", want{400, "Invalid input: "}},
		"ReaderWrites":  {"read_only may not write.", "t-reader", "POST", valkeyPath + "/user", `{"username":"a"}`, want{403, "Authentication failed"}},
		"UsersWriteACL": {
			"users_write may not write a service's ACL.", "t-users", "PUT", openPath + "/opensearch/acl", `{"opensearch_acl_config":{}}`,
			want{403, "Authentication failed"},
		},
	}
	r := newRig(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			token := tc.token
			switch token {
			case "":
				token = "t-admin"
			case "-":
				token = ""
			}
			got := r.as(t, token, tc.method, tc.path, tc.body)
			message, _ := at(got.json, "message").(string)
			if got.status != tc.want.status || !strings.HasPrefix(message, tc.want.message) {
				t.Errorf("%s\ngot %d %s, want %d %q", tc.reason, got.status, got.raw, tc.want.status, tc.want.message)
			}
			if at(got.json, "errors", 0, "status") != float64(tc.want.status) || at(got.json, "errors", 0, "message") != message {
				t.Errorf("%s\nerrors must repeat status and message: %s", tc.reason, got.raw)
			}
		})
	}
}

func TestAuthSchemes(t *testing.T) {
	r := newRig(t)
	for _, scheme := range []string{"aivenv1", "Bearer"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/project", nil)
		req.Header.Set("Authorization", scheme+" t-admin")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", scheme, res.StatusCode)
		}
	}
	r.RevokeToken("t-admin")
	if got := r.do(t, "GET", "/v1/project", ""); got.status != 401 {
		t.Errorf("revoked token: %d", got.status)
	}
	open := newRig(t, aivensim.WithSeed(aivensim.Seed{Projects: []aivensim.Project{{Name: "p"}}}))
	if got := open.as(t, "anything", "GET", "/v1/project/p", ""); got.status != 200 {
		t.Errorf("any token without seeded ones: %d", got.status)
	}
}

func TestEscapedNames(t *testing.T) {
	r := newRig(t)
	r.createUser(t, kafkaPath, "a/b c")
	got := r.do(t, "GET", kafkaPath+"/user/a%2Fb%20c", "")
	if at(got.json, "user", "username") != "a/b c" {
		t.Errorf("get: %s", got.raw)
	}
	if got := r.do(t, "DELETE", kafkaPath+"/user/a%2Fb%20c", ""); got.status != 200 {
		t.Errorf("delete: %s", got.raw)
	}
	requests := r.Requests()
	want := aivensim.Request{
		Time: start, Operation: "CreateUser", Method: "POST", Path: kafkaPath + "/user", UserAgent: "Go-http-client/1.1",
		Project: "p", Service: "k", User: "a/b c", Status: 200, BytesIn: 20, Body: []byte(`{"username":"a/b c"}`),
	}
	first := requests[0]
	first.Duration, first.BytesOut = 0, 0
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("log: -want, +got:\n%s", diff)
	}
	if last := requests[2]; last.User != "a/b c" || last.Path != kafkaPath+"/user/a%2Fb%20c" {
		t.Errorf("log: %+v", last)
	}
}

func TestQuota(t *testing.T) {
	r := newRig(t)
	r.SetUserLimit("p", "k", 2)
	r.createUser(t, kafkaPath, "one")
	got := r.do(t, "POST", kafkaPath+"/user", `{"username":"two"}`)
	want := "Service user 'two' cannot be created, maximum number of users for this plan exceeded"
	if got.status != 403 || at(got.json, "message") != want {
		t.Errorf("beyond the limit: %s", got.raw)
	}
	r.UpdatePolicy(func(p *aivensim.Policy) { p.QuotaStatus = 409 })
	if got := r.do(t, "POST", kafkaPath+"/user", `{"username":"two"}`); got.status != 409 {
		t.Errorf("by policy: %s", got.raw)
	}
	r.SetUserLimit("p", "k", -1)
	r.createUser(t, kafkaPath, "two")
	if u := r.AddUser("p", "k", "three"); u.CreatedBy != "outside" {
		t.Errorf("added from outside: %+v", u)
	}
	if u, _ := r.User("p", "k", "two"); u.CreatedBy != "admin" {
		t.Errorf("created over the API: %+v", u)
	}
}

func TestDefaultQuota(t *testing.T) {
	r := newRig(t)
	for name, tc := range map[string]struct {
		reason, path string
		want         int
	}{
		"OpenSearch": {"50 users by default, with the built-in one.", openPath, 50},
		"Valkey":     {"No limit: the 60 are all there, with the built-in one and the seeded one.", valkeyPath, 62},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range 60 {
				r.do(t, "POST", tc.path+"/user", fmt.Sprintf(`{"username":"u%d"}`, i))
			}
			users, _ := at(r.do(t, "GET", tc.path, "").json, "service", "users").([]any)
			if len(users) != tc.want {
				t.Errorf("%s got %d", tc.reason, len(users))
			}
		})
	}
}

func TestStates(t *testing.T) {
	r := newRig(t)
	for name, tc := range map[string]struct {
		reason string
		state  string
		policy int
		want   int
	}{
		"Rebuilding":  {"Users can be made while a service rebuilds.", "REBUILDING", 503, 200},
		"Rebalancing": {"And while it rebalances.", "REBALANCING", 503, 200},
		"PowerOff":    {"A service without power is unavailable.", "POWEROFF", 503, 503},
		"NotPowered":  {"Or says so, by policy.", "POWEROFF", 409, 409},
	} {
		t.Run(name, func(t *testing.T) {
			r.SetServiceState("p", "v", tc.state)
			r.UpdatePolicy(func(p *aivensim.Policy) { p.PowerOffStatus = tc.policy })
			got := r.do(t, "POST", valkeyPath+"/user", `{"username":"`+name+`"}`)
			if got.status != tc.want {
				t.Errorf("%s got %s", tc.reason, got.raw)
			}
			if tc.want == 409 && at(got.json, "errors", 0, "error_code") != "not_powered" {
				t.Errorf("%s got %s", tc.reason, got.raw)
			}
			service := r.do(t, "GET", valkeyPath, "")
			if at(service.json, "service", "state") != tc.state {
				t.Errorf("state: %v", at(service.json, "service", "state"))
			}
		})
	}
	app, _ := r.User("p", "v", "app")
	r.SetServiceState("p", "v", "POWEROFF")
	if r.Login("p", "v", "app", app.Password) {
		t.Error("nobody logs in without power")
	}
	r.PowerCycle("p", "v")
	if users := r.Users("p", "v"); len(users) != 1 || users[0].Type != "primary" {
		t.Errorf("users after a power cycle: %v", users)
	}
}

func TestRateLimit(t *testing.T) {
	r := newRig(t, aivensim.WithLimitPerMinute(2))
	for range 2 {
		if got := r.do(t, "GET", "/v1/project", ""); got.status != 200 {
			t.Fatalf("within the limit: %s", got.raw)
		}
	}
	r.Advance(32 * time.Second)
	got := r.do(t, "GET", "/v1/project", "")
	want := "The user has sent too many requests in a given amount of time: Rate limit 2 exceeded - try again in 28s"
	if got.status != 429 || at(got.json, "message") != want {
		t.Errorf("beyond the limit: %s", got.raw)
	}
	if got := r.as(t, "t-operator", "GET", "/v1/project", ""); got.status != 200 {
		t.Errorf("another token: %s", got.raw)
	}
	r.Advance(28 * time.Second)
	if got := r.do(t, "GET", "/v1/project", ""); got.status != 200 {
		t.Errorf("in the next minute: %s", got.raw)
	}
}

func TestMaxLimit(t *testing.T) {
	r := newRig(t)
	if got := r.do(t, "GET", "/v1/project?limit=999", ""); got.status != 200 {
		t.Errorf("limit is ignored: %s", got.raw)
	}
	r.UpdatePolicy(func(p *aivensim.Policy) { p.MaxLimit = 250 })
	if got := r.do(t, "GET", "/v1/project?limit=999", ""); got.status != 400 {
		t.Errorf("limit is refused: %s", got.raw)
	}
}

func TestDelays(t *testing.T) {
	r := newRig(t)
	r.SetVisibilityDelay(time.Minute)
	r.SetPasswordDelay(2 * time.Minute)
	password := r.createUser(t, valkeyPath, "slow")["password"]
	if password == nil {
		t.Error("the answer to a create has the password at once")
	}
	if got := r.do(t, "GET", valkeyPath+"/user/slow", ""); got.status != 404 {
		t.Errorf("not visible yet: %s", got.raw)
	}
	if u := userOf(r.do(t, "GET", valkeyPath, ""), "slow"); u != nil {
		t.Errorf("not visible yet: %v", u)
	}
	if got := r.do(t, "POST", valkeyPath+"/user", `{"username":"slow"}`); got.status != 409 {
		t.Errorf("but it exists: %s", got.raw)
	}
	r.Advance(time.Minute)
	if u := userOf(r.do(t, "GET", valkeyPath, ""), "slow"); u == nil || u["password"] != nil {
		t.Errorf("visible without a password: %v", u)
	}
	r.Advance(time.Minute)
	if u := userOf(r.do(t, "GET", valkeyPath, ""), "slow"); u["password"] != password {
		t.Errorf("complete: %v", u)
	}
	got := r.do(t, "PUT", valkeyPath+"/user/slow", `{"operation":"reset-credentials","new_password":"correct horse"}`)
	if u := userOf(got, "slow"); u["password"] != nil {
		t.Errorf("never stale after a reset: %v", u)
	}
	if !r.Login("p", "v", "slow", "correct horse") {
		t.Error("a password works before it is told")
	}
	r.Advance(2 * time.Minute)
	if u := userOf(r.do(t, "GET", valkeyPath, ""), "slow"); u["password"] != "correct horse" {
		t.Errorf("complete: %v", u)
	}
	r.ClearPassword("p", "v", "slow")
	r.Advance(240 * time.Hour)
	if u := userOf(r.do(t, "GET", valkeyPath, ""), "slow"); u["password"] != nil || r.Login("p", "v", "slow", "correct horse") {
		t.Errorf("null for good: %v", u)
	}
	r.SetPassword("p", "v", "slow", "battery staple")
	if u := userOf(r.do(t, "GET", valkeyPath, ""), "slow"); u["password"] != "battery staple" || !r.Login("p", "v", "slow", "battery staple") {
		t.Errorf("set from outside: %v", u)
	}
}
