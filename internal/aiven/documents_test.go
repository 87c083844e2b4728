// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// TestDocuments has two tokens change what users of one service may do at the same
// time, and looks before what was lost is written once more.
func TestDocuments(t *testing.T) {
	cases := map[string]struct {
		reason string
		fault  *aivensim.Fault
		first  bool // whether the first one's rows are as they should be
		within time.Duration
	}{
		"AtOnce": {reason: "Neither undoes what the other wrote.", first: true, within: 3 * time.Second},
		"Hangs":  {reason: "One whom Aiven does not answer holds up nobody for long.", fault: &aivensim.Fault{Operation: "GetOpenSearchACL", Count: 1, Hang: true}, within: documentPatience + 2*time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSim(aivensim.WithLatency(300 * time.Millisecond))
				s.SetOpenSearchACL(testProject, searchRef.Service, aivensim.OpenSearchACLConfig{Enabled: true, ACLs: []aivensim.OpenSearchACL{
					{Username: "leaves", Rules: []aivensim.OpenSearchACLRule{{Index: "old", Permission: "read"}}},
				}})
				if tc.fault != nil {
					s.Inject(*tc.fault)
				}
				shared := &Documents{}
				with := func(o *Options) { o.Documents = shared }
				first, second := inBubble(t, s, with), inBubble(t, s, with)
				defer first.Close()
				defer second.Close()
				begin := time.Now()
				first.SubmitRules(t.Context(), user(searchRef, "leaves"), nil)
				first.SubmitRules(t.Context(), user(searchRef, "u1"), rules("a", "read"))
				synctest.Wait()
				second.SubmitRules(t.Context(), user(searchRef, "u2"), rules("b", "read"))
				if err := ruleWait(t, second, user(searchRef, "u2")); err != nil || time.Since(begin) > tc.within {
					t.Errorf("%s\nthe second one's rules took %s: %v", tc.reason, time.Since(begin), err)
				}
				if tc.first {
					if err := ruleWait(t, first, user(searchRef, "u1")); err != nil {
						t.Errorf("%s\nthe first one's rules: %v", tc.reason, err)
					}
					_, left := rowOf(s, "leaves")
					_, one := rowOf(s, "u1")
					if left != 0 || one != 1 {
						t.Errorf("%s\nwho leaves has %d rows, who was added first has %d", tc.reason, left, one)
					}
				}
				if _, two := rowOf(s, "u2"); two != 1 {
					t.Errorf("%s\nwho was added second has %d rows", tc.reason, two)
				}
			})
		})
	}
}

// TestDocumentsTake: turns are of one service at one Aiven, and nothing is kept of
// those that nobody writes.
func TestDocumentsTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, here := &Documents{}, documentID{"http://aiven.test", searchRef}
		release := d.take(t.Context(), here)
		begin := time.Now()
		d.take(t.Context(), documentID{"http://other.test", searchRef})()
		d.take(t.Context(), documentID{"http://aiven.test", kafkaRef})()
		(*Documents)(nil).take(t.Context(), here)()
		if d := time.Since(begin); d != 0 {
			t.Errorf("another document was waited for: %s", d)
		}
		ended, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.take(ended, here)()
		if d := time.Since(begin); d != time.Second {
			t.Errorf("after the end of the context it took %s", d)
		}
		d.take(t.Context(), here)()
		if d := time.Since(begin); d != time.Second+documentPatience {
			t.Errorf("who was out of patience gave up after %s", d)
		}
		release()
		d.take(t.Context(), here)()
		if d := time.Since(begin); d != time.Second+documentPatience {
			t.Errorf("a free document was waited for: %s", d)
		}
		if len(d.byID) != 0 {
			t.Errorf("%d documents are kept", len(d.byID))
		}
	})
}
