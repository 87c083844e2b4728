// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// Time stands still in a bubble until all callers wait.
func TestServiceSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(aivensim.WithLatency(50 * time.Millisecond))
		c := inBubble(t, s)
		defer c.Close()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := c.Service(context.Background(), valkeyRef); err != nil {
					t.Errorf("Service(...): %v", err)
				}
			})
		}
		wg.Wait()
		if n := calls(s, "GetService"); n != 1 {
			t.Errorf("%d reads for 100 callers, want 1", n)
		}
		for range 100 {
			wg.Go(func() {
				if _, err := c.Refresh(context.Background(), valkeyRef); err != nil {
					t.Errorf("Refresh(...): %v", err)
				}
			})
		}
		wg.Wait()
		if n := calls(s, "GetService") - 1; n != 2 {
			t.Errorf("%d reads for 100 calls to Refresh, want that of the first and one that began after the others", n)
		}
		for _, r := range s.Requests() {
			if !strings.Contains(r.Query, "include_secrets=true") {
				t.Errorf("query %q does not ask for secrets", r.Query)
			}
		}
	})
}

// The read of a Refresh begins after the call to it, also when another read is under way.
func TestRefreshBeginsAfterCall(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	ctx := context.Background()
	began, goOn := make(chan struct{}), make(chan struct{})
	remove := s.Inject(aivensim.Fault{Operation: "GetService", Count: 1, Hook: func(*http.Request) { close(began); <-goOn }})
	defer remove()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Errorf("Service(...): %v", err)
		}
	})
	<-began
	wg.Go(func() {
		svc, err := c.Refresh(ctx, valkeyRef)
		if err != nil {
			t.Errorf("Refresh(...): %v", err)
			return
		}
		if _, ok := svc.User("late"); !ok {
			t.Errorf("Refresh shared a read that began before it")
		}
	})
	e := c.entry(valkeyRef)
	eventually(t, "a second read is queued", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.queued != nil
	})
	s.AddUser(testProject, valkeyRef.Service, "late")
	close(goOn)
	wg.Wait()
	if n := calls(s, "GetService"); n != 2 {
		t.Errorf("%d reads, want 2", n)
	}
}

func TestCallerGivesUp(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	goOn := make(chan struct{})
	s.Inject(aivensim.Fault{Operation: "GetService", Count: 1, Hook: func(*http.Request) { <-goOn }})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Service(ctx, valkeyRef); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("Service(...): got %v, want context.Canceled of kind ErrUnavailable", err)
	}
	close(goOn)
	if _, err := c.Service(context.Background(), valkeyRef); err != nil {
		t.Errorf("the read ended with the caller who gave up: %v", err)
	}
	if n := calls(s, "GetService"); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
}

func TestFailedReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		c := inBubble(t, s)
		defer c.Close()
		ctx := context.Background()
		remove := s.Inject(aivensim.Fault{Operation: "GetService", Status: 503})
		for range 50 {
			if _, err := c.Service(ctx, valkeyRef); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("Service(...): got %v, want ErrUnavailable", err)
			}
		}
		if n := calls(s, "GetService"); n != 3 {
			t.Errorf("%d reads, want one and two repetitions, then a memory of it", n)
		}
		remove()
		pass(defaultErrorTTL)
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Fatalf("Service(...) after the memory's end: %v", err)
		}
		remove = s.Inject(aivensim.Fault{Operation: "GetService", Status: 500})
		if _, err := c.Refresh(ctx, valkeyRef); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Refresh(...): got %v, want ErrUnavailable", err)
		}
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Errorf("Service(...) with a good snapshot: %v", err)
		}
		pass(defaultPollInterval + time.Minute)
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Errorf("Service(...) with a snapshot of a bit more than an interval: %v", err)
		}
		pass(defaultPollInterval)
		if _, err := c.Service(ctx, valkeyRef); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Service(...) with a snapshot of more than two intervals: got %v, want ErrUnavailable", err)
		}
		remove()
		pass(time.Minute)
		s.RevokeToken(testToken)
		if _, err := c.Refresh(ctx, valkeyRef); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("Refresh(...): got %v, want ErrUnauthorized", err)
		}
		if _, err := c.Service(ctx, valkeyRef); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("Service(...) after a refusal: got %v, want ErrUnauthorized at once", err)
		}
	})
}

func TestPoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		c := inBubble(t, s)
		defer c.Close()
		ctx := context.Background()
		events := subscribe(c)
		for _, name := range []string{"a", "b", "same"} {
			s.AddUser(testProject, valkeyRef.Service, name)
		}
		if _, err := c.Service(ctx, valkeyRef); err != nil {
			t.Fatalf("Service(...): %v", err)
		}
		s.SetPassword(testProject, valkeyRef.Service, "a", "another-password")
		s.DeleteUser(testProject, valkeyRef.Service, "b")
		s.AddUser(testProject, valkeyRef.Service, "c")
		pass(defaultPollInterval + time.Second)
		for name, want := range map[string]int{"a": 1, "b": 1, "c": 1, "same": 0, "": 0} {
			if got := events.count(user(valkeyRef, name)); got != want {
				t.Errorf("events of %q: got %d, want %d", name, got, want)
			}
		}
		if n := calls(s, "GetService"); n != 2 {
			t.Errorf("%d reads, want the first and one of the poller", n)
		}
		s.SetServiceState(testProject, valkeyRef.Service, "REBALANCING")
		pass(defaultPollInterval + time.Second)
		if got := events.count(user(valkeyRef, "")); got != 1 {
			t.Errorf("events of the service: got %d, want 1 for its state", got)
		}
		if _, err := c.Service(ctx, valkeyRef); err != nil { // Keeps it in use.
			t.Fatalf("Service(...): %v", err)
		}
		remove := s.Inject(aivensim.Fault{Operation: "GetService", Status: 500})
		pass(defaultPollInterval + time.Second)
		remove()
		pass(defaultPollInterval + time.Second)
		if got := events.count(user(valkeyRef, "")); got != 2 {
			t.Errorf("events of the service: got %d, want another one for its recovery", got)
		}
		pass(unusedIntervals * defaultPollInterval)
		before := calls(s, "GetService")
		pass(10 * defaultPollInterval)
		if n := calls(s, "GetService") - before; n > 1 {
			t.Errorf("%d reads of a service that nobody asks for", n)
		}
	})
}

func TestClose(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	began := make(chan struct{})
	s.Inject(aivensim.Fault{Operation: "GetService", Count: 1, Hang: true, Hook: func(*http.Request) { close(began) }})
	failed := make(chan error, 1)
	go func() {
		_, err := c.Service(context.Background(), valkeyRef)
		failed <- err
	}()
	<-began
	c.Close()
	c.Close()
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("a read under way: got %v, want ErrClosed", err)
	}
	if _, err := c.Service(context.Background(), kafkaRef); !errors.Is(err, ErrClosed) {
		t.Errorf("Service(...): got %v, want ErrClosed", err)
	}
	if _, err := c.ProjectCA(context.Background(), testProject); !errors.Is(err, ErrClosed) {
		t.Errorf("ProjectCA(...): got %v, want ErrClosed", err)
	}
	c.SubmitRules(context.Background(), user(searchRef, "u"), rules("a", "read"))
	if err := c.WaitRules(context.Background(), user(searchRef, "u")); !errors.Is(err, ErrClosed) {
		t.Errorf("WaitRules(...): got %v, want ErrClosed", err)
	}
}
