// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// byHand is the name of a user that a person gave a managed resource.
const byHand = "by-hand"

// An imported is what became of a managed resource whose external name a person
// set, and of the user of that name.
type imported struct {
	Ready  corev1.ConditionStatus
	Reason xpv2.ConditionReason
	// Username and Via are those that are on record.
	Username, Via string
	// Published tells whether the password of the user is.
	Published bool
	// Writes at Aiven.
	Writes []string
}

// TestImport goes through the whole controller: what is refused is not only not
// owned, but nothing is done to it and nothing of it is told.
func TestImport(t *testing.T) {
	t.Parallel()
	const update, remove = "UpdateUser " + byHand, "DeleteUser " + byHand
	refused := imported{Ready: corev1.ConditionFalse, Reason: v1.ReasonUsernameTaken}
	adopted := imported{Ready: corev1.ConditionTrue, Username: byHand, Via: via, Published: true, Writes: []string{update}}
	made := adopted
	made.Writes = []string{"CreateUser " + byHand}
	cases := map[string]struct {
		reason string
		absent bool
		seen   v1alpha1.ServiceUserObservation
		// imports are what is granted, one after the other.
		imports []bool
		want    imported
		// deleted are the writes when the managed resource is deleted, with the last
		// grant.
		deleted []string
	}{
		"Granted": {
			reason:  "Who may import has the user from then on, with all that follows.",
			imports: []bool{true}, want: adopted, deleted: []string{update, remove},
		},
		"NotGranted": {
			reason:  "Who may not has nothing to do with it.",
			imports: []bool{false}, want: refused,
		},
		"GrantedLater": {
			reason:  "To have been refused is not for ever: the name was given on purpose.",
			imports: []bool{false, true}, want: adopted, deleted: []string{update, remove},
		},
		"NoLongerGranted": {
			reason:  "What was imported stays so.",
			imports: []bool{true, false}, want: adopted, deleted: []string{update, remove},
		},
		"SeenBefore": {
			reason:  "What an earlier process saw with the same token is no import.",
			seen:    v1alpha1.ServiceUserObservation{Username: byHand, Via: via},
			imports: []bool{false}, want: adopted, deleted: []string{update, remove},
		},
		"SeenWithAnotherToken": {
			reason:  "What was seen with a token of one's own is one.",
			seen:    v1alpha1.ServiceUserObservation{Username: byHand, Via: "Secret " + namespace + "/own"},
			imports: []bool{false},
			want:    imported{Ready: corev1.ConditionFalse, Reason: v1.ReasonUsernameTaken, Username: byHand, Via: "Secret " + namespace + "/own"},
		},
		"SeenAnother": {
			reason:  "So is another user than the one that was seen.",
			seen:    v1alpha1.ServiceUserObservation{Username: "another", Via: via},
			imports: []bool{false},
			want:    imported{Ready: corev1.ConditionFalse, Reason: v1.ReasonUsernameTaken, Username: "another", Via: via},
		},
		"Made": {
			reason: "A user that does not exist is made under that name, and is one's own.",
			absent: true, imports: []bool{false}, want: made, deleted: append(made.Writes, remove),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mg := using(Valkey().New(), "x", "the-valkey")
			mg.SetFinalizers([]string{"finalizer.managedresource.crossplane.io"}) // Deleting shows what would be done.
			mg.Spec.WriteConnectionSecretToReference = &xpv2.LocalSecretReference{Name: "conn"}
			mg.Spec.ForProvider.Categories = []string{"+@read"}
			mg.SetServiceUserObservation(tc.seen)
			meta.SetExternalName(mg, byHand)
			r := newRig(t, Valkey(), mg)
			if !tc.absent {
				r.sim.AddUser("p", "the-valkey", byHand)
			}
			for _, imports := range tc.imports {
				r.granted.Imports = imports
				r.passes(t, mg)
			}
			if diff := cmp.Diff(tc.want, r.imported(t, mg), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}

			if err := r.kube.Delete(t.Context(), mg); err != nil {
				t.Fatal(err)
			}
			r.passes(t, mg)
			if err := r.kube.Get(t.Context(), client.ObjectKeyFromObject(mg), mg); !kerrors.IsNotFound(err) {
				t.Errorf("%s: after it was deleted the managed resource is %+v, %v", tc.reason, mg, err)
			}
			if diff := cmp.Diff(tc.deleted, r.writes(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: writes when it was deleted: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func (r *rig) imported(t *testing.T, mg *v1alpha1.ValkeyServiceUser) imported {
	t.Helper()
	if err := r.kube.Get(t.Context(), client.ObjectKeyFromObject(mg), mg); err != nil {
		t.Fatal(err)
	}
	o, ready := mg.GetServiceUserObservation(), mg.GetCondition(xpv2.TypeReady)
	out := imported{Ready: ready.Status, Username: o.Username, Via: o.Via, Writes: r.writes()}
	if out.Ready != corev1.ConditionTrue {
		out.Reason = ready.Reason
	}
	s := &corev1.Secret{}
	err := r.kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "conn"}, s)
	if resource.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	u, _ := r.sim.User("p", "the-valkey", byHand)
	out.Published = u.Password != "" && string(s.Data[connection.KeyPassword]) == u.Password
	if err == nil && !out.Published {
		t.Errorf("a Secret is published that does not hold the user's password: %v", s.Data)
	}
	return out
}

// TestOwnershipWithoutImports: where nothing is granted but what is one's own, a
// name that a person set is treated as one that was made up.
func TestOwnershipWithoutImports(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cases := map[string]struct {
		reason  string
		created time.Time
		pending bool
		ended   error
		seen    bool
		deleted bool
		exists  bool
		taken   bool
	}{
		"NeverTried": {
			reason: "What nobody tried to create is somebody else's.", taken: true,
		},
		"Reserved": {
			reason: "That this process was about to create it is no attempt.", created: now, pending: true, taken: true,
		},
		"EarlierProcess": {
			reason: "An earlier process may have created it.", created: now.Add(-2 * time.Hour), pending: true, exists: true,
		},
		"AnswerLost": {
			reason: "This process may have.", created: now, pending: true, ended: aiven.ErrUnavailable, exists: true,
		},
		"Refused": {
			reason: "What Aiven refused to create was not created.", created: now, pending: true, ended: aiven.ErrQuota, taken: true,
		},
		"Seen": {
			reason: "What was seen before is kept.", created: now, seen: true, exists: true,
		},
		"DeletedNeverTried": {
			reason: "Somebody else's user stays when the managed resource goes.", deleted: true,
		},
		"DeletedSeen": {
			reason: "One's own goes with it.", seen: true, deleted: true, exists: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := simulated(t)
			p.sim.AddUser("p", "the-kafka", byHand)
			mg := using(Kafka().New(), "x", "the-kafka")
			mg.SetCreationTimestamp(metav1.NewTime(tc.created))
			meta.SetExternalName(mg, byHand)
			if tc.pending {
				meta.SetExternalCreatePending(mg, now)
			}
			if tc.seen {
				mg.SetServiceUserObservation(v1alpha1.ServiceUserObservation{Username: byHand})
			}
			if tc.deleted {
				mg.SetDeletionTimestamp(&metav1.Time{Time: now})
			}
			e := externalFor(p, Kafka())
			e.granted = providerconfig.Granted{}
			if tc.ended != nil {
				e.attempts.ended(mg, tc.ended)
			}
			o, err := e.Observe(t.Context(), mg)
			if got := errors.Is(err, errTaken); got != tc.taken || err != nil && !got || o.ResourceExists != tc.exists {
				t.Errorf("%s: got %+v, %v", tc.reason, o, err)
			}
			if tc.taken && (len(o.ConnectionDetails) > 0 || mg.GetCondition(xpv2.TypeReady).Reason != v1.ReasonUsernameTaken || mg.GetServiceUserObservation().Username != "") {
				t.Errorf("%s: it is told of somebody else's user: %+v, %+v", tc.reason, o, mg.Status)
			}
		})
	}
}
