// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// gather returns the values of all series by name and labels.
func gather(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatalf("Register(...): %v", err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatalf("Gather(): %v", err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			out[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

func TestOrphans(t *testing.T) {
	cases := map[string]struct {
		reason string
		do     func(o *Orphans)
		want   map[string]float64
	}{
		"None": {
			reason: "Without a service there is no series.",
			do:     func(*Orphans) {},
			want:   map[string]float64{},
		},
		"Counted": {
			reason: "Both numbers are there, and a counter to compare the next value with.",
			do: func(o *Orphans) {
				o.Orphaned("p", "s", 3, 4)
				o.Orphaned("p", "s", 2, 0)
			},
			want: map[string]float64{
				"provider_aiven_orphaned_users project=p proven=true service=s":  2,
				"provider_aiven_orphaned_users project=p proven=false service=s": 0,
				"provider_aiven_orphans_deleted_total project=p service=s":       0,
			},
		},
		"Gone": {
			reason: "The series of a service that is gone vanish, and no others.",
			do: func(o *Orphans) {
				o.Orphaned("p", "s", 1, 1)
				o.OrphanDeleted("p", "s")
				o.OrphanDeleted("p", "other")
				o.ServiceGone("p", "s")
				o.ServiceGone("p", "never-there")
			},
			want: map[string]float64{"provider_aiven_orphans_deleted_total project=p service=other": 1},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := NewOrphans()
			tc.do(o)
			if diff := cmp.Diff(tc.want, gather(t, o)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
