// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aiven/aiven-go-client/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

const pattern = "team_app_1234_*"

var (
	ordersRead   = KafkaEntry{Pattern: pattern, Resource: "orders", Permission: "read"}
	ordersValues = KafkaEntry{Registry: true, Pattern: pattern, Resource: "orders-value", Permission: "schema_registry_read"}
)

// entriesOf are the entries that Aiven has for a pattern.
func entriesOf(s *aivensim.Server, pattern string) []KafkaEntry {
	var out []KafkaEntry
	for _, a := range s.KafkaACL(testProject, kafkaRef.Service) {
		if a.Username == pattern {
			out = append(out, KafkaEntry{ID: a.ID, Pattern: a.Username, Resource: a.Topic, Permission: a.Permission})
		}
	}
	for _, a := range s.SchemaRegistryACL(testProject, kafkaRef.Service) {
		if a.Username == pattern {
			subject := strings.TrimPrefix(a.Resource, "Subject:")
			out = append(out, KafkaEntry{ID: a.ID, Registry: true, Pattern: a.Username, Resource: subject, Permission: a.Permission})
		}
	}
	return out
}

// outside adds an entry behind the client's back.
func outside(s *aivensim.Server, k KafkaEntry) KafkaEntry {
	if k.Registry {
		k.ID = s.AddSchemaRegistryACL(testProject, kafkaRef.Service, aivensim.SchemaRegistryACLEntry{
			Permission: k.Permission, Resource: "Subject:" + k.Resource, Username: k.Pattern,
		}).ID
		return k
	}
	k.ID = s.AddKafkaACL(testProject, kafkaRef.Service, aivensim.KafkaACLEntry{Permission: k.Permission, Topic: k.Resource, Username: k.Pattern}).ID
	return k
}

func writesOfEntries(s *aivensim.Server) int {
	return calls(s, opAddKafkaACL) + calls(s, opAddSchemaRegistryACL) + calls(s, opDeleteKafkaACL) + calls(s, opDeleteSchemaRegistryACL)
}

func TestKafkaEntries(t *testing.T) {
	for name, k := range map[string]KafkaEntry{"Kafka": ordersRead, "Registry": ordersValues} {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			foreign := outside(s, KafkaEntry{Registry: k.Registry, Pattern: pattern, Resource: "foreign", Permission: k.Permission})
			before := append(entriesOf(s, "avnadmin"), foreign)
			c := connect(t, s)
			ctx := context.Background()
			old, err := c.Service(ctx, kafkaRef)
			if err != nil {
				t.Fatalf("Service(...): %v", err)
			}
			added, _, err := c.AddKafkaEntry(ctx, kafkaRef, k)
			if err != nil || added.ID == "" || !added.grants(k) {
				t.Fatalf("AddKafkaEntry(...): %+v, %v", added, err)
			}
			again, _, err := c.AddKafkaEntry(ctx, kafkaRef, k)
			if err != nil || again != added {
				t.Errorf("AddKafkaEntry(...) again: %+v, %v, want the same entry", again, err)
			}
			known, _, err := c.AddKafkaEntry(ctx, kafkaRef, KafkaEntry{Registry: k.Registry, Pattern: pattern, Resource: "foreign", Permission: k.Permission})
			if err != nil || known != foreign {
				t.Errorf("AddKafkaEntry(...) of an entry of somebody else: %+v, %v", known, err)
			}
			if n := writesOfEntries(s); n != 1 {
				t.Errorf("%d writes, want 1", n)
			}
			svc, err := c.Service(ctx, kafkaRef)
			if err != nil {
				t.Fatalf("Service(...): %v", err)
			}
			if diff := cmp.Diff([]KafkaEntry{foreign, added}, svc.KafkaEntries(pattern)); diff != "" {
				t.Errorf("KafkaEntries(...): -want, +got:\n%s", diff)
			}
			if diff := cmp.Diff(entriesOf(s, pattern), svc.KafkaEntries(pattern)); diff != "" {
				t.Errorf("KafkaEntries(...): -Aiven, +snapshot:\n%s", diff)
			}
			if diff := cmp.Diff([]KafkaEntry{foreign}, old.KafkaEntries(pattern)); diff != "" {
				t.Errorf("a snapshot in hand changed: %s", diff)
			}
			for range 2 {
				if err := c.DeleteKafkaEntry(ctx, kafkaRef, added); err != nil {
					t.Errorf("DeleteKafkaEntry(...): %v", err)
				}
			}
			if diff := cmp.Diff(before, append(entriesOf(s, "avnadmin"), entriesOf(s, pattern)...)); diff != "" {
				t.Errorf("the entries of others: -want, +got:\n%s", diff)
			}
			svc, err = c.Service(ctx, kafkaRef)
			if err != nil {
				t.Fatalf("Service(...): %v", err)
			}
			if diff := cmp.Diff([]KafkaEntry{foreign}, svc.KafkaEntries(pattern)); diff != "" {
				t.Errorf("after deletion: -want, +got:\n%s", diff)
			}
		})
	}
}

// What the entries say is what users may do.
func TestKafkaEntriesAreInForce(t *testing.T) {
	s := newSim()
	s.AddUser(testProject, kafkaRef.Service, "team_app_1234_a")
	c := connect(t, s)
	ctx := context.Background()
	for _, k := range []KafkaEntry{ordersRead, ordersValues} {
		if _, _, err := c.AddKafkaEntry(ctx, kafkaRef, k); err != nil {
			t.Fatalf("AddKafkaEntry(...): %v", err)
		}
	}
	if !s.MayKafka(testProject, kafkaRef.Service, "team_app_1234_a", "orders", "read") {
		t.Errorf("the user may not read the topic")
	}
	if !s.MaySubject(testProject, kafkaRef.Service, "team_app_1234_a", "orders-value", "read") {
		t.Errorf("the user may not read the subject")
	}
}

func TestKafkaEntryAddedConcurrently(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[KafkaEntry]bool{}
	for i := range 60 {
		k := []KafkaEntry{ordersRead, ordersValues}[i%2]
		wg.Go(func() {
			added, _, err := c.AddKafkaEntry(context.Background(), kafkaRef, k)
			if err != nil {
				t.Errorf("AddKafkaEntry(...): %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[added] = true
		})
	}
	wg.Wait()
	if n := writesOfEntries(s); n != 2 || len(seen) != 2 || len(entriesOf(s, pattern)) != 2 {
		t.Errorf("%d writes, %d entries, Aiven has %v; want two", n, len(seen), entriesOf(s, pattern))
	}
	if n := calls(s, "GetService"); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
}

func TestKafkaEntryTurn(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	began, goOn := make(chan struct{}), make(chan struct{})
	s.Inject(aivensim.Fault{Operation: opAddKafkaACL, Count: 1, Hook: func(*http.Request) { close(began); <-goOn }})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, _, err := c.AddKafkaEntry(context.Background(), kafkaRef, ordersRead); err != nil {
			t.Errorf("AddKafkaEntry(...): %v", err)
		}
	})
	<-began
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		if _, _, err := c.AddKafkaEntry(ctx, kafkaRef, ordersValues); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("AddKafkaEntry(...) that waits: got %v, want context.Canceled of kind ErrUnavailable", err)
		}
		if err := c.DeleteKafkaEntry(ctx, kafkaRef, KafkaEntry{ID: "x", Pattern: "p"}); !errors.Is(err, context.Canceled) {
			t.Errorf("DeleteKafkaEntry(...) that waits: got %v, want context.Canceled", err)
		}
		close(goOn)
	})
	cancel()
	wg.Wait()
	if n := writesOfEntries(s); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

func TestAddKafkaEntryFailures(t *testing.T) {
	add := func(op string) aivensim.Fault { return aivensim.Fault{Operation: op, Count: 1} }
	with := func(f aivensim.Fault, change func(*aivensim.Fault)) aivensim.Fault { change(&f); return f }
	cases := map[string]struct {
		reason  string
		entry   KafkaEntry
		fault   aivensim.Fault
		want    error // of the first attempt
		writes  int   // of two attempts
		entries int
	}{
		"LostAnswer": {
			reason:  "An entry that was made is found by the next attempt.",
			entry:   ordersRead,
			fault:   with(add(opAddKafkaACL), func(f *aivensim.Fault) { f.Status, f.After = 502, true }),
			want:    ErrUnavailable,
			writes:  1,
			entries: 1,
		},
		"LostAnswerRegistry": {
			reason:  "The Schema Registry's too, where Aiven would make another.",
			entry:   ordersValues,
			fault:   with(add(opAddSchemaRegistryACL), func(f *aivensim.Fault) { f.Status, f.After = 500, true }),
			want:    ErrUnavailable,
			writes:  1,
			entries: 1,
		},
		"CutAnswer": {
			reason:  "A connection that closes in the answer leaves the outcome open.",
			entry:   ordersValues,
			fault:   with(add(opAddSchemaRegistryACL), func(f *aivensim.Fault) { f.CutBody = true }),
			want:    ErrUnavailable,
			writes:  1,
			entries: 1,
		},
		"EmptyAnswer": {
			reason:  "An answer without the list leaves it open as well.",
			entry:   ordersRead,
			fault:   with(add(opAddKafkaACL), func(f *aivensim.Fault) { f.EmptyBody = true }),
			want:    ErrUnavailable,
			writes:  2,
			entries: 1,
		},
		"NoEffect": {
			reason:  "What had no effect is done by the next attempt, not in line.",
			entry:   ordersRead,
			fault:   with(add(opAddKafkaACL), func(f *aivensim.Fault) { f.Status = 503 }),
			want:    ErrUnavailable,
			writes:  2,
			entries: 1,
		},
		"Forbidden": {
			reason:  "A refusal says that nothing happened.",
			entry:   ordersRead,
			fault:   with(add(opAddKafkaACL), func(f *aivensim.Fault) { f.Status = 403 }),
			want:    ErrForbidden,
			writes:  2,
			entries: 1,
		},
		"OtherConflict": {
			reason:  "A conflict is an identical entry only if there is one.",
			entry:   ordersRead,
			fault:   with(add(opAddKafkaACL), func(f *aivensim.Fault) { f.Status, f.Message = 409, "Not now" }),
			want:    ErrInvalid,
			writes:  2,
			entries: 1,
		},
		"ConflictNotListed": {
			reason:  "That Aiven has an entry, and does not list it, is for later.",
			entry:   ordersRead,
			fault:   with(add(opAddKafkaACL), func(f *aivensim.Fault) { f.Status, f.Message = 409, "Identical ACL entry already exists" }),
			want:    ErrUnavailable,
			writes:  2,
			entries: 1,
		},
		"NotPowered": {
			reason:  "Nor is it an entry that the service is off.",
			entry:   ordersRead,
			fault:   with(add(opAddKafkaACL), func(f *aivensim.Fault) { f.Status, f.Message = 409, "Database not powered on" }),
			want:    ErrServiceNotRunning,
			writes:  2,
			entries: 1,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			c := connect(t, s)
			ctx := context.Background()
			s.Inject(tc.fault)
			if _, _, err := c.AddKafkaEntry(ctx, kafkaRef, tc.entry); !errors.Is(err, tc.want) {
				t.Errorf("%s: got %v, want %v", tc.reason, err, tc.want)
			}
			added, _, err := c.AddKafkaEntry(ctx, kafkaRef, tc.entry)
			if err != nil || added.ID == "" {
				t.Errorf("%s: again: %+v, %v", tc.reason, added, err)
			}
			if got := entriesOf(s, pattern); len(got) != tc.entries {
				t.Errorf("%s: Aiven has %v", tc.reason, got)
			}
			if n := writesOfEntries(s); n != tc.writes {
				t.Errorf("%s: %d writes, want %d", tc.reason, n, tc.writes)
			}
		})
	}
}

// Somebody else adds the same entry just before; Aiven refuses a second one, or does not.
func TestDuplicateKafkaEntries(t *testing.T) {
	cases := map[string]struct {
		reason  string
		entry   KafkaEntry
		rejects bool
		entries int
	}{
		"Refused":  {"The one that is there is returned.", ordersRead, true, 1},
		"Appended": {"The last that matches is returned.", ordersRead, false, 2},
		"Registry": {"The Schema Registry never refuses.", ordersValues, true, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			s.UpdatePolicy(func(p *aivensim.Policy) { p.RejectDuplicateKafkaACL = tc.rejects })
			c := connect(t, s)
			ctx := context.Background()
			if _, err := c.Service(ctx, kafkaRef); err != nil {
				t.Fatalf("Service(...): %v", err)
			}
			outside(s, tc.entry)
			added, _, err := c.AddKafkaEntry(ctx, kafkaRef, tc.entry)
			got := entriesOf(s, pattern)
			if err != nil || len(got) != tc.entries || added != got[len(got)-1] {
				t.Errorf("%s: %+v, %v; Aiven has %v", tc.reason, added, err, got)
			}
			if _, _, err := c.AddKafkaEntry(ctx, kafkaRef, tc.entry); err != nil {
				t.Errorf("%s: again: %v", tc.reason, err)
			}
			if n := writesOfEntries(s); n != 1 {
				t.Errorf("%s: %d writes, want 1", tc.reason, n)
			}
		})
	}
}

func TestDeleteKafkaEntryFailures(t *testing.T) {
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
		want   error
		left   int
	}{
		"LostAnswer":    {"A deletion that happened is found so by the next attempt.", aivensim.Fault{Status: 502, After: true}, ErrUnavailable, 0},
		"NoEffect":      {"It is not tried again in line.", aivensim.Fault{Status: 503}, ErrUnavailable, 1},
		"OnTheWay":      {"A 404 of something that is not Aiven says nothing.", aivensim.Fault{Status: 404, HTML: true}, ErrUnavailable, 1},
		"Forbidden":     {"A refusal is passed on.", aivensim.Fault{Status: 403}, ErrForbidden, 1},
		"EntryMissing":  {"That it is gone is success.", aivensim.Fault{Status: 404, Message: "ACL entry does not exist"}, nil, 1},
		"ServiceGone":   {"That the service is gone is success.", aivensim.Fault{Status: 404, Message: "Service 'kafka-test' does not exist"}, nil, 1},
		"EmptyAnswer":   {"An answer that says nothing leaves the outcome open.", aivensim.Fault{EmptyBody: true}, ErrUnavailable, 1},
		"ErrorsInA200":  {"A good status may hold an error.", aivensim.Fault{ErrorsIn200: true, Status: 404}, nil, 1},
		"NothingHappen": {"Without a fault it is deleted.", aivensim.Fault{}, nil, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			k := outside(s, ordersRead)
			c := connect(t, s)
			ctx := context.Background()
			tc.fault.Operation, tc.fault.Count = opDeleteKafkaACL, 1
			s.Inject(tc.fault)
			if err := c.DeleteKafkaEntry(ctx, kafkaRef, k); !errors.Is(err, tc.want) {
				t.Errorf("%s: got %v, want %v", tc.reason, err, tc.want)
			}
			if got := entriesOf(s, pattern); len(got) != tc.left {
				t.Errorf("%s: Aiven has %v", tc.reason, got)
			}
			if n := writesOfEntries(s); n != 1 {
				t.Errorf("%s: %d writes, want 1", tc.reason, n)
			}
			if err := c.DeleteKafkaEntry(ctx, kafkaRef, k); err != nil {
				t.Errorf("%s: again: %v", tc.reason, err)
			}
			if got := entriesOf(s, pattern); len(got) != 0 {
				t.Errorf("%s: again: Aiven has %v", tc.reason, got)
			}
		})
	}
}

func TestKafkaEntryRefused(t *testing.T) {
	s := newSim()
	c := connect(t, s)
	ctx := context.Background()
	for name, k := range map[string]KafkaEntry{
		"Pattern":  {Resource: "t", Permission: "read"},
		"Resource": {Pattern: "p", Permission: "read"},
		"Long":     {Pattern: "p", Resource: strings.Repeat("x", maxName+1), Permission: "read"},
		"Control":  {Pattern: "p\n", Resource: "t", Permission: "read"},
	} {
		if _, _, err := c.AddKafkaEntry(ctx, kafkaRef, k); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: AddKafkaEntry(...): got %v, want ErrInvalid", name, err)
		}
	}
	for _, id := range []string{"", ".", ".."} {
		if err := c.DeleteKafkaEntry(ctx, kafkaRef, KafkaEntry{ID: id, Pattern: "p"}); !errors.Is(err, ErrInvalid) {
			t.Errorf("DeleteKafkaEntry(...) of ID %q: got %v, want ErrInvalid", id, err)
		}
	}
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
	s.SetServiceState(testProject, kafkaRef.Service, StatePowerOff)
	if _, _, err := c.AddKafkaEntry(ctx, kafkaRef, ordersRead); !errors.Is(err, ErrServiceNotRunning) {
		t.Errorf("AddKafkaEntry(...) on a service that is off: got %v, want ErrServiceNotRunning", err)
	}
	if n := writesOfEntries(s); n != 0 {
		t.Errorf("%d writes, want none", n)
	}
	// The ID stays one part of the path.
	if err := c.DeleteKafkaEntry(ctx, kafkaRef, KafkaEntry{ID: "../user/avnadmin", Pattern: "p"}); err == nil {
		t.Errorf("DeleteKafkaEntry(...) on a service that is off: no error")
	}
	requests := s.Requests()
	if last := requests[len(requests)-1]; last.Operation != opDeleteKafkaACL {
		t.Errorf("the ID made another request of it: %s", last.Path)
	}
}

// Own writes survive reads that do not show them yet, are no news, and outside changes are seen once the time is over.
func TestKafkaEntriesLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		s.AddUser(testProject, kafkaRef.Service, "team_app_1234_a")
		s.SetACLDelay(20 * time.Second)
		c := inBubble(t, s)
		defer c.Close()
		ctx := context.Background()
		events := subscribe(c)
		var want []KafkaEntry
		for _, k := range []KafkaEntry{ordersValues, ordersRead} {
			added, _, err := c.AddKafkaEntry(ctx, kafkaRef, k)
			if err != nil {
				t.Fatalf("AddKafkaEntry(...): %v", err)
			}
			want = slices.Insert(want, 0, added)
		}
		for i := range 6 {
			svc, err := c.Refresh(ctx, kafkaRef)
			if err != nil {
				t.Fatalf("Refresh(...): %v", err)
			}
			if diff := cmp.Diff(want, svc.KafkaEntries(pattern)); diff != "" {
				t.Errorf("after %d s: -want, +got:\n%s", i*5, diff)
			}
			pass(5 * time.Second)
		}
		synctest.Wait()
		if got := events.all(); got != "map[]" {
			t.Errorf("own writes were told as changes: %s", got)
		}
		s.DeleteKafkaACL(testProject, kafkaRef.Service, want[0].ID)
		svc, err := c.Refresh(ctx, kafkaRef)
		if err != nil {
			t.Fatalf("Refresh(...): %v", err)
		}
		if diff := cmp.Diff(want[1:], svc.KafkaEntries(pattern)); diff != "" {
			t.Errorf("after a deletion outside: -want, +got:\n%s", diff)
		}
		synctest.Wait()
		if events.count(user(kafkaRef, "team_app_1234_a")) != 1 {
			t.Errorf("the deletion outside was not told once: %s", events.all())
		}
		e := c.entry(kafkaRef)
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.kafkaJournal) != 0 {
			t.Errorf("the journal still holds %v", e.kafkaJournal)
		}
	})
}

// A read that is under way while we write neither loses nor brings back an entry.
func TestKafkaEntriesDuringRead(t *testing.T) {
	s := newSim()
	old := outside(s, KafkaEntry{Pattern: pattern, Resource: "old", Permission: "read"})
	var armed atomic.Bool
	began, goOn := make(chan struct{}), make(chan struct{})
	c := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !armed.CompareAndSwap(true, false) {
			s.ServeHTTP(w, r)
			return
		}
		hold := &held{header: http.Header{}}
		s.ServeHTTP(hold, r)
		close(began)
		<-goOn
		_, _ = w.Write(hold.body)
	}))
	ctx := context.Background()
	if _, err := c.Service(ctx, kafkaRef); err != nil {
		t.Fatalf("Service(...): %v", err)
	}
	armed.Store(true)
	var wg sync.WaitGroup
	var got []KafkaEntry
	wg.Go(func() {
		svc, err := c.Refresh(ctx, kafkaRef)
		if err != nil {
			t.Errorf("Refresh(...): %v", err)
			return
		}
		got = svc.KafkaEntries(pattern)
	})
	<-began
	if err := c.DeleteKafkaEntry(ctx, kafkaRef, old); err != nil {
		t.Errorf("DeleteKafkaEntry(...): %v", err)
	}
	added, _, err := c.AddKafkaEntry(ctx, kafkaRef, ordersRead)
	if err != nil {
		t.Errorf("AddKafkaEntry(...): %v", err)
	}
	close(goOn)
	wg.Wait()
	if diff := cmp.Diff([]KafkaEntry{added}, got); diff != "" {
		t.Errorf("the read: -want, +got:\n%s", diff)
	}
}

func TestKafkaEntryEvents(t *testing.T) {
	many := func(s *aivensim.Server) {
		for i := range maxGlobPatterns + 1 {
			outside(s, KafkaEntry{Pattern: fmt.Sprintf("none_%d_*", i), Resource: "t", Permission: "read"})
		}
	}
	cases := map[string]struct {
		reason string
		change func(s *aivensim.Server)
		want   []string
	}{
		"Pattern":  {"A pattern concerns those whom it matches.", func(s *aivensim.Server) { outside(s, ordersRead) }, []string{"team_app_1234_a", "team_app_1234_b"}},
		"Registry": {"So in the Schema Registry.", func(s *aivensim.Server) { outside(s, ordersValues) }, []string{"team_app_1234_a", "team_app_1234_b"}},
		"Name": {"A name without wildcards concerns its user.", func(s *aivensim.Server) {
			outside(s, KafkaEntry{Pattern: "other", Resource: "t", Permission: "read"})
		}, []string{"other"}},
		"Twice": {"A user is told once of several.", func(s *aivensim.Server) {
			outside(s, KafkaEntry{Pattern: "o*", Resource: "t", Permission: "read"})
			outside(s, KafkaEntry{Pattern: "*r", Resource: "t", Permission: "read"})
		}, []string{"other"}},
		"Gone":    {"A deletion is a change.", func(s *aivensim.Server) { s.DeleteKafkaACL(testProject, kafkaRef.Service, "seeded") }, []string{"other"}},
		"Nobody":  {"A pattern that matches nobody concerns nobody.", func(s *aivensim.Server) { outside(s, KafkaEntry{Pattern: "none_*", Resource: "t", Permission: "read"}) }, nil},
		"Nothing": {"No change is no news.", func(*aivensim.Server) {}, nil},
		"Many":    {"Too many patterns concern all.", many, []string{""}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			for _, u := range []string{"team_app_1234_a", "team_app_1234_b", "team_app_9_a", "other"} {
				s.AddUser(testProject, kafkaRef.Service, u)
			}
			s.AddKafkaACL(testProject, kafkaRef.Service, aivensim.KafkaACLEntry{ID: "seeded", Permission: "read", Topic: "t", Username: "other"})
			c := connect(t, s)
			ctx := context.Background()
			before, err := c.Service(ctx, kafkaRef)
			if err != nil {
				t.Fatalf("Service(...): %v", err)
			}
			tc.change(s)
			after, err := c.Refresh(ctx, kafkaRef)
			if err != nil {
				t.Fatalf("Refresh(...): %v", err)
			}
			var got []string
			for _, e := range changes(before, after) {
				got = append(got, e.Username)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNewKafkaSet(t *testing.T) {
	got := newKafkaSet(&sdk.Service{
		ACL: []*sdk.KafkaACL{nil, {ID: "1", Permission: "read", Topic: "b", Username: "u"}, {ID: "2", Permission: "write", Topic: "a", Username: "u"}},
		SchemaRegistryACL: []*sdk.KafkaSchemaRegistryACL{
			nil,
			{ID: "1", Permission: "schema_registry_write", Resource: "Config:", Username: "u"},
			{ID: "2", Permission: "schema_registry_read", Resource: "Subject:a", Username: "u"},
		},
	})
	want := kafkaSet{"u": {
		{ID: "1", Pattern: "u", Resource: "b", Permission: "read"},
		{ID: "2", Pattern: "u", Resource: "a", Permission: "write"},
		{ID: "2", Registry: true, Pattern: "u", Resource: "a", Permission: "schema_registry_read"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	shuffled := kafkaSet{"u": slices.Clone(want["u"])}
	slices.Reverse(shuffled["u"][:2])
	if changed := changedPatterns(want, shuffled); len(changed) != 0 {
		t.Errorf("another order is a change: %v", changed)
	}
	other := maps.Clone(want)
	other["v"] = []KafkaEntry{{ID: "3", Pattern: "v"}}
	for reason, sets := range map[string][2]kafkaSet{"new": {want, other}, "gone": {other, want}} {
		if diff := cmp.Diff([]string{"v"}, changedPatterns(sets[0], sets[1])); diff != "" {
			t.Errorf("a pattern that is %s: -want, +got:\n%s", reason, diff)
		}
	}
}

func TestMatchGlob(t *testing.T) {
	for _, tc := range []struct {
		reason, pattern, name string
		want                  bool
	}{
		{"A name matches itself.", "abc", "abc", true},
		{"A part does not match.", "abc", "abcd", false},
		{"Nor does a longer pattern.", "abcd", "abc", false},
		{"* matches nothing.", "abc*", "abc", true},
		{"* matches much.", "a*c", "abbbc", true},
		{"* gives back.", "a*bc*d", "abcbcbcxd", true},
		{"* does not make an end.", "a*c", "abcd", false},
		{"Several * are one.", "**", "x", true},
		{"? matches one.", "a?c", "abc", true},
		{"? does not match none.", "ab?", "ab", false},
		{"? after * needs one.", "*?", "", false},
		{"Nothing matches nothing.", "", "", true},
		{"Nothing matches nothing else.", "", "a", false},
		{"Other signs mean themselves.", "a.[b]", "a.[b]", true},
		{"The worst is bounded.", strings.Repeat("*a", 30) + "b", strings.Repeat("a", 64), false},
	} {
		if got := matchGlob(tc.pattern, tc.name); got != tc.want {
			t.Errorf("%s matchGlob(%q, %q): got %t", tc.reason, tc.pattern, tc.name, got)
		}
	}
}
