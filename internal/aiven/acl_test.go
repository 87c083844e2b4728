// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func ruleWait(t *testing.T, c *Client, ref UserRef) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return c.WaitRules(ctx, ref)
}

// rowOf is what the simulator's document says about a user, and how many rows it takes.
func rowOf(s *aivensim.Server, name string) ([]Rule, int) {
	var out []Rule
	rows := 0
	for _, row := range s.OpenSearchACL(testProject, searchRef.Service).ACLs {
		if row.Username != name {
			continue
		}
		rows++
		for _, r := range row.Rules {
			out = append(out, Rule{r.Index, r.Permission})
		}
	}
	return out, rows
}

func quick(o *Options) { o.ACLInterval = 20 * time.Millisecond }

func TestSubmitRules(t *testing.T) {
	s := newSim()
	s.SetOpenSearchACL(testProject, searchRef.Service, aivensim.OpenSearchACLConfig{Enabled: true, ExtendedACL: true, ACLs: []aivensim.OpenSearchACL{
		{Username: "person", Rules: []aivensim.OpenSearchACLRule{{Index: "*", Permission: "admin"}}},
		{Username: "u", Rules: []aivensim.OpenSearchACLRule{{Index: "old", Permission: "read"}}},
		{Username: "z", Rules: []aivensim.OpenSearchACLRule{}},
	}})
	c := connect(t, s, quick)
	ctx := context.Background()
	ref := user(searchRef, "u")
	state, err := c.Rules(ctx, ref)
	want := RuleState{Known: true, Enabled: true, Rules: rules("old", "read")}
	if diff := cmp.Diff(want, state); err != nil || diff != "" {
		t.Fatalf("Rules(...): %v, -want, +got:\n%s", err, diff)
	}
	events := subscribe(c)
	c.SubmitRules(context.Background(), ref, rules("b", "read", "a", "write"))
	if err := ruleWait(t, c, ref); err != nil {
		t.Fatalf("WaitRules(...): %v", err)
	}
	state, err = c.Rules(ctx, ref)
	want.Rules = rules("b", "read", "a", "write")
	if diff := cmp.Diff(want, state); err != nil || diff != "" {
		t.Errorf("Rules(...): %v, -want, +got:\n%s", err, diff)
	}
	doc := s.OpenSearchACL(testProject, searchRef.Service)
	if !doc.Enabled || !doc.ExtendedACL || len(doc.ACLs) != 3 || doc.ACLs[0].Username != "person" || doc.ACLs[2].Username != "z" {
		t.Errorf("other parts of the document changed: %+v", doc)
	}
	eventually(t, "the user's change is told", func() bool { return events.count(ref) == 1 })
	c.SubmitRules(context.Background(), ref, nil)
	if err := ruleWait(t, c, ref); err != nil {
		t.Fatalf("WaitRules(...): %v", err)
	}
	if _, rows := rowOf(s, "u"); rows != 0 {
		t.Errorf("%d rows of the user are left", rows)
	}
	if state, err := c.Rules(ctx, ref); err != nil || state.Rules != nil || state.Pending {
		t.Errorf("Rules(...): %+v, %v", state, err)
	}
}

// A switched off access control stays off, and the state tells.
func TestRulesDisabled(t *testing.T) {
	s := newSim()
	s.SetOpenSearchACL(testProject, searchRef.Service, aivensim.OpenSearchACLConfig{})
	c := connect(t, s, quick)
	ref := user(searchRef, "u")
	c.SubmitRules(context.Background(), ref, rules("a", "read"))
	if err := ruleWait(t, c, ref); err != nil {
		t.Fatalf("WaitRules(...): %v", err)
	}
	if s.OpenSearchACL(testProject, searchRef.Service).Enabled {
		t.Errorf("the access control was switched on")
	}
	if state, err := c.Rules(context.Background(), ref); err != nil || state.Enabled || !state.Known {
		t.Errorf("Rules(...): %+v, %v", state, err)
	}
}

// Many changes at one time, while a person reads and writes back the document without knowing of them.
func TestManySubmitsBesideAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		s := newSim(aivensim.WithLatency(300 * time.Millisecond))
		c := inBubble(t, s)
		defer c.Close()
		stale := s.OpenSearchACL(testProject, searchRef.Service) // What the person read before all.
		edits := 0
		edit := func(*http.Request) { // Between our read and our write.
			edits++
			doc := s.OpenSearchACL(testProject, searchRef.Service)
			if edits == 3 {
				doc = stale // Undoes two of our batches.
			}
			doc.ACLs = append(doc.ACLs, aivensim.OpenSearchACL{Username: fmt.Sprint("person", edits), Rules: []aivensim.OpenSearchACLRule{}})
			s.SetOpenSearchACL(testProject, searchRef.Service, doc)
		}
		s.Inject(aivensim.Fault{Operation: "UpdateOpenSearchACL", Count: 3, Hook: edit})
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				pass(time.Duration(i) * 100 * time.Millisecond)
				ref := user(searchRef, fmt.Sprint("u", i))
				c.SubmitRules(context.Background(), ref, rules("superseded", "admin"))
				c.SubmitRules(context.Background(), ref, rules(fmt.Sprint("index", i), "read"))
				if err := ruleWait(t, c, ref); err != nil {
					t.Errorf("WaitRules(u%d): %v", i, err)
				}
			})
		}
		wg.Wait()
		// After the last batch the person writes back the old document once more.
		s.SetOpenSearchACL(testProject, searchRef.Service, stale)
		pass(time.Minute)
		for i := range n {
			if got, rows := rowOf(s, fmt.Sprint("u", i)); rows != 1 || !EqualRules(got, rules(fmt.Sprint("index", i), "read")) {
				t.Errorf("u%d has %v in %d rows", i, got, rows)
			}
		}
		if calls := calls(s, "UpdateOpenSearchACL"); calls > 10 {
			t.Errorf("%d writes for %d changes in 20 s, want few", calls, n)
		}
	})
}

func TestBatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		c := inBubble(t, s)
		defer c.Close()
		for i := range 50 {
			c.SubmitRules(context.Background(), user(searchRef, fmt.Sprint("u", i)), rules("a", "read"))
			pass(600 * time.Millisecond)
		}
		pass(time.Minute)
		if n := calls(s, "UpdateOpenSearchACL"); n < 5 || n > 8 {
			t.Errorf("%d writes for 50 changes in 30 s, want about 6", n)
		}
		if n := calls(s, "GetOpenSearchACL"); n > 9 {
			t.Errorf("%d reads for 50 changes in 30 s, want one for each write and one to verify", n)
		}
		before := s.Stats().Calls
		pass(time.Hour)
		if n := s.Stats().Calls - before; n != 0 {
			t.Errorf("%d calls at rest", n)
		}
		first := time.Now()
		c.SubmitRules(context.Background(), user(searchRef, "late"), rules("a", "read"))
		if err := c.WaitRules(context.Background(), user(searchRef, "late")); err != nil || time.Since(first) > time.Second {
			t.Errorf("a change after a quiet time took %v: %v", time.Since(first), err)
		}
	})
}

func TestRulesThatAreRefused(t *testing.T) {
	s := newSim()
	c := connect(t, s, quick)
	ctx := context.Background()
	s.Inject(aivensim.Fault{Operation: "GetOpenSearchACL", Count: 1, Status: 400}) // Keeps them in one batch.
	c.SubmitRules(context.Background(), user(searchRef, "bad"), rules("a", "everything"))
	for i := range 10 {
		c.SubmitRules(context.Background(), user(searchRef, fmt.Sprint("good", i)), rules("a", "read"))
	}
	c.SubmitRules(context.Background(), user(searchRef, "long"), make([]Rule, maxACLRules+1))
	for i := range 10 {
		if err := ruleWait(t, c, user(searchRef, fmt.Sprint("good", i))); err != nil {
			t.Errorf("WaitRules(good%d): %v", i, err)
		}
	}
	for _, name := range []string{"bad", "long"} {
		if err := ruleWait(t, c, user(searchRef, name)); !errors.Is(err, ErrInvalid) {
			t.Errorf("WaitRules(%s): got %v, want ErrInvalid", name, err)
		}
		state, err := c.Rules(ctx, user(searchRef, name))
		if err != nil || state.Pending || !errors.Is(state.Err, ErrInvalid) {
			t.Errorf("Rules(%s): %+v, %v", name, state, err)
		}
	}
	c.SubmitRules(context.Background(), user(searchRef, "bad"), rules("a", "read"))
	if err := ruleWait(t, c, user(searchRef, "bad")); err != nil {
		t.Errorf("WaitRules(bad) after it was mended: %v", err)
	}
}

func TestWriterFailures(t *testing.T) {
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
	}{
		"Read":       {"the document cannot be read", aivensim.Fault{Operation: "GetOpenSearchACL", Status: 503}},
		"Write":      {"the document cannot be written", aivensim.Fault{Operation: "UpdateOpenSearchACL", Status: 500}},
		"LostAnswer": {"it was written and nobody said so", aivensim.Fault{Operation: "UpdateOpenSearchACL", Status: 502, After: true}},
		"Forbidden":  {"permissions lag behind", aivensim.Fault{Operation: "UpdateOpenSearchACL", Status: 403}},
		"EmptyBody":  {"nobody knows what happened", aivensim.Fault{Operation: "UpdateOpenSearchACL", EmptyBody: true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSim()
				c := inBubble(t, s)
				defer c.Close()
				ref := user(searchRef, "u")
				events := subscribe(c)
				tc.fault.EchoSecrets = tc.fault.Status != 0
				remove := s.Inject(tc.fault)
				c.SubmitRules(context.Background(), ref, rules("a", "read"))
				pass(2 * time.Second)
				if events.count(ref) != 1 && name != "LostAnswer" {
					t.Errorf("%s: %d events of the failure, want 1", tc.reason, events.count(ref))
				}
				state, err := c.Rules(context.Background(), ref)
				if name != "LostAnswer" && (err != nil || !state.Pending || state.Err == nil) {
					t.Errorf("%s: Rules(...): %+v, %v; want it pending with the error", tc.reason, state, err)
				}
				if state.Err != nil {
					noSecrets(t, s, state.Err.Error())
				}
				remove()
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if err := c.WaitRules(ctx, ref); err != nil {
					t.Errorf("%s: WaitRules(...) after the fault: %v", tc.reason, err)
				}
				if got, rows := rowOf(s, "u"); rows != 1 || !EqualRules(got, rules("a", "read")) {
					t.Errorf("%s: the document has %v in %d rows", tc.reason, got, rows)
				}
			})
		})
	}
}

func TestRulesOfMissingService(t *testing.T) {
	s := newSim()
	c := connect(t, s, quick)
	gone := user(ServiceRef{testProject, "gone"}, "u")
	c.SubmitRules(context.Background(), gone, nil)
	if err := ruleWait(t, c, gone); err != nil {
		t.Errorf("removing rules from a service that is gone: %v", err)
	}
	c.SubmitRules(context.Background(), gone, rules("a", "read"))
	if err := ruleWait(t, c, gone); !errors.Is(err, ErrServiceNotFound) {
		t.Errorf("setting rules on a service that is gone: got %v, want ErrServiceNotFound", err)
	}
	for range 5 {
		if _, err := c.Rules(context.Background(), gone); !errors.Is(err, ErrServiceNotFound) {
			t.Errorf("Rules(...): got %v, want ErrServiceNotFound", err)
		}
	}
	if n := calls(s, "GetOpenSearchACL"); n > 3 {
		t.Errorf("%d reads of a document that does not exist", n)
	}
}

func TestRulesSharedRead(t *testing.T) {
	s := newSim(aivensim.WithLatency(20 * time.Millisecond))
	c := connect(t, s)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if _, err := c.Rules(context.Background(), user(searchRef, fmt.Sprint("u", i))); err != nil {
				t.Errorf("Rules(...): %v", err)
			}
		})
	}
	wg.Wait()
	if n := calls(s, "GetOpenSearchACL"); n != 1 {
		t.Errorf("%d reads for 50 callers, want 1", n)
	}
}

func TestRulesChangedOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim()
		c := inBubble(t, s)
		defer c.Close()
		events := subscribe(c)
		ref := user(searchRef, "u")
		c.SubmitRules(context.Background(), ref, rules("a", "read"))
		pass(time.Minute)
		s.SetOpenSearchACL(testProject, searchRef.Service, aivensim.OpenSearchACLConfig{Enabled: true})
		pass(defaultPollInterval)
		before := events.count(ref)
		state, err := c.Rules(context.Background(), ref)
		if err != nil || state.Rules != nil {
			t.Errorf("Rules(...): %+v, %v; want none", state, err)
		}
		if got := events.count(ref) - before; got != 1 {
			t.Errorf("%d events of a row that was removed outside, want 1", got)
		}
	})
}

func TestACLUnmanageable(t *testing.T) {
	s := newSim()
	s.SetOpenSearchSecurity(testProject, searchRef.Service, true)
	c := connect(t, s, quick)
	ref := user(searchRef, "u")
	state, err := c.Rules(context.Background(), ref)
	if err != nil || !errors.Is(state.Err, ErrACLUnmanageable) {
		t.Errorf("Rules(...): %+v, %v; want ErrACLUnmanageable in the state", state, err)
	}
	c.SubmitRules(context.Background(), ref, rules("a", "read"))
	if err := ruleWait(t, c, ref); !errors.Is(err, ErrACLUnmanageable) {
		t.Errorf("WaitRules(...): got %v, want ErrACLUnmanageable", err)
	}
}
