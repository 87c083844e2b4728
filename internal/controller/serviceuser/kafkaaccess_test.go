// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// entries are what is asked for, on record, or at Aiven.
type entries = []v1alpha1.KafkaGrant

func topic(id, name string) v1alpha1.KafkaGrant {
	return v1alpha1.KafkaGrant{ID: id, Topic: name, Permission: "read"}
}

func subject(id, name string) v1alpha1.KafkaGrant {
	return v1alpha1.KafkaGrant{ID: id, Subject: name, Permission: "schema_registry_read"}
}

// asking adds to what a managed resource asks for.
func asking(mg *v1alpha1.KafkaServiceUser, wanted entries) *v1alpha1.KafkaServiceUser {
	p := &mg.Spec.ForProvider
	for _, g := range wanted {
		if g.Subject != "" {
			p.SchemaRegistry = append(p.SchemaRegistry, v1alpha1.KafkaSubjectAccess{Subject: g.Subject, Permission: g.Permission})
		} else {
			p.ACL = append(p.ACL, v1alpha1.KafkaTopicAccess{Topic: g.Topic, Permission: g.Permission})
		}
	}
	return mg
}

// write puts entries into the ACLs of a service as somebody else would.
func write(sim *aivensim.Server, service, pattern string, some entries) {
	for _, g := range some {
		if g.Subject != "" {
			sim.AddSchemaRegistryACL("p", service, aivensim.SchemaRegistryACLEntry{ID: g.ID, Username: pattern, Resource: "Subject:" + g.Subject, Permission: g.Permission})
		} else {
			sim.AddKafkaACL("p", service, aivensim.KafkaACLEntry{ID: g.ID, Username: pattern, Topic: g.Topic, Permission: g.Permission})
		}
	}
}

// known returns the ID of an entry, "new" for one that Aiven made up.
func known(id string) string {
	if id == "" || slices.Contains([]string{"default", "other", "exact", "1", "2"}, id) || strings.HasPrefix(id, "default-") {
		return id
	}
	return "new"
}

// idsAt returns the IDs of all entries of a service, with their patterns.
func idsAt(sim *aivensim.Server, service string) []string {
	var out []string
	for _, e := range sim.KafkaACL("p", service) {
		out = append(out, known(e.ID)+" of "+e.Username)
	}
	for _, e := range sim.SchemaRegistryACL("p", service) {
		out = append(out, known(e.ID)+" of "+e.Username)
	}
	return out
}

// TestKafkaAccessOfSeveral: which entries go depends on who else asks for them, and
// on who wrote them.
func TestKafkaAccessOfSeveral(t *testing.T) {
	t.Parallel()
	sibling := func(asks, records entries, changes ...func(mg *v1alpha1.KafkaServiceUser)) *v1alpha1.KafkaServiceUser {
		mg := asking(issued("orders", "1"), asks)
		mg.Status.AtProvider.Grants = records
		for _, c := range changes {
			c(mg)
		}
		return mg
	}
	leaving := func(mg *v1alpha1.KafkaServiceUser) {
		mg.SetFinalizers([]string{"f"})
		mg.SetDeletionTimestamp(&metav1.Time{Time: metav1.Now().Time})
	}
	elsewhere := func(mg *v1alpha1.KafkaServiceUser) { mg.Spec.ForProvider.ServiceName = "another-kafka" }
	imported := func(mg *v1alpha1.KafkaServiceUser) {
		meta.AddAnnotations(mg, map[string]string{v1.AnnotationApplication: "payments"})
	}
	x, y := topic("1", "x"), topic("2", "y")
	cases := map[string]struct {
		reason                     string
		asks, records, there, want entries
		sibling                    *v1alpha1.KafkaServiceUser
		// chosen is a username that a person chose.
		chosen string
		// revoke: the managed resource is being deleted.
		revoke bool
		// recorded is what is on record afterwards.
		recorded entries
	}{
		"NotAskedFor": {
			reason:  "What is ours goes when nobody asks for it any more.",
			records: entries{x}, there: entries{x},
		},
		"Replaced": {
			reason: "What is asked for instead is there before.",
			asks:   entries{y}, records: entries{x}, there: entries{x},
			want: entries{topic("new", "y")}, recorded: entries{topic("new", "y")},
		},
		"SiblingAsks": {
			reason:  "What another user of the application needs stays.",
			records: entries{x, y}, there: entries{x, y}, sibling: sibling(entries{x}, nil),
			want: entries{x}, recorded: entries{x},
		},
		"SiblingWrote": {
			reason: "What it wrote for itself is not taken from it.",
			asks:   entries{y}, records: entries{y}, there: entries{x, y}, sibling: sibling(entries{x}, entries{x}),
			want: entries{x, y}, recorded: entries{x, y},
		},
		"SiblingWroteAndNobodyAsks": {
			reason: "What it wrote and nobody asks for goes: all have one record.",
			asks:   entries{y}, records: entries{y}, there: entries{x, y}, sibling: sibling(nil, entries{x}),
			want: entries{y}, recorded: entries{y},
		},
		"SiblingWroteWhatIsAskedFor": {
			reason: "What it wrote serves all, and whoever goes last knows of it.",
			asks:   entries{x}, there: entries{x}, sibling: sibling(entries{x}, entries{x}),
			want: entries{x}, recorded: entries{x},
		},
		"SiblingIsLeaving": {
			reason:  "Who is being deleted needs nothing.",
			records: entries{x}, there: entries{x}, sibling: sibling(entries{x}, entries{x}, leaving),
		},
		"SiblingElsewhere": {
			reason:  "A user of another service has entries of its own there.",
			records: entries{x}, there: entries{x}, sibling: sibling(entries{x}, entries{x}, elsewhere),
		},
		"SiblingOfAnotherPattern": {
			reason:  "Who imported a user of that name has entries for that name only.",
			records: entries{x}, there: entries{x}, sibling: sibling(entries{x}, nil, imported),
		},
		"Theirs": {
			reason:  "What is on nobody's record was written by somebody else.",
			records: entries{y}, there: entries{x, y}, want: entries{x},
		},
		"TheirsOfTheSame": {
			reason:  "Of two that grant the same only ours goes.",
			records: entries{topic("2", "x")}, there: entries{x, topic("2", "x")}, want: entries{x},
		},
		"TheirsAskedFor": {
			reason: "What somebody else wrote does for us, and is not on record.",
			asks:   entries{x}, there: entries{x}, want: entries{x},
		},
		"TheirsOfAnotherPattern": {
			reason:  "What is on record under a name that was given up is not removed by its ID alone.",
			records: entries{topic("other", "x")},
		},
		"Subjects": {
			reason:  "A subject goes, the topic of that name was written by somebody else.",
			records: entries{subject("2", "x")}, there: entries{x, subject("2", "x")}, want: entries{x},
		},
		"Chosen": {
			reason:  "A name that a person chose has no siblings.",
			chosen:  byHand,
			records: entries{x}, there: entries{x, y}, sibling: sibling(entries{x}, entries{y}), want: entries{y},
		},
		"Last": {
			reason: "The last one takes with it what is ours, asked for or not.",
			revoke: true, asks: entries{x}, records: entries{x, subject("2", "y")}, there: entries{x, subject("2", "y")},
		},
		"LastOfTheirs": {
			reason: "And nothing else.",
			revoke: true, asks: entries{x, y}, records: entries{y}, there: entries{x, y}, want: entries{x},
		},
		"NotTheLast": {
			reason: "What another one needs stays.",
			revoke: true, asks: entries{x, y}, records: entries{x, y}, there: entries{x, y}, sibling: sibling(entries{x}, nil),
			want: entries{x}, recorded: entries{x},
		},
		"LastButOneThatIsLeaving": {
			reason: "Of two that go together, none waits for the other.",
			revoke: true, asks: entries{x}, records: entries{x}, there: entries{x}, sibling: sibling(entries{x}, entries{x}, leaving),
		},
		"LastOfTheService": {
			reason: "A user of another service keeps nothing here.",
			revoke: true, asks: entries{x}, records: entries{x}, there: entries{x}, sibling: sibling(entries{x}, entries{x}, elsewhere),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mg := asking(issued("orders", "2"), tc.asks)
			mg.Status.AtProvider.Grants = tc.records
			pattern := username.Prefix(namespace, "orders") + "*"
			if tc.chosen != "" {
				meta.SetExternalName(mg, tc.chosen)
				pattern = tc.chosen
			}
			p := simulated(t)
			p.sim.AddService("p", aivensim.Service{Name: "another-kafka", Type: "kafka"})
			write(p.sim, "the-kafka", username.Prefix(namespace, "payments")+"*", entries{topic("other", "x")})
			write(p.sim, "the-kafka", username.Prefix(namespace, "orders")+"r2", entries{topic("exact", "x")})
			write(p.sim, "another-kafka", pattern, entries{topic("1", "x"), topic("2", "y")})
			elsewhere, want := idsAt(p.sim, "another-kafka"), idsAt(p.sim, "the-kafka")
			for _, g := range tc.want {
				want = append(want, g.ID+" of "+pattern)
			}
			write(p.sim, "the-kafka", pattern, tc.there)

			objects := []client.Object{mg}
			if tc.sibling != nil {
				objects = append(objects, tc.sibling)
			}
			access := Kafka().NewAccess(newManager(t, objects...).Client)
			act, done := access.Ensure, func() (bool, error) {
				s, err := access.Observe(t.Context(), p.client, mg, observedUser{ref: providerconfig.UserOf(mg)})
				return s.UpToDate && !s.Pending, err
			}
			if tc.revoke {
				act, done = access.Revoke, func() (bool, error) { return access.Revoked(t.Context(), p.client, mg, providerconfig.UserOf(mg)) }
			}
			if err := act(t.Context(), p.client, mg, providerconfig.UserOf(mg)); err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			less := cmpopts.SortSlices(cmp.Less[string])
			if diff := gocmp.Diff(want, idsAt(p.sim, "the-kafka"), less); diff != "" {
				t.Errorf("%s: entries: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := gocmp.Diff(elsewhere, idsAt(p.sim, "another-kafka"), less); diff != "" {
				t.Errorf("%s: entries of another service: -want, +got:\n%s", tc.reason, diff)
			}
			got := slices.Clone(mg.Status.AtProvider.Grants)
			for i := range got {
				got[i].ID = known(got[i].ID)
			}
			byID := cmpopts.SortSlices(func(a, b v1alpha1.KafkaGrant) bool { return a.ID < b.ID })
			if diff := gocmp.Diff(tc.recorded, got, cmpopts.EquateEmpty(), byID); diff != "" {
				t.Errorf("%s: on record: -want, +got:\n%s", tc.reason, diff)
			}
			if ok, err := done(); !ok || err != nil {
				t.Errorf("%s: it is not done: %t, %v", tc.reason, ok, err)
			}
		})
	}
}
