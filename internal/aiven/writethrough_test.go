// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Own writes survive reads that do not show them yet, and outside changes are seen once the time is over.
func TestWriteThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		s.SetVisibilityDelay(20 * time.Second)
		s.SetPasswordDelay(25 * time.Second)
		c := inBubble(t, s)
		defer c.Close()
		ctx := context.Background()
		events := subscribe(c)
		created, err := c.CreateUser(ctx, user(valkeyRef, "u"), AccessControl{Keys: []string{"b", "a"}})
		if err != nil {
			t.Fatalf("CreateUser(...): %v", err)
		}
		for i := range 6 {
			svc, err := c.Refresh(ctx, valkeyRef)
			if err != nil {
				t.Fatalf("Refresh(...): %v", err)
			}
			if got, ok := svc.User("u"); !ok || got.Password != created.Password {
				t.Errorf("after %d s: got %+v, want the user with its password", i*5, got)
			}
			pass(5 * time.Second)
		}
		synctest.Wait()
		if events.count(user(valkeyRef, "u")) != 0 {
			t.Errorf("own writes were told as changes: %s", events.all())
		}
		s.DeleteUser(testProject, valkeyRef.Service, "u")
		pass(time.Second)
		svc, err := c.Refresh(ctx, valkeyRef)
		if err != nil {
			t.Fatalf("Refresh(...): %v", err)
		}
		if _, ok := svc.User("u"); ok {
			t.Errorf("a user deleted outside is still there after the settle time")
		}
		synctest.Wait()
		if events.count(user(valkeyRef, "u")) != 1 {
			t.Errorf("the deletion outside was not told once: %s", events.all())
		}
	})
}

// A read that is under way while we write neither loses nor brings back a user.
func TestWriteDuringRead(t *testing.T) {
	s := newSim()
	s.AddUser(testProject, valkeyRef.Service, "old")
	var armed atomic.Bool
	began, goOn := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !armed.CompareAndSwap(true, false) {
			s.ServeHTTP(w, r)
			return
		}
		hold := &held{header: http.Header{}}
		s.ServeHTTP(hold, r) // As it was before our writes,
		close(began)
		<-goOn // told after them.
		_, _ = w.Write(hold.body)
	})
	c := connect(t, h)
	ctx := context.Background()
	if _, err := c.Service(ctx, valkeyRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	armed.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() {
		svc, err := c.Refresh(ctx, valkeyRef)
		if err != nil {
			t.Errorf("Refresh(...): %v", err)
			return
		}
		if _, ok := svc.User("old"); ok {
			t.Errorf("the read brought a deleted user back")
		}
		if _, ok := svc.User("new"); !ok {
			t.Errorf("the read lost a created user")
		}
	})
	<-began
	if err := c.DeleteUser(ctx, user(valkeyRef, "old")); err != nil {
		t.Errorf("DeleteUser(...): %v", err)
	}
	if _, err := c.CreateUser(ctx, user(valkeyRef, "new"), AccessControl{}); err != nil {
		t.Errorf("CreateUser(...): %v", err)
	}
	close(goOn)
	wg.Wait()
}

func TestManyCreations(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	ctx := context.Background()
	if _, err := c.Service(ctx, valkeyRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	const n = 3 * foldOverlay
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := c.CreateUser(ctx, user(valkeyRef, "u"+strings.Repeat("x", i%20)+time.Duration(i).String()), AccessControl{}); err != nil {
				t.Errorf("CreateUser(...): %v", err)
			}
		})
	}
	wg.Wait()
	svc, err := c.Service(ctx, valkeyRef)
	if err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	if svc.UserCount() != n+1 {
		t.Errorf("UserCount: got %d, want %d", svc.UserCount(), n+1)
	}
	for _, u := range s.Users(testProject, valkeyRef.Service) {
		if got, ok := svc.User(u.Username); !ok || got.Password != u.Password {
			t.Errorf("User(%s): got %+v", u.Username, got)
		}
	}
	if calls := calls(s, "GetService"); calls != 1 {
		t.Errorf("%d reads, want 1", calls)
	}
}

type held struct {
	header http.Header
	body   []byte
}

func (h *held) Header() http.Header         { return h.header }
func (h *held) Write(b []byte) (int, error) { h.body = append(h.body, b...); return len(b), nil }
func (h *held) WriteHeader(int)             {}
