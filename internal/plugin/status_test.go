// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

func TestStatusText(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		facts  facts
		denied []string
		want   string
	}{
		"Rotated": {
			reason: "Both revisions, who holds the old one, and who uses the Secret should be shown.",
			facts: facts{
				app:     orders(),
				managed: []managed{valkeyUser("orders-valkey-cache-r1", "old", "1", v1.Ready()), valkeyUser("orders-valkey-cache-r2", "new", "2", v1.Ready())},
				secrets: map[string]*corev1.Secret{"orders-aiven": ordersSecret()},
				uses: usedBy(janitor.Use{Kind: "replicaset", Name: "orders-1"}, janitor.Use{Kind: "replicaset", Name: "orders-2"},
					janitor.Use{Kind: "pod", Name: "orders-x", Started: now.Add(-72 * time.Hour)}, janitor.Use{Kind: "pod", Name: "orders-y", Started: now.Add(-time.Minute)},
					janitor.Use{Kind: "deployment", Name: "orders"}),
			},
			want: `AivenApplication team-a/orders  Ready
├─ Credentials
│  ├─ revision 2     current, issued 2026-11-20 11:00 UTC (60m ago)
│  ├─ revision 1     previous, valid at least until 2026-11-21 11:00 UTC (in 23h); held by pod/orders-x
│  ├─ next rotation  2026-12-19 12:00 UTC (in 29d)
│  └─ access ends    never
├─ Users at Aiven
│  ├─ valkey/cache  new  prod/valkey-team-a-cache  ValkeyServiceUser/orders-valkey-cache-r2  ready
│  └─ valkey/cache  old  prod/valkey-team-a-cache  ValkeyServiceUser/orders-valkey-cache-r1  previous, ready
└─ Secret orders-aiven  2 keys, changed 60m ago, content 0123456789ab
   ├─ deployment/orders
   ├─ pod/orders-x  started 3d ago  before the content changed
   ├─ pod/orders-y  started 60s ago
   └─ 2 replicasets, also of earlier rollouts

Nothing is wrong.
note pod/orders-x: They started before revision 2 was published, and may still use the users before
  what to do: Restart them (kubectl rollout restart) before the next rotation: the users before go then, whoever holds them.
`,
		},
		"TokenRejected": {
			reason: "What is wrong should be said once, with what to do.",
			facts: facts{
				app: orders(func(a *v1.AivenApplication) {
					a.Status.Credentials, a.Status.Secrets = nil, nil
					set(a, v1.NotReady(v1.ReasonTokenRejected, "valkey/cache: Aiven does not accept the token."))
				}),
				managed: []managed{valkeyUser("orders-valkey-cache-r1", "new", "1", v1.NotReady(v1.ReasonTokenRejected, "Aiven does not accept the token."))},
				secrets: map[string]*corev1.Secret{"orders-aiven": nil},
			},
			want: `AivenApplication team-a/orders  not ready: TokenRejected
├─ Credentials
│  ├─ none yet
│  └─ access ends  never
├─ Users at Aiven
│  └─ valkey/cache  new  prod/valkey-team-a-cache  ValkeyServiceUser/orders-valkey-cache-r1  next, not ready: TokenRejected
└─ Secret orders-aiven  not there

problem (TokenRejected): valkey/cache: Aiven does not accept the token.
  what to do: Put another token into the same Secret or file; it is seen within seconds. Ask the platform team if the configuration is theirs.
`,
		},
		"Conflict": {
			reason: "A Secret that is somebody else's is there.",
			facts: facts{
				app: orders(func(a *v1.AivenApplication) {
					a.Status.Credentials, a.Status.Secrets = nil, nil
					set(a, v1.NotReady(v1.ReasonSecretConflict, "Secret orders-aiven belongs to AivenApplication billing."))
				}),
				secrets: map[string]*corev1.Secret{"orders-aiven": nil}, foreign: map[string]bool{"orders-aiven": true},
			},
			want: `AivenApplication team-a/orders  not ready: SecretConflict
├─ Credentials
│  ├─ none yet
│  └─ access ends  never
└─ Secret orders-aiven  there, and not this application's

problem (SecretConflict): Secret orders-aiven belongs to AivenApplication billing.
  what to do: Choose another secretName. Delete the Secret of that name only if it is of no application and nobody needs it.
`,
		},
		"NoRights": {
			reason: "What a person may not see should be said, and not taken for missing.",
			facts: facts{
				app: orders(func(a *v1.AivenApplication) { a.Status.Credentials.Previous = nil }), unread: map[string]bool{"orders-aiven": true},
				secrets: map[string]*corev1.Secret{"orders-aiven": nil}, uses: uses{unknown: []string{"pods"}},
			},
			denied: []string{"you may not list secrets in namespace team-a"},
			want: `AivenApplication team-a/orders  Ready
├─ Credentials
│  ├─ revision 2     current, issued 2026-11-20 11:00 UTC (60m ago)
│  ├─ next rotation  2026-12-19 12:00 UTC (in 29d)
│  └─ access ends    never
└─ Secret orders-aiven  you may not read it, changed 60m ago, content 0123456789ab

Nothing is wrong.

This is not all, because of your rights in the cluster:
- you may not list secrets in namespace team-a
`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.facts.now, tc.facts.kindOf = now, func(managed) string { return "ValkeyServiceUser" }
			st := tc.facts.status()
			st.NotSeen = tc.denied
			var b strings.Builder
			printer{w: &b}.status(st, now)
			if diff := cmp.Diff(tc.want, b.String()); diff != "" {
				t.Errorf("\n%s\nstatus: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// brief is what tests compare of findings.
func brief(fs []Finding) []string {
	var out []string
	for _, f := range fs {
		text := f.Severity + " " + f.Reason
		if len(f.Objects) > 0 {
			text += " " + strings.Join(f.Objects, ",")
		}
		out = append(out, text+": "+f.Message)
	}
	return out
}

func TestApplicationFindings(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		app    *v1.AivenApplication
		want   []string
	}{
		"Fine": {reason: "There is nothing to say about what is well.", app: orders()},
		"Hint": {
			reason: "A message of what is ready is a hint.", app: orders(having(v1.Ready().WithMessage("ACLs are off."))),
			want: []string{"note Available: ACLs are off."},
		},
		"NotSeen": {
			reason: "Without a condition nobody has looked.", app: &v1.AivenApplication{},
			want: []string{"problem : The provider has not looked at this application yet"},
		},
		"Changed": {
			reason: "A condition about another generation says nothing.", app: orders(func(a *v1.AivenApplication) { a.Generation = 2 }),
			want: []string{"problem : The provider has not looked at the last change of this application yet"},
		},
		"Creating": {
			reason: "What is being made is no problem yet.", app: orders(having(v1.NotReady(v1.ReasonCreating, "The credentials are being made."))),
			want: []string{"warning Creating: The credentials are being made."},
		},
		"RotationBlocked": {
			reason: "A rotation that cannot go on is a problem though the credentials work.", app: orders(having(v1.NotRotated(v1.ReasonServiceNotRunning, "It is off."))),
			want: []string{"problem ServiceNotRunning: It is off."},
		},
		"NothingToRotate": {
			reason: "Without credentials Ready says why, and there is nothing to rotate.",
			app:    orders(having(v1.NotReady(v1.ReasonRateLimited, "Wait."), v1.NotRotated(v1.ReasonCreating, "There are no credentials yet."))),
			want:   []string{"problem RateLimited: Wait."},
		},
		"RotationWaits": {
			reason: "A rotation that waits for the overlap is well.", app: orders(having(v1.NotRotated(v1.ReasonWaitingForOverlap, "Until then."))),
			want: []string{"note WaitingForOverlap: Until then."},
		},
		"SameReason": {
			reason: "One cause should be told once.",
			app: orders(having(v1.NotReady(v1.ReasonQuotaExceeded, "Full."), v1.NotRotated(v1.ReasonQuotaExceeded, "Full."), v1.Quota(v1.ReasonQuotaExceeded, "50 of 50."),
				failed("cannot create user: the service is full"))),
			want: []string{"problem QuotaExceeded: Full."},
		},
		"Expiring": {
			reason: "Access that is about to end is worth a warning.", app: orders(having(v1.Expiring(v1.ReasonEndsWithinHour, "Soon."))),
			want: []string{"warning EndsWithinHour: Soon."},
		},
		"Failed": {
			reason: "What could not be written is a problem of its own.", app: orders(having(failed("cannot write"))),
			want: []string{"problem ReconcileError: cannot write"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, brief(applicationFindings(tc.app))); diff != "" {
				t.Errorf("\n%s\napplicationFindings(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestObjectFindings(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		facts  facts
		want   []string
	}{
		"Stuck": {
			reason: "A user that cannot be deleted should be named, with why.",
			facts: facts{managed: []managed{func() managed {
				u := valkeyUser("u", "old", "1", failed("token is gone"))
				u.DeletionTimestamp = in(-time.Hour)
				return u
			}()}},
			want: []string{"problem  ValkeyServiceUser/u: It has been waiting to be deleted since 2026-11-20 11:00 UTC (60m ago): token is gone"},
		},
		"Deleting": {
			reason: "A user that is being deleted is well.",
			facts: facts{managed: []managed{func() managed {
				u := valkeyUser("u", "old", "1")
				u.DeletionTimestamp = in(-time.Second)
				return u
			}()}},
		},
		"Gone": {
			reason: "A Secret that was published and is not there is a problem.",
			facts:  facts{secrets: map[string]*corev1.Secret{"orders-aiven": nil}},
			want:   []string{"problem  secret/orders-aiven: It was published and is gone"},
		},
		"Revoked": {
			reason: "A Secret that somebody deleted takes a while.",
			facts: facts{secrets: map[string]*corev1.Secret{"orders-aiven": func() *corev1.Secret {
				s := ordersSecret()
				s.DeletionTimestamp = in(-time.Second)
				return s
			}()}},
			want: []string{"warning  secret/orders-aiven: Somebody deleted it: its users are being deleted at Aiven"},
		},
		"Unused": {
			reason: "That nothing uses a Secret is good to know.",
			facts:  facts{secrets: map[string]*corev1.Secret{"orders-aiven": ordersSecret()}},
			want:   []string{"note  secret/orders-aiven: No workload uses it"},
		},
		"Foreign": {
			reason: "Somebody else's Secret is nothing that this application should tell of.",
			facts:  facts{secrets: map[string]*corev1.Secret{"orders-aiven": nil}, foreign: map[string]bool{"orders-aiven": true}},
		},
		"LockedOut": {
			reason: "A pod with credentials that were revoked has no access, unless it reads files anew; one that started since then has.",
			facts: facts{
				secrets: map[string]*corev1.Secret{"orders-aiven": ordersSecret()},
				uses:    usedBy(janitor.Use{Kind: "pod", Name: "orders-x", Started: now.Add(-72 * time.Hour)}, janitor.Use{Kind: "pod", Name: "orders-y", Started: now.Add(-time.Minute)}),
			},
			want: []string{"warning  pod/orders-x: They started before revision 2 was published, and the users before are gone"},
		},
		"Left": {
			reason: "A Secret that is not named any more is the janitor's.",
			facts:  facts{secrets: map[string]*corev1.Secret{"other": ordersSecret()}},
			want:   []string{"note  secret/other: The application does not name it any more and nothing uses it: the janitor removes it"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.facts.now, tc.facts.kindOf = now, func(managed) string { return "ValkeyServiceUser" }
			tc.facts.app = orders(func(a *v1.AivenApplication) { a.Status.Credentials.Previous = nil })
			if diff := cmp.Diff(tc.want, brief(tc.facts.status().Findings)); diff != "" {
				t.Errorf("\n%s\nfindings(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRotationProgress(t *testing.T) {
	t.Parallel()
	const value = "mine"
	asked := func(of string, change func(c *v1.CredentialsStatus)) *v1.AivenApplication {
		return orders(func(a *v1.AivenApplication) {
			a.Annotations = map[string]string{v1.AnnotationRotate: of}
			change(a.Status.Credentials)
		})
	}
	nothing := func(*v1.CredentialsStatus) {}
	cases := map[string]struct {
		reason string
		app    *v1.AivenApplication
		done   bool
		want   string
	}{
		"Asked":     {reason: "Nothing happened yet.", app: asked(value, nothing), want: "waiting for the provider"},
		"Making":    {reason: "The next revision is on record.", app: asked(value, func(c *v1.CredentialsStatus) { c.Next = &v1.NextStatus{Revision: 3, Since: *in(0)} }), want: "revision 3 is being made since 12:00:00 UTC"},
		"Published": {reason: "The value was acted on.", app: asked(value, func(c *v1.CredentialsStatus) { c.RequestAnnotation = value }), done: true, want: "revision 2 is published"},
		"Another":   {reason: "Who asked later is met together.", app: asked("theirs", func(c *v1.CredentialsStatus) { c.RequestAnnotation = "theirs" }), done: true, want: "revision 2 is published"},
		"Before":    {reason: "What was asked before is not this.", app: asked(value, func(c *v1.CredentialsStatus) { c.RequestAnnotation = "before" }), want: "waiting for the provider"},
		"Waits": {
			reason: "Why it does not begin should be said.", want: "WaitingForOverlap: Until then.",
			app: orders(having(v1.NotRotated(v1.ReasonWaitingForOverlap, "Until then."))),
		},
		"NoCredentials": {
			reason: "What has no credentials gets its first.", want: "the application has no credentials yet: Aiven does not accept the token.",
			app: orders(func(a *v1.AivenApplication) { a.Status.Credentials = nil }, having(v1.NotReady(v1.ReasonTokenRejected, "Aiven does not accept the token."))),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done, got := rotationProgress(tc.app, value)
			if done != tc.done {
				t.Errorf("\n%s\nrotationProgress(...): want done %t, got %t", tc.reason, tc.done, done)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nrotationProgress(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
