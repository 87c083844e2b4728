// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// TestCollected: what is known of applications and configurations, and nothing of
// those that are gone.
func TestCollected(t *testing.T) {
	cases := map[string]struct {
		reason string
		do     func(m *Metrics)
		want   map[string]float64
	}{
		"None": {
			reason: "There is a number before there are applications.",
			do:     func(*Metrics) {},
			want:   map[string]float64{"applications ready=true reason=Available": 0, "rotations_overdue": 0},
		},
		"Ready": {
			reason: "Times that are not known have no series.",
			do: func(m *Metrics) {
				m.Application("a", "one", Application{Ready: true, Reason: "Available", Since: noon, RotationDue: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour)})
				m.Application("a", "two", Application{Ready: true, Reason: "Available", Since: noon, ExpiresAt: noon})
			},
			want: map[string]float64{
				"applications ready=true reason=Available":                                 2,
				"rotations_overdue":                                                        0,
				"application_rotation_due_timestamp_seconds name=one namespace=a":          float64(noon.Add(-time.Hour).Unix()),
				"application_certificate_not_after_timestamp_seconds name=one namespace=a": float64(noon.Add(time.Hour).Unix()),
				"application_expires_timestamp_seconds name=two namespace=a":               float64(noon.Unix()),
			},
		},
		"NotReady": {
			reason: "Another reason does not make it begin anew that an application is not ready.",
			do: func(m *Metrics) {
				m.Application("a", "one", Application{Reason: "Creating", Since: noon})
				m.Application("a", "one", Application{Reason: "RateLimited", Since: noon.Add(time.Minute)})
				m.Application("a", "two", Application{Reason: "RateLimited", Since: noon.Add(time.Minute), RotationDue: noon.Add(-2 * time.Hour)})
			},
			want: map[string]float64{
				"applications ready=true reason=Available":    0,
				"applications ready=false reason=RateLimited": 2,
				"rotations_overdue":                           1,
				"application_not_ready_since_timestamp_seconds name=one namespace=a reason=RateLimited": float64(noon.Unix()),
				"application_not_ready_since_timestamp_seconds name=two namespace=a reason=RateLimited": float64(noon.Add(time.Minute).Unix()),
				"application_rotation_due_timestamp_seconds name=two namespace=a":                       float64(noon.Add(-2 * time.Hour).Unix()),
			},
		},
		"Again": {
			reason: "Who was ready in between is not ready since then.",
			do: func(m *Metrics) {
				m.Application("a", "one", Application{Reason: "Creating", Since: noon})
				m.Application("a", "one", Application{Ready: true, Reason: "Available", Since: noon})
				m.Application("a", "one", Application{Reason: "Creating", Since: noon.Add(time.Hour)})
			},
			want: map[string]float64{
				"applications ready=true reason=Available": 0,
				"applications ready=false reason=Creating": 1,
				"rotations_overdue":                        0,
				"application_not_ready_since_timestamp_seconds name=one namespace=a reason=Creating": float64(noon.Add(time.Hour).Unix()),
			},
		},
		"Configurations": {
			reason: "Each has one series, of what was said last.",
			do: func(m *Metrics) {
				m.Config("ClusterProviderConfig", "", "default", false, "TokenRejected")
				m.Config("ClusterProviderConfig", "", "default", true, "TokenAccepted")
				m.Config("ProviderConfig", "a", "own", false, "NoToken")
			},
			want: map[string]float64{
				"applications ready=true reason=Available": 0, "rotations_overdue": 0,
				"config_healthy kind=ClusterProviderConfig name=default namespace= reason=TokenAccepted": 1,
				"config_healthy kind=ProviderConfig name=own namespace=a reason=NoToken":                 0,
			},
		},
		"Gone": {
			reason: "The series of what is gone vanish.",
			do: func(m *Metrics) {
				m.Application("a", "one", Application{Reason: "Creating", Since: noon, RotationDue: noon, NotAfter: noon, ExpiresAt: noon})
				m.Gone("a", "one")
				m.Config("ProviderConfig", "a", "own", false, "NoToken")
				m.ConfigGone("ProviderConfig", "a", "own")
			},
			want: map[string]float64{"applications ready=true reason=Available": 0, "rotations_overdue": 0},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := New(func() time.Time { return noon })
			tc.do(m)
			got := map[string]float64{}
			for _, c := range []map[string]float64{gather(t, m.applications), gather(t, m.configs)} {
				for k, v := range c {
					got[strings.TrimPrefix(k, "provider_aiven_")] = v
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestBegin: alerts look at increases, which begin at 0.
func TestBegin(t *testing.T) {
	m := New(time.Now)
	want := map[string]float64{
		"provider_aiven_janitor_decisions_total action=deleted reason=Expired": 0,
		"provider_aiven_janitor_decisions_total action=deleted reason=Unused":  0,
	}
	if diff := cmp.Diff(want, gather(t, m.janitor)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if got := gather(t, m.rotated); len(got) != 6 {
		t.Errorf("want a counter for each of 6 reasons, got %v", got)
	}
}
