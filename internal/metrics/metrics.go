// SPDX-License-Identifier: Apache-2.0

// Package metrics holds the provider's own metrics, which stand beside those of
// crossplane-runtime and controller-runtime. Labels never hold a credential.
package metrics

import (
	"strconv"
	"sync"
	"time"

	"github.com/pkg/errors"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

const namespace = "provider_aiven"

// overdueAfter is how long a revision may take before it counts as overdue.
const overdueAfter = time.Hour

// Metrics counts what the provider does. Safe for concurrent use.
type Metrics struct {
	calls     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	bytes     *prometheus.CounterVec
	wait      *prometheus.HistogramVec
	published prometheus.Histogram

	rotated *prometheus.CounterVec
	janitor *prometheus.CounterVec
	now     func() time.Time

	mu                           sync.Mutex
	applications                 map[[2]string]Application
	apps, overdue, due, notAfter *prometheus.Desc
}

// New returns metrics that are not registered yet.
func New(now func() time.Time) *Metrics {
	return &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "aiven", Name: "calls_total",
			Help: "Calls to the Aiven API by operation and status code; code 0 is a call without an answer.",
		}, []string{"operation", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "aiven", Name: "call_duration_seconds",
			Help: "Duration of calls to the Aiven API by operation, without the wait for the limiter.", Buckets: prometheus.DefBuckets,
		}, []string{"operation"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "aiven", Name: "bytes_total",
			Help: "Bytes of request and answer bodies of calls to the Aiven API, by operation and direction (sent, received).",
		}, []string{"operation", "direction"}),
		wait: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "aiven", Name: "limiter_wait_seconds",
			Help:    "How long calls to the Aiven API waited for the limiter, by class (edit, routine, background).",
			Buckets: []float64{0.001, 0.01, 0.1, 1, 5, 15, 60, 300},
		}, []string{"class"}),
		published: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "application", Name: "first_secret_seconds",
			Help:    "Time from the creation of an AivenApplication to its first complete Secrets.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60, 300, 1800},
		}),
		rotated: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "application", Name: "rotations_total",
			Help: "Revisions of credentials that were published after the first one, by reason.",
		}, []string{"reason"}),
		janitor: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "janitor", Name: "decisions_total",
			Help: "Decisions about published Secrets that no application names, by action (marked, spared, deleted) and reason.",
		}, []string{"action", "reason"}),
		now:          now,
		applications: make(map[[2]string]Application),
		apps: prometheus.NewDesc(namespace+"_applications", "Number of AivenApplications by whether they are ready.",
			[]string{"ready"}, nil),
		overdue: prometheus.NewDesc(namespace+"_rotations_overdue", "Number of AivenApplications whose next revision has been due for more than an hour.",
			nil, nil),
		due: prometheus.NewDesc(namespace+"_application_rotation_due_timestamp_seconds",
			"When the next revision of the credentials of an AivenApplication is due. In the past while it cannot be made.", []string{"namespace", "name"}, nil),
		notAfter: prometheus.NewDesc(namespace+"_application_certificate_not_after_timestamp_seconds",
			"When the first certificate of an AivenApplication ends.", []string{"namespace", "name"}, nil),
	}
}

// Register registers all metrics.
func (m *Metrics) Register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.calls, m.seconds, m.bytes, m.wait, m.published, m.rotated, m.janitor, m} {
		if err := r.Register(c); err != nil {
			return errors.Wrap(err, "cannot register metrics")
		}
	}
	return nil
}

// Call counts a call to the Aiven API. See aiven.Recorder.
func (m *Metrics) Call(op string, code int, d time.Duration, sent, received int64) {
	m.calls.WithLabelValues(op, strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(op).Observe(d.Seconds())
	m.bytes.WithLabelValues(op, "sent").Add(float64(sent))
	m.bytes.WithLabelValues(op, "received").Add(float64(received))
}

// LimiterWait records how long a call of a class waited. See aiven.Recorder.
func (m *Metrics) LimiterWait(class aiven.Class, d time.Duration) {
	m.wait.WithLabelValues(class.String()).Observe(d.Seconds())
}

// Published records how long an application waited for its first Secrets.
func (m *Metrics) Published(d time.Duration) { m.published.Observe(d.Seconds()) }

// Rotated counts a revision that was published, and why it was made.
func (m *Metrics) Rotated(reason string) { m.rotated.WithLabelValues(reason).Inc() }

// Janitor counts a decision about a Secret that no application names.
func (m *Metrics) Janitor(action, reason string) { m.janitor.WithLabelValues(action, reason).Inc() }

// Application is how an application is.
type Application struct {
	// Ready is whether its Secrets hold working credentials.
	Ready bool
	// RotationDue is when its next revision is due, or was if it could not be
	// made yet. NotAfter is when its first certificate ends. Zero: never.
	RotationDue, NotAfter time.Time
}

// Application remembers how an application is.
func (m *Metrics) Application(ns, name string, a Application) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applications[[2]string{ns, name}] = a
}

// Gone forgets an application.
func (m *Metrics) Gone(ns, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.applications, [2]string{ns, name})
}

// Describe and Collect make Metrics a collector of what is known of
// applications.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.apps, m.overdue, m.due, m.notAfter} {
		ch <- d
	}
}

// Collect sends the number of applications, and the times of each.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	count := map[bool]int{true: 0, false: 0}
	overdue, now := 0, m.now()
	for id, a := range m.applications {
		count[a.Ready]++
		if !a.RotationDue.IsZero() {
			ch <- prometheus.MustNewConstMetric(m.due, prometheus.GaugeValue, float64(a.RotationDue.Unix()), id[0], id[1])
			if now.Sub(a.RotationDue) > overdueAfter {
				overdue++
			}
		}
		if !a.NotAfter.IsZero() {
			ch <- prometheus.MustNewConstMetric(m.notAfter, prometheus.GaugeValue, float64(a.NotAfter.Unix()), id[0], id[1])
		}
	}
	ch <- prometheus.MustNewConstMetric(m.overdue, prometheus.GaugeValue, float64(overdue))
	for ready, n := range count {
		ch <- prometheus.MustNewConstMetric(m.apps, prometheus.GaugeValue, float64(n), strconv.FormatBool(ready))
	}
}
