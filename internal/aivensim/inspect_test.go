// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestInspection(t *testing.T) {
	r := newRig(t)
	bare := func(method, path, body string) response { return r.as(t, "", method, path, body) }

	state := bare("GET", "/-/state", "")
	for _, u := range append(r.Users("p", "v"), r.Users("p", "k")...) {
		if !strings.Contains(state.raw, `"`+u.Username+`"`) || strings.Contains(state.raw, u.Password) || strings.Contains(state.raw, "PRIVATE KEY") {
			t.Errorf("state: %s", state.raw)
		}
	}
	if full := bare("GET", "/-/state?secrets=true", ""); !strings.Contains(full.raw, r.mustUser(t, "v", "app").Password) {
		t.Errorf("state with secrets: %s", full.raw)
	}

	if got := bare("POST", "/-/faults", `{"operation":"ListProjects","status":503,"count":1}`); got.status != 200 {
		t.Fatal(got.raw)
	}
	if got := r.do(t, "GET", "/v1/project", ""); got.status != 503 {
		t.Errorf("with a fault: %s", got.raw)
	}
	bare("POST", "/-/faults", `{"status":503}`)
	bare("DELETE", "/-/faults", "")
	if got := r.do(t, "GET", "/v1/project", ""); got.status != 200 {
		t.Errorf("without faults: %s", got.raw)
	}
	if got := bare("POST", "/-/faults", `{"stauts":503}`); got.status != 400 {
		t.Errorf("a misspelt fault: %s", got.raw)
	}

	r.do(t, "PUT", valkeyPath+"/user/app", `{"operation":"reset-credentials","new_password":"not in the log"}`)
	var log []aivensim.Request
	if err := json.Unmarshal([]byte(bare("GET", "/-/requests", "").raw), &log); err != nil || len(log) != 3 || log[2].Body != nil {
		t.Errorf("log: %v, %v", log, err)
	}
	if err := json.Unmarshal([]byte(bare("GET", "/-/requests?secrets=true", "").raw), &log); err != nil || !strings.Contains(string(log[2].Body), "not in the log") {
		t.Errorf("log with bodies: %v, %v", log, err)
	}
	if got := bare("GET", "/-/stats", ""); at(got.json, "by_operation", "ListProjects", "errors") != 1.0 || at(got.json, "calls") != 3.0 {
		t.Errorf("stats: %s", got.raw)
	}
	bare("DELETE", "/-/requests", "")
	if got := r.Requests(); len(got) != 0 {
		t.Errorf("log after reset: %v", got)
	}

	if got := bare("POST", "/-/clock", `{"advance":"720h"}`); at(got.json, "now") != "2026-12-20T12:00:00Z" {
		t.Errorf("clock: %s", got.raw)
	}
	if got := bare("POST", "/-/clock", `{"advance":"-1h"}`); got.status != 400 {
		t.Errorf("clock back: %s", got.raw)
	}
}

func TestInspectionChanges(t *testing.T) {
	r := newRig(t)
	bare := func(method, path, body string) response { return r.as(t, "", method, path, body) }
	for name, tc := range map[string]struct {
		reason, path, body string
		want               int
	}{
		"Add":          {"A service can be added.", "/-/services/p/new", `{"type":"valkey"}`, 200},
		"UnknownType":  {"Of a type that is known.", "/-/services/p/bad", `{"type":"abacus"}`, 400},
		"NoType":       {"Of some type.", "/-/services/p/bad", `{}`, 400},
		"UnknownState": {"In a state that is known.", "/-/services/p/v", `{"state":"ASLEEP"}`, 400},
		"Change":       {"A service can be changed.", "/-/services/p/v", `{"state":"REBUILDING","user_limit":2}`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			if got := bare("PUT", tc.path, tc.body); got.status != tc.want {
				t.Errorf("%s got %s", tc.reason, got.raw)
			}
		})
	}
	if got := r.do(t, "GET", "/v1/project/p/service/new", ""); got.status != 200 {
		t.Errorf("added: %s", got.raw)
	}
	if got := r.do(t, "GET", valkeyPath, ""); at(got.json, "service", "state") != "REBUILDING" || userOf(got, "app") == nil {
		t.Errorf("changed: %s", got.raw)
	}
	if got := r.do(t, "POST", valkeyPath+"/user", `{"username":"third"}`); got.status != 403 {
		t.Errorf("limited: %s", got.raw)
	}
	if got := bare("DELETE", "/-/users/p/v/app", ""); got.status != 200 {
		t.Errorf("delete: %s", got.raw)
	}
	if got := bare("DELETE", "/-/users/p/v/app", ""); got.status != 404 {
		t.Errorf("delete again: %s", got.raw)
	}
	if got := r.do(t, "GET", valkeyPath+"/user/app", ""); got.status != 404 {
		t.Errorf("deleted: %s", got.raw)
	}
	r.RemoveService("p", "v")
	if got := r.do(t, "GET", valkeyPath, ""); got.status != 404 {
		t.Errorf("removed: %s", got.raw)
	}
}

func TestInspectionLogin(t *testing.T) {
	r := newRig(t)
	u, v := r.AddUser("p", "k", "app"), r.AddUser("p", "v", "another")
	for name, tc := range map[string]struct {
		reason, path string
		attempt      aivensim.LoginAttempt
		want         int
	}{
		"Password":      {"A password is accepted.", "p/v", aivensim.LoginAttempt{Username: v.Username, Password: v.Password}, 204},
		"WrongPassword": {"Another is not.", "p/v", aivensim.LoginAttempt{Username: v.Username, Password: "x" + v.Password}, 401},
		"NoUser":        {"Nor is nobody.", "p/v", aivensim.LoginAttempt{Password: v.Password}, 401},
		"Elsewhere":     {"Nor on another service.", "p/k", aivensim.LoginAttempt{Username: v.Username, Password: v.Password}, 401},
		"Certificate":   {"A certificate is accepted with its key.", "p/k", aivensim.LoginAttempt{Certificate: u.AccessCert, Key: u.AccessKey}, 204},
		"NoKey":         {"But not without.", "p/k", aivensim.LoginAttempt{Certificate: u.AccessCert}, 401},
		"NoService":     {"A service that does not exist accepts nobody.", "p/x", aivensim.LoginAttempt{Username: v.Username, Password: v.Password}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := json.Marshal(tc.attempt)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.as(t, "", "POST", "/-/logins/"+tc.path, string(b)); got.status != tc.want {
				t.Errorf("%s got %d: %s", tc.reason, got.status, got.raw)
			}
		})
	}
}

func TestReadSeed(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, in string
		want       string // part of the error
	}{
		"Empty":      {"An empty seed is fine.", `{}`, ""},
		"Unknown":    {"Unknown fields are mistakes.", `{"token":[]}`, "unknown field"},
		"EmptyToken": {"A token is not empty.", `{"tokens":[{"token":""}]}`, "tokens[0] is empty"},
		"Permission": {"Permissions are known.", `{"tokens":[{"token":"a","permissions":"god"}]}`, "unknown permissions"},
		"Type":       {"Types are known.", `{"projects":[{"name":"p","services":[{"name":"s","type":"abacus"}]}]}`, "unknown type"},
		"State":      {"States are known.", `{"projects":[{"name":"p","services":[{"name":"s","type":"kafka","state":"x"}]}]}`, "unknown state"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := aivensim.ReadSeed(strings.NewReader(tc.in))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s got %v", tc.reason, err)
			}
		})
	}
}

func TestExampleSeed(t *testing.T) {
	f, err := os.Open("../../examples/aivensim-seed.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	s, err := aivensim.ReadSeed(f)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, aivensim.WithSeed(s))
	got := r.as(t, "demo-token", "GET", "/v1/project/demo-project/service", "")
	services, _ := at(got.json, "services").([]any)
	var names []string
	for _, s := range services {
		name, _ := at(s, "service_name").(string)
		names = append(names, name)
	}
	want := []string{"kafka-demo", "opensearch-demo-logs", "valkey-demo-cache", "valkey-demo-sessions"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
