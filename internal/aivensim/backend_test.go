// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// backend keeps what it is told.
type backend struct {
	mu    sync.Mutex
	told  []string
	users map[string]aivensim.Account
}

func (b *backend) SetUser(a aivensim.Account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, "set "+a.Username)
	b.users[a.Username] = a
}

func (b *backend) DeleteUser(username string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, "delete "+username)
	delete(b.users, username)
}

// take returns what was told since.
func (b *backend) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	told := b.told
	b.told = nil
	return told
}

func TestBackend(t *testing.T) {
	const readers = `{"operation":"set-access-control","access_control":{"valkey_acl_categories":["-@all","+@read"],"valkey_acl_keys":["a"]}}`
	cases := map[string]struct {
		reason string
		do     func(t *testing.T, r rig)
		want   []string
	}{
		"Create": {
			reason: "A user that the API makes is there when the API answers.",
			do:     func(t *testing.T, r rig) { r.createUser(t, valkeyPath, "new") },
			want:   []string{"set new"},
		},
		"CreateTwice": {
			reason: "What is refused changes nothing.",
			do:     func(t *testing.T, r rig) { r.do(t, http.MethodPost, valkeyPath+"/user", `{"username":"app"}`) },
		},
		"AccessControl": {
			reason: "So is what it may do.",
			do:     func(t *testing.T, r rig) { r.do(t, http.MethodPut, valkeyPath+"/user/app", readers) },
			want:   []string{"set app"},
		},
		"Reset": {
			reason: "And its password.",
			do: func(t *testing.T, r rig) {
				r.do(t, http.MethodPut, valkeyPath+"/user/app/credentials/reset", "")
			},
			want: []string{"set app"},
		},
		"Delete": {
			reason: "A user that is deleted is gone.",
			do:     func(t *testing.T, r rig) { r.do(t, http.MethodDelete, valkeyPath+"/user/app", "") },
			want:   []string{"delete app"},
		},
		"LostAnswer": {
			reason: "What was done is told, whatever the answer.",
			do: func(t *testing.T, r rig) {
				r.Inject(aivensim.Fault{Operation: "CreateUser", Status: http.StatusBadGateway, After: true, Count: 1})
				r.do(t, http.MethodPost, valkeyPath+"/user", `{"username":"new"}`)
			},
			want: []string{"set new"},
		},
		"Outside": {
			reason: "Changes from outside the API are told in order.",
			do: func(_ *testing.T, r rig) {
				r.AddUser("p", "v", "new")
				r.SetPassword("p", "v", "new", "other-password")
				r.DeleteUser("p", "v", "new")
			},
			want: []string{"set new", "set new", "delete new"},
		},
		"PowerCycle": {
			reason: "Only the built-in user comes back.",
			do:     func(_ *testing.T, r rig) { r.PowerCycle("p", "v") },
			want:   []string{"delete app"},
		},
		"Remove": {
			reason: "Nobody can use a service that is gone.",
			do:     func(_ *testing.T, r rig) { r.RemoveService("p", "v") },
			want:   []string{"delete default", "delete app"},
		},
		"Replace": {
			reason: "Nor one that another took the place of.",
			do:     func(_ *testing.T, r rig) { r.AddService("p", aivensim.Service{Name: "v", Type: "valkey"}) },
			want:   []string{"delete default", "delete app"},
		},
		"Others": {
			reason: "The users of other services are none of its business.",
			do:     func(t *testing.T, r rig) { r.createUser(t, openPath, "new") },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, b := newBacked(t)
			tc.do(t, r)
			if diff := cmp.Diff(tc.want, b.take()); diff != "" {
				t.Errorf("\n%s\ntold: -want, +got:\n%s", tc.reason, diff)
			}
			for name, a := range b.users {
				u, ok := r.User("p", "v", name)
				if !ok || u.Password != a.Password || !cmp.Equal(u.AccessControl, a.AccessControl) {
					t.Errorf("\n%s\n%s is not what the API tells", tc.reason, name)
				}
			}
		})
	}
}

// newBacked makes a rig whose Valkey has a backend.
func newBacked(t *testing.T) (rig, *backend) {
	t.Helper()
	r, b := newRig(t), &backend{users: map[string]aivensim.Account{}}
	r.AddService("p", aivensim.Service{Name: "v", Type: "valkey", Users: []string{"app"}, Backend: b})
	if diff := cmp.Diff([]string{"set default", "set app"}, b.take()); diff != "" {
		t.Fatalf("told at the beginning: -want, +got:\n%s", diff)
	}
	return r, b
}

func TestBackendInOrder(t *testing.T) {
	t.Parallel()
	r, b := newBacked(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 32 {
				r.SetPassword("p", "v", "app", fmt.Sprintf("password-%d-%d", i, j))
			}
		})
	}
	wg.Wait()
	u, _ := r.User("p", "v", "app")
	if b.users["app"].Password != u.Password {
		t.Error("the backend was told of the last change before another")
	}
}

func TestServerCertificate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	certPEM, keyPEM := r.ServerCertificate("p", "db.example.org", "127.0.0.1")
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(r.ProjectCA("p")))
	for _, host := range []string{"db.example.org", "127.0.0.1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: start}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	body := strings.Join(strings.Split(strings.TrimSpace(keyPEM), "\n")[1:3], "\n")
	if !strings.Contains(strings.Join(r.Issued(), "\n"), body) {
		t.Error("the key is not known as a credential")
	}
}
