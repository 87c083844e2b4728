// SPDX-License-Identifier: Apache-2.0

package aiven

import "time"

const (
	// pollReads is how many snapshots the poller refreshes at one time, so that it leaves room for others.
	pollReads = 4
	// unusedIntervals is after how many poll intervals without a question a snapshot is dropped.
	unusedIntervals = 3
)

// poll keeps the snapshots in use fresh until the client is closed.
func (c *Client) poll() {
	tick := time.NewTicker(min(max(c.opts.PollInterval/20, 5*time.Millisecond), 5*time.Second))
	defer tick.Stop()
	reads := make(chan struct{}, pollReads)
	for {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return
		}
		now := c.opts.Now()
		c.dropUnused(now)
		for _, e := range c.allEntries() {
			if !e.due(now) {
				continue
			}
			select {
			case reads <- struct{}{}:
			case <-c.ctx.Done():
				return
			}
			if !c.spawn(func() {
				defer func() { <-reads }()
				e.refreshDue(now)
			}) {
				return
			}
		}
	}
}

// due tells whether it is time to read again. An entry that nobody read yet is not polled.
func (e *entry) due(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running == nil && !e.nextPoll.IsZero() && !now.Before(e.nextPoll)
}

func (e *entry) refreshDue(now time.Time) {
	e.mu.Lock()
	if e.running != nil || now.Before(e.nextPoll) {
		e.mu.Unlock()
		return
	}
	f := e.next(Urgency{Class: ClassBackground})
	e.mu.Unlock()
	<-f.done // Ends with the client's context.
}

// dropUnused forgets the services that nobody asks for any more.
func (c *Client) dropUnused(now time.Time) {
	keep := unusedIntervals * c.opts.PollInterval
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref, e := range c.entries {
		e.mu.Lock()
		if e.running == nil && now.UnixNano()-e.lastUsed.Load() > int64(keep) {
			delete(c.entries, ref)
		}
		e.mu.Unlock()
	}
	for ref, w := range c.writers {
		w.mu.Lock()
		if !w.running && now.UnixNano()-w.lastUsed.Load() > int64(keep) {
			delete(c.writers, ref)
		}
		w.mu.Unlock()
	}
}
