// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// configs is a collector of whether the tokens of configurations work. Safe for
// concurrent use.
type configs struct {
	healthy *prometheus.Desc

	mu    sync.Mutex
	known map[configID]configHealth
}

type configID struct{ kind, namespace, name string }

type configHealth struct {
	healthy bool
	reason  string
}

func newConfigs() *configs {
	return &configs{
		healthy: prometheus.NewDesc(namespace+"_config_healthy",
			"Whether the token of a ClusterProviderConfig or ProviderConfig works (1) or not (0), and the reason, as its condition Healthy says.",
			[]string{"kind", "namespace", "name", "reason"}, nil),
		known: make(map[configID]configHealth),
	}
}

// Config remembers whether the token of a configuration works, and the reason.
func (c *configs) Config(kind, ns, name string, healthy bool, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[configID{kind, ns, name}] = configHealth{healthy, reason}
}

// ConfigGone forgets a configuration.
func (c *configs) ConfigGone(kind, ns, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, configID{kind, ns, name})
}

// Describe implements prometheus.Collector.
func (c *configs) Describe(ch chan<- *prometheus.Desc) { ch <- c.healthy }

// Collect implements prometheus.Collector.
func (c *configs) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, h := range c.known {
		v := 0.0
		if h.healthy {
			v = 1
		}
		ch <- prometheus.MustNewConstMetric(c.healthy, prometheus.GaugeValue, v, id.kind, id.namespace, id.name, h.reason)
	}
}
