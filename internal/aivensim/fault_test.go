// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// TestFaults creates a user while a fault is on.
func TestFaults(t *testing.T) {
	type want struct {
		broken     bool // no whole answer
		status     int
		message    string
		raw        string
		retryAfter string
		effect     bool
	}
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
		want   want
	}{
		"Status": {"An error has no effect.", aivensim.Fault{Status: 500}, want{status: 500, message: "Internal Server Error"}},
		"Message": {
			"Its message can be chosen.",
			aivensim.Fault{Status: 501, Message: "retry later"},
			want{status: 501, message: "retry later"},
		},
		"Unavailable": {"503 has the API's message.", aivensim.Fault{Status: 503}, want{status: 503, message: "An error occurred. Please try again later."}},
		"RateLimit": {"429 has the API's message.", aivensim.Fault{Status: 429, RetryAfter: "7"}, want{
			status: 429, retryAfter: "7",
			message: "The user has sent too many requests in a given amount of time: Rate limit 120 exceeded - try again in 28s",
		}},
		"LostAnswer": {"The effect can come first.", aivensim.Fault{Status: 502, After: true}, want{status: 502, message: "Bad Gateway", effect: true}},
		"CutBody":    {"A body ends in the middle, after the effect.", aivensim.Fault{CutBody: true}, want{broken: true, effect: true}},
		"Close":      {"A connection closes.", aivensim.Fault{CloseConnection: true}, want{broken: true}},
		"CloseAfter": {"Or after the effect.", aivensim.Fault{CloseConnection: true, After: true}, want{broken: true, effect: true}},
		"HTML":       {"A proxy speaks HTML.", aivensim.Fault{Status: 504, HTML: true}, want{status: 504, raw: "<title>Gateway Timeout</title>"}},
		"ErrorsIn200": {
			"Errors can hide in a 200.",
			aivensim.Fault{ErrorsIn200: true, Status: 409, Message: "no"},
			want{status: 200, message: "no", raw: `"errors":[{"status":409,"message":"no"}]`},
		},
		"EmptyBody":      {"A 200 without a body.", aivensim.Fault{EmptyBody: true}, want{status: 200}},
		"EmptyBodyAfter": {"Or after the effect.", aivensim.Fault{EmptyBody: true, After: true}, want{status: 200, effect: true}},
		"EchoSecrets":    {"Messages can leak.", aivensim.Fault{EchoSecrets: true, Status: 400}, want{status: 400, raw: "t-admin"}},
		"OtherUser":      {"Faults can be for another user.", aivensim.Fault{Status: 500, User: "other"}, want{status: 200, message: "created", effect: true}},
		"OtherService":   {"Or another service.", aivensim.Fault{Status: 500, Service: "k"}, want{status: 200, message: "created", effect: true}},
		"OtherProject":   {"Or another project.", aivensim.Fault{Status: 500, Project: "q"}, want{status: 200, message: "created", effect: true}},
		"OtherOperation": {"Or another operation.", aivensim.Fault{Status: 500, Operation: "GetService"}, want{status: 200, message: "created", effect: true}},
		"ThisOne": {
			"Or all of that.",
			aivensim.Fault{Status: 500, Operation: "CreateUser", Project: "p", Service: "v", User: "made"},
			want{status: 500, message: "Internal Server Error"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			remove := r.Inject(tc.fault)
			got, err := r.try(t, "t-admin", "POST", valkeyPath+"/user", `{"username":"made"}`)
			if (err != nil) != tc.want.broken {
				t.Fatalf("%s got error %v", tc.reason, err)
			}
			message, _ := at(got.json, "message").(string)
			if got.status != tc.want.status || !strings.Contains(got.raw, tc.want.raw) || tc.want.message != "" && message != tc.want.message {
				t.Errorf("%s got %d %s", tc.reason, got.status, got.raw)
			}
			if got.header.Get("Retry-After") != tc.want.retryAfter {
				t.Errorf("%s got Retry-After %q", tc.reason, got.header.Get("Retry-After"))
			}
			if _, ok := r.User("p", "v", "made"); ok != tc.want.effect {
				t.Errorf("%s effect: %t", tc.reason, ok)
			}
			if log := r.Requests(); len(log) != 1 || log[0].Operation != "CreateUser" {
				t.Errorf("%s log: %v", tc.reason, log)
			}
			remove()
			remove()
			if again := r.do(t, "POST", valkeyPath+"/user", `{"username":"later"}`); again.status != 200 {
				t.Errorf("%s after removal: %s", tc.reason, again.raw)
			}
		})
	}
}

func TestFaultEchoesPassword(t *testing.T) {
	r := newRig(t)
	r.Inject(aivensim.Fault{EchoSecrets: true, Operation: "DeleteUser"})
	got := r.do(t, "DELETE", valkeyPath+"/user/app", "")
	if u := r.mustUser(t, "v", "app"); got.status != 500 || !strings.Contains(got.raw, u.Password) {
		t.Errorf("got %s", got.raw)
	}
}

func TestFaultCounts(t *testing.T) {
	r := newRig(t)
	r.Inject(aivensim.Fault{Status: 500, Skip: 1, Count: 2})
	r.Inject(aivensim.Fault{Status: 502, Count: 1})
	var got []int
	for range 5 {
		got = append(got, r.do(t, "GET", "/v1/project", "").status)
	}
	if diff := cmp.Diff([]int{502, 500, 500, 200, 200}, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestHang(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		after  bool
	}{
		"Before": {"The request has no effect.", false},
		"After":  {"The request had its effect.", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Inject(aivensim.Fault{Hang: true, After: tc.after})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, r.url+valkeyPath+"/user", strings.NewReader(`{"username":"made"}`))
			req.Header.Set("Authorization", "aivenv1 t-admin")
			done := make(chan error, 1)
			go func() {
				_, err := http.DefaultClient.Do(req) //nolint:bodyclose // there is no answer
				done <- err
			}()
			poll(t, func() bool { return len(r.Requests()) == 1 })
			select {
			case err := <-done:
				t.Fatalf("answered: %v", err)
			default:
			}
			if _, ok := r.User("p", "v", "made"); ok != tc.after {
				t.Error(tc.reason)
			}
			cancel()
			if err := <-done; err == nil {
				t.Error("an answer after all")
			}
		})
	}
}

// poll waits for a condition.
func poll(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatal("did not happen in time")
		case <-tick.C:
		}
	}
}

func TestHookInterleaves(t *testing.T) {
	r := newRig(t)
	put := func(user string) string {
		return `{"opensearch_acl_config":{"acls":[{"username":"` + user + `","rules":[]}]}}`
	}
	var once sync.Once
	r.Inject(aivensim.Fault{Operation: "UpdateOpenSearchACL", Hook: func(*http.Request) {
		once.Do(func() {
			r.SetOpenSearchACL("p", "o", aivensim.OpenSearchACLConfig{Enabled: true, ACLs: []aivensim.OpenSearchACL{{Username: "between"}}})
		})
	}})
	if got := r.do(t, "PUT", openPath+"/opensearch/acl", put("late")); got.status != 200 {
		t.Fatal(got.raw)
	}
	if got := r.OpenSearchACL("p", "o").ACLs; len(got) != 1 || got[0].Username != "late" {
		t.Errorf("a PUT must lose what was written before it: %v", got)
	}
}

func TestHookWithFault(t *testing.T) {
	r := newRig(t)
	called := 0
	r.Inject(aivensim.Fault{Status: 500})
	r.Inject(aivensim.Fault{Hook: func(*http.Request) { called++ }, Count: 1})
	for range 2 {
		if got := r.do(t, "GET", "/v1/project", ""); got.status != 500 {
			t.Errorf("got %s", got.raw)
		}
	}
	if called != 1 {
		t.Errorf("called %d times", called)
	}
}

func TestLatencyEndsWithRequest(t *testing.T) {
	r := newRig(t, aivensim.WithLatency(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, r.url+valkeyPath+"/user", strings.NewReader(`{"username":"made"}`))
	req.Header.Set("Authorization", "aivenv1 t-admin")
	done := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(req) //nolint:bodyclose // there is no answer
		done <- err
	}()
	poll(t, func() bool { _, ok := r.User("p", "v", "made"); return ok })
	cancel()
	if err := <-done; err == nil {
		t.Error("an answer after all")
	}
	poll(t, func() bool { return len(r.Requests()) == 1 })
	r.SetLatency(0)
	if got := r.do(t, "GET", "/v1/project", ""); got.status != 200 {
		t.Errorf("without latency: %s", got.raw)
	}
}

func TestConcurrentUse(t *testing.T) {
	r := newRig(t)
	r.SetUserLimit("p", "k", -1)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			name := "u" + string(rune('a'+worker))
			for range 5 {
				// Errors are told by t.Errorf alone: this is not the test's goroutine.
				for _, step := range []struct{ method, path, body string }{
					{"POST", "/user", `{"username":"` + name + `"}`},
					{"GET", "", ""},
					{"PUT", "/user/" + name, `{"operation":"reset-credentials"}`},
					{"GET", "/user/" + name, ""},
					{"DELETE", "/user/" + name, ""},
				} {
					got, err := r.try(t, "t-admin", step.method, kafkaPath+step.path, step.body)
					if err != nil || got.status != 200 {
						t.Errorf("%s %s: %v %s", step.method, step.path, err, got.raw)
					}
				}
				r.RotateProjectCA("q")
				r.Users("p", "k")
			}
		})
	}
	wg.Wait()
	if users := r.Users("p", "k"); len(users) != 1 {
		t.Errorf("%d users are left", len(users))
	}
}

func TestSameNameOnce(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		wg.Go(func() {
			got, err := r.try(t, "t-admin", "POST", kafkaPath+"/user", `{"username":"same"}`)
			if err != nil {
				t.Error(err)
			}
			statuses[i] = got.status
		})
	}
	wg.Wait()
	counts := map[int]int{}
	for _, s := range statuses {
		counts[s]++
	}
	if diff := cmp.Diff(map[int]int{200: 1, 409: 7}, counts); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
