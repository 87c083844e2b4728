// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"sync"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sync/singleflight"
)

// A cache keeps one text per project, read once for all who ask.
type cache struct {
	c     *Client
	ttl   time.Duration
	group singleflight.Group

	mu     sync.Mutex
	values map[string]cached
}

type cached struct {
	value   string
	at      time.Time // zero: there is no value
	failure *failure  // of the last read; nil after a success
}

// A source reads a value of a project.
type source struct {
	call call
	read func(context.Context) (string, error)
	// changed is told when a later read brought another value. Optional.
	changed func()
}

func newCache(c *Client, ttl time.Duration) *cache {
	return &cache{c: c, ttl: ttl, values: map[string]cached{}}
}

// get returns the project's value: the cached one while it is younger than the cache's ttl, and as long again while reads
// fail for a passing reason; else what a read returns. Failures are remembered for Options.ErrorTTL.
func (k *cache) get(ctx context.Context, project string, src source) (string, error) {
	if err := src.call.check(); err != nil {
		return "", err
	}
	if value, ok, err := k.known(project, k.c.opts.Now()); ok {
		return value, err
	}
	done := k.group.DoChan(project, func() (any, error) { //nolint:contextcheck // The read is shared: it must not end with the caller.
		return k.read(project, src)
	})
	select {
	case r := <-done:
		value, _ := r.Val.(string)
		return value, r.Err
	case <-ctx.Done():
		return "", src.call.ended(ctx)
	}
}

func (k *cache) known(project string, now time.Time) (string, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v := k.values[project]
	switch {
	case !v.at.IsZero() && now.Sub(v.at) < k.ttl:
		return v.value, true, nil
	case v.failure != nil && now.Before(v.failure.until):
		value, err := k.lastGood(v, now, v.failure.err)
		return value, true, err
	}
	return "", false, nil
}

func (k *cache) lastGood(v cached, now time.Time, err error) (string, error) {
	if v.at.IsZero() || now.Sub(v.at) >= 2*k.ttl || !passing(err) {
		return "", err
	}
	return v.value, nil
}

func passing(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRateLimited)
}

func (k *cache) read(project string, src source) (string, error) {
	// Whoever needs it cannot go on without, and it is rare.
	value, err := src.read(WithUrgency(k.c.ctx, Urgency{Class: ClassEdit, Since: k.c.opts.Now()}))
	if err != nil && k.c.ctx.Err() != nil {
		return "", src.call.failed(ErrClosed, "client is closed")
	}
	now := k.c.opts.Now()
	k.mu.Lock()
	old := k.values[project]
	if err != nil {
		ttl := k.c.opts.ErrorTTL
		if !passing(err) {
			ttl *= 3
		}
		old.failure = &failure{err: err, until: now.Add(ttl)}
		k.values[project] = old
		value, err = k.lastGood(old, now, err)
		k.mu.Unlock()
		return value, err
	}
	k.values[project] = cached{value: value, at: now}
	k.mu.Unlock()
	if src.changed != nil && !old.at.IsZero() && old.value != value {
		src.changed()
	}
	return value, nil
}
