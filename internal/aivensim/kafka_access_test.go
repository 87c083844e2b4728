// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestMayKafka(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"team_app_1", "other", "reader"} {
		r.AddUser("p", "k", name)
	}
	for _, e := range []aivensim.KafkaACLEntry{
		{Permission: "readwrite", Topic: "orders", Username: "team_app_*"},
		{Permission: "read", Topic: "team.*", Username: "reader"},
		{Permission: "write", Topic: "log-?", Username: "reader"},
		{Permission: "admin", Topic: "own+*", Username: "oth?r"},
	} {
		r.AddKafkaACL("p", "k", e)
	}
	for _, tc := range []struct {
		reason, username, topic, access string
		want                            bool
	}{
		{"The built-in entry is in force.", "avnadmin", "anything", "admin", true},
		{"readwrite includes read.", "team_app_1", "orders", "read", true},
		{"readwrite includes write.", "team_app_1", "orders", "write", true},
		{"readwrite is not admin.", "team_app_1", "orders", "admin", false},
		{"A pattern matches all of a topic.", "team_app_1", "orders2", "read", false},
		{"* stands for any characters.", "reader", "team.a.b", "read", true},
		{"A point is a point.", "reader", "teamXa", "read", false},
		{"read is not write.", "reader", "team.a", "write", false},
		{"? stands for one character.", "reader", "log-1", "write", true},
		{"And for no more.", "reader", "log-12", "write", false},
		{"write is not read.", "reader", "log-1", "read", false},
		{"admin includes all.", "other", "own+x", "write", true},
		{"What is not granted is denied.", "other", "orders", "read", false},
		{"A user that does not exist may nothing.", "team_app_2", "orders", "read", false},
	} {
		if got := r.MayKafka("p", "k", tc.username, tc.topic, tc.access); got != tc.want {
			t.Errorf("%s MayKafka(%s, %s, %s): got %t", tc.reason, tc.username, tc.topic, tc.access, got)
		}
	}
	r.SetServiceState("p", "k", "POWEROFF")
	if r.MayKafka("p", "k", "avnadmin", "anything", "read") || r.MaySubject("p", "k", "avnadmin", "anything", "read") {
		t.Errorf("a service that is off allows something")
	}
}

func TestMaySubject(t *testing.T) {
	r := newRig(t)
	r.AddUser("p", "k", "reader")
	r.AddUser("p", "k", "writer")
	r.AddSchemaRegistryACL("p", "k", aivensim.SchemaRegistryACLEntry{Permission: "schema_registry_read", Resource: "Subject:orders-*", Username: "reader"})
	r.AddSchemaRegistryACL("p", "k", aivensim.SchemaRegistryACLEntry{Permission: "schema_registry_write", Resource: "Subject:orders-*", Username: "writer"})
	r.AddSchemaRegistryACL("p", "k", aivensim.SchemaRegistryACLEntry{Permission: "schema_registry_write", Resource: "Config:", Username: "*"})
	for _, tc := range []struct {
		reason, username, subject, access string
		want                              bool
	}{
		{"The built-in entry is in force.", "avnadmin", "anything", "write", true},
		{"Read is granted.", "reader", "orders-value", "read", true},
		{"Write is not.", "reader", "orders-value", "write", false},
		{"Write is granted.", "writer", "orders-value", "write", true},
		{"Write implies read.", "writer", "orders-value", "read", true},
		{"Config is no subject.", "writer", "other", "read", false},
	} {
		if got := r.MaySubject("p", "k", tc.username, tc.subject, tc.access); got != tc.want {
			t.Errorf("%s MaySubject(%s, %s, %s): got %t", tc.reason, tc.username, tc.subject, tc.access, got)
		}
	}
}

// GET service has both lists with IDs, and what test code does to them; what the API adds may be late.
func TestServiceHasACLs(t *testing.T) {
	r := newRig(t)
	ids := func(list string) []string {
		entries, _ := at(r.do(t, "GET", kafkaPath, "").json, "service", list).([]any)
		var out []string
		for _, e := range entries {
			id, _ := at(e, "id").(string)
			out = append(out, id)
		}
		return out
	}
	a := r.AddKafkaACL("p", "k", aivensim.KafkaACLEntry{Permission: "read", Topic: "t", Username: "u"})
	s := r.AddSchemaRegistryACL("p", "k", aivensim.SchemaRegistryACLEntry{Permission: "schema_registry_read", Resource: "Subject:t", Username: "u"})
	topics, subjects := []string{"default", a.ID}, []string{"default-sr-admin-config", "default-sr-admin-subject", s.ID}
	if got := ids("acl"); !slices.Equal(got, topics) {
		t.Errorf("acl: got %v, want %v", got, topics)
	}
	if got := ids("schema_registry_acl"); !slices.Equal(got, subjects) {
		t.Errorf("schema_registry_acl: got %v, want %v", got, subjects)
	}

	r.SetACLDelay(5 * time.Second)
	r.do(t, "POST", kafkaPath+"/acl", `{"permission":"read","topic":"late","username":"u"}`)
	r.do(t, "POST", kafkaPath+"/kafka/schema-registry/acl", `{"permission":"schema_registry_read","resource":"Subject:late","username":"u"}`)
	if got, more := ids("acl"), ids("schema_registry_acl"); !slices.Equal(got, topics) || !slices.Equal(more, subjects) {
		t.Errorf("before the delay is over: %v, %v", got, more)
	}
	if list, _ := at(r.do(t, "GET", kafkaPath+"/acl", "").json, "acl").([]any); len(list) != 3 {
		t.Errorf("the list itself is late: %v", list)
	}
	r.Advance(5 * time.Second)
	if got, more := ids("acl"), ids("schema_registry_acl"); len(got) != 3 || len(more) != 4 {
		t.Errorf("after the delay: %v, %v", got, more)
	}

	for range 2 {
		r.DeleteKafkaACL("p", "k", a.ID)
		r.DeleteSchemaRegistryACL("p", "k", s.ID)
	}
	if got, more := ids("acl"), ids("schema_registry_acl"); slices.Contains(got, a.ID) || slices.Contains(more, s.ID) || len(got) != 2 || len(more) != 3 {
		t.Errorf("after removal: %v, %v", got, more)
	}
	if got := r.SchemaRegistryACL("p", "k"); len(got) != 3 || got[0].Resource != "Config:" {
		t.Errorf("SchemaRegistryACL: %v", got)
	}
}
