// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// A ServiceUsage says how many users a service has, and may have.
type ServiceUsage struct {
	// Type is Aiven's code of the Service of Project.
	Project, Service, Type string
	// Used is the number of users, the built-in ones included. Limit is how many
	// there may be as a configuration says. 0: none says.
	Used, Limit int
}

// ServiceUsers is a collector of how many users services have. It reports what
// the source says at the moment. Safe for concurrent use.
type ServiceUsers struct {
	used, limit *prometheus.Desc

	mu     sync.Mutex
	source func() []ServiceUsage
}

// NewServiceUsers returns a collector without a source, which reports nothing.
func NewServiceUsers() *ServiceUsers {
	labels := []string{"project", "service", "type"}
	return &ServiceUsers{
		used:  prometheus.NewDesc(namespace+"_service_users", "Number of users of an Aiven service in use, the built-in ones included.", labels, nil),
		limit: prometheus.NewDesc(namespace+"_service_users_limit", "Number of users that an Aiven service may have, as serviceUsers.limit of a configuration says. Absent where none does.", labels, nil),
	}
}

// From has the collector ask the source.
func (u *ServiceUsers) From(source func() []ServiceUsage) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.source = source
}

// Describe sends the descriptions of the metrics.
func (u *ServiceUsers) Describe(ch chan<- *prometheus.Desc) {
	ch <- u.used
	ch <- u.limit
}

// Collect sends the number of users and the limit of each service.
func (u *ServiceUsers) Collect(ch chan<- prometheus.Metric) {
	u.mu.Lock()
	source := u.source
	u.mu.Unlock()
	if source == nil {
		return
	}
	for _, s := range source() {
		ch <- prometheus.MustNewConstMetric(u.used, prometheus.GaugeValue, float64(s.Used), s.Project, s.Service, s.Type)
		if s.Limit > 0 {
			ch <- prometheus.MustNewConstMetric(u.limit, prometheus.GaugeValue, float64(s.Limit), s.Project, s.Service, s.Type)
		}
	}
}
