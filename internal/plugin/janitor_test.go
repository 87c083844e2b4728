// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

func TestSwept(t *testing.T) {
	t.Parallel()
	secret := func(annotations map[string]string) metav1.PartialObjectMetadata {
		m := metav1.PartialObjectMetadata{ObjectMeta: *ordersSecret().ObjectMeta.DeepCopy()}
		for k, v := range annotations {
			metav1.SetMetaDataAnnotation(&m.ObjectMeta, k, v)
		}
		return m
	}
	marked := map[string]string{v1.AnnotationUnusedSince: now.Add(-time.Minute).Format(time.RFC3339)}
	long := map[string]string{v1.AnnotationUnusedSince: now.Add(-time.Hour).Format(time.RFC3339)}
	cases := map[string]struct {
		reason string
		secret metav1.PartialObjectMetadata
		sight  sight
		want   string
	}{
		"Wanted": {reason: "What an application names stays.", secret: secret(nil), sight: sight{apps: []v1.AivenApplication{*orders()}}, want: "keep Wanted never"},
		"InUse":  {reason: "What a workload uses stays.", secret: secret(nil), sight: sight{uses: usedBy(janitor.Use{Kind: "pod", Name: "p"})}, want: "keep InUse never"},
		"Unused": {reason: "What nothing uses is marked, and goes after the grace period.", secret: secret(nil), want: "later Unused 2026-11-20 12:10 UTC (in 10m)"},
		"Marked": {reason: "The grace period counts from the mark.", secret: secret(marked), want: "later GracePeriod 2026-11-20 12:09 UTC (in 9m)"},
		"Long":   {reason: "What was unused for the grace period goes now.", secret: secret(long), want: "remove Unused 2026-11-20 12:00 UTC (0s ago)"},
		"Blind": {
			reason: "A person who does not see all workloads cannot tell.", secret: secret(long),
			sight: sight{uses: uses{unknown: []string{"cronjobs"}}}, want: "unknown Unused never",
		},
		"BlindButProtected": {
			reason: "What is protected stays, whoever uses it.", secret: secret(map[string]string{v1.AnnotationProtected: "true"}),
			sight: sight{appsUnknown: true}, want: "keep Protected never",
		},
		"Expired": {
			reason: "What has expired goes, whatever else there is.", secret: secret(map[string]string{v1.AnnotationExpiresAt: now.Format(time.RFC3339)}),
			sight: sight{appsUnknown: true}, want: "remove Expired 2026-11-20 12:00 UTC (0s ago)",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := swept([]metav1.PartialObjectMetadata{tc.secret}, tc.sight, 10*time.Minute, now)
			text := got[0].Verdict + " " + got[0].Reason + " " + moment(got[0].At, now)
			if diff := cmp.Diff(tc.want, text); diff != "" {
				t.Errorf("\n%s\nswept(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSweptLeavesOutWhatIsDeleted(t *testing.T) {
	t.Parallel()
	s := metav1.PartialObjectMetadata{ObjectMeta: *ordersSecret().ObjectMeta.DeepCopy()}
	s.DeletionTimestamp = in(0)
	if got := swept([]metav1.PartialObjectMetadata{s}, sight{}, time.Minute, now); len(got) != 0 {
		t.Errorf("swept(...): nothing is decided about a Secret that somebody deleted: %+v", got)
	}
}

func TestSweepText(t *testing.T) {
	t.Parallel()
	s := &Sweep{Secrets: []Swept{
		{Namespace: "a", Name: "x", Verdict: VerdictRemove, Reason: "Unused", Message: "For 10m"},
		{Namespace: "a", Name: "y", Verdict: VerdictLater, Reason: "Unused", Message: "Soon", At: in(time.Minute)},
		{Namespace: "a", Name: "long-name", Verdict: VerdictKeep, Reason: "InUse", Message: "Used by pod/p"},
		{Namespace: "a", Name: "z", Verdict: VerdictKeep, Reason: "Wanted", Message: "An application names it"},
	}}
	const want = `Would be removed now: 1
└─ a/x  Unused  For 10m
Would be removed later, unless something uses them: 1
└─ a/y  Unused  Soon (in 60s)
Stay: 2
├─ a/long-name  InUse   Used by pod/p
└─ a/z          Wanted  An application names it
Nothing was removed.
`
	var b strings.Builder
	printer{w: &b}.sweep(s, now)
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("sweep(...): -want, +got:\n%s", diff)
	}
}
