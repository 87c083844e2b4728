// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

const aclPattern = "a_b_01234567_*"

// onTopic returns an entry, without an ID one that is asked for or was about to be
// written.
func onTopic(id, topic string) aiven.KafkaEntry {
	return aiven.KafkaEntry{ID: id, Pattern: aclPattern, Resource: topic, Permission: "read"}
}

func onSubject(id, subject string) aiven.KafkaEntry {
	return aiven.KafkaEntry{ID: id, Registry: true, Pattern: aclPattern, Resource: subject, Permission: "schema_registry_read"}
}

func TestKafkaEntries(t *testing.T) {
	type list = []aiven.KafkaEntry
	type want struct{ ours, missing, surplus, intended list }
	cases := map[string]struct {
		reason               string
		want, have, recorded list
		needed               list
		expect               want
	}{
		"Nothing": {reason: "Who asks for nothing and has nothing is done."},
		"New": {
			reason: "What is asked for and not there is written, and on record before.",
			want:   list{onTopic("", "x"), onSubject("", "x")},
			expect: want{missing: list{onTopic("", "x"), onSubject("", "x")}, intended: list{onTopic("", "x"), onSubject("", "x")}},
		},
		"Done": {
			reason: "What is ours and asked for stays.",
			want:   list{onTopic("", "x")}, have: list{onTopic("1", "x")}, recorded: list{onTopic("1", "x")},
			expect: want{ours: list{onTopic("1", "x")}, intended: list{onTopic("1", "x")}},
		},
		"Theirs": {
			reason: "What somebody else wrote does for us, and is not ours.",
			want:   list{onTopic("", "x")}, have: list{onTopic("1", "x")},
		},
		"TheirsStays": {
			reason: "What somebody else wrote is not ours to remove.",
			have:   list{onTopic("1", "x")},
		},
		"TheirsOfTheSameName": {
			reason: "A subject is no topic.",
			want:   list{onTopic("", "x")}, have: list{onSubject("1", "x")},
			expect: want{missing: list{onTopic("", "x")}, intended: list{onTopic("", "x")}},
		},
		"KilledBeforeTheCall": {
			reason: "What was about to be written and is not there is written now.",
			want:   list{onTopic("", "x")}, recorded: list{onTopic("", "x")},
			expect: want{ours: list{onTopic("", "x")}, missing: list{onTopic("", "x")}, intended: list{onTopic("", "x")}},
		},
		"KilledAfterTheCall": {
			reason: "What was about to be written and is there was written by us.",
			want:   list{onTopic("", "x")}, have: list{onTopic("1", "x")}, recorded: list{onTopic("", "x")},
			expect: want{ours: list{onTopic("1", "x")}, intended: list{onTopic("1", "x")}},
		},
		"KilledAfterTheCallAndChanged": {
			reason: "It goes when nobody asks for it any more.",
			have:   list{onTopic("1", "x")}, recorded: list{onTopic("", "x")},
			expect: want{ours: list{onTopic("1", "x")}, surplus: list{onTopic("1", "x")}, intended: list{onTopic("1", "x")}},
		},
		"WrittenTwice": {
			reason: "Of two of ours that grant the same one is enough.",
			want:   list{onTopic("", "x")}, have: list{onTopic("1", "x"), onTopic("2", "x")}, recorded: list{onTopic("1", "x"), onTopic("2", "x")},
			expect: want{ours: list{onTopic("1", "x"), onTopic("2", "x")}, surplus: list{onTopic("2", "x")}, intended: list{onTopic("1", "x"), onTopic("2", "x")}},
		},
		"BesideTheirs": {
			reason: "Ours goes when nobody asks for it, the one of somebody else that grants the same stays.",
			have:   list{onTopic("1", "x"), onTopic("2", "x")}, recorded: list{onTopic("2", "x")},
			expect: want{ours: list{onTopic("2", "x")}, surplus: list{onTopic("2", "x")}, intended: list{onTopic("2", "x")}},
		},
		"RemovedByOthers": {
			reason: "What somebody removed is written again, and the old record is of no use.",
			want:   list{onTopic("", "x")}, recorded: list{onTopic("1", "x")},
			expect: want{missing: list{onTopic("", "x")}, intended: list{onTopic("", "x")}},
		},
		"ReplacedByOthers": {
			reason: "What somebody wrote where ours was is his.",
			want:   list{onTopic("", "x")}, have: list{onTopic("2", "x")}, recorded: list{onTopic("1", "x")},
		},
		"Sibling": {
			reason: "What is on record twice is one entry.",
			want:   list{onTopic("", "x")}, have: list{onTopic("1", "x")}, recorded: list{onTopic("1", "x"), onTopic("", "x"), onTopic("1", "x")},
			expect: want{ours: list{onTopic("1", "x")}, intended: list{onTopic("1", "x")}},
		},
		"NeededBySibling": {
			reason: "What another user of the pattern needs stays.",
			have:   list{onTopic("1", "x"), onTopic("2", "y")}, recorded: list{onTopic("1", "x"), onTopic("2", "y")}, needed: list{onTopic("", "x")},
			expect: want{
				ours: list{onTopic("1", "x"), onTopic("2", "y")}, surplus: list{onTopic("2", "y")}, intended: list{onTopic("1", "x"), onTopic("2", "y")},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := kafkaEntries{want: tc.want, have: tc.have, needed: tc.needed}
			e.recall(tc.recorded)
			got := want{ours: e.ours, missing: e.missing(), surplus: e.surplus()}
			got.intended = e.intended(got.missing)
			if diff := cmp.Diff(tc.expect, got, cmp.AllowUnexported(want{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestKafkaEntriesWritten: what is written is ours by its ID, and what Aiven refused
// is not ours.
func TestKafkaEntriesWritten(t *testing.T) {
	type list = []aiven.KafkaEntry
	cases := map[string]struct {
		reason string
		theirs bool
		err    error
		want   list
	}{
		"Theirs": {
			reason: "Somebody else wrote the first in the meantime.",
			theirs: true,
			err:    aiven.ErrForbidden,
		},
		"Refused": {
			reason: "Nothing was written beside the first.",
			err:    aiven.ErrForbidden,
			want:   list{onTopic("1", "x")},
		},
		"Unanswered": {
			reason: "The second may be there.",
			err:    errors.Wrap(aiven.ErrUnavailable, "no answer"),
			want:   list{onTopic("1", "x"), onTopic("", "y")},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := kafkaEntries{want: list{onTopic("", "x"), onTopic("", "y"), onTopic("", "z")}}
			missing := e.missing()
			e.intended(missing)
			e.wrote(onTopic("1", "x"), !tc.theirs)
			e.refused(missing[1:], tc.err)
			if diff := cmp.Diff(tc.want, e.ours, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(missing[1:], e.missing()); diff != "" {
				t.Errorf("missing: -want, +got:\n%s", diff)
			}
		})
	}
}

// TestKafkaGrants: a record says what the entry was.
func TestKafkaGrants(t *testing.T) {
	want := []aiven.KafkaEntry{onTopic("1", "x"), onTopic("", "y"), onSubject("2", "x"), onSubject("", "y")}
	mg := &v1alpha1.KafkaServiceUser{}
	mg.Status.AtProvider.Grants = grantsOf(want)
	if diff := cmp.Diff(want, recordedEntries(mg, aclPattern)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
