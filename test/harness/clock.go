// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
)

// A Clock stands still until it is stepped. Work queues may go by it through
// leaps of days.
type Clock struct {
	*clocktesting.FakeClock
}

// NewClock returns a clock that shows the machine's time, to the second: objects
// get the times of their creation from the API server, which has no other clock.
func NewClock() *Clock {
	return &Clock{clocktesting.NewFakeClock(time.Now().UTC().Truncate(time.Second))}
}

// NewTicker returns a ticker, a slow one for those that tick several times a
// second. These count for metrics only, and a fake ticker is never stopped: each leap would
// go through all ticks of all providers that ever ran.
func (c *Clock) NewTicker(d time.Duration) clock.Ticker {
	if d < time.Second {
		d = time.Hour
	}
	return c.FakeClock.NewTicker(d)
}
