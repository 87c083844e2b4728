// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const (
	// clockSkew is how much the API server's clock may differ from ours.
	clockSkew = time.Minute
	// settleTime is how long Aiven may take to show a user whose creation was not
	// answered.
	settleTime = 30 * time.Second
)

// attempts know what this process tried to create. Together with what is stored
// they say whose a user is. Safe for concurrent use.
type attempts struct {
	mu sync.Mutex
	// since is when this process began to reconcile. What was composed before may
	// have been tried by another.
	since time.Time
	by    map[types.UID]attempt
}

type attempt struct {
	// tried is the user that may exist now, and with whose token it was tried, as
	// triedBy says it. Empty: none.
	tried string
	// unanswered is when an attempt last ended without saying what came of it.
	unanswered time.Time
	// taken is a name that turned out to belong to somebody else.
	taken string
}

// newAttempts returns attempts of a process that begins with the first question:
// a standby that waits to become the leader has not begun.
func newAttempts() *attempts { return &attempts{by: make(map[types.UID]attempt)} }

// mayHave tells whether the user of the managed resource's name may be one that
// was created for it: this process tried, or an earlier one recorded that it was
// about to.
func (a *attempts) mayHave(mg ServiceUser) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.by[mg.GetUID()].tried == triedBy(mg) || pending(mg) && !mg.GetCreationTimestamp().After(a.begin().Add(clockSkew))
}

// began returns when this process began to reconcile, which is now if it has not.
func (a *attempts) began() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.begin()
}

// begin begins, unless that was before. The caller holds the lock.
func (a *attempts) begin() time.Time {
	if a.since.IsZero() {
		a.since = time.Now()
	}
	return a.since
}

// created tells whether this process created the user of the managed resource's
// name, or does not know what came of that.
func (a *attempts) created(mg ServiceUser) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.by[mg.GetUID()].tried == triedBy(mg)
}

// isTaken tells whether the name was found to belong to somebody else.
func (a *attempts) isTaken(mg metav1.Object) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.by[mg.GetUID()].taken == meta.GetExternalName(mg)
}

// settles returns when a user is to be seen at the latest whose creation was not
// answered, the zero value when none was.
func (a *attempts) settles(mg metav1.Object) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.by[mg.GetUID()].unanswered
	if t.IsZero() {
		return t
	}
	return t.Add(settleTime)
}

// ended takes note of how an attempt to create the user ended.
func (a *attempts) ended(mg ServiceUser, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.by[mg.GetUID()]
	switch {
	case err == nil:
		k.tried, k.unanswered = triedBy(mg), time.Time{}
	case errors.Is(err, errTaken):
		k.taken = meta.GetExternalName(mg)
	case errors.Is(err, aiven.ErrUnavailable):
		k.tried, k.unanswered = triedBy(mg), time.Now()
	default:
		return // Aiven refused: there is no user.
	}
	a.by[mg.GetUID()] = k
}

// forget drops what is known of a managed resource that is gone.
func (a *attempts) forget(mg metav1.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.by, mg.GetUID())
}

// unsettled tells whether a user may still appear that is not to be seen.
func (e *external[T]) unsettled(mg T) bool { return time.Now().Before(e.settles(mg)) }

// settles returns when a user of the managed resource is to be seen at the latest,
// if there is one: this process may have tried to create it and got no answer, or one before it,
// which nobody knows of. The zero value when nothing is open.
func (e *external[T]) settles(mg T) time.Time {
	t := e.attempts.settles(mg)
	if !e.ours || !pending(mg) || providerconfig.HasUser(mg) || e.attempts.created(mg) {
		return t
	}
	if began := e.attempts.began().Add(settleTime); began.After(t) {
		t = began
	}
	return t
}

// triedBy returns what says which user is tried, and with whose token: what came of
// it with a token of one's own says nothing of who may have the user with another.
func triedBy(mg ServiceUser) string {
	return providerconfig.AccessOf(mg).String() + " " + meta.GetExternalName(mg)
}
