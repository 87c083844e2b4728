// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Parts of a budget of N calls per window. A bucket of burst b and rate r lets at most b + r·window calls start in any
// window, however that is aligned, so b and r·window share N between them; the rest of N is for calls that reach Aiven
// closer together than they started. When N is small a burst of one is more than its part. Even so N+1 calls take N steps
// of window/(0.95·N), more than a window.
const (
	paceShare  = 0.95
	burstShare = 0.04
)

const (
	// leastCounted is the smallest budget that is taken from a count. Fewer answers are no evidence: others may have used
	// the token before, or something on the way to Aiven refused the call.
	leastCounted = 30
	// maxLimit bounds the limit that Aiven can name.
	maxLimit = 1_000_000_000

	// The share of the budget that is used shrinks with each pause, and grows with each window without one. Of a budget
	// that was only counted it grows by a factor and without end, as the count may have been low.
	shrinkFactor = 0.7
	growStep     = 0.05
	growFactor   = 1.2
	leastShare   = 0.1
	wholeShare   = 1

	// forgetAfter is how long what was learned lasts without a 429.
	forgetAfter = time.Hour
)

// A budget is what Aiven was seen to allow a token. Its owner's lock guards it.
type budget struct {
	window  time.Duration // what limits are taken to be per
	answers tally

	limit     int           // calls per span; 0: nothing was learned
	span      time.Duration // at least window
	told      bool          // the limit is Aiven's own word, not a count
	share     float64       // of the limit that is used
	refusedAt time.Time
	grownAt   time.Time // when share changed last
	bucket    *rate.Limiter
}

func newBudget(window time.Duration) budget {
	return budget{window: window, answers: tally{width: window / 32, keep: max(window, maxPause)}, bucket: rate.NewLimiter(rate.Inf, 1)}
}

// A tooMany is an answer with status 429.
type tooMany struct {
	limit int           // that was named; 0: none
	wait  time.Duration // that was named; 0: none
	// fresh is false for the answer to a call that was made before the last pause.
	fresh bool
}

func (b *budget) known() bool { return b.limit > 0 }

// answered takes note of an answer other than 429.
func (b *budget) answered(now time.Time) { b.answers.add(now) }

// refused learns from a 429.
func (b *budget) refused(now time.Time, r tooMany) {
	span := max(b.window, r.wait, b.span)
	limit, told := r.limit, r.limit > 0
	if !told {
		if limit = b.answers.since(now.Add(-span)); limit < leastCounted {
			limit = 0
		}
	}
	switch {
	case limit == 0 && !b.known():
		return // A pause is all that can be made of it.
	case !b.known():
		b.limit, b.told, b.share = limit, told, wholeShare
		b.bucket = rate.NewLimiter(rate.Limit(paceShare), 1)
		b.bucket.AllowN(now, 1) // It begins empty.
	case told && (!b.told || limit != b.limit):
		b.limit, b.told, b.share = limit, told, wholeShare
	case r.fresh:
		b.share = max(b.share*shrinkFactor, leastShare)
	case !b.told:
		b.limit = max(b.limit, limit) // More of the last calls were answered meanwhile.
	}
	b.span, b.refusedAt, b.grownAt = span, now, now
	b.adjust(now)
}

// pace returns the bucket that calls are taken out of.
func (b *budget) pace(now time.Time) *rate.Limiter {
	if !b.known() {
		return b.bucket
	}
	if now.Sub(b.refusedAt) >= forgetAfter {
		*b = budget{window: b.window, answers: b.answers, bucket: rate.NewLimiter(rate.Inf, 1)}
		return b.bucket
	}
	quiet := now.Sub(b.grownAt)
	windows := float64(quiet / b.span)
	if windows == 0 || b.told && b.share == wholeShare {
		return b.bucket
	}
	if b.told {
		b.share = min(b.share+growStep*windows, wholeShare)
	} else {
		b.share *= math.Pow(growFactor, windows)
	}
	b.grownAt = now.Add(-(quiet % b.span))
	b.adjust(now)
	return b.bucket
}

// adjust has the bucket follow what is known.
func (b *budget) adjust(now time.Time) {
	calls := b.share * float64(b.limit)
	b.bucket.SetLimitAt(now, rate.Limit(paceShare*calls/b.span.Seconds()))
	b.bucket.SetBurstAt(now, max(1, int(burstShare*calls)))
}

// A tally counts what happened lately, in slots of time.
type tally struct {
	width, keep time.Duration
	slots       []slot
}

type slot struct {
	at time.Time // its beginning
	n  int
}

func (t *tally) add(now time.Time) {
	if last := len(t.slots) - 1; last >= 0 && now.Sub(t.slots[last].at) < t.width {
		t.slots[last].n++
		return
	}
	for len(t.slots) > 0 && now.Sub(t.slots[0].at) > t.keep {
		t.slots = t.slots[1:]
	}
	t.slots = append(t.slots, slot{at: now, n: 1})
}

// since counts from a time on. The slot that the time is in is left out.
func (t *tally) since(from time.Time) int {
	n := 0
	for _, s := range t.slots {
		if !s.at.Before(from) {
			n += s.n
		}
	}
	return n
}

var (
	tryAgain    = regexp.MustCompile(`(?i)try again in\s+([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h)?`)
	limitOfText = regexp.MustCompile(`(?i)rate limit\s+([0-9]+)\s+exceeded`)
)

// retryHint reads how long Aiven asks to wait, up to maxPause: the header Retry-After in seconds or as a date, or the words
// "try again in Ns" of the message, whichever is longer.
func retryHint(header, message string, now time.Time) (time.Duration, bool) {
	var d time.Duration
	found := false
	header = strings.TrimSpace(header)
	if s, err := strconv.ParseFloat(header, 64); err == nil && s >= 0 {
		d, found = time.Duration(min(s, maxPause.Seconds())*float64(time.Second)), true
	} else if at, err := http.ParseTime(header); err == nil {
		d, found = min(max(at.Sub(now), 0), maxPause), true
	}
	m := tryAgain.FindStringSubmatch(message)
	if m == nil {
		return d, found
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return d, found
	}
	unit := map[string]time.Duration{"ms": time.Millisecond, "m": time.Minute, "h": time.Hour}[strings.ToLower(m[2])]
	if unit == 0 {
		unit = time.Second
	}
	return max(d, time.Duration(min(n*float64(unit), float64(maxPause)))), true
}

// limitHint reads the number of the words "Rate limit N exceeded", 0 when there is none that makes sense.
func limitHint(message string) int {
	m := limitOfText.FindStringSubmatch(message)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n > maxLimit {
		return 0
	}
	return n
}
