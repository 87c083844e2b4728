// SPDX-License-Identifier: Apache-2.0

package revision

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// spread is the time over which rotations of many applications that would fall
// together are spread.
const spread = 24 * time.Hour

// RotateAt returns when credentials that were issued at the supplied time are
// replaced. That is at a time of the day of the application's own, so that many
// applications that were issued together do not rotate together, and never later
// than the interval. It is earlier by less than a day, and by less than half the
// interval.
//
// Whoever rotates at this time, and again, does so at the same time of the day.
func RotateAt(uid string, issued time.Time, interval time.Duration) time.Time {
	return slot(uid, issued.Add(interval), min(spread, interval/2))
}

// slot returns the last time not after t of those, window apart, that belong to
// the application.
func slot(uid string, t time.Time, window time.Duration) time.Time {
	window = max(window.Truncate(time.Second), time.Second)
	sum := sha256.Sum256([]byte(uid))
	offset := time.Duration(binary.BigEndian.Uint64(sum[:8])%uint64(window/time.Second)) * time.Second //nolint:gosec // Of a positive number.
	return t.UTC().Add(-offset).Truncate(window).Add(offset)
}
