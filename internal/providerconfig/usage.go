// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"maps"
	"slices"
	"strings"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/metrics"
)

// ServiceUsers returns how many users each service has that is in use, as last
// seen. It makes no call.
func (r *Resolver) ServiceUsers() []metrics.ServiceUsage {
	r.mu.Lock()
	last := maps.Clone(r.last)
	r.mu.Unlock()
	newest := make(map[aiven.ServiceRef]*aiven.Service)
	limits := make(map[aiven.ServiceRef]int)
	for _, c := range last {
		for _, s := range c.client.Snapshots() {
			if n := newest[s.Ref]; n == nil || n.ObservedAt.Before(s.ObservedAt) {
				newest[s.Ref] = s
			}
			if l := c.settings.LimitsOf(s.Type).Users; l > 0 && (limits[s.Ref] == 0 || l < limits[s.Ref]) {
				limits[s.Ref] = l
			}
		}
	}
	out := make([]metrics.ServiceUsage, 0, len(newest))
	for ref, s := range newest {
		out = append(out, metrics.ServiceUsage{Project: ref.Project, Service: ref.Service, Type: s.Type, Used: s.UserCount(), Limit: limits[ref]})
	}
	slices.SortFunc(out, func(a, b metrics.ServiceUsage) int {
		return strings.Compare(a.Project+"/"+a.Service, b.Project+"/"+b.Service)
	})
	return out
}
