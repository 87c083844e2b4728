// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// An arrival is a request that comes to wait.
type arrival struct {
	name     string
	urgency  Urgency
	at       time.Duration // after the start of the test
	patience time.Duration
}

// stand puts requests in line. The names are those of their waiters.
func stand(q *queue, arrivals ...arrival) map[string]*waiter {
	out := make(map[string]*waiter)
	for _, a := range arrivals {
		out[a.name] = q.add(&ticket{urgency: a.urgency}, testStart.Add(a.at), a.patience)
	}
	return out
}

// next takes the first one out, and returns its name.
func next(q *queue, of map[string]*waiter, now time.Duration) string {
	w := q.take(testStart.Add(now))
	for name, o := range of {
		if o == w {
			return name
		}
	}
	return ""
}

// asked returns the urgency of what was asked for minutes after the start.
func asked(c Class, minute int) Urgency {
	return Urgency{Class: c, Since: testStart.Add(time.Duration(minute) * time.Minute)}
}

func TestAging(t *testing.T) {
	t.Parallel()
	const s = time.Second
	background := Urgency{Class: ClassBackground}
	cases := map[string]struct {
		reason   string
		arrivals []arrival
		now      time.Duration // when they are served
		want     []string
	}{
		"RoutineWaits": {
			"half of the patience is not more than half of it: the newest of the class goes first, and edits before",
			[]arrival{{"old", asked(ClassRoutine, 0), 0, 30 * s}, {"new", asked(ClassRoutine, 9), s, 30 * s}, {"edit", asked(ClassEdit, 0), 2 * s, 30 * s}},
			15 * s,
			[]string{"edit", "new", "old"},
		},
		"RoutineAges": {
			"after it a rotation or a deletion goes before newer ones of its class, and before edits",
			[]arrival{{"old", asked(ClassRoutine, 0), 0, 30 * s}, {"new", asked(ClassRoutine, 9), s, 30 * s}, {"edit", asked(ClassEdit, 0), 2 * s, 30 * s}},
			15*s + 1,
			[]string{"old", "edit", "new"},
		},
		"BackgroundWaits": {
			"so it is with what nobody waits for",
			[]arrival{{"background", background, 0, 30 * s}, {"routine", asked(ClassRoutine, 0), s, 30 * s}, {"edit", asked(ClassEdit, 0), 2 * s, 30 * s}},
			15 * s,
			[]string{"edit", "routine", "background"},
		},
		"BackgroundAges": {
			"it goes before all other classes then",
			[]arrival{{"background", background, 0, 30 * s}, {"routine", asked(ClassRoutine, 0), s, 30 * s}, {"edit", asked(ClassEdit, 0), 2 * s, 30 * s}},
			15*s + 1,
			[]string{"background", "edit", "routine"},
		},
		"AllAged": {
			"of those that have waited long enough the first comes first, whatever they are and whoever asked last",
			[]arrival{{"a", background, 0, 30 * s}, {"b", asked(ClassRoutine, 0), s, 30 * s}, {"c", background, 2 * s, 30 * s}, {"d", asked(ClassRoutine, 9), 3 * s, 30 * s}},
			20 * s,
			[]string{"a", "b", "c", "d"},
		},
		"LittlePatience": {
			"who cannot wait as long has waited long enough sooner",
			[]arrival{{"patient", asked(ClassRoutine, 0), 0, 60 * s}, {"edit", asked(ClassEdit, 0), s, 60 * s}, {"impatient", background, 2 * s, 10 * s}},
			8 * s,
			[]string{"impatient", "edit", "patient"},
		},
		"LittlePatienceAged": {
			"but does not overtake who came before it and has waited long enough too",
			[]arrival{{"patient", asked(ClassRoutine, 0), 0, 60 * s}, {"edit", asked(ClassEdit, 0), s, 60 * s}, {"impatient", background, 2 * s, 10 * s}},
			31 * s,
			[]string{"patient", "impatient", "edit"},
		},
		"EditNeverAges": {
			"however long edits have waited, the newest goes first",
			[]arrival{{"old", asked(ClassEdit, 0), 0, 2 * s}, {"new", asked(ClassEdit, 9), s, time.Hour}, {"middle", asked(ClassEdit, 5), 2 * s, time.Hour}},
			50 * time.Minute,
			[]string{"new", "middle", "old"},
		},
		"EditBehindAged": {
			"nor does it bring an edit before what came later and has waited long enough",
			[]arrival{{"edit", asked(ClassEdit, 9), 0, 2 * s}, {"routine", asked(ClassRoutine, 0), 10 * s, 30 * s}, {"background", background, 11 * s, 30 * s}},
			40 * s,
			[]string{"routine", "background", "edit"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQueue()
			of := stand(&q, tc.arrivals...)
			var got []string
			for q.len() > 0 {
				got = append(got, next(&q, of, tc.now))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestAgingAmongEdits has an edit come each second, of which one is served: as
// many as there is room for.
func TestAgingAmongEdits(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason  string
		urgency Urgency
		want    int // how many edits are served before, 60 when all are
	}{
		"Background": {"a poller that waits has its turn after half of its patience", Urgency{Class: ClassBackground}, 11},
		"Routine":    {"as has a rotation", asked(ClassRoutine, 0), 11},
		"Edit":       {"an older edit waits until there is no newer one", asked(ClassEdit, -1), 60},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQueue()
			waits := stand(&q, arrival{"waits", tc.urgency, 0, 20 * time.Second})
			got := 0
			for ; got < 60; got++ {
				now := time.Duration(got) * time.Second
				stand(&q, arrival{"edit", asked(ClassEdit, got), now, 20 * time.Second})
				if next(&q, waits, now) == "waits" {
					break
				}
			}
			if got != tc.want {
				t.Errorf("%s: %d edits were served before, want %d", tc.reason, got, tc.want)
			}
		})
	}
}

func TestAgingOfHastened(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		from   Class
		minute int  // when it was asked for by who hastens it
		aged   bool // before that
		want   []string
	}{
		"Background":     {"what somebody came to wait for is an edit like others, and ages no more", ClassBackground, 5, false, []string{"new", "hastened", "old"}},
		"Routine":        {"whatever it was before", ClassRoutine, 5, false, []string{"new", "hastened", "old"}},
		"Newest":         {"it goes first when nobody asked later", ClassBackground, 10, false, []string{"hastened", "new", "old"}},
		"AgedBackground": {"what has waited long enough before does not lose its place by it", ClassBackground, 5, true, []string{"hastened", "new", "old"}},
		"AgedRoutine":    {"whatever it was before", ClassRoutine, 5, true, []string{"hastened", "new", "old"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQueue()
			of := stand(&q,
				arrival{"hastened", Urgency{Class: tc.from}, 0, 20 * time.Second},
				arrival{"old", asked(ClassEdit, 0), time.Second, 20 * time.Second},
				arrival{"new", asked(ClassEdit, 9), time.Second, 20 * time.Second},
			)
			if tc.aged {
				q.age(testStart.Add(11 * time.Second))
			}
			of["hastened"].ticket.urgency = asked(ClassEdit, tc.minute)
			q.moved(of["hastened"])
			var got []string
			for q.len() > 0 {
				got = append(got, next(&q, of, time.Minute))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestAgingOfRoutine: what is hastened from the background is not an edit yet, and
// must not starve behind edits.
func TestAgingOfRoutine(t *testing.T) {
	t.Parallel()
	q := newQueue()
	of := stand(&q,
		arrival{"hastened", Urgency{Class: ClassBackground}, 0, 20 * time.Second},
		arrival{"edit", asked(ClassEdit, 0), time.Second, 20 * time.Second},
	)
	of["hastened"].ticket.urgency = asked(ClassRoutine, 0)
	q.moved(of["hastened"])
	if got := next(&q, of, 19*time.Second); got != "hastened" {
		t.Errorf("after most of its patience %s goes first", got)
	}
}

func TestAhead(t *testing.T) {
	t.Parallel()
	arrivals := []arrival{
		{"background", Urgency{Class: ClassBackground}, 0, 20 * time.Second},
		{"routine", asked(ClassRoutine, 0), time.Second, 20 * time.Second},
		{"edit", asked(ClassEdit, 0), 2 * time.Second, 20 * time.Second},
	}
	cases := map[string]struct {
		reason  string
		urgency Urgency
		now     time.Duration
		enough  int
		want    int
	}{
		"NewestEdit":       {"nobody goes before it", asked(ClassEdit, 1), 10 * time.Second, 9, 0},
		"NewestEditAged":   {"but those who have waited long enough", asked(ClassEdit, 1), 12 * time.Second, 9, 2},
		"OldestEdit":       {"the newer edit does too", asked(ClassEdit, -1), 12 * time.Second, 9, 3},
		"Routine":          {"a newer one of its class goes behind", asked(ClassRoutine, 1), 10 * time.Second, 9, 1},
		"RoutineAged":      {"unless it has waited long enough", asked(ClassRoutine, 1), 12 * time.Second, 9, 3},
		"Background":       {"who comes last of the lowest class goes last", Urgency{Class: ClassBackground}, 0, 9, 3},
		"BackgroundEnough": {"nobody counts on when there are enough", Urgency{Class: ClassBackground}, 12 * time.Second, 2, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQueue()
			stand(&q, arrivals...)
			if got := q.ahead(tc.urgency, testStart.Add(tc.now), tc.enough); got != tc.want {
				t.Errorf("%s: got %d, want %d", tc.reason, got, tc.want)
			}
		})
	}
}
