// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Orphans counts users at Aiven that no managed resource claims. Safe for
// concurrent use.
type Orphans struct {
	orphaned *prometheus.GaugeVec
	deleted  *prometheus.CounterVec
}

// NewOrphans returns metrics that are not registered yet. They are one
// prometheus.Collector.
func NewOrphans() *Orphans {
	return &Orphans{
		orphaned: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "orphaned_users",
			Help: "Users at Aiven whose names are made like ours and that no managed resource of this cluster claims, by project, service, and whether it is proven that this cluster made them.",
		}, []string{"project", "service", "proven"}),
		deleted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "orphans_deleted_total",
			Help: "Orphaned users that were deleted at Aiven, by project and service.",
		}, []string{"project", "service"}),
	}
}

// Orphaned sets how many orphaned users a service has.
func (o *Orphans) Orphaned(project, service string, proven, unproven int) {
	o.orphaned.WithLabelValues(project, service, strconv.FormatBool(true)).Set(float64(proven))
	o.orphaned.WithLabelValues(project, service, strconv.FormatBool(false)).Set(float64(unproven))
	o.deleted.WithLabelValues(project, service) // A counter is there before it counts, so that its first increase is seen.
}

// OrphanDeleted counts a deletion.
func (o *Orphans) OrphanDeleted(project, service string) {
	o.deleted.WithLabelValues(project, service).Inc()
}

// ServiceGone forgets a service.
func (o *Orphans) ServiceGone(project, service string) {
	l := prometheus.Labels{"project": project, "service": service}
	o.orphaned.DeletePartialMatch(l)
	o.deleted.DeletePartialMatch(l)
}

// Describe implements prometheus.Collector.
func (o *Orphans) Describe(ch chan<- *prometheus.Desc) {
	o.orphaned.Describe(ch)
	o.deleted.Describe(ch)
}

// Collect implements prometheus.Collector.
func (o *Orphans) Collect(ch chan<- prometheus.Metric) {
	o.orphaned.Collect(ch)
	o.deleted.Collect(ch)
}
