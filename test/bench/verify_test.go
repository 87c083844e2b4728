// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/keystore"
)

const username = "team-00_app-0000_x"

// simulate starts a simulator with the bench's own seed, one user of each
// service and the rules of the OpenSearch user, and returns the Secret that
// would be published.
func simulate(t *testing.T) (Simulator, map[string][]byte) {
	t.Helper()
	server := aivensim.New(aivensim.WithSeed(seed(Config{Teams: 1})))
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)

	ns := team(0)
	create := func(project, service string) aivensim.User {
		call(t, h.URL, "/v1/project/"+project+"/service/"+service+"/user", map[string]any{"username": username})
		u, ok := server.User(project, service, username)
		if !ok {
			t.Fatalf("the simulator has no user on %s", service)
		}
		return u
	}
	kafka, search, cache := create(kafkaProject, kafkaService), create(project, openSearchOf(ns)), create(project, valkeyOf(ns))
	server.SetOpenSearchACL(project, openSearchOf(ns), aivensim.OpenSearchACLConfig{Enabled: true, ACLs: []aivensim.OpenSearchACL{{
		Username: username, Rules: []aivensim.OpenSearchACLRule{{Index: "_*", Permission: "readwrite"}, {Index: "*", Permission: "readwrite"}},
	}}})

	const password = "changeme"
	stores, err := keystore.Encode(keystore.Input{Certificate: []byte(kafka.AccessCert), PrivateKey: []byte(kafka.AccessKey), CA: []byte(server.ProjectCA(kafkaProject)), Password: password})
	if err != nil {
		t.Fatal(err)
	}
	d := map[string][]byte{}
	for _, k := range expectedKeys() {
		d[k] = []byte("something")
	}
	for k, v := range map[string]string{
		"KAFKA_CERTIFICATE": kafka.AccessCert, "KAFKA_PRIVATE_KEY": kafka.AccessKey, "KAFKA_CA": server.ProjectCA(kafkaProject),
		"KAFKA_SCHEMA_REGISTRY_USER": username, "KAFKA_SCHEMA_REGISTRY_PASSWORD": kafka.Password,
		"KAFKA_CREDSTORE_PASSWORD": password, "client.keystore.p12": string(stores.KeyStore),
		"OPEN_SEARCH_USERNAME": username, "OPEN_SEARCH_PASSWORD": search.Password,
		"VALKEY_USERNAME_CACHE": username, "VALKEY_PASSWORD_CACHE": cache.Password,
	} {
		d[k] = []byte(v)
	}
	return Simulator{URL: h.URL}, d
}

func call(t *testing.T, url, path string, body any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "aivenv1 "+token)
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rsp.Body.Close() }()
	if rsp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, rsp.Status)
	}
}

func TestSecrets(t *testing.T) {
	sim, good := simulate(t)
	state, err := sim.State(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	known := index(state)
	if known.made != usersEach {
		t.Errorf("users that were made: want %d, got %d", usersEach, known.made)
	}

	type found struct {
		Complete bool
		Refused  int
		Allowed  bool
	}
	right := found{Complete: true, Allowed: true}
	cases := map[string]struct {
		reason string
		change map[string]string
		want   found
	}{
		"Good":          {"What the simulator issued is right.", nil, found{true, 0, true}},
		"KeyMissing":    {"A key without a value is missing.", map[string]string{"KAFKA_BROKERS": ""}, found{false, 0, true}},
		"Redacted":      {"A redacted value is none, and not a password.", map[string]string{"OPEN_SEARCH_PASSWORD": redacted}, found{false, 1, true}},
		"WrongPassword": {"A password that is not the user's is refused.", map[string]string{"VALKEY_PASSWORD_CACHE": "wrong"}, found{true, 1, true}},
		"UnknownUser":   {"An unknown user is refused, and has no rules.", map[string]string{"OPEN_SEARCH_USERNAME": "unknown"}, found{true, 1, false}},
		"NoCertificate": {"What is not a certificate is refused.", map[string]string{"KAFKA_CERTIFICATE": "wrong"}, found{true, 1, true}},
		"OtherCA":       {"A certificate must be of the CA beside it.", map[string]string{"KAFKA_CA": "wrong"}, found{true, 1, true}},
		"OtherKeyStore": {"The key store must open and hold the certificate.", map[string]string{"client.keystore.p12": "wrong"}, found{true, 1, true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := maps.Clone(good)
			for k, v := range tc.change {
				d[k] = []byte(v)
			}
			got := found{complete(d), known.refused(team(0), d), known.allowed(openSearchOf(team(0)), string(d["OPEN_SEARCH_USERNAME"]))}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if got := known.works(team(0), d); got != (tc.want == right) {
				t.Errorf("\n%s\nworks(...): got %t", tc.reason, got)
			}
		})
	}
}

func TestHasAny(t *testing.T) {
	sim, _ := simulate(t)
	state, err := sim.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		users  []Target
		want   bool
	}{
		"None":         {"Of no users none is there.", nil, false},
		"OneOfTwo":     {"One that is left is enough.", []Target{{kafkaService, "unknown"}, {kafkaService, username}}, true},
		"OtherService": {"A user of that name on another service is another user.", []Target{{"other", username}}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := index(state).hasAny(tc.users); got != tc.want {
				t.Errorf("\n%s\nhasAny(%v): want %t, got %t", tc.reason, tc.users, tc.want, got)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	sim, good := simulate(t)
	state, err := sim.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bad := maps.Clone(good)
	bad["VALKEY_PASSWORD_CACHE"] = []byte("wrong")
	secret := func(version string, data map[string][]byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: team(0), UID: "uid", ResourceVersion: version}, Data: data}
	}
	missing := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: team(0)}}
	cases := map[string]struct {
		reason        string
		before, after *corev1.Secret
		want          Looks
	}{
		"Works":      {"What works is counted.", secret("1", good), secret("1", good), Looks{Taken: 1}},
		"Refused":    {"What is refused while the Secret holds it is a gap.", secret("1", bad), secret("1", bad), Looks{Taken: 1, Refused: 1}},
		"Replaced":   {"What a Secret held before may have ended with it.", secret("1", bad), secret("2", good), Looks{}},
		"Missing":    {"A Secret that is not there does not work.", missing, missing, Looks{Taken: 1, Refused: 1}},
		"Reappeared": {"One that comes meanwhile is looked at the next time.", missing, secret("1", good), Looks{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := compare(index(state), []*corev1.Secret{tc.before}, []*corev1.Secret{tc.after})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\ncompare(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAddService(t *testing.T) {
	sim, _ := simulate(t)
	for _, svc := range services("late") {
		if err := sim.AddService(t.Context(), project, svc); err != nil {
			t.Fatalf("AddService(...): %v", err)
		}
	}
	state, err := sim.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	users := index(state).users
	if users[openSearchOf("late")] == nil || users[valkeyOf("late")] == nil {
		t.Errorf("services that were added are not there")
	}
	if err := sim.AddService(t.Context(), project, aivensim.Service{Name: "x", Type: "unknown"}); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("AddService(...) of an unknown type: %v, want an error with the status", err)
	}
}
