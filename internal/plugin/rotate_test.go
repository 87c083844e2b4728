// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

func TestRotationAnswer(t *testing.T) {
	t.Parallel()
	const begin = `{"apiVersion":"kubectl.aiven.nais.io/v1","kind":"Rotation","namespace":"team-a","name":"orders","requestedAt":"now"`
	alone := orders()
	alone.Status.Credentials.Previous = nil
	cases := map[string]struct {
		reason string
		app    *v1.AivenApplication
		json   string
		text   string
	}{
		"Asked": {reason: "What is not waited for is not known.", json: begin + `}`},
		"Done": {
			reason: "What is published is told, and until when the users before work.", app: orders(),
			json: begin + `,"revision":2,"secrets":["orders-aiven"],"previousUntil":"2026-11-21T11:00:00Z"}`,
			text: "Done: revision 2 is published in orders-aiven.\nThe users before work until 2026-11-21 11:00 UTC (in 23h) at least. Restart the pods before the next rotation.\n",
		},
		"NoOverlap": {
			reason: "Users that are gone do not work.", app: alone,
			json: begin + `,"revision":2,"secrets":["orders-aiven"]}`,
			text: "Done: revision 2 is published in orders-aiven.\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rotation{key: client.ObjectKey{Namespace: "team-a", Name: "orders"}, value: "now"}
			x := r.answer(tc.app)
			got, err := json.Marshal(x)
			if diff := cmp.Diff(tc.json, string(got)); diff != "" || err != nil {
				t.Errorf("\n%s\nanswer(...): -want, +got:\n%s\n%v", tc.reason, diff, err)
			}
			if tc.app == nil {
				return
			}
			var b strings.Builder
			printer{w: &b}.rotation(x, now)
			if diff := cmp.Diff(tc.text, b.String()); diff != "" {
				t.Errorf("\n%s\nrotation(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
