// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

var keepsUser = xpv2.ManagementPolicies{xpv2.ManagementActionObserve, xpv2.ManagementActionCreate, xpv2.ManagementActionUpdate}

// TestSweep leaves one user behind in different ways and sweeps three times.
func TestSweep(t *testing.T) {
	u := generated("orders")
	cases := map[string]struct {
		reason string
		policy v1alpha1.OrphanPolicy
		// leave makes the user, and what is left of it, before the three sweeps.
		leave func(r *rig)
		stays bool
		want  string // orphans, proven and not
	}{
		"Reported": {
			reason: "A user whose managed resource was forced away is reported, and stays.",
			leave:  func(r *rig) { recordAndForce(r, r.claim("orders")) },
			stays:  true, want: "1/0",
		},
		"Deleted": {
			reason: "Where the configuration says so it is deleted.",
			policy: v1alpha1.OrphansDelete,
			leave:  func(r *rig) { recordAndForce(r, r.claim("orders")) },
			want:   "0/0",
		},
		"OtherClusters": {
			reason: "A user of the same pattern that is not recorded is another cluster's, and stays.",
			policy: v1alpha1.OrphansDelete,
			leave:  func(r *rig) { r.sim.AddUser(project, kafka, u); r.claim("other") },
			stays:  true, want: "0/1",
		},
		"Lost": {
			reason: "A user that was never recorded cannot be told from another cluster's.",
			policy: v1alpha1.OrphansDelete,
			leave:  func(r *rig) { r.force(r.claim("orders")); r.claim("other") },
			stays:  true, want: "0/1",
		},
		"Person": {
			reason: "A person's user is no orphan.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				r.sim.AddUser(project, kafka, "made-by-hand")
				r.sim.AddUser(project, kafka, u)
				r.claim("orders")
			},
			stays: true, want: "0/0",
		},
		"BeingDeleted": {
			reason: "A managed resource that is being deleted claims its user.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				mg := r.claim("orders", func(mg *v1alpha1.KafkaServiceUser) {
					mg.SetFinalizers([]string{"finalizer.managedresource.crossplane.io"})
				})
				r.note1()
				r.force(mg)
			},
			stays: true, want: "0/0",
		},
		"Imported": {
			reason: "A user that a person imported is claimed.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				recordAndForce(r, r.claim("orders"))
				r.claim("imported", func(mg *v1alpha1.KafkaServiceUser) {
					meta.SetExternalName(mg, u)
					mg.SetAnnotations(map[string]string{meta.AnnotationKeyExternalName: u})
				})
			},
			stays: true, want: "0/1", // The user that claim made for the import is nobody's.
		},
		"Taken": {
			reason: "A name that turned out to be somebody else's is no proof.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				recordAndForce(r, r.claim("orders", func(mg *v1alpha1.KafkaServiceUser) {
					meta.AddAnnotations(mg, map[string]string{v1.AnnotationUsernameTaken: u})
				}))
				r.claim("other")
			},
			stays: true, want: "0/1",
		},
		"NeverSeen": {
			reason: "A name that was reserved and not seen to be ours is no proof.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				recordAndForce(r, r.claim("orders", func(mg *v1alpha1.KafkaServiceUser) { mg.Status.AtProvider.Username = "" }))
				r.claim("other")
			},
			stays: true, want: "0/1",
		},
		"KeptOnPurpose": {
			reason: "A user that its managed resource was to leave behind is not deleted.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				recordAndForce(r, r.claim("orders", func(mg *v1alpha1.KafkaServiceUser) { mg.Spec.ManagementPolicies = keepsUser }))
				r.claim("other")
			},
			stays: true, want: "0/1",
		},
		"KeptLater": {
			reason: "Nor is one of which that was decided later.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				mg := r.claim("orders")
				r.note1()
				mg.Spec.ManagementPolicies = keepsUser
				if err := r.kube.Update(r.t.Context(), mg); err != nil {
					r.t.Fatal(err)
				}
				recordAndForce(r, mg)
				r.claim("other")
			},
			stays: true, want: "0/1",
		},
		"KeptAtOnce": {
			reason: "Nor is one of which that was decided when it was deleted, and no record saw it.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				mg := r.claim("orders")
				r.note1()
				mg.Spec.ManagementPolicies = keepsUser
				r.force(mg)
				r.gone(mg)
				r.claim("other")
			},
			stays: true, want: "0/1",
		},
		"KeptNeverSeen": {
			reason: "Nor is one that was restored without its status, to be left behind.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				mg := r.claim("orders")
				r.note1()
				mg.Spec.ManagementPolicies, mg.Status.AtProvider.Username = keepsUser, ""
				r.force(mg)
				r.gone(mg)
				r.claim("other")
			},
			stays: true, want: "0/1",
		},
		"KeptForAnother": {
			reason: "Nor is one that another managed resource had too, and left behind.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				mg := r.claim("orders")
				r.note1()
				recordAndForce(r, r.another(u, func(mg *v1alpha1.KafkaServiceUser) {
					mg.Status.AtProvider.ServiceUserObservation = v1alpha1.ServiceUserObservation{Username: u, Via: central.String()}
				}))
				r.force(mg)
				r.claim("other")
			},
			stays: true, want: "0/1",
		},
		"NamedByAnother": {
			reason: "That somebody names it, and would not delete it, means nothing.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				mg := r.claim("orders")
				r.note1()
				recordAndForce(r, r.another(u))
				r.force(mg)
				r.claim("other")
			},
			want: "0/0",
		},
		"SeenByAnother": {
			reason: "Nor that it was seen with a token of one's own.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				mg := r.claim("orders")
				r.note1()
				recordAndForce(r, r.another(u, seenWithOwnToken))
				r.force(mg)
				r.claim("other")
			},
			want: "0/0",
		},
		"LeftByAnother": {
			reason: "Nor that such a managed resource goes.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				recordAndForce(r, r.claim("orders"))
				mg := r.another(u, seenWithOwnToken)
				r.force(mg)
				r.gone(mg)
				r.claim("other")
			},
			want: "0/0",
		},
		"LeftByAnothersConfiguration": {
			reason: "A token of a ProviderConfig is one's own, too.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				recordAndForce(r, r.claim("orders"))
				mg := r.another(u, useTenants, func(mg *v1alpha1.KafkaServiceUser) {
					mg.Status.AtProvider.ServiceUserObservation = v1alpha1.ServiceUserObservation{Username: u, Via: "ProviderConfig elsewhere/default"}
				})
				r.force(mg)
				r.gone(mg)
				r.claim("other")
			},
			want: "0/0",
		},
		"Tenants": {
			reason: "Nothing is deleted with a token of a tenant, whoever made it.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				r.tenant()
				recordAndForce(r, r.claim("orders", useTenants))
			},
			stays: true, want: "1/0",
		},
		"TenantsElsewhere": {
			reason: "What was made with a tenant's token is not deleted with another.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				r.tenant()
				r.claim("other")
				recordAndForce(r, r.claim("orders", useTenants))
			},
			stays: true, want: "1/0",
		},
		"Moved": {
			reason: "One that moved to another configuration is that one's.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				r.tenant()
				mg := r.claim("orders")
				r.note1()
				useTenants(mg)
				if err := r.kube.Update(r.t.Context(), mg); err != nil {
					r.t.Fatal(err)
				}
				recordAndForce(r, mg)
				r.claim("other")
			},
			stays: true, want: "1/0",
		},
		"OtherUID": {
			reason: "Records that were copied from another cluster prove nothing.",
			policy: v1alpha1.OrphansDelete,
			leave: func(r *rig) {
				recordAndForce(r, r.claim("orders"))
				cm := r.ledgers.books[key(central, kafka)].DeepCopy()
				cm.Annotations[annotationConfigUID] = "uid-elsewhere"
				if err := r.kube.Update(r.t.Context(), cm); err != nil {
					r.t.Fatal(err)
				}
				r.claim("other")
			},
			stays: true, want: "0/1",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.policy(tc.policy)
			tc.leave(r)
			r.sweep(3)
			if got := r.has(kafka, u); got != tc.stays {
				t.Errorf("%s: user is there: got %t, want %t", tc.reason, got, tc.stays)
			}
			if got := r.orphans[kafka]; got != tc.want && (got != "" || tc.want != "0/0") {
				t.Errorf("%s: orphans, proven and not: got %s, want %s", tc.reason, got, tc.want)
			}
			if tc.stays && r.deletes > 0 {
				t.Errorf("%s: %d deletions are counted", tc.reason, r.deletes)
			}
			if len(r.lines) > 0 {
				t.Errorf("%s: log: %v", tc.reason, r.lines)
			}
		})
	}
}

// another adds a managed resource of another namespace that names a user and would
// not delete it.
func (r *rig) another(name string, change ...func(*v1alpha1.KafkaServiceUser)) *v1alpha1.KafkaServiceUser {
	r.t.Helper()
	mg := &v1alpha1.KafkaServiceUser{ObjectMeta: metav1.ObjectMeta{Namespace: "elsewhere", Name: "another"}}
	meta.SetExternalName(mg, name)
	mg.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: central.Kind, Name: central.Name}
	mg.Spec.ManagementPolicies = keepsUser
	mg.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: project, ServiceName: kafka}
	for _, f := range change {
		f(mg)
	}
	r.create(mg)
	return mg
}

func seenWithOwnToken(mg *v1alpha1.KafkaServiceUser) {
	mg.SetAuthSecretRef(&xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "own"}, Key: "token"})
	mg.Status.AtProvider.ServiceUserObservation = v1alpha1.ServiceUserObservation{Username: meta.GetExternalName(mg), Via: "Secret elsewhere/own"}
}

func useTenants(mg *v1alpha1.KafkaServiceUser) {
	mg.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: teams.Kind, Name: teams.Name}
}

// note1 records once.
func (r *rig) note1() {
	r.t.Helper()
	if err := r.Record(r.t.Context()); err != nil {
		r.t.Fatalf("Record(...): %v", err)
	}
}

func recordAndForce(r *rig, mg client.Object) {
	r.t.Helper()
	r.note1()
	r.force(mg)
}

// TestDeletion looks at each of the sweeps that delete a user.
func TestDeletion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.policy(v1alpha1.OrphansDelete)
	recordAndForce(r, r.claim("orders"))
	u := generated("orders")

	r.sweep(1)
	if !r.has(kafka, u) || r.orphans[kafka] != "1/0" {
		t.Errorf("the first sweep: user is there: %t, orphans: %s", r.has(kafka, u), r.orphans[kafka])
	}
	want := []string{"default Warning OrphanedUsers: 1 user at Aiven that this cluster made is claimed by no managed resource, and will be deleted: project/kafka/" + u}
	if diff := cmp.Diff(want, r.events); diff != "" {
		t.Errorf("events of the first sweep: -want, +got:\n%s", diff)
	}

	r.sweep(1)
	if r.has(kafka, u) || r.orphans[kafka] != "0/0" || r.deletes != 1 {
		t.Errorf("the second sweep: user is there: %t, orphans: %s, deletions: %d", r.has(kafka, u), r.orphans[kafka], r.deletes)
	}
	want = append(want, "default Normal DeletedOrphan: Deleted 1 user at Aiven that this cluster made and that is claimed by no managed resource: project/kafka/"+u)
	if diff := cmp.Diff(want, r.events); diff != "" {
		t.Errorf("events of the second sweep: -want, +got:\n%s", diff)
	}

	r.sweep(1)
	if _, ok := r.ledger(key(central, kafka)); ok {
		t.Error("the ledger of a service that nothing uses is still there when it holds nothing")
	}
	r.sweep(1)
	if _, ok := r.orphans[kafka]; ok {
		t.Error("a service that nothing uses still has metrics")
	}
	if diff := cmp.Diff(want, r.events); diff != "" {
		t.Errorf("events of the later sweeps: -want, +got:\n%s", diff)
	}
}

func TestDeletionLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.policy(v1alpha1.OrphansDelete)
	const n = 2*maxDeletions + 3
	left := make([]client.Object, 0, n)
	for i := range n {
		left = append(left, r.claim(fmt.Sprint("app-", i)))
	}
	r.note1()
	for _, mg := range left {
		r.force(mg)
	}
	var got []string
	for range 4 {
		r.sweep(1)
		got = append(got, fmt.Sprintf("%d %s", r.deletes, r.orphans[kafka]))
	}
	if diff := cmp.Diff([]string{"0 23/0", "10 13/0", "20 3/0", "23 0/0"}, got); diff != "" {
		t.Errorf("deletions so far and orphans after each sweep: -want, +got:\n%s", diff)
	}
	first := r.told(eventOrphaned)[0]
	if !strings.HasPrefix(first, "default Warning OrphanedUsers: 23 users at Aiven that this cluster made are claimed") || !strings.HasSuffix(first, " and 18 more") {
		t.Errorf("event: %s", first)
	}
}

// TestLastLook claims a user where the cache does not see it yet.
func TestLastLook(t *testing.T) {
	errBoom := errors.New("boom")
	u := generated("orders")
	live := func(r *rig) client.Client {
		c := r.apiServer()
		mg := &v1alpha1.OpenSearchServiceUser{ObjectMeta: metav1.ObjectMeta{Namespace: "elsewhere", Name: "imported"}}
		meta.SetExternalName(mg, u)
		if err := c.Create(t.Context(), mg); err != nil {
			t.Fatal(err)
		}
		return c
	}
	cases := map[string]struct {
		reason  string
		watched []string
		live    func(r *rig) client.Reader
		stays   bool
		lines   int
	}{
		"Nobody":  {reason: "Nobody claims it.", live: func(r *rig) client.Reader { return r.kube }},
		"Claimed": {reason: "Somebody does.", live: func(r *rig) client.Reader { return live(r) }, stays: true},
		"Watched": {
			reason: "Somebody does, in a namespace that is watched.", watched: []string{"team", "elsewhere"}, stays: true,
			live: func(r *rig) client.Reader { return live(r) },
		},
		"NotWatched": {
			reason: "Nobody does where we look.", watched: []string{"team"},
			live: func(r *rig) client.Reader { return live(r) },
		},
		"Unknown": {
			reason: "It cannot be seen who does.", stays: true, lines: 1,
			live: func(r *rig) client.Reader { return failing{r.kube, errBoom} },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.policy(v1alpha1.OrphansDelete)
			r.WatchNamespaces = tc.watched
			recordAndForce(r, r.claim("orders"))
			r.live = tc.live(r)
			r.sweep(4)
			if got := r.has(kafka, u); got != tc.stays {
				t.Errorf("%s: user is there: got %t, want %t", tc.reason, got, tc.stays)
			}
			if len(r.lines) != tc.lines {
				t.Errorf("%s: log: want %d lines, got %v", tc.reason, tc.lines, r.lines)
			}
		})
	}
}

// failing is a reader whose lists fail.
type failing struct {
	client.Reader
	err error
}

func (f failing) List(context.Context, client.ObjectList, ...client.ListOption) error { return f.err }

// TestAccessRules: the row of an OpenSearch user goes with it, and only that.
func TestAccessRules(t *testing.T) {
	row := func(user string) aivensim.OpenSearchACL {
		return aivensim.OpenSearchACL{Username: user, Rules: []aivensim.OpenSearchACLRule{{Index: "logs-*", Permission: "read"}}}
	}
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
		want   []string
		stays  bool
	}{
		"Removed": {reason: "The row goes before the user.", fault: aivensim.Fault{Operation: "nothing"}, want: []string{"other"}},
		"Unmanageable": {
			reason: "Rules that Aiven does not take out hold nothing up.",
			fault:  aivensim.Fault{Operation: "UpdateOpenSearchACL", Status: 400}, want: []string{generated("orders"), "other"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.policy(v1alpha1.OrphansDelete)
			u := generated("orders")
			r.sim.AddUser(project, search, u)
			r.sim.SetOpenSearchACL(project, search, aivensim.OpenSearchACLConfig{Enabled: true, ACLs: []aivensim.OpenSearchACL{row(u), row("other")}})
			mg := &v1alpha1.OpenSearchServiceUser{ObjectMeta: metav1.ObjectMeta{
				Namespace: "team", Name: "orders", Annotations: map[string]string{v1.AnnotationGeneratedUsername: u},
			}}
			meta.SetExternalName(mg, u)
			mg.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: central.Kind, Name: central.Name}
			mg.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionAll}
			mg.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: project, ServiceName: search}
			mg.Status.AtProvider.Username = u
			r.create(mg)
			recordAndForce(r, mg)
			r.sim.Inject(tc.fault)
			r.sweep(2)
			if r.has(search, u) {
				t.Errorf("%s: the user is still there", tc.reason)
			}
			var got []string
			for _, a := range r.sim.OpenSearchACL(project, search).ACLs {
				got = append(got, a.Username)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: rows: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestFailures: what is wrong with one configuration or service does not keep
// others from being swept.
func TestFailures(t *testing.T) {
	cases := map[string]struct {
		reason string
		breaks func(r *rig)
		stays  bool
		want   map[string]string
	}{
		"NoToken": {
			reason: "A configuration without a token.",
			breaks: func(r *rig) { delete(r.clients, teams) },
			want:   map[string]string{kafka: "0/0"},
		},
		"OtherService": {
			reason: "A service that does not answer.",
			breaks: func(r *rig) { r.sim.Inject(aivensim.Fault{Operation: "GetService", Service: search, Status: 500}) },
			want:   map[string]string{kafka: "0/0"},
		},
		"NoService": {
			reason: "A service that is gone has no users.",
			breaks: func(r *rig) { r.sim.RemoveService(project, search) },
			want:   map[string]string{kafka: "0/0", search: "0/0"},
		},
		"CannotDelete": {
			reason: "What cannot be deleted is reported on.",
			breaks: func(r *rig) { r.sim.Inject(aivensim.Fault{Operation: "DeleteUser", Status: 500}) },
			stays:  true,
			want:   map[string]string{kafka: "1/0", search: "0/0"},
		},
		"Forbidden": {
			reason: "Nor what may not be seen.",
			breaks: func(r *rig) { r.sim.Inject(aivensim.Fault{Operation: "GetService", Service: kafka, Status: 403}) },
			stays:  true,
			want:   map[string]string{search: "0/0"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.policy(v1alpha1.OrphansDelete)
			r.tenant()
			recordAndForce(r, r.claim("orders"))
			r.claim("searching", useTenants, func(mg *v1alpha1.KafkaServiceUser) {
				r.sim.DeleteUser(project, kafka, generated("searching"))
				mg.Spec.ForProvider.ServiceName = search
			})
			tc.breaks(r)
			r.sweep(2)
			if got := r.has(kafka, generated("orders")); got != tc.stays {
				t.Errorf("%s: user is there: got %t, want %t", tc.reason, got, tc.stays)
			}
			if diff := cmp.Diff(tc.want, r.orphans); diff != "" {
				t.Errorf("%s: orphans by service: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestWhileReading: what comes and goes while a service is read is no orphan.
func TestWhileReading(t *testing.T) {
	cases := map[string]struct {
		reason string
		hook   func(r *rig, mg client.Object)
	}{
		"Goes":  {"A managed resource that goes after its user was seen.", func(r *rig, mg client.Object) { r.force(mg) }},
		"Comes": {"A managed resource that comes, and its user is seen.", func(r *rig, _ client.Object) { r.claim("coming") }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			mg := r.claim("orders")
			r.claim("other")
			r.note1()
			r.sim.Inject(aivensim.Fault{Operation: "GetService", Count: 1, Hook: func(*http.Request) { tc.hook(r, mg) }})
			r.sweep(1)
			if r.orphans[kafka] != "0/0" || len(r.events) > 0 {
				t.Errorf("%s: orphans: %s, events: %v", tc.reason, r.orphans[kafka], r.events)
			}
		})
	}
}

// TestInterrupted: an orphan must be seen to be one in two sweeps that follow
// one another.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.policy(v1alpha1.OrphansDelete)
	mg := r.claim("orders")
	recordAndForce(r, mg)
	r.sweep(1)
	mg.SetResourceVersion("")
	r.create(mg)
	r.sweep(1)
	r.force(mg)
	r.sweep(1)
	if !r.has(kafka, generated("orders")) {
		t.Error("a user that was claimed the time before was deleted")
	}
	r.before = map[ledgerKey]map[string]bool{} // As after a restart.
	r.sweep(1)
	if !r.has(kafka, generated("orders")) {
		t.Error("a user that this process saw only once was deleted")
	}
	r.sweep(1)
	if r.has(kafka, generated("orders")) {
		t.Error("the user is still there")
	}
}

// TestCalls: a sweep costs no call for a service that was read lately, and
// records cost none at all.
func TestCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 3 {
		r.claim(fmt.Sprint("app-", i))
	}
	r.sim.AddUser(project, kafka, generated("other"))
	for range 3 {
		r.note1()
	}
	r.sweep(3)
	if n := r.sim.Stats().Calls; n != 1 {
		t.Errorf("%d calls to Aiven, want the one read", n)
	}
	if diff := cmp.Diff([]string{"create"}, r.writes); diff != "" {
		t.Errorf("writes of ledgers: -want, +got:\n%s", diff)
	}
}

// TestEvents: what does not change is said once an hour.
func TestEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	recordAndForce(r, r.claim("orders"))
	for i := range 7 {
		r.sim.AddUser(project, kafka, generated(fmt.Sprint("other-", i)))
	}
	r.sweep(12) // Five minutes apart.
	proven := "default Warning OrphanedUsers: 1 user at Aiven that this cluster made is claimed by no managed resource: project/kafka/" + generated("orders")
	if diff := cmp.Diff([]string{proven}, r.told(eventOrphaned)); diff != "" {
		t.Errorf("events of an hour: -want, +got:\n%s", diff)
	}
	unproven := r.told(eventUnclaimed)
	if len(unproven) != 1 || !strings.HasSuffix(unproven[0], " and 2 more") ||
		!strings.HasPrefix(unproven[0], "default Normal UnclaimedUsers: 7 users at Aiven with names like ours are claimed by no managed resource of this cluster, which cannot prove that it made them: project/kafka/") {
		t.Errorf("events of an hour: %v", unproven)
	}
	r.sweep(1)
	if n := len(r.told(eventOrphaned)); n != 2 {
		t.Errorf("%d events after an hour, want another one", n)
	}
	_, list, _ := strings.Cut(strings.TrimSuffix(unproven[0], " and 2 more"), "made them: ")
	if !slices.IsSorted(strings.Split(list, ", ")) {
		t.Errorf("users are named in no order: %s", list)
	}
}
