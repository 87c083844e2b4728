// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestOpenSearchACL(t *testing.T) {
	row := func(user, permission string) aivensim.OpenSearchACL {
		return aivensim.OpenSearchACL{Username: user, Rules: []aivensim.OpenSearchACLRule{{Index: "*", Permission: permission}}}
	}
	rows := func(l ...aivensim.OpenSearchACL) []aivensim.OpenSearchACL {
		return append([]aivensim.OpenSearchACL{}, l...)
	}
	before := aivensim.OpenSearchACLConfig{Enabled: true, ExtendedACL: true, ACLs: rows(row("a", "read"), row("b", "write"))}
	many := strings.Repeat(`{"username":"x","rules":[]},`, 513)
	wide := strings.Repeat(`{"index":"x","permission":"read"},`, 257)
	cases := map[string]struct {
		reason       string
		policy       func(*aivensim.Policy)
		method, body string
		status       int
		want         aivensim.OpenSearchACLConfig
	}{
		"PutRows": {
			"PUT replaces rows and keeps what is not sent.", nil, "PUT",
			`{"acls":[{"username":"c","rules":[{"index":"*","permission":"deny"}]}]}`, 200,
			aivensim.OpenSearchACLConfig{Enabled: true, ExtendedACL: true, ACLs: rows(row("c", "deny"))},
		},
		"PutEnabled": {
			"PUT of one field keeps the rows.", nil, "PUT", `{"enabled":false}`, 200,
			aivensim.OpenSearchACLConfig{ExtendedACL: true, ACLs: before.ACLs},
		},
		"PutEmpty":    {"No rows is not null.", nil, "PUT", `{"acls":[]}`, 200, aivensim.OpenSearchACLConfig{Enabled: true, ExtendedACL: true, ACLs: rows()}},
		"PutNull":     {"null is refused.", nil, "PUT", `{"acls":null,"enabled":false}`, 400, before},
		"PutNullKeep": {"Or keeps.", func(p *aivensim.Policy) { p.NullACLs = aivensim.NullACLsKeep }, "PUT", `{"acls":null}`, 200, before},
		"PutNullClear": {
			"Or clears.", func(p *aivensim.Policy) { p.NullACLs = aivensim.NullACLsClear }, "PUT", `{"acls":null}`, 200,
			aivensim.OpenSearchACLConfig{Enabled: true, ExtendedACL: true, ACLs: rows()},
		},
		"Post": {
			"POST replaces all, and keeps extendedAcl.", nil, "POST",
			`{"enabled":false,"acls":[{"username":"c","rules":[{"index":"*","permission":"admin"}]}]}`, 200,
			aivensim.OpenSearchACLConfig{ExtendedACL: true, ACLs: rows(row("c", "admin"))},
		},
		"PostResets": {
			"Or resets it.", func(p *aivensim.Policy) { p.PostResetsExtendedACL = true }, "POST", `{"enabled":true,"acls":[]}`, 200,
			aivensim.OpenSearchACLConfig{Enabled: true, ACLs: rows()},
		},
		"PostPartial": {"POST wants both fields.", nil, "POST", `{"acls":[]}`, 400, before},
		"Permission":  {"Permissions are an enumeration.", nil, "PUT", `{"acls":[{"username":"c","rules":[{"index":"*","permission":"all"}]}]}`, 400, before},
		"Users":       {"512 users at most.", nil, "PUT", `{"acls":[` + strings.TrimSuffix(many, ",") + `]}`, 400, before},
		"Rules":       {"256 rules at most.", nil, "PUT", `{"acls":[{"username":"c","rules":[` + strings.TrimSuffix(wide, ",") + `]}]}`, 400, before},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if tc.policy != nil {
				r.UpdatePolicy(tc.policy)
			}
			r.SetOpenSearchACL("p", "o", before)
			res := r.do(t, tc.method, openPath+"/opensearch/acl", `{"opensearch_acl_config":`+tc.body+`}`)
			if res.status != tc.status {
				t.Fatalf("%s got %s", tc.reason, res.raw)
			}
			if diff := cmp.Diff(tc.want, r.OpenSearchACL("p", "o")); diff != "" {
				t.Errorf("%s -want, +got:\n%s", tc.reason, diff)
			}
			var got struct {
				Config aivensim.OpenSearchACLConfig `json:"opensearch_acl_config"`
			}
			if err := json.Unmarshal([]byte(r.do(t, "GET", openPath+"/opensearch/acl", "").raw), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Config); diff != "" {
				t.Errorf("%s GET: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSetAccessControl(t *testing.T) {
	before := aivensim.AccessControl{Categories: []string{"+@read"}, Commands: []string{"+get"}, Keys: []string{"k"}, Channels: []string{"c"}}
	cases := map[string]struct {
		reason string
		keeps  bool
		body   string
		want   aivensim.AccessControl
	}{
		"All": {
			"Keys and channels are sorted, the rest keeps its order.", false,
			`"valkey_acl_categories":["-@all","+@read"],"valkey_acl_commands":["+set","+get"],"valkey_acl_keys":["b","a","b"],"valkey_acl_channels":["y","x"]`,
			aivensim.AccessControl{Categories: []string{"-@all", "+@read"}, Commands: []string{"+set", "+get"}, Keys: []string{"a", "b"}, Channels: []string{"x", "y"}},
		},
		"Partial":      {"What is not sent is emptied.", false, `"valkey_acl_keys":["n"]`, aivensim.AccessControl{Keys: []string{"n"}}},
		"PartialKeeps": {"Or kept, but for what is sent empty.", true, `"valkey_acl_keys":[]`, aivensim.AccessControl{Categories: before.Categories, Commands: before.Commands, Channels: before.Channels}},
		"Databases":    {"Databases are kept too.", false, `"valkey_acl_databases":["0","3"]`, aivensim.AccessControl{Databases: []string{"0", "3"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.UpdatePolicy(func(p *aivensim.Policy) { p.PartialAccessControlKeeps = tc.keeps })
			r.SetAccessControl("p", "v", "app", before)
			password := r.mustUser(t, "v", "app").Password
			res := r.do(t, "PUT", valkeyPath+"/user/app", `{"operation":"set-access-control","access_control":{`+tc.body+`}}`)
			got := r.mustUser(t, "v", "app")
			if diff := cmp.Diff(tc.want, got.AccessControl); diff != "" {
				t.Errorf("%s -want, +got:\n%s", tc.reason, diff)
			}
			if got.Password != password {
				t.Errorf("%s The password changed.", tc.reason)
			}
			sent, _ := userOf(res, "app")["access_control"].(map[string]any)
			for list, values := range sent {
				if l, _ := values.([]any); len(l) == 0 {
					t.Errorf("%s %s is told without values", tc.reason, list)
				}
			}
		})
	}
}

func TestKafkaACLs(t *testing.T) {
	r := newRig(t)
	native := `{"principal":"User:a","resource_type":"Topic","resource_name":"t","pattern_type":"LITERAL","operation":"Read","permission_type":"ALLOW"}`
	for name, tc := range map[string]struct {
		reason, path, body string
		policy             func(*aivensim.Policy)
		again, entries     int
	}{
		"Aiven":    {"A duplicate is appended.", "/acl", `{"permission":"read","topic":"t","username":"a"}`, func(*aivensim.Policy) {}, 200, 3},
		"Strict":   {"Or refused.", "/acl", `{"permission":"write","topic":"t","username":"a"}`, func(p *aivensim.Policy) { p.RejectDuplicateKafkaACL = true }, 409, 2},
		"Registry": {"A duplicate is appended always.", "/kafka/schema-registry/acl", `{"permission":"schema_registry_read","resource":"Subject:x","username":"a"}`, func(*aivensim.Policy) {}, 200, 4},
		"Native":   {"A duplicate is refused always.", "/kafka/acl", native, func(*aivensim.Policy) {}, 409, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r.AddService("p", aivensim.Service{Name: "k", Type: "kafka"})
			r.UpdatePolicy(func(p *aivensim.Policy) { *p = aivensim.DefaultPolicy(); tc.policy(p) })
			if got := r.do(t, "POST", kafkaPath+tc.path, tc.body); got.status != 200 {
				t.Fatal(got.raw)
			}
			if got := r.do(t, "POST", kafkaPath+tc.path, tc.body); got.status != tc.again {
				t.Errorf("%s got %s", tc.reason, got.raw)
			}
			list := "acl"
			if name == "Native" {
				list = "kafka_acl"
			}
			entries, _ := at(r.do(t, "GET", kafkaPath+tc.path, "").json, list).([]any)
			if len(entries) != tc.entries {
				t.Fatalf("%s got %v", tc.reason, entries)
			}
			id := at(entries[len(entries)-1], "id")
			if got := r.do(t, "DELETE", fmt.Sprintf("%s%s/%s", kafkaPath, tc.path, id), ""); got.status != 200 {
				t.Errorf("delete: %s", got.raw)
			}
			if got := r.do(t, "DELETE", fmt.Sprintf("%s%s/%s", kafkaPath, tc.path, id), ""); got.status != 404 {
				t.Errorf("delete again: %s", got.raw)
			}
			after, _ := at(r.do(t, "GET", kafkaPath+tc.path, "").json, list).([]any)
			if len(after) != tc.entries-1 {
				t.Errorf("after delete: %v", after)
			}
		})
	}
}

func TestDeletePrunes(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		prunes bool
		want   int
	}{
		"Keeps":  {"Rows outlive their user.", false, 2},
		"Prunes": {"Unless by policy.", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.UpdatePolicy(func(p *aivensim.Policy) { p.DeleteUserPrunesACL = tc.prunes })
			r.AddUser("p", "k", "a")
			r.AddKafkaACL("p", "k", aivensim.KafkaACLEntry{Permission: "read", Topic: "t", Username: "a"})
			r.do(t, "DELETE", kafkaPath+"/user/a", "")
			if got := r.KafkaACL("p", "k"); len(got) != tc.want {
				t.Errorf("%s got %v", tc.reason, got)
			}
		})
	}
}
