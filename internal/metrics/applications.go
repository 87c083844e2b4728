// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// overdueAfter is how long a revision may take before it counts as overdue.
const overdueAfter = time.Hour

// Application is how an application is.
type Application struct {
	// Ready is whether its Secrets hold working credentials, and Reason why or why
	// not. Since is when that began.
	Ready  bool
	Reason string
	Since  time.Time
	// RotationDue is when its next revision is due, or was if it could not be
	// made yet. NotAfter is when its first certificate ends, and ExpiresAt when its
	// access does. Zero: never.
	RotationDue, NotAfter, ExpiresAt time.Time
}

// applications is a collector of how applications are. Safe for concurrent use.
type applications struct {
	count, overdue, notReady, due, notAfter, expires *prometheus.Desc

	now func() time.Time

	mu    sync.Mutex
	known map[[2]string]Application
}

func newApplications(now func() time.Time) *applications {
	named := []string{"namespace", "name"}
	return &applications{
		count: prometheus.NewDesc(namespace+"_applications",
			"Number of AivenApplications by whether they are ready, and the reason.", []string{"ready", "reason"}, nil),
		overdue: prometheus.NewDesc(namespace+"_rotations_overdue",
			"Number of AivenApplications whose next revision has been due for more than an hour.", nil, nil),
		notReady: prometheus.NewDesc(namespace+"_application_not_ready_since_timestamp_seconds",
			"Since when an AivenApplication is not ready, and the reason now. Absent while it is ready.", append(named, "reason"), nil),
		due: prometheus.NewDesc(namespace+"_application_rotation_due_timestamp_seconds",
			"When the next revision of the credentials of an AivenApplication is due. In the past while it cannot be made.", named, nil),
		notAfter: prometheus.NewDesc(namespace+"_application_certificate_not_after_timestamp_seconds",
			"When the first certificate of an AivenApplication ends.", named, nil),
		expires: prometheus.NewDesc(namespace+"_application_expires_timestamp_seconds",
			"When the access of an AivenApplication ends, or ended, as its spec.expiresAt says. Absent where that says nothing.", named, nil),
		now: now, known: make(map[[2]string]Application),
	}
}

// Application remembers how an application is. While it is not ready, another
// reason does not make that begin anew.
func (a *applications) Application(ns, name string, is Application) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := [2]string{ns, name}
	if was, ok := a.known[id]; ok && !was.Ready && !is.Ready && was.Since.Before(is.Since) {
		is.Since = was.Since
	}
	a.known[id] = is
}

// Gone forgets an application.
func (a *applications) Gone(ns, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, [2]string{ns, name})
}

// Describe implements prometheus.Collector.
func (a *applications) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{a.count, a.overdue, a.notReady, a.due, a.notAfter, a.expires} {
		ch <- d
	}
}

// Collect sends the number of applications, and the times of each.
func (a *applications) Collect(ch chan<- prometheus.Metric) {
	type state struct {
		ready  bool
		reason string
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	at := func(d *prometheus.Desc, t time.Time, labels ...string) {
		if !t.IsZero() {
			gauge(d, float64(t.Unix()), labels...)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	count := map[state]int{{ready: true, reason: string(v1.ReasonAvailable)}: 0} // There is a number before there are applications.
	overdue, now := 0, a.now()
	for id, is := range a.known {
		count[state{ready: is.Ready, reason: is.Reason}]++
		if !is.RotationDue.IsZero() && now.Sub(is.RotationDue) > overdueAfter {
			overdue++
		}
		if !is.Ready {
			at(a.notReady, is.Since, id[0], id[1], is.Reason)
		}
		at(a.due, is.RotationDue, id[0], id[1])
		at(a.notAfter, is.NotAfter, id[0], id[1])
		at(a.expires, is.ExpiresAt, id[0], id[1])
	}
	gauge(a.overdue, float64(overdue))
	for s, n := range count {
		gauge(a.count, float64(n), strconv.FormatBool(s.ready), s.reason)
	}
}
