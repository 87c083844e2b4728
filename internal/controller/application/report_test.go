// SPDX-License-Identifier: Apache-2.0

package application

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// TestFirstSecret: how long an application waited is counted once, for those that
// waited for us.
func TestFirstSecret(t *testing.T) {
	cases := map[string]struct {
		reason string
		status v1.AivenApplicationStatus
		want   []time.Duration
	}{
		"New":       {reason: "The wait of a new one counts.", want: []time.Duration{time.Minute}},
		"Published": {reason: "One that has Secrets does not wait.", status: v1.AivenApplicationStatus{Credentials: credentials(1, []string{"kafka-1"})}},
		"Renewed":   {reason: "One whose access had ended is as old as it is, and did not wait that long.", status: v1.AivenApplicationStatus{Credentials: &v1.CredentialsStatus{Revision: 1}}},
		"TakenOver": {reason: "Nor did one that aivenator has served.", status: v1.AivenApplicationStatus{SynchronizationHash: "aivenator's"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := application(services())
			before.SetCreationTimestamp(at(-time.Minute))
			before.Status = tc.status
			app := before.DeepCopy()
			o := outcome{reason: v1.ReasonAvailable}
			o.set(app, noon)
			r := newRig(t, application(services()))
			r.measure(before, app, o)
			if diff := cmp.Diff(tc.want, r.waits, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
