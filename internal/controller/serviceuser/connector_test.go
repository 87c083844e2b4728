// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/grants"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

var errBoom = errors.New("boom")

// asked is everything that a connector asks, and grants it.
type asked struct {
	calls []string
	uses  []providerconfig.Use
	// refused is what the grants answer.
	refused error
}

func (a *asked) Allow(_ context.Context, _ providerconfig.Access, u providerconfig.Use) (providerconfig.Granted, error) {
	a.calls, a.uses = append(a.calls, "allow"), append(a.uses, u)
	return providerconfig.Granted{}, a.refused
}

func (a *asked) Check(context.Context, types.NamespacedName, string) error {
	a.calls = append(a.calls, "check")
	return nil
}

func (a *asked) Track(context.Context, resource.ModernManaged) error {
	a.calls = append(a.calls, "track")
	return nil
}

func (a *asked) Connect(_ context.Context, acc providerconfig.Access) (*aiven.Client, error) {
	a.calls = append(a.calls, "connect "+acc.String())
	return nil, nil
}

func (a *asked) ConnectForDeletion(_ context.Context, acc providerconfig.Access) (*aiven.Client, error) {
	a.calls = append(a.calls, "connect for deletion "+acc.String())
	return nil, nil
}

func (a *asked) connector(cache client.Reader) *connector[*v1alpha1.KafkaServiceUser] {
	return &connector[*v1alpha1.KafkaServiceUser]{
		kind: Kafka(), clients: a, grants: a, names: a, usage: a, cache: cache, refusals: &refusals{}, attempts: newAttempts(),
	}
}

// issued returns the managed resource of a user of an application, as composed for
// a revision.
func issued(application, revision string) *v1alpha1.KafkaServiceUser {
	mg := using(Kafka().New(), application+"-r"+revision, "the-kafka")
	meta.AddAnnotations(mg, map[string]string{v1.AnnotationApplication: application, v1.AnnotationRevision: revision})
	meta.SetExternalName(mg, username.Prefix(namespace, application)+"r"+revision)
	return mg
}

// hadUser is a managed resource that was seen to have its user.
func hadUser(mg *v1alpha1.KafkaServiceUser) *v1alpha1.KafkaServiceUser {
	mg.SetServiceUserObservation(v1alpha1.ServiceUserObservation{Username: meta.GetExternalName(mg), Via: via})
	return mg
}

// TestRotates: only what is to replace a user may use the room that is kept for it.
func TestRotates(t *testing.T) {
	t.Parallel()
	with := func(mg *v1alpha1.KafkaServiceUser, change func(mg *v1alpha1.KafkaServiceUser)) *v1alpha1.KafkaServiceUser {
		change(mg)
		return mg
	}
	second := func() *v1alpha1.KafkaServiceUser { return issued("orders", "2") }
	first := func() *v1alpha1.KafkaServiceUser { return hadUser(issued("orders", "1")) }
	cases := map[string]struct {
		reason  string
		mg      *v1alpha1.KafkaServiceUser
		sibling *v1alpha1.KafkaServiceUser
		want    bool
	}{
		"Rotation": {
			reason: "The second revision replaces the first one.",
			mg:     second(), sibling: first(), want: true,
		},
		"FirstRevision": {
			reason: "The first revision replaces nothing, whoever else is there.",
			mg:     issued("orders", "1"), sibling: hadUser(second()),
		},
		"NoRevision": {
			reason:  "Who says nothing of a revision is of the first.",
			mg:      with(second(), func(mg *v1alpha1.KafkaServiceUser) { meta.RemoveAnnotations(mg, v1.AnnotationRevision) }),
			sibling: first(),
		},
		"Alone": {
			reason: "There is nothing to replace: anybody can write a revision.",
			mg:     second(),
		},
		"Itself": {
			reason: "A user does not replace itself.",
			mg:     hadUser(second()),
		},
		"AnotherService": {
			reason: "A user of another service keeps its place there.",
			mg:     second(), sibling: with(first(), func(mg *v1alpha1.KafkaServiceUser) { mg.Spec.ForProvider.ServiceName = "another-kafka" }),
		},
		"AnotherProject": {
			reason: "So does one of a service of that name in another project.",
			mg:     second(), sibling: with(first(), func(mg *v1alpha1.KafkaServiceUser) { mg.Spec.ForProvider.Project = "q" }),
		},
		"NotSeen": {
			reason: "A sibling that has no user takes no place: anybody can make one.",
			mg:     second(), sibling: issued("orders", "1"),
		},
		"SeenAnother": {
			reason: "Nor does one that names another user than was seen.",
			mg:     second(), sibling: with(first(), func(mg *v1alpha1.KafkaServiceUser) {
				meta.SetExternalName(mg, username.Prefix(namespace, "orders")+"xyz")
			}),
		},
		"SeenWithAnotherToken": {
			reason: "What the sibling saw with another token than it uses does not count.",
			mg:     second(), sibling: with(first(), func(mg *v1alpha1.KafkaServiceUser) { mg.Status.AtProvider.Via = "Secret " + namespace + "/own" }),
		},
		"SeenWithOwnToken": {
			reason: "What a tenant's token reaches takes no place that the central one pays for.",
			mg:     second(), sibling: with(first(), func(mg *v1alpha1.KafkaServiceUser) {
				mg.SetAuthSecretRef(&xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "own"}, Key: "token"})
				mg.Status.AtProvider.Via = providerconfig.AccessOf(mg).String()
			}),
		},
		"AnotherApplication": {
			reason: "A user of another application is not replaced.",
			mg:     second(), sibling: hadUser(issued("payments", "1")),
		},
		"AnotherNamespace": {
			reason: "Nor is one of another namespace, whatever its name.",
			mg:     second(), sibling: with(first(), func(mg *v1alpha1.KafkaServiceUser) { mg.SetNamespace("team-b") }),
		},
		"NoPattern": {
			reason:  "A name that was not made up belongs to no application.",
			mg:      with(second(), func(mg *v1alpha1.KafkaServiceUser) { meta.SetExternalName(mg, byHand) }),
			sibling: with(first(), func(mg *v1alpha1.KafkaServiceUser) { meta.SetExternalName(mg, byHand); hadUser(mg) }),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := []client.Object{tc.mg}
			if tc.sibling != nil {
				objects = append(objects, tc.sibling)
			}
			a := &asked{}
			if _, err := a.connector(newManager(t, objects...).Client).Connect(t.Context(), tc.mg); err != nil {
				t.Fatalf("Connect: %v", err)
			}
			if len(a.uses) != 1 || a.uses[0].Rotates != tc.want {
				t.Errorf("%s: want Rotates %t, asked for %+v", tc.reason, tc.want, a.uses)
			}
		})
	}
}

// TestRotatesUnknown: what cannot be told is not guessed.
func TestRotatesUnknown(t *testing.T) {
	t.Parallel()
	a := &asked{}
	broken := interceptor.NewClient(newManager(t).Client.(client.WithWatch), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return errBoom },
	})
	if _, err := a.connector(broken).Connect(t.Context(), issued("orders", "2")); !errors.Is(err, errBoom) || len(a.calls) > 0 {
		t.Errorf("Connect: got %v after %v", err, a.calls)
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	type mr = *v1alpha1.KafkaServiceUser
	deleted := func(mg mr) mr {
		mg.SetDeletionTimestamp(&metav1.Time{Time: metav1.Now().Time})
		return mg
	}
	pendingOne := func(mg mr) mr {
		meta.SetExternalCreatePending(mg, metav1.Now().Time)
		return mg
	}
	named := func() mr {
		mg := using(Kafka().New(), "x", "the-kafka")
		meta.SetExternalName(mg, byHand)
		return mg
	}
	seen := func(usr, with string) mr {
		mg := named()
		mg.SetServiceUserObservation(v1alpha1.ServiceUserObservation{Username: usr, Via: with})
		return mg
	}
	toDelete := []string{"connect for deletion " + via}
	type want struct {
		calls   []string
		nothing bool
		ready   xpv2.ConditionReason
		err     error
	}
	cases := map[string]struct {
		reason string
		mg     mr
		// ended is how attempts to create the user ended. own: with a token of its own.
		ended   []error
		own     bool
		refused error
		want    want
	}{
		"New": {
			reason: "What is to have a user is granted it, and recorded to use the token.",
			mg:     issued("orders", "1"),
			want:   want{calls: []string{"allow", "check", "track", "connect " + via}},
		},
		"Refused": {
			reason: "What is refused gets no client.",
			mg:     issued("orders", "1"), refused: grants.ErrRefused,
			want: want{calls: []string{"allow"}, ready: v1.ReasonNotAllowed, err: grants.ErrRefused},
		},
		"RefusedAndDeleted": {
			reason: "What never had a user has nothing to delete, and needs neither grant nor token to go.",
			mg:     deleted(issued("orders", "1")), refused: grants.ErrRefused,
			want: want{nothing: true},
		},
		"NamedAndDeleted": {
			reason: "The user that it names is not its own.",
			mg:     deleted(named()),
			want:   want{nothing: true},
		},
		"NamedPendingAndDeleted": {
			reason: "That it was about to be created anybody can write of any user.",
			mg:     deleted(pendingOne(named())),
			want:   want{nothing: true},
		},
		"RefusedByAivenAndDeleted": {
			reason: "What Aiven refused to create does not exist.",
			mg:     deleted(named()), ended: []error{aiven.ErrQuota},
			want: want{nothing: true},
		},
		"SeenWithAnotherTokenAndDeleted": {
			reason: "What was seen with a token of one's own is not deleted with the central one.",
			mg:     deleted(seen(byHand, "Secret "+namespace+"/own")),
			want:   want{nothing: true},
		},
		"SeenAnotherAndDeleted": {
			reason: "The name was changed to that of another user.",
			mg:     deleted(seen("another", via)),
			want:   want{nothing: true},
		},
		"SeenAndDeleted": {
			reason: "What was seen is deleted, whatever is granted now.",
			mg:     deleted(seen(byHand, via)), refused: grants.ErrRefused,
			want: want{calls: toDelete},
		},
		"PendingAndDeleted": {
			reason: "A user of a name that was made up for it may have been created.",
			mg:     deleted(pendingOne(issued("orders", "1"))), refused: grants.ErrRefused,
			want: want{calls: toDelete},
		},
		"CreatedAndDeleted": {
			reason: "What was created before anybody could see it is deleted.",
			mg:     deleted(named()), ended: []error{nil}, refused: grants.ErrRefused,
			want: want{calls: toDelete},
		},
		"CreatedWithAnotherTokenAndDeleted": {
			reason: "What was created with a token of one's own is not deleted with the central one.",
			mg:     deleted(named()), own: true, ended: []error{nil}, refused: grants.ErrRefused,
			want: want{nothing: true},
		},
		"UnansweredAndDeleted": {
			reason: "So may one whose creation was not answered.",
			mg:     deleted(named()), ended: []error{aiven.ErrUnavailable}, refused: grants.ErrRefused,
			want: want{calls: toDelete},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &asked{refused: tc.refused}
			c := a.connector(newManager(t).Client)
			tried := tc.mg.DeepCopy()
			if tc.own {
				tried.SetAuthSecretRef(&xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "own"}, Key: "token"})
			}
			for _, err := range tc.ended {
				c.attempts.ended(tried, err)
			}
			e, err := c.Connect(t.Context(), tc.mg)
			got := want{calls: a.calls, ready: tc.mg.GetCondition(xpv2.TypeReady).Reason, err: err}
			if _, got.nothing = e.(nothing[mr]); got.nothing {
				// It must not do anything, nor say that there is anything to do.
				o, observed := e.Observe(t.Context(), tc.mg)
				_, removed := e.Delete(t.Context(), tc.mg)
				if diff := cmp.Diff(managed.ExternalObservation{}, o); diff != "" || observed != nil || removed != nil {
					t.Errorf("%s: %v, %v, observation: -want, +got:\n%s", tc.reason, observed, removed, diff)
				}
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{}), cmpopts.EquateErrors(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestConnectNowhere: without a configuration there is nobody to ask, deleted or
// not.
func TestConnectNowhere(t *testing.T) {
	t.Parallel()
	a, mg := &asked{}, issued("orders", "1")
	mg.SetProviderConfigReference(nil)
	_, err := a.connector(newManager(t).Client).Connect(t.Context(), mg)
	if c := mg.GetCondition(xpv2.TypeReady); err == nil || len(a.calls) > 0 || c.Reason != v1.ReasonNoToken {
		t.Errorf("Connect: got %v after %v, Ready %+v", err, a.calls, c)
	}
}
