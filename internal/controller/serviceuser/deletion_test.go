// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// TestShared deletes a managed resource while another one names the same user.
func TestShared(t *testing.T) {
	t.Parallel()
	type mr = *v1alpha1.KafkaServiceUser
	own := func(mg mr) { // Brings a token.
		mg.SetAuthSecretRef(&xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "own"}, Key: "token"})
	}
	local := func(mg mr) {
		mg.SetProviderConfigReference(&xpv2.ProviderConfigReference{Kind: v1alpha1.ProviderConfigKind, Name: "default"})
	}
	seen := func(mg mr) {
		mg.SetServiceUserObservation(v1alpha1.ServiceUserObservation{Username: byHand, Via: providerconfig.AccessOf(mg).String()})
	}
	cases := map[string]struct {
		reason string
		mg     func(mg mr)
		other  []func(mg mr)
		// stays: the user is not this managed resource's alone.
		stays bool
	}{
		"Seen": {
			reason: "What another one was seen to have stays for that.",
			other:  []func(mg mr){seen}, stays: true,
		},
		"Named": {
			reason: "Anybody can name it.",
			other:  []func(mg mr){},
		},
		"SeenWithAnother": {
			reason: "Nor does it lose the user with its configuration.",
			other: []func(mg mr){seen, func(mg mr) {
				mg.SetProviderConfigReference(&xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigKind, Name: "another"})
			}},
			stays: true,
		},
		"SeenWithOwnToken": {
			reason: "And with a token of one's own anybody can have it seen: what the central token made it deletes.",
			other:  []func(mg mr){own, seen},
		},
		"SeenWithOwnConfiguration": {
			reason: "So it is with a token of a ProviderConfig.",
			other:  []func(mg mr){local, seen},
		},
		"SeenWithOwnTokenBefore": {
			reason: "It is not had with the central one for having been seen with another.",
			other:  []func(mg mr){own, seen, func(mg mr) { mg.SetAuthSecretRef(nil) }},
		},
		"BothOwn": {
			reason: "Who has tokens of their own can do with the user what they like, and so can others who have.",
			mg:     own, other: []func(mg mr){own, seen}, stays: true,
		},
		"OwnBesideCentral": {
			reason: "What the central token has stays.",
			mg:     own, other: []func(mg mr){seen}, stays: true,
		},
		"BeingDeleted": {
			reason: "The last one that goes takes it along.",
			other: []func(mg mr){seen, func(mg mr) {
				mg.SetDeletionTimestamp(new(metav1.Now()))
				mg.SetFinalizers([]string{"finalizer.managedresource.crossplane.io"})
			}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := simulated(t)
			p.sim.AddUser("p", "the-kafka", byHand)
			mg, other := using(Kafka().New(), "mine", "the-kafka"), using(Kafka().New(), "other", "the-kafka")
			other.SetNamespace("team-b")
			meta.SetExternalName(mg, byHand)
			meta.SetExternalName(other, byHand)
			if tc.mg != nil {
				tc.mg(mg)
			}
			for _, change := range tc.other {
				change(other)
			}
			seen(mg)
			mg.SetDeletionTimestamp(new(metav1.Now()))
			e := externalFor(p, Kafka())
			e.granted, e.cache = providerconfig.Granted{}, newManager(t, other).Client
			if o, err := e.Observe(t.Context(), mg); err != nil || o.ResourceExists == tc.stays {
				t.Errorf("%s: want a user that stays: %t, got %+v, %v", tc.reason, tc.stays, o, err)
			}
		})
	}
}

// TestNeverSeen deletes a managed resource whose user is not to be seen.
func TestNeverSeen(t *testing.T) {
	t.Parallel()
	now := time.Now()
	long := now.Add(-time.Hour)
	cases := map[string]struct {
		reason string
		// since is when the process began.
		since  time.Time
		change func(mg *v1alpha1.KafkaServiceUser)
		// ended are how attempts of this process to create the user ended.
		ended []error
		// late: the user appears after the service was read.
		late bool
		// waits: it is not gone yet.
		waits bool
	}{
		"AfterAStart": {
			reason: "A process before this one may have made a user that is yet to appear.",
			since:  now, waits: true,
		},
		"Later": {
			reason: "After a while it would have.",
			since:  long,
		},
		"Appeared": {
			reason: "That it has not appeared is not believed of an answer from before.",
			since:  now.Add(-settleTime), late: true, waits: true,
		},
		"NeverAboutTo": {
			reason: "Nobody was about to make one.",
			since:  now, change: func(mg *v1alpha1.KafkaServiceUser) {
				meta.RemoveAnnotations(mg, meta.AnnotationKeyExternalCreatePending)
			},
		},
		"Seen": {
			reason: "What was seen before is gone.",
			since:  now, change: func(mg *v1alpha1.KafkaServiceUser) { hadUser(mg) },
		},
		"Taken": {
			reason: "What appears under a name that is somebody else's is not ours.",
			since:  now, change: func(mg *v1alpha1.KafkaServiceUser) {
				meta.AddAnnotations(mg, map[string]string{v1.AnnotationGeneratedUsername: meta.GetExternalName(mg), v1.AnnotationUsernameTaken: meta.GetExternalName(mg)})
			},
		},
		"Inherited": {
			reason: "Nobody makes a user that is inherited.",
			since:  now, change: func(mg *v1alpha1.KafkaServiceUser) {
				meta.AddAnnotations(mg, map[string]string{v1.AnnotationInherited: "x"})
			},
		},
		"Unanswered": {
			reason: "This process tried, and was not answered.",
			since:  long, ended: []error{aiven.ErrUnavailable}, waits: true,
		},
		"Made": {
			reason: "This process made it, and so no other did.",
			since:  now, ended: []error{nil},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := simulated(t)
			mg := issued("orders", "1")
			mg.SetCreationTimestamp(metav1.NewTime(long))
			meta.SetExternalCreatePending(mg, long)
			mg.SetDeletionTimestamp(new(metav1.NewTime(now)))
			if tc.change != nil {
				tc.change(mg)
			}
			e := externalFor(p, Kafka())
			e.granted, e.attempts.since = providerconfig.Granted{}, tc.since
			for _, err := range tc.ended {
				e.attempts.ended(mg, err)
			}
			if tc.late {
				if _, err := p.client.Service(t.Context(), providerconfig.UserOf(mg).ServiceRef); err != nil {
					t.Fatal(err)
				}
				e.attempts.since = time.Now().Add(-settleTime)
				p.sim.AddUser("p", "the-kafka", meta.GetExternalName(mg))
			}
			o, err := e.Observe(t.Context(), mg)
			if err != nil || o.ResourceExists != tc.waits {
				t.Errorf("%s: Observe: want to wait: %t, got %+v, %v", tc.reason, tc.waits, o, err)
			}
			if !tc.waits {
				return
			}
			// It can be deleted at any time, also before it is seen.
			if _, err := e.Delete(t.Context(), mg); err != nil {
				t.Errorf("%s: Delete: %v", tc.reason, err)
			}
			if diff := cmp.Diff([]string{"DeleteUser " + meta.GetExternalName(mg)}, p.writes()); diff != "" {
				t.Errorf("%s: writes: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestForgets: nothing is kept of managed resources that are gone, whatever was
// done with them.
func TestForgets(t *testing.T) {
	t.Parallel()
	type known struct {
		Tracked, Refused bool
		Tried            int
	}
	cases := map[string]struct {
		reason string
		gone   func() types.UID
		want   known
	}{
		"Gone":    {reason: "What is known of it goes with it.", gone: func() types.UID { return issued("orders", "1").GetUID() }},
		"Another": {reason: "And of nothing else.", gone: func() types.UID { return "another" }, want: known{Tracked: true, Refused: true, Tried: 1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mg := issued("orders", "1")
			c := (&asked{}).connector(newManager(t, mg).Client)
			if _, err := c.Connect(t.Context(), mg); err != nil {
				t.Fatal(err)
			}
			c.attempts.ended(mg, aiven.ErrUnavailable)
			c.refusals.record(mg, v1.NotReady(v1.ReasonSyncFailed, "boom"))
			gone := issued("orders", "1")
			gone.SetUID(tc.gone())
			c.forgets().Delete(t.Context(), event.DeleteEvent{Object: gone}, nil)

			var got known
			_, got.Tracked = c.tracked.Load(mg.GetUID())
			_, got.Refused = c.refusals.conditions.Load(mg.GetUID())
			got.Tried = len(c.attempts.by)
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
