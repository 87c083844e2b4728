// SPDX-License-Identifier: Apache-2.0

package metrics

import "github.com/prometheus/client_golang/prometheus"

// NewMissingRights returns a gauge that is 1 for each right in the cluster that the
// provider lacks. It is not registered yet.
func NewMissingRights() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "missing_rights",
		Help: "Rights in the cluster that the provider lacks, by what it needs them for, verb, resource and namespace. There is no sample for a right that it has.",
	}, []string{"feature", "verb", "resource", "namespace"})
}
