// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func TestHealth(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	lock := func(seen, held time.Duration) *watchedLock {
		return &watchedLock{now: func() time.Time { return now }, seen: now.Add(-seen), held: now.Add(-held)}
	}
	yes, no := func(context.Context) bool { return true }, func(context.Context) bool { return false }
	type want struct{ Ready, Alive bool }
	cases := map[string]struct {
		reason  string
		h       *health
		leading bool
		want    want
	}{
		"Leader":      {reason: "It works.", h: &health{synced: yes, lock: lock(time.Second, time.Second)}, leading: true, want: want{true, true}},
		"Alone":       {reason: "It works, and needs no lease.", h: &health{synced: yes}, leading: true, want: want{true, true}},
		"Standby":     {reason: "It sees who works, and can take over.", h: &health{synced: yes, lock: lock(time.Second, time.Hour)}, want: want{true, true}},
		"Blind":       {reason: "It would not notice that nobody works. To begin anew does not help.", h: &health{synced: yes, lock: lock(time.Hour, time.Hour)}, want: want{false, true}},
		"Caches":      {reason: "It cannot work before it has seen everything.", h: &health{synced: no, lock: lock(0, 0)}, want: want{false, true}},
		"Begins":      {reason: "Without a lease nobody stands by.", h: &health{synced: yes}, want: want{false, true}},
		"Waits":       {reason: "It does nothing, and says for what it waits.", h: &health{waitsFor: []string{"the right to list secrets"}, synced: yes}, leading: true, want: want{false, true}},
		"Stuck":       {reason: "It works although its lease is over.", h: &health{synced: yes, lock: lock(time.Hour, time.Hour)}, leading: true, want: want{true, false}},
		"AlmostStuck": {reason: "The last attempt to renew the lease may be under way.", h: &health{synced: yes, lock: lock(0, 31*time.Second)}, leading: true, want: want{true, true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.h.leaseDuration = 30 * time.Second
			tc.h.leading.Store(tc.leading)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://host/", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			got := want{tc.h.ready(req) == nil, tc.h.alive(req) == nil}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nready(...), alive(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// aLock is a lock that somebody holds.
type aLock struct {
	resourcelock.Interface

	holder string
	err    error
}

func (l aLock) Identity() string { return "me" }

func (l aLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{HolderIdentity: l.holder}, nil, l.err
}

func (l aLock) Update(context.Context, resourcelock.LeaderElectionRecord) error { return l.err }
func (l aLock) Create(context.Context, resourcelock.LeaderElectionRecord) error { return l.err }

func TestWatchedLock(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	mine, others := resourcelock.LeaderElectionRecord{HolderIdentity: "me"}, resourcelock.LeaderElectionRecord{}
	type want struct{ Seen, Held bool }
	cases := map[string]struct {
		reason string
		lock   aLock
		do     func(ctx context.Context, l *watchedLock)
		want   want
	}{
		"Mine":     {reason: "It is seen and held.", lock: aLock{holder: "me"}, do: get, want: want{true, true}},
		"Others":   {reason: "It is seen.", lock: aLock{holder: "you"}, do: get, want: want{true, false}},
		"Away":     {reason: "Nothing is seen.", lock: aLock{err: errors.New("boom")}, do: get},
		"Renewed":  {reason: "Who renews it holds it.", do: func(ctx context.Context, l *watchedLock) { _ = l.Update(ctx, mine) }, want: want{true, true}},
		"Released": {reason: "Who gives it back does not.", do: func(ctx context.Context, l *watchedLock) { _ = l.Update(ctx, others) }, want: want{true, false}},
		"Failed":   {reason: "Who cannot renew it does not hold it anew.", lock: aLock{err: errors.New("boom")}, do: func(ctx context.Context, l *watchedLock) { _ = l.Update(ctx, mine) }},
		"Made":     {reason: "Who makes it holds it.", do: func(ctx context.Context, l *watchedLock) { _ = l.Create(ctx, mine) }, want: want{true, true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := &watchedLock{Interface: tc.lock, now: func() time.Time { return now }}
			tc.do(t.Context(), l)
			seen, held := l.ages()
			if diff := cmp.Diff(tc.want, want{seen == 0, held == 0}); diff != "" {
				t.Errorf("\n%s\nages(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func get(ctx context.Context, l *watchedLock) {
	if r, _, err := l.Get(ctx); err == nil && r == nil {
		panic("a lock without a record")
	}
}
