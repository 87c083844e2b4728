// SPDX-License-Identifier: Apache-2.0

// Package metrics holds the provider's own metrics, which stand beside those of
// crossplane-runtime and controller-runtime. Labels never hold a credential.
package metrics

import (
	"strconv"
	"time"

	"github.com/pkg/errors"
	"github.com/prometheus/client_golang/prometheus"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

const namespace = "provider_aiven"

// Metrics counts what the provider does. Safe for concurrent use.
type Metrics struct {
	calls     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	bytes     *prometheus.CounterVec
	wait      *prometheus.HistogramVec
	published prometheus.Histogram

	rotated *prometheus.CounterVec
	janitor *prometheus.CounterVec

	*applications
	*configs
}

// New returns metrics that are not registered yet.
func New(now func() time.Time) *Metrics {
	m := &Metrics{
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
		applications: newApplications(now),
		configs:      newConfigs(),
	}
	m.begin()
	return m
}

// begin makes counters that alerts look at: one that is there before it counts
// shows its first increase.
func (m *Metrics) begin() {
	for _, r := range []v1.RotationReason{
		v1.RotationScheduled, v1.RotationCertificate, v1.RotationAuthority, v1.RotationRequested, v1.RotationSecretDeleted, v1.RotationUserVanished,
	} {
		m.rotated.WithLabelValues(string(r))
	}
	for _, r := range []string{janitor.ReasonUnused, janitor.ReasonExpired} {
		m.janitor.WithLabelValues("deleted", r)
	}
	for _, c := range []aiven.Class{aiven.ClassEdit, aiven.ClassRoutine, aiven.ClassBackground} {
		m.wait.WithLabelValues(c.String())
	}
}

// Register registers all metrics.
func (m *Metrics) Register(r prometheus.Registerer) error {
	for _, c := range m.collectors() {
		if err := r.Register(c); err != nil {
			return errors.Wrap(err, "cannot register metrics")
		}
	}
	return nil
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.calls, m.seconds, m.bytes, m.wait, m.published, m.rotated, m.janitor, m.applications, m.configs}
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
