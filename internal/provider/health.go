// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// probePatience is how long a probe waits for the caches, which answer at once
// when they are complete.
const probePatience = 2 * time.Second

// A health says how the provider is.
type health struct {
	// waitsFor is what it waits for before it does anything.
	waitsFor []string
	// synced tells whether all caches are complete.
	synced func(ctx context.Context) bool
	// lock is nil without leader election.
	lock *watchedLock
	// leaseDuration is how long the lease lasts that is not renewed.
	leaseDuration time.Duration
	// leading: controllers were started.
	leading atomic.Bool
}

// addTo has a manager answer probes.
func (h *health) addTo(mgr ctrl.Manager) error {
	if err := mgr.Add(manager.RunnableFunc(func(context.Context) error {
		h.leading.Store(true)
		return nil
	})); err != nil {
		return errors.Wrap(err, "cannot watch the beginning of controllers")
	}
	if err := mgr.AddHealthzCheck("lease", h.alive); err != nil {
		return errors.Wrap(err, "cannot add health check")
	}
	return errors.Wrap(mgr.AddReadyzCheck("work", h.ready), "cannot add readiness check")
}

// ready fails unless the provider works, or stands by to take over at once: its
// caches are complete, and it leads or sees who does.
func (h *health) ready(req *http.Request) error {
	if len(h.waitsFor) > 0 {
		return errors.New("the provider waits for " + strings.Join(h.waitsFor, ", "))
	}
	ctx, cancel := context.WithTimeout(req.Context(), probePatience)
	defer cancel()
	if !h.synced(ctx) {
		return errors.New("the caches are not complete")
	}
	if h.leading.Load() {
		return nil
	}
	if h.lock == nil {
		return errors.New("the controllers were not started yet")
	}
	if seen, _ := h.lock.ages(); seen > h.leaseDuration {
		return errors.New("the lease cannot be seen")
	}
	return nil
}

// alive fails when the provider is stuck: it leads, and neither renewed its lease
// nor ended when it could not. That the API server does not answer is no reason: to
// begin anew would not help.
func (h *health) alive(*http.Request) error {
	if h.lock == nil || !h.leading.Load() {
		return nil
	}
	if _, held := h.lock.ages(); held > h.leaseDuration+retryPeriod(h.leaseDuration) {
		return errors.New("the lease was not renewed in time, and still the provider works")
	}
	return nil
}
