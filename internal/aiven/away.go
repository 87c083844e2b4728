// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// recallEvery is how often it is looked whether there is room for those who were turned away, while there are any.
const recallEvery = 50 * time.Millisecond

// Those who were turned away are called back when there is room, the most urgent first. To have them try again by
// themselves would leave calls unused that Aiven allows, and let chance decide who comes next.
type away struct {
	mu      sync.Mutex
	users   map[UserRef]Urgency
	waiting bool // somebody is going to call them back
}

// Congested tells, without a call, whether it is better to come again later than to make one for a user: the error is of
// kind ErrRateLimited while at least 8 requests wait that would go before one of the context's urgency, or while Aiven
// demands a pause that outlasts the patience (Options.CallTimeout or the context's deadline). So the requests of one token
// do not hold everybody's workers. Subscribers hear of the user when there is room, which also holds for one whose creation
// or deletion failed with ErrRateLimited.
func (c *Client) Congested(ctx context.Context, ref UserRef) error {
	detail := c.limiter.congested(ticketOf(ctx), bounded(ctx, c.opts.CallTimeout))
	if detail == "" {
		return nil
	}
	c.turnAway(ctx, ref)
	return newCall(opAdmit, "make a request").failed(ErrRateLimited, detail)
}

// limited has a user called back whose request was refused for want of room, and returns the error.
func (c *Client) limited(ctx context.Context, ref UserRef, err error) error {
	if errors.Is(err, ErrRateLimited) {
		c.turnAway(ctx, ref)
	}
	return err
}

func (c *Client) turnAway(ctx context.Context, ref UserRef) {
	c.away.mu.Lock()
	defer c.away.mu.Unlock()
	if c.away.users == nil {
		c.away.users = make(map[UserRef]Urgency)
	}
	c.away.users[ref] = urgencyOf(ctx)
	if !c.away.waiting {
		c.away.waiting = c.spawn(c.recall)
	}
}

// recall calls back those who were turned away until there are none.
func (c *Client) recall() {
	t := time.NewTicker(recallEvery)
	defer t.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-t.C:
		}
		users, more := c.away.next(c.limiter.room())
		c.subscribers.Tell(users...)
		if !more {
			return
		}
	}
}

// next takes out the n most urgent.
func (a *away) next(n int) (users []UserRef, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > 0 {
		all := make([]UserRef, 0, len(a.users))
		for u := range a.users {
			all = append(all, u)
		}
		slices.SortFunc(all, func(x, y UserRef) int {
			if a.users[x].above(a.users[y]) {
				return -1
			}
			if a.users[y].above(a.users[x]) {
				return 1
			}
			return 0
		})
		users = all[:min(n, len(all))]
		for _, u := range users {
			delete(a.users, u)
		}
	}
	a.waiting = len(a.users) > 0
	return users, a.waiting
}
