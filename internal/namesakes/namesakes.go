// SPDX-License-Identifier: Apache-2.0

// Package namesakes finds out who holds a pattern of usernames. ACLs are written
// for patterns, <team>_<app>_<checksum>_*, and the checksum can be forged by
// choosing a name: whose users have a pattern has what was granted to it.
package namesakes

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// IndexField is the name of the cache index of applications and managed resources
// by the pattern of their usernames.
const IndexField = "usernamePattern"

// ErrConflict says that somebody else, who was there before, holds the pattern.
var ErrConflict = errors.New("the pattern of usernames belongs to another application")

// Index returns the values of IndexField for an application or a managed resource.
func Index(o client.Object) []string {
	p := username.PrefixOf(meta.GetExternalName(o))
	if _, ok := o.(*v1.AivenApplication); ok {
		p = username.Prefix(o.GetNamespace(), o.GetName())
	}
	if p == "" {
		return nil
	}
	return []string{p}
}

// OwnerOf returns whose a managed resource is, as far as usernames go: its
// application's, else its own.
func OwnerOf(o client.Object) types.NamespacedName {
	n := types.NamespacedName{Namespace: o.GetNamespace(), Name: v1.ApplicationOf(o)}
	if n.Name == "" {
		n.Name = o.GetName()
	}
	return n
}

// A Namesake is an application, or a managed resource without one, that has a
// pattern.
type Namesake struct {
	types.NamespacedName

	// Since is when it was made.
	Since time.Time
	// HasUsers tells whether there are users of that pattern for it.
	HasUsers bool
	// Claims tells whether it was told that the pattern is its own, so that users may
	// be on their way.
	Claims bool
}

// Holder returns which of them holds the pattern: one that has users, else the one
// that claims it, else the oldest. The zero value when there are none. Pure.
func Holder(all []Namesake) types.NamespacedName {
	if len(all) == 0 {
		return types.NamespacedName{}
	}
	return slices.MinFunc(all, func(a, b Namesake) int {
		switch {
		case a.HasUsers != b.HasUsers && a.HasUsers:
			return -1
		case a.HasUsers != b.HasUsers:
			return 1
		case a.Claims != b.Claims && a.Claims:
			return -1
		case a.Claims != b.Claims:
			return 1
		case !a.Since.Equal(b.Since):
			return a.Since.Compare(b.Since)
		}
		return strings.Compare(a.String(), b.String())
	}).NamespacedName
}

// A Finder finds namesakes. Safe for concurrent use.
type Finder struct {
	// Reader is a cache that is indexed by IndexField.
	Reader client.Reader
	// Lists are empty lists of all kinds of managed resources.
	Lists []client.ObjectList

	// Now is the clock. nil: time.Now.
	Now func() time.Time

	mu sync.Mutex
	// claims are who was told that a pattern is its own and was not seen to have users
	// yet. Of two that are made in the same moment, whoever asks first may not see the other, which may be
	// the older one by the clock of the API server.
	claims map[string]claim
}

// appearTime is how long the cache may take to show who claims a pattern: what is
// reconciled was read before its username was written.
const appearTime = time.Minute

// A claim is what somebody was told to be his. It stands as long as the cache shows
// who he is, and until a time if it does not: yet, or any more.
type claim struct {
	by    types.NamespacedName
	until time.Time
}

// Check returns nil when the pattern is the owner's, an error for which
// errors.Is(err, ErrConflict) holds when it is another's. A pattern that was not
// made up for the owner is that of a user which he imports: grants are what tells
// whether he may.
func (f *Finder) Check(ctx context.Context, owner types.NamespacedName, pattern string) error {
	if pattern == "" || !madeUpFor(owner, pattern) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	shown, err := f.find(ctx, pattern)
	if err != nil {
		return err
	}
	now := time.Now()
	if f.Now != nil {
		now = f.Now()
	}
	if h := Holder(f.withClaim(shown, pattern, now)); h != owner && h != (types.NamespacedName{}) {
		return errors.Wrapf(ErrConflict, "cannot use the usernames %s*", pattern)
	}
	f.claim(owner, pattern, shown, now)
	return nil
}

// withClaim returns those that the cache shows and who claims the pattern, whether
// the cache shows it yet or not.
func (f *Finder) withClaim(shown []Namesake, pattern string, now time.Time) []Namesake {
	c, ok := f.claims[pattern]
	if !ok {
		return shown
	}
	all := slices.Clone(shown)
	if i := slices.IndexFunc(all, isOf(c.by)); i >= 0 {
		all[i].Claims = true
		return all
	}
	if now.Before(c.until) {
		return append(all, Namesake{NamespacedName: c.by, Claims: true})
	}
	delete(f.claims, pattern)
	return all
}

// claim takes note that the pattern is the owner's, until its users show it.
func (f *Finder) claim(owner types.NamespacedName, pattern string, shown []Namesake, now time.Time) {
	if i := slices.IndexFunc(shown, isOf(owner)); i >= 0 && shown[i].HasUsers {
		delete(f.claims, pattern)
		return
	}
	if f.claims == nil {
		f.claims = make(map[string]claim)
	}
	f.claims[pattern] = claim{by: owner, until: now.Add(appearTime)}
}

func isOf(owner types.NamespacedName) func(Namesake) bool {
	return func(n Namesake) bool { return n.NamespacedName == owner }
}

func (f *Finder) find(ctx context.Context, pattern string) ([]Namesake, error) {
	sel := client.MatchingFields{IndexField: pattern}
	apps := &v1.AivenApplicationList{}
	// Nothing is changed, and this is done each time that something is reconciled.
	if err := f.Reader.List(ctx, apps, sel, client.UnsafeDisableDeepCopy); err != nil {
		return nil, errors.Wrap(err, "cannot list applications")
	}
	known := make(map[types.NamespacedName]Namesake)
	for i := range apps.Items {
		a := &apps.Items[i]
		n := Namesake{NamespacedName: client.ObjectKeyFromObject(a), Since: a.GetCreationTimestamp().Time, HasUsers: a.Status.Credentials != nil && len(a.Status.Credentials.Users) > 0}
		known[n.NamespacedName] = n
	}
	for _, empty := range f.Lists {
		l := empty.DeepCopyObject().(client.ObjectList) //nolint:forcetypeassert // A copy of one.
		if err := f.Reader.List(ctx, l, sel, client.UnsafeDisableDeepCopy); err != nil {
			return nil, errors.Wrap(err, "cannot list managed resources")
		}
		if err := apimeta.EachListItem(l, func(o runtime.Object) error {
			if mg, ok := o.(serviceUser); ok {
				join(known, mg)
			}
			return nil
		}); err != nil {
			return nil, errors.Wrap(err, "cannot list managed resources")
		}
	}
	out := make([]Namesake, 0, len(known))
	for _, n := range known {
		out = append(out, n)
	}
	return out, nil
}

type serviceUser interface {
	resource.ModernManaged

	GetAuthSecretRef() *xpv2.LocalSecretKeySelector
	GetServiceUserObservation() v1alpha1.ServiceUserObservation
}

// IsMadeUp tells whether the username of a managed resource is one that is made up
// for its owner.
func IsMadeUp(mg client.Object) bool {
	return madeUpFor(OwnerOf(mg), username.PrefixOf(meta.GetExternalName(mg)))
}

// madeUpFor tells whether a pattern is that of the names that are made up for an
// owner.
func madeUpFor(owner types.NamespacedName, pattern string) bool {
	return pattern == username.Prefix(owner.Namespace, owner.Name)
}

// join adds a managed resource to its owner. One that says to have a user is not
// believed: only the status tells, which tenants do not write. Nor is one that was
// named after another's users: anybody may write that, and would keep others from
// names that are theirs.
func join(known map[types.NamespacedName]Namesake, mg serviceUser) {
	if !IsMadeUp(mg) {
		return
	}
	owner := OwnerOf(mg)
	n, ok := known[owner]
	if !ok {
		n = Namesake{NamespacedName: owner, Since: mg.GetCreationTimestamp().Time}
	}
	n.HasUsers = n.HasUsers || providerconfig.HasUser(mg)
	known[owner] = n
}
