// SPDX-License-Identifier: Apache-2.0

package namesakes

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// Two names of one pattern, as anybody can find who may choose a namespace and a
// name.
var (
	victim = types.NamespacedName{Namespace: "shop", Name: "forged-00000000000000000000000db326a01"}
	forger = types.NamespacedName{Namespace: "team-shop", Name: "forged-00000000000000000000000ef82ad7f"}
)

func TestForgedNames(t *testing.T) {
	if a, b := username.Prefix(victim.Namespace, victim.Name), username.Prefix(forger.Namespace, forger.Name); a != b {
		t.Errorf("the patterns differ: %s and %s", a, b)
	}
}

func at(seconds int) time.Time { return time.Unix(int64(seconds), 0) }

func TestHolder(t *testing.T) {
	a, b := types.NamespacedName{Namespace: "a", Name: "x"}, types.NamespacedName{Namespace: "b", Name: "x"}
	cases := map[string]struct {
		reason string
		all    []Namesake
		want   types.NamespacedName
	}{
		"Nobody": {reason: "A pattern that nobody has is nobody's."},
		"Oldest": {
			reason: "Without users, who was there first has it.",
			all:    []Namesake{{NamespacedName: a, Since: at(2)}, {NamespacedName: b, Since: at(1)}},
			want:   b,
		},
		"SameSecond": {
			reason: "Of two of the same second it is always the same one.",
			all:    []Namesake{{NamespacedName: b, Since: at(1)}, {NamespacedName: a, Since: at(1)}},
			want:   a,
		},
		"Users": {
			reason: "Who has users has the pattern, whoever was there before.",
			all:    []Namesake{{NamespacedName: a, Since: at(1)}, {NamespacedName: b, Since: at(2), HasUsers: true}},
			want:   b,
		},
		"Claims": {
			reason: "Who was told that it is his keeps it, as users may be on their way.",
			all:    []Namesake{{NamespacedName: a, Since: at(1)}, {NamespacedName: b, Since: at(2), Claims: true}},
			want:   b,
		},
		"UsersBeforeClaims": {
			reason: "Users that are there count for more than those that may come.",
			all:    []Namesake{{NamespacedName: a, Since: at(1), Claims: true}, {NamespacedName: b, Since: at(2), HasUsers: true}},
			want:   b,
		},
		"BothHaveUsers": {
			reason: "Should both have users, the older one goes on.",
			all:    []Namesake{{NamespacedName: b, Since: at(1), HasUsers: true}, {NamespacedName: a, Since: at(2), HasUsers: true}},
			want:   b,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Holder(tc.all)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func app(n types.NamespacedName, seconds int, users ...string) *v1.AivenApplication {
	a := &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, Name: n.Name, CreationTimestamp: metav1.NewTime(at(seconds))}}
	for _, u := range users {
		if a.Status.Credentials == nil {
			a.Status.Credentials = &v1.CredentialsStatus{}
		}
		a.Status.Credentials.Users = append(a.Status.Credentials.Users, v1.UserStatus{Username: u})
	}
	return a
}

// user returns a managed resource, of an application if it has a name, that was
// seen to have its user or not.
func user(namespace, name, application, external string, seen bool) *v1alpha1.KafkaServiceUser {
	u := &v1alpha1.KafkaServiceUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(at(0))}}
	meta.SetExternalName(u, external)
	if application != "" {
		meta.AddAnnotations(u, map[string]string{v1.AnnotationApplication: application})
	}
	if seen {
		u.Status.AtProvider.Username = external
	}
	return u
}

func newFinder(t *testing.T, objects ...client.Object) (*Finder, client.Client) {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1.SchemeBuilder.AddToScheme, v1alpha1.SchemeBuilder.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	c := fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.KafkaServiceUser{}, &v1.AivenApplication{}).
		WithIndex(&v1.AivenApplication{}, IndexField, Index).
		WithIndex(&v1alpha1.KafkaServiceUser{}, IndexField, Index).
		WithIndex(&v1alpha1.ValkeyServiceUser{}, IndexField, Index).Build()
	return &Finder{Reader: c, Lists: []client.ObjectList{&v1alpha1.KafkaServiceUserList{}, &v1alpha1.ValkeyServiceUserList{}}}, c
}

func TestCheck(t *testing.T) {
	pattern := username.Prefix(victim.Namespace, victim.Name)
	cases := map[string]struct {
		reason  string
		objects []client.Object
		owner   types.NamespacedName
		pattern string
		want    error
	}{
		"Alone": {
			reason:  "The only application of a pattern has it.",
			objects: []client.Object{app(victim, 1)},
			owner:   victim, pattern: pattern,
		},
		"NotSeenYet": {
			reason: "Who is not in the cache yet is not refused for it.",
			owner:  victim, pattern: pattern,
		},
		"Later": {
			reason:  "The later one is refused.",
			objects: []client.Object{app(victim, 1), app(forger, 2)},
			owner:   forger, pattern: pattern, want: ErrConflict,
		},
		"UsersOfAnotherThatIsGone": {
			reason:  "What an application left behind has the pattern as long as it is there.",
			objects: []client.Object{user(victim.Namespace, "left", victim.Name, pattern+"abc", true), app(forger, 1)},
			owner:   forger, pattern: pattern, want: ErrConflict,
		},
		"OwnUsers": {
			reason:  "An application is not kept from its own users' pattern.",
			objects: []client.Object{user(victim.Namespace, "own", victim.Name, pattern+"abc", true), app(victim, 1, pattern+"abc")},
			owner:   victim, pattern: pattern,
		},
		"ByHand": {
			reason:  "A managed resource that a person wrote has the pattern that is made up for its name.",
			objects: []client.Object{user(victim.Namespace, victim.Name, "", pattern+"abc", false), app(forger, 1)},
			owner:   forger, pattern: pattern, want: ErrConflict,
		},
		"NamedAfterAnother": {
			reason:  "What was named after another's users, and was refused, keeps nobody from a name.",
			objects: []client.Object{user("evil", "squatter", "", pattern+"abc", false), app(victim, 1)},
			owner:   victim, pattern: pattern,
		},
		"NamedAfterAnotherWithUsers": {
			reason:  "Nor does it when it has such a user, with a token of its own of whichever service.",
			objects: []client.Object{user("evil", "squatter", "", pattern+"abc", true), app(victim, 1)},
			owner:   victim, pattern: pattern,
		},
		"SaysToBeOfAnother": {
			reason:  "An application's name in another namespace is another application.",
			objects: []client.Object{user("evil", "squatter", victim.Name, pattern+"abc", true), app(victim, 1)},
			owner:   victim, pattern: pattern,
		},
		"Import": {
			reason:  "An import is for grants to allow.",
			objects: []client.Object{app(victim, 1, pattern+"abc")},
			owner:   types.NamespacedName{Namespace: victim.Namespace, Name: "import"}, pattern: pattern,
		},
		"OtherForm": {
			reason: "Names of another form fall under no pattern.",
			owner:  types.NamespacedName{Namespace: "a", Name: "b"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f, _ := newFinder(t, tc.objects...)
			for range 2 { // The answer is no other for having been given.
				if err := f.Check(t.Context(), tc.owner, tc.pattern); !errors.Is(err, tc.want) {
					t.Errorf("%s\nwant error %v, got %v", tc.reason, tc.want, err)
				}
			}
		})
	}
}

// TestClaim: who was told that a pattern is his keeps it when an older one comes to
// light, until he is gone.
func TestClaim(t *testing.T) {
	pattern := username.Prefix(victim.Namespace, victim.Name)
	first := app(forger, 2)
	f, c := newFinder(t, first)
	now := at(0)
	f.Now = func() time.Time { return now }
	check := func(reason string, owner types.NamespacedName, want error) {
		t.Helper()
		if err := f.Check(t.Context(), owner, pattern); !errors.Is(err, want) {
			t.Errorf("%s: want error %v, got %v", reason, want, err)
		}
	}
	change := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("it is alone", forger, nil)
	change(c.Create(t.Context(), app(victim, 1)))
	check("its users may be on their way", forger, nil)
	check("users of another may be on their way", victim, ErrConflict)

	change(c.Delete(t.Context(), first))
	check("the other is gone, and may have left something", victim, ErrConflict)
	now = now.Add(appearTime)
	check("the other is gone", victim, nil)
	change(c.Create(t.Context(), app(forger, 0)))
	check("it came back later", forger, ErrConflict)

	u := user(victim.Namespace, "u", victim.Name, pattern+"abc", true)
	change(c.Create(t.Context(), u))
	check("it has users", victim, nil)
	if len(f.claims) > 0 {
		t.Errorf("claims are kept of who has users: %v", f.claims)
	}
	change(c.Delete(t.Context(), app(victim, 1)))
	check("users are left", forger, ErrConflict)
	change(c.Delete(t.Context(), u))
	check("nothing is left", forger, nil)
}

// TestClaimOfUnseen: a managed resource was read before its username was written, so
// that the cache shows it to nobody for a moment. What it was told stands.
func TestClaimOfUnseen(t *testing.T) {
	pattern := username.Prefix(victim.Namespace, victim.Name)
	cases := map[string]struct {
		reason string
		shown  []client.Object // After the claim.
		gone   bool            // What was shown is gone when the other asks again.
		after  time.Duration
		want   error
	}{
		"Unseen":    {reason: "An older one that comes to light does not get what was given.", want: ErrConflict},
		"Lapsed":    {reason: "Who never appears has nothing.", after: appearTime},
		"Seen":      {reason: "Who appears keeps it for as long as he is there.", shown: []client.Object{user(forger.Namespace, forger.Name, "", pattern+"abc", false)}, after: appearTime, want: ErrConflict},
		"SeenUsers": {reason: "The more so with users.", shown: []client.Object{user(forger.Namespace, forger.Name, "", pattern+"abc", true)}, after: appearTime, want: ErrConflict},
		"Gone":      {reason: "Of who appeared and is not there any more something else may be on its way.", shown: []client.Object{user(forger.Namespace, forger.Name, "", pattern+"abc", false)}, gone: true, want: ErrConflict},
		"LongGone":  {reason: "Who is not there any more has nothing after a while.", shown: []client.Object{user(forger.Namespace, forger.Name, "", pattern+"abc", false)}, gone: true, after: appearTime},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			now := at(0)
			f, c := newFinder(t)
			f.Now = func() time.Time { return now }
			if err := f.Check(t.Context(), forger, pattern); err != nil {
				t.Fatalf("%s\nit is not there, and was refused: %v", tc.reason, err)
			}
			for _, o := range append(tc.shown, app(victim, -1)) {
				if err := c.Create(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Check(t.Context(), victim, pattern); !errors.Is(err, ErrConflict) {
				t.Errorf("%s\nat once: want error %v, got %v", tc.reason, ErrConflict, err)
			}
			if tc.gone {
				if err := c.Delete(t.Context(), tc.shown[0]); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(tc.after)
			if err := f.Check(t.Context(), victim, pattern); !errors.Is(err, tc.want) {
				t.Errorf("%s\nwant error %v, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

// TestAtOnce has many ask at the same time: one is told that the pattern is his.
func TestAtOnce(t *testing.T) {
	pattern := username.Prefix(victim.Namespace, victim.Name)
	for range 20 {
		f, c := newFinder(t)
		var mu sync.Mutex
		told := make(map[types.NamespacedName]bool)
		var wg sync.WaitGroup
		for _, owner := range []types.NamespacedName{victim, forger} {
			wg.Go(func() {
				if err := c.Create(context.Background(), app(owner, 1)); err != nil {
					t.Error(err)
				}
				for range 10 {
					if f.Check(context.Background(), owner, pattern) == nil {
						mu.Lock()
						told[owner] = true
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		if len(told) != 1 {
			t.Fatalf("%d were told that the pattern is theirs", len(told))
		}
	}
}
