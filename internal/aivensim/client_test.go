// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/aiven/aiven-go-client/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// rewrite sends every request to another host: the client's own base URL is global to the process.
type rewrite struct{ host string }

func (r rewrite) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.URL.Scheme, out.URL.Host = "http", r.host
	return http.DefaultTransport.RoundTrip(out)
}

func newClient(t *testing.T, r rig) *aiven.Client {
	t.Helper()
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	c := &aiven.Client{APIKey: "t-admin", UserAgent: "test", Client: &http.Client{Transport: rewrite{host: u.Host}}}
	c.Init()
	return c
}

func status(err error) int {
	if e, ok := errors.AsType[aiven.Error](err); ok {
		return e.Status
	}
	return 0
}

func TestClientUsers(t *testing.T) {
	r := newRig(t)
	c, ctx := newClient(t, r), t.Context()

	created, err := c.ServiceUsers.Create(ctx, "p", "k", aiven.CreateServiceUserRequest{Username: "team_app_0a1b2c3d_x"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.ServiceUsers.Get(ctx, "p", "k", "team_app_0a1b2c3d_x")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(created, got); diff != "" {
		t.Errorf("a GET must tell what the POST told: -created, +got:\n%s", diff)
	}
	if want := start.Add(820 * 24 * time.Hour); !got.AccessCertNotValidAfterTime.Equal(want) {
		t.Errorf("certificate ends %v, want %v", got.AccessCertNotValidAfterTime, want)
	}
	if !r.LoginCertificate("p", "k", []byte(got.AccessCert), []byte(got.AccessKey)) || !r.Login("p", "k", got.Username, got.Password) {
		t.Error("the credentials of the answer must work")
	}
	if _, err := c.ServiceUsers.Create(ctx, "p", "k", aiven.CreateServiceUserRequest{Username: "team_app_0a1b2c3d_x"}); !aiven.IsAlreadyExists(err) {
		t.Errorf("a second create: %v, want already exists", err)
	}
	reset, err := c.ServiceUsers.Update(ctx, "p", "k", got.Username, aiven.ModifyServiceUserRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if reset.Password == got.Password || reset.AccessCert == got.AccessCert || reset.AccessKey == got.AccessKey {
		t.Error("an update without operation is a reset, and must change password, certificate and key")
	}
	if r.Login("p", "k", got.Username, got.Password) || r.LoginCertificate("p", "k", []byte(got.AccessCert), []byte(got.AccessKey)) {
		t.Error("credentials before a reset must not work any more")
	}
	if err := c.ServiceUsers.Delete(ctx, "p", "k", got.Username); err != nil {
		t.Error(err)
	}
	if err := c.ServiceUsers.Delete(ctx, "p", "k", got.Username); status(err) != 404 {
		t.Errorf("a second delete: %v, want 404", err)
	}
	if _, err := c.ServiceUsers.Get(ctx, "p", "none", "x"); status(err) != 404 {
		t.Errorf("get on a missing service: %v, want 404", err)
	}
}

func TestClientAccessControl(t *testing.T) {
	r := newRig(t)
	c, ctx := newClient(t, r), t.Context()

	set := aiven.UpdateOperationSetAccessControl
	got, err := c.ServiceUsers.Update(ctx, "p", "v", "app", aiven.ModifyServiceUserRequest{
		Operation: &set,
		AccessControl: &aiven.AccessControl{
			ValkeyACLCategories: []string{"-@all", "+@read", "+@connection"},
			ValkeyACLCommands:   []string{},
			ValkeyACLKeys:       []string{"z:*", "a:*"},
			ValkeyACLChannels:   []string{"*"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := aiven.AccessControl{
		ValkeyACLCategories: []string{"-@all", "+@read", "+@connection"},
		ValkeyACLKeys:       []string{"a:*", "z:*"},
		ValkeyACLChannels:   []string{"*"},
	}
	if diff := cmp.Diff(want, got.AccessControl); diff != "" {
		t.Errorf("canonical access control: -want, +got:\n%s", diff)
	}
}

func TestClientACLs(t *testing.T) {
	r := newRig(t)
	c, ctx := newClient(t, r), t.Context()

	entry, err := c.KafkaACLs.Create(ctx, "p", "k", aiven.CreateKafkaACLRequest{Permission: "read", Topic: "a.*", Username: "u_*"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.KafkaACLs.List(ctx, "p", "k")
	if err != nil || len(list) != 2 || list[0].ID != "default" || list[1].ID != entry.ID {
		t.Errorf("Kafka ACL: %v, %v", list, err)
	}
	if err := c.KafkaACLs.Delete(ctx, "p", "k", entry.ID); err != nil {
		t.Error(err)
	}
	if got := r.KafkaACL("p", "k"); len(got) != 1 {
		t.Errorf("Kafka ACL after delete: %v", got)
	}

	config := aiven.OpenSearchACLConfig{Enabled: true, ExtendedAcl: true, ACLs: []aiven.OpenSearchACL{
		{Username: "app", Rules: []aiven.OpenSearchACLRule{{Index: "logs-*", Permission: "read"}}},
	}}
	if _, err := c.OpenSearchACLs.Update(ctx, "p", "o", aiven.OpenSearchACLRequest{OpenSearchACLConfig: config}); err != nil {
		t.Fatal(err)
	}
	res, err := c.OpenSearchACLs.Get(ctx, "p", "o")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config, res.OpenSearchACLConfig); diff != "" {
		t.Errorf("OpenSearch ACL: -want, +got:\n%s", diff)
	}
	if _, err := c.OpenSearchACLs.Update(ctx, "p", "o", aiven.OpenSearchACLRequest{}); status(err) != 400 {
		t.Errorf(`"acls":null: %v, want 400`, err)
	}
	r.SetOpenSearchSecurity("p", "o", true)
	security, err := c.OpenSearchSecurityPluginHandler.Get(ctx, "p", "o")
	if err != nil || !security.SecurityPluginEnabled {
		t.Errorf("security: %v, %v", security, err)
	}
}

func TestClientReads(t *testing.T) {
	r := newRig(t)
	c, ctx := newClient(t, r), t.Context()

	projects, err := c.Projects.List(ctx)
	if err != nil || len(projects) != 2 {
		t.Errorf("projects: %v, %v", projects, err)
	}
	ca, err := c.CA.Get(ctx, "p")
	if err != nil || ca != r.ProjectCA("p") {
		t.Errorf("CA: %q, %v", ca, err)
	}
	services, err := c.Services.List(ctx, "p")
	if err != nil || len(services) != 3 {
		t.Fatalf("services: %v, %v", services, err)
	}
	for _, s := range services {
		one, err := c.Services.Get(ctx, "p", s.Name)
		if err != nil {
			t.Errorf("service %s: %v", s.Name, err)
			continue
		}
		if diff := cmp.Diff(s, one); diff != "" {
			t.Errorf("service %s in list and alone: -list, +alone:\n%s", s.Name, diff)
		}
		if one.State != "RUNNING" || one.URI == "" || one.Users[0].Type != "primary" || len(one.Components) == 0 {
			t.Errorf("service %s is incomplete: %+v", s.Name, one)
		}
	}
	ops := []string{}
	for _, q := range r.Requests() {
		ops = append(ops, q.Operation)
		if q.Query != "limit=999" || q.UserAgent == "" || q.Status != 200 || q.BytesOut == 0 {
			t.Errorf("log entry: %+v", q)
		}
	}
	want := []string{"ListProjects", "GetProjectCA", "ListServices", "GetService", "GetService", "GetService"}
	if diff := cmp.Diff(want, ops); diff != "" {
		t.Errorf("operations: -want, +got:\n%s", diff)
	}
	stats := r.Stats()
	if stats.Calls != 6 || stats.ByOperation["GetService"].Calls != 3 || stats.BytesOut == 0 {
		t.Errorf("stats: %+v", stats)
	}
	r.ResetRequests()
	if diff := cmp.Diff(aivensim.Stats{ByOperation: map[string]aivensim.OperationStats{}}, r.Stats()); diff != "" {
		t.Errorf("stats after reset: -want, +got:\n%s", diff)
	}
}
