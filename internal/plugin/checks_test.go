// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

func lease(holder string, renewed time.Duration) coordinationv1.Lease {
	return coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: leaseName},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: new(int32(60)), RenewTime: &metav1.MicroTime{Time: now.Add(renewed)}},
	}
}

// well is evidence of a provider that is well.
func well(change ...func(e *evidence)) *evidence {
	e := &evidence{
		now: now, denied: map[string]string{}, known: []string{"AivenApplication", "ValkeyServiceUser"},
		served: map[string][]string{"AivenApplication": {"v1"}, "ValkeyServiceUser": {"v1alpha1"}},
		leases: []coordinationv1.Lease{lease("pod-a", -10*time.Second)},
		configs: []config{{
			name: "ClusterProviderConfig/default", healthy: v1alpha1.Healthy(""),
			token: &v1alpha1.TokenStatus{Projects: []v1alpha1.ProjectRights{{Name: "prod", ReadServices: "Yes", ReadSecrets: "Yes"}}},
		}},
		apps: []v1.AivenApplication{*orders()}, kindOf: func(managed) string { return "ValkeyServiceUser" },
		managed: []managed{valkeyUser("u", "new", "2", v1.Ready())},
		secrets: []metav1.PartialObjectMetadata{{ObjectMeta: ordersSecret().ObjectMeta}},
		uses:    usedBy(janitor.Use{Kind: "pod", Name: "p"}),
	}
	for _, c := range change {
		c(e)
	}
	return e
}

func TestChecks(t *testing.T) {
	t.Parallel()
	event := func(reason, message string, age time.Duration) corev1.Event {
		return corev1.Event{Reason: reason, Message: message, LastTimestamp: *in(-age), InvolvedObject: corev1.ObjectReference{Kind: "ClusterProviderConfig", Name: "default"}}
	}
	told := func(reason, pod, message string, age time.Duration) corev1.Event {
		return corev1.Event{Reason: reason, Message: message, LastTimestamp: *in(-age), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "system", Name: pod}}
	}
	cases := map[string]struct {
		reason string
		change func(e *evidence)
		// want are the checks that are not fine, and what they found.
		want map[string][]string
	}{
		"Well": {reason: "There is nothing to say about what is well.", change: func(*evidence) {}},
		"NoCRDs": {
			reason: "Without the provider's kinds nothing else can be looked at.", change: func(e *evidence) { delete(e.served, "AivenApplication") },
			want: map[string][]string{"api problem": {"problem  AivenApplication: The API server does not serve these kinds"}},
		},
		"NotActivated": {
			reason: "Somebody may not want a kind of managed resource.", change: func(e *evidence) { delete(e.served, "ValkeyServiceUser") },
			want: map[string][]string{"api note": {"note  ValkeyServiceUser: These kinds of managed resources are not activated, so applications cannot use their services"}},
		},
		"NoLeader": {
			reason: "A lease that nobody holds is a provider that does not run.", change: func(e *evidence) { e.leases = []coordinationv1.Lease{lease("", 0)} },
			want: map[string][]string{"provider problem": {"problem  lease/system/" + leaseName + ": No provider holds the lease"}},
		},
		"DeadLeader": {
			reason: "A lease that is not renewed is a provider that died.", change: func(e *evidence) { e.leases = []coordinationv1.Lease{lease("pod-a", -2*time.Minute)} },
			want: map[string][]string{"provider problem": {"problem  lease/system/" + leaseName + ": pod-a holds the lease and has not renewed it since 2026-11-20 11:58 UTC (2m ago)"}},
		},
		"NoLease": {
			reason: "Without a lease it is not known.", change: func(e *evidence) { e.leases = nil },
			want: map[string][]string{"provider warning": {"warning : There is no lease of the provider: it has never run here, or runs without leader election"}},
		},
		"MissingRights": {
			reason: "What all replicas lack is told once, with the last time it was said; each feature by itself.",
			change: func(e *evidence) {
				e.told = []corev1.Event{
					told(eventMissingRights, "b", "workloads: list pods", 3*time.Minute), told(eventMissingRights, "a", "workloads: list pods", time.Minute),
					told(eventMissingRights, "a", "workloads: list pods", time.Hour), told(eventMissingRights, "a", "deletion: delete valkeyserviceusers", time.Minute),
				}
			},
			want: map[string][]string{"rights warning": {
				"warning MissingRights pod/system/a: deletion: delete valkeyserviceusers (60s ago)",
				"warning MissingRights pod/system/a,pod/system/b: workloads: list pods (60s ago)",
			}},
		},
		"RightsWithoutKinds": {
			reason: "Rights are looked at also where a kind is missing, and what is not served is told.",
			change: func(e *evidence) {
				delete(e.served, "AivenApplication")
				e.told = []corev1.Event{told(eventNotServed, "a", "aivenapplications", time.Minute), told(eventMissingRights, "a", "users: get valkeyserviceusers", time.Minute)}
			},
			want: map[string][]string{
				"api problem": {"problem  AivenApplication: The API server does not serve these kinds"},
				"rights warning": {
					"warning MissingRights pod/system/a: users: get valkeyserviceusers (60s ago)", "note KindsNotServed pod/system/a: aivenapplications (60s ago)",
				},
			},
		},
		"ServedSince": {
			reason: "That a kind was missing is over when it is served.",
			change: func(e *evidence) {
				e.told = []corev1.Event{told(eventNotServed, "a", "valkeyserviceusers", time.Minute)}
			},
		},
		"WhereFrom": {
			reason: "Where the provider runs is known by its lease only.", change: func(e *evidence) { e.alone, e.leases = "team-a", nil },
			want: map[string][]string{
				"provider warning": {"warning : There is no lease of the provider: it has never run here, or runs without leader election"},
				"rights unknown":   nil,
			},
		},
		"Token": {
			reason: "What is wrong with a token, and what it may not do, are problems.",
			change: func(e *evidence) {
				e.configs[0].healthy = v1alpha1.Unhealthy(v1alpha1.ReasonTokenRejected, "No.")
				e.configs[0].token.Projects[0].WriteUsers = "No"
			},
			want: map[string][]string{"configurations problem": {
				"problem TokenRejected ClusterProviderConfig/default: No.",
				"problem  ClusterProviderConfig/default: In project prod the token may not write service users",
			}},
		},
		"AivenAway": {
			reason: "That Aiven does not answer is not the token's fault.",
			change: func(e *evidence) {
				e.configs[0].healthy = v1alpha1.Unhealthy(v1alpha1.ReasonAivenUnavailable, "No answer.")
			},
			want: map[string][]string{"configurations warning": {"warning AivenUnavailable ClusterProviderConfig/default: No answer."}},
		},
		"NoConfiguration": {
			reason: "Without a configuration there is no token.", change: func(e *evidence) { e.configs = nil },
			want: map[string][]string{"configurations problem": {"problem : There is no ClusterProviderConfig and no ProviderConfig, so no token"}},
		},
		"Grouped": {
			reason: "Applications with one cause should be told together.",
			change: func(e *evidence) {
				for _, name := range []string{"a", "b"} {
					a := orders(having(v1.NotReady(v1.ReasonTokenRejected, "kafka of "+name)))
					a.Name = name
					e.apps = append(e.apps, *a)
				}
			},
			want: map[string][]string{"applications problem": {"problem TokenRejected team-a/a,team-a/b: kafka of a (the others similar)"}},
		},
		"Quota": {
			reason: "A full service is told once.",
			change: func(e *evidence) {
				e.apps[0] = *orders(having(v1.NotReady(v1.ReasonQuotaExceeded, "50 of 50."), v1.Quota(v1.ReasonQuotaExceeded, "50 of 50.")))
			},
			want: map[string][]string{"quotas problem": {"problem QuotaExceeded team-a/orders: 50 of 50."}},
		},
		"PersonalExpired": {
			reason: "A person's own access is made to end.",
			change: func(e *evidence) {
				e.apps[0] = *orders(having(v1.NotReady(v1.ReasonExpired, "Over.")), func(a *v1.AivenApplication) { a.Annotations = map[string]string{AnnotationAccessTo: "x"} })
			},
			want: map[string][]string{"applications note": {"note Expired team-a/orders: Over."}},
		},
		"PersonalEnds": {
			reason: "That it ends soon is nothing to say.",
			change: func(e *evidence) {
				e.apps[0] = *orders(having(v1.Expiring(v1.ReasonEndsWithinHour, "Soon.")), func(a *v1.AivenApplication) { a.Annotations = map[string]string{AnnotationAccessTo: "x"} })
			},
		},
		"Stuck": {
			reason: "What cannot be deleted is a problem, and what stands alone has nobody else to say so.",
			change: func(e *evidence) {
				gone := valkeyUser("gone", "g", "1", failed("no token"))
				gone.DeletionTimestamp = in(-time.Hour)
				alone := valkeyUser("alone", "a", "1", v1.NotReady(v1.ReasonServiceNotFound, "None."))
				alone.Annotations = nil
				e.managed = append(e.managed, gone, alone)
			},
			want: map[string][]string{"managed problem": {
				"problem ReconcileError ValkeyServiceUser/team-a/gone: It cannot be deleted, and its user is still at Aiven: no token",
				"problem ServiceNotFound ValkeyServiceUser/team-a/alone: None.",
			}},
		},
		"Orphans": {
			reason: "The last that the provider said counts.",
			change: func(e *evidence) {
				e.events = []corev1.Event{event(eventOrphaned, "3 users", time.Minute), event(eventOrphaned, "2 users", time.Hour), event(eventUnclaimed, "1 user", time.Minute)}
			},
			want: map[string][]string{"orphans warning": {
				"warning OrphanedUsers ClusterProviderConfig/default: 3 users (60s ago)", "note UnclaimedUsers ClusterProviderConfig/default: 1 user (60s ago)",
			}},
		},
		"Unused": {
			reason: "A Secret that nothing uses is access that nobody needs.", change: func(e *evidence) { e.uses = uses{} },
			want: map[string][]string{"secrets note": {"note  team-a/orders-aiven: No workload has used them, and they are older than 60m"}},
		},
		"NoRights": {
			reason: "What a person may not see is no problem.",
			change: func(e *evidence) {
				for _, what := range []string{seeLeases, seeProviderEvents, seeClusterConfigs, seeApplications, seeEvents, seeSecrets, "valkeyserviceusers.aiven.nais.io"} {
					e.denied[what] = " in all namespaces"
				}
				e.configs = nil
			},
			want: map[string][]string{"provider unknown": nil, "rights unknown": nil, "configurations unknown": nil, "applications unknown": nil, "quotas unknown": nil, "managed unknown": nil, "orphans unknown": nil, "secrets unknown": nil},
		},
		"SomeWorkloads": {
			reason: "Who does not see all workloads cannot tell what is used.", change: func(e *evidence) { e.uses.unknown = []string{"cronjobs"} },
			want: map[string][]string{"secrets unknown": nil},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got map[string][]string
			for _, c := range well(tc.change).checks() {
				if c.Verdict == CheckFine {
					continue
				}
				if got == nil {
					got = make(map[string][]string)
				}
				got[c.Name+" "+c.Verdict] = brief(c.Findings)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nchecks(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestExaminationText(t *testing.T) {
	t.Parallel()
	x := &Examination{
		Checks: []Check{
			{Name: "api", Verdict: CheckFine, Summary: "served"},
			{Name: "configurations", Verdict: Problem, Summary: "1 configuration", Findings: []Finding{{Severity: Problem, Reason: "TokenRejected", Objects: []string{"a", "b", "c", "d", "e", "f"}, Message: "No.", Advice: "Mend it."}}},
			{Name: "secrets", Verdict: CheckUnknown, Summary: "you may not list secrets in all namespaces"},
		},
		Problems: 1, NotSeen: []string{"you may not list secrets in all namespaces"},
	}
	const want = `Examination of all namespaces
├─ api             fine     served
├─ configurations  problem  1 configuration
└─ secrets         unknown  you may not list secrets in all namespaces

problem (TokenRejected) a, b, c, d, e and 1 more: No.
  what to do: Mend it.

This is not all, because of your rights in the cluster:
- you may not list secrets in all namespaces
`
	var b strings.Builder
	printer{w: &b}.examination(x)
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("examination(...): -want, +got:\n%s", diff)
	}
}
