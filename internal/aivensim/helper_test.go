// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func fixedClock() time.Time { return start }

const (
	kafkaPath  = "/v1/project/p/service/k"
	openPath   = "/v1/project/p/service/o"
	valkeyPath = "/v1/project/p/service/v"
)

func seed() aivensim.Seed {
	return aivensim.Seed{
		Tokens: []aivensim.Token{
			{Token: "t-admin", Name: "admin"},
			{Token: "t-operator", Permissions: aivensim.PermissionOperator},
			{Token: "t-reader", Permissions: aivensim.PermissionReadOnly},
			{Token: "t-users", Permissions: aivensim.PermissionUsersWrite},
			{Token: "t-services", Permissions: aivensim.PermissionServicesRead},
			{Token: "t-other", Projects: []string{"q"}},
		},
		Projects: []aivensim.Project{
			{Name: "p", Services: []aivensim.Service{
				{Name: "k", Type: "kafka"},
				{Name: "o", Type: "opensearch", ACLEnabled: true},
				{Name: "v", Type: "valkey", Replica: true, Users: []string{"app"}},
			}},
			{Name: "q"},
		},
	}
}

// rig is a server and its address.
type rig struct {
	*aivensim.Server
	url string
}

func newRig(t testing.TB, opts ...aivensim.Option) rig {
	t.Helper()
	base := []aivensim.Option{aivensim.WithSeed(seed()), aivensim.WithKeySize(1024), aivensim.WithClock(fixedClock)}
	sim := aivensim.New(append(base, opts...)...)
	srv := httptest.NewServer(sim)
	t.Cleanup(srv.Close)
	return rig{Server: sim, url: srv.URL}
}

// response is an answer, decoded if it was JSON.
type response struct {
	status int
	header http.Header
	raw    string
	json   map[string]any
}

func (r rig) as(t testing.TB, token, method, path, body string) response {
	t.Helper()
	out, err := r.try(t, token, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return out
}

func (r rig) do(t testing.TB, method, path, body string) response {
	t.Helper()
	return r.as(t, "t-admin", method, path, body)
}

func (r rig) try(t testing.TB, token, method, path, body string) (response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "aivenv1 "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return response{}, err
	}
	out := response{status: res.StatusCode, header: res.Header, raw: string(b)}
	_ = json.Unmarshal(b, &out.json)
	return out, nil
}

// at walks into an answer: a string names a property, a number an element. It is nil where there is nothing.
func at(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			l, _ := v.([]any)
			if s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

func (r rig) createUser(t testing.TB, path, name string) map[string]any {
	t.Helper()
	res := r.do(t, http.MethodPost, path+"/user", `{"username":"`+name+`"}`)
	if res.status != http.StatusOK {
		t.Fatalf("create user: %d %s", res.status, res.raw)
	}
	u, _ := at(res.json, "user").(map[string]any)
	return u
}

// userOf finds a user within a service's document.
func userOf(service response, name string) map[string]any {
	users, _ := at(service.json, "service", "users").([]any)
	for _, u := range users {
		if m, _ := u.(map[string]any); m["username"] == name {
			return m
		}
	}
	return nil
}
