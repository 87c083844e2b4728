// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestProjectCA(t *testing.T) {
	s := newSim()
	var now struct {
		sync.Mutex
		offset time.Duration
	}
	c := connect(t, s, func(o *Options) {
		o.Now = func() time.Time {
			now.Lock()
			defer now.Unlock()
			return time.Now().Add(now.offset)
		}
	})
	ctx := context.Background()
	if _, err := c.Service(ctx, kafkaRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	events := subscribe(c)
	first, err := c.ProjectCA(ctx, testProject)
	if err != nil {
		t.Fatalf("ProjectCA(...): %v", err)
	}
	s.RotateProjectCA(testProject)
	if again, err := c.ProjectCA(ctx, testProject); err != nil || again != first {
		t.Errorf("ProjectCA(...) is not cached: %v", err)
	}
	now.Lock()
	now.offset = caTTL
	now.Unlock()
	if next, err := c.ProjectCA(ctx, testProject); err != nil || next == first {
		t.Errorf("ProjectCA(...) is not read again: %v", err)
	}
	if n := calls(s, "GetProjectCA"); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
	if events.count(user(kafkaRef, "")) == 0 {
		t.Errorf("a changed CA was not told: %s", events.all())
	}
	if _, err := c.ProjectCA(ctx, "none"); !errors.Is(err, ErrServiceNotFound) {
		t.Errorf("ProjectCA(none): got %v, want ErrServiceNotFound", err)
	}
}

func TestKafkaService(t *testing.T) {
	s := newSim()
	s.AddProject("empty")
	s.AddService("two", aivensim.Service{Name: "k1", Type: "kafka"})
	s.AddService("two", aivensim.Service{Name: "k2", Type: "kafka"})
	c := connect(t, s)
	ctx := context.Background()
	cases := map[string]struct {
		reason, project, want string
		err                   error
	}{
		"One":       {reason: "the only one is it", project: testProject, want: kafkaRef.Service},
		"None":      {reason: "there is none", project: "empty", err: ErrNoService},
		"Two":       {reason: "nobody may guess", project: "two", err: ErrAmbiguousService},
		"NoProject": {reason: "the project is missing", project: "gone", err: ErrServiceNotFound},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				got, err := c.KafkaService(ctx, tc.project)
				if got != tc.want || !errors.Is(err, tc.err) {
					t.Errorf("%s: got %q, %v; want %q, %v", tc.reason, got, err, tc.want, tc.err)
				}
			}
		})
	}
	if n := calls(s, "ListServices"); n != len(cases) {
		t.Errorf("%d calls, want one for each project", n)
	}
	for _, r := range s.Requests() {
		if strings.Contains(r.Query, "include_secrets") {
			t.Errorf("the list was asked for with secrets: %s", r.Query)
		}
	}
}

func TestComponent(t *testing.T) {
	plain := false
	s := newSim()
	s.AddService(testProject, aivensim.Service{Name: "odd", Type: "kafka", Components: []aivensim.Component{
		{Component: "kafka", Host: "public", Port: 1, Route: "public", KafkaAuthenticationMethod: "certificate"},
		{Component: "kafka", Host: "sasl", Port: 2, KafkaAuthenticationMethod: "sasl"},
		{Component: "kafka", Host: "cert", Port: 3, KafkaAuthenticationMethod: "certificate"},
		{Component: "valkey", Host: "plain", Port: 4, SSL: &plain},
		{Component: "valkey", Host: "tls", Port: 5},
		{Component: "valkey", Host: "replica", Port: 6, Usage: "replica"},
	}})
	c := connect(t, s)
	svc, err := c.Service(context.Background(), ServiceRef{testProject, "odd"})
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	cases := map[string]struct{ reason, name, usage, auth, want string }{
		"Certificate": {"not the public route, not SASL", "kafka", "primary", "certificate", "cert"},
		"SASL":        {"the method decides", "kafka", "", "sasl", "sasl"},
		"Any":         {"the first dynamic one", "kafka", "", "", "sasl"},
		"TLS":         {"plain text is never chosen", "valkey", "primary", "", "tls"},
		"Replica":     {"the usage decides", "valkey", "replica", "", "replica"},
		"None":        {"there is none", "schema_registry", "", "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := svc.Component(tc.name, tc.usage, tc.auth)
			if diff := cmp.Diff(tc.want, got.Host); diff != "" || ok != (tc.want != "") {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
