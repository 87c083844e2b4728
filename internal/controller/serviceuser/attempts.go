// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"sync"
	"time"

	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// clockSkew is how much the API server's clock may differ from ours.
const clockSkew = time.Minute

// attempts remember for which managed resources a creation failed in a way that
// leaves open whether the user exists now. Safe for concurrent use.
type attempts struct {
	since  time.Time
	failed sync.Map // by UID
}

func newAttempts(now time.Time) *attempts { return &attempts{since: now} }

// before tells whether an earlier attempt may have created the user: one of this
// process that failed, or any of an earlier process, which all recorded that they
// were about to.
func (a *attempts) before(mg metav1.Object) bool {
	if _, failed := a.failed.Load(mg.GetUID()); failed {
		return true
	}
	return pending(mg) && !mg.GetCreationTimestamp().After(a.since.Add(clockSkew))
}

// ended takes note of how an attempt ended.
func (a *attempts) ended(mg metav1.Object, err error) {
	if err == nil || errors.Is(err, errTaken) {
		a.failed.Delete(mg.GetUID())
		return
	}
	a.failed.Store(mg.GetUID(), true)
}
