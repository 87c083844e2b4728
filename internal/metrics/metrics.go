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
)

const namespace = "provider_aiven"

// Metrics counts what the provider does. Safe for concurrent use.
type Metrics struct {
	calls     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	bytes     *prometheus.CounterVec
	wait      prometheus.Histogram
	published prometheus.Histogram

	mu    sync.Mutex
	ready map[string]bool
	apps  *prometheus.Desc
}

// New returns metrics that are not registered yet.
func New() *Metrics {
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
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "aiven", Name: "limiter_wait_seconds",
			Help: "How long calls to the Aiven API waited for the limiter.", Buckets: []float64{0.001, 0.01, 0.1, 1, 5, 15, 60, 300},
		}),
		published: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "application", Name: "first_secret_seconds",
			Help:    "Time from the creation of an AivenApplication to its first complete Secrets.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60, 300, 1800},
		}),
		ready: make(map[string]bool),
		apps: prometheus.NewDesc(namespace+"_applications", "Number of AivenApplications by whether they are ready.",
			[]string{"ready"}, nil),
	}
}

// Register registers all metrics.
func (m *Metrics) Register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.calls, m.seconds, m.bytes, m.wait, m.published, m} {
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

// LimiterWait records how long a call waited. See aiven.Recorder.
func (m *Metrics) LimiterWait(d time.Duration) { m.wait.Observe(d.Seconds()) }

// Published records how long an application waited for its first Secrets.
func (m *Metrics) Published(d time.Duration) { m.published.Observe(d.Seconds()) }

// Ready records whether an application is ready.
func (m *Metrics) Ready(ns, name string, ready bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready[ns+"/"+name] = ready
}

// Gone forgets an application.
func (m *Metrics) Gone(ns, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ready, ns+"/"+name)
}

// Describe implements prometheus.Collector for the number of applications.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.apps }

// Collect implements prometheus.Collector for the number of applications.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	count := map[bool]int{true: 0, false: 0}
	for _, ready := range m.ready {
		count[ready]++
	}
	m.mu.Unlock()
	for ready, n := range count {
		ch <- prometheus.MustNewConstMetric(m.apps, prometheus.GaugeValue, float64(n), strconv.FormatBool(ready))
	}
}
