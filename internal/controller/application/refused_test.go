// SPDX-License-Identifier: Apache-2.0

package application

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/grants"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// A refusal is a reason why an application may not have what it asks for.
type refusal struct {
	reason  xpv2.ConditionReason
	says    string
	byAiven bool
	// begin has the application be refused, which asks for OpenSearch as well.
	begin func(r *rig)
}

func refusals() []refusal {
	return []refusal{
		{v1.ReasonNotAllowed, "ask for less", false, func(r *rig) {
			r.grants = grantsFn(func(u providerconfig.Use) (int, error) {
				if u.Type != grants.OpenSearch {
					return 0, nil
				}
				return 0, errors.Wrap(grants.ErrRefused, "ask for less")
			})
		}},
		{v1.ReasonNameConflict, "choose another name", false, func(r *rig) {
			r.names = namesFn(func(types.NamespacedName, string) error { return namesakes.ErrConflict })
		}},
		{v1.ReasonQuotaExceeded, "has 3 users of at most 5, 2 of which are kept for rotations", true, func(r *rig) {
			r.serves(target{"proj", "opensearch-shop-logs"}, "opensearch", 3)
		}},
	}
}

// refused returns a rig with an application that published a Secret with its
// users, and is refused the OpenSearch that it asks for besides since then.
func refused(t *testing.T, f refusal, c *v1.CredentialsStatus, existing ...string) *rig {
	t.Helper()
	app := application(services())
	app.Spec.OpenSearch = nil
	app.SetCreationTimestamp(at(-90 * day))
	app.Status.Credentials = c
	r := newRig(t, app)
	r.limits = &v1alpha1.ServiceUsers{Limit: 5, Headroom: 2}
	r.make(existing...)
	if got, _, err := r.reconcile(); err != nil || got.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue || r.secret("orders-aiven") == nil {
		t.Fatalf("the application is not ready before it is refused: %v: %v", err, got.GetCondition(xpv2.TypeReady))
	}
	app = application(v1.AivenApplicationSpec{})
	r.change(app, func() { app.Spec.OpenSearch = services().OpenSearch })
	r.events, r.writes = nil, nil
	f.begin(r)
	return r
}

// declined reconciles and fails the test unless the application is refused for
// the reason, and nothing was composed or published that it asks for.
func (r *rig) declined(f refusal) *v1.AivenApplication {
	r.t.Helper()
	app, _, err := r.reconcile()
	if err == nil {
		r.t.Error("nobody tries again what was refused")
	}
	if c := app.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionFalse || c.Reason != f.reason || !strings.Contains(c.Message, f.says) {
		r.t.Errorf("Ready: want %s: ... %s ..., got %s %s: %s", f.reason, f.says, c.Status, c.Reason, c.Message)
	}
	if users := r.users(); slices.ContainsFunc(users, func(u string) bool { return !slices.Contains(slices.Concat(first, second), strings.Trim(u, "()")) }) {
		r.t.Errorf("something new was composed: %v", users)
	}
	if r.secret("search") != nil || r.secret("renamed") != nil {
		r.t.Error("there is a Secret for what was refused")
	}
	return app
}

var (
	published1 = []string{"kafka-1", "valkey/a-1"}
	published2 = []string{"kafka-2", "valkey/a-2"}
)

func TestRefusedKeepsSecret(t *testing.T) {
	orders := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders-aiven"}}
	edit := func(r *rig, s *corev1.Secret) {
		r.change(s, func() {
			s.Data["VALKEY_PASSWORD_A"] = []byte("theirs")
			s.Data["THEIRS"] = []byte("theirs")
			delete(s.Data, "KAFKA_BROKERS")
		})
	}
	asks := func(change func(app *v1.AivenApplication)) func(r *rig, _ *corev1.Secret) {
		return func(r *rig, _ *corev1.Secret) {
			app := application(v1.AivenApplicationSpec{})
			r.change(app, func() { change(app) })
		}
	}
	cases := map[string]struct {
		reason string
		change func(r *rig, s *corev1.Secret)
		// want changes what is expected of the Secret, nil when there is none.
		want      func(s *corev1.Secret) *corev1.Secret
		published bool // Whether it is written.
	}{
		"Unchanged": {
			reason: "What is right is not written again.",
			want:   func(s *corev1.Secret) *corev1.Secret { return s },
		},
		"Deleted": {
			reason:    "A Secret that is gone while its users are there comes back with all that it held.",
			change:    func(r *rig, s *corev1.Secret) { r.force(s) },
			want:      func(s *corev1.Secret) *corev1.Secret { return s },
			published: true,
		},
		"Edited": {
			reason: "What is ours in it comes back, and what others put there stays.",
			change: edit,
			want: func(s *corev1.Secret) *corev1.Secret {
				s.Data["THEIRS"] = []byte("theirs")
				return s
			},
			published: true,
		},
		"Unmarked": {
			reason: "So do its marks.",
			change: func(r *rig, s *corev1.Secret) {
				r.change(s, func() { s.SetLabels(nil); s.SetAnnotations(nil) })
			},
			want:      func(s *corev1.Secret) *corev1.Secret { return s },
			published: true,
		},
		"CertificateRenewed": {
			reason: "A certificate that Aiven renewed is published, with what is made of it.",
			change: func(r *rig, _ *corev1.Secret) {
				c := r.connection("kafka-1")
				r.change(c, func() {
					c.Data[connection.KeyClientCert], c.Data[connection.KeyClientKey] = certificates()[2][0], certificates()[2][1]
				})
			},
			want: func(s *corev1.Secret) *corev1.Secret {
				s.Data["KAFKA_CERTIFICATE"], s.Data["KAFKA_PRIVATE_KEY"] = certificates()[2][0], certificates()[2][1]
				return s
			},
			published: true,
		},
		"ServiceMoved": {
			reason: "As is any other connection detail that changed.",
			change: func(r *rig, _ *corev1.Secret) {
				c := r.connection("valkey/a-1")
				r.change(c, func() { c.Data[connection.KeyEndpoint] = []byte("elsewhere.example") })
			},
			want: func(s *corev1.Secret) *corev1.Secret {
				s.Data["VALKEY_HOST_A"], s.Data["REDIS_HOST_A"] = []byte("elsewhere.example"), []byte("elsewhere.example")
				return s
			},
			published: true,
		},
		"Revoking": {
			reason: "A Secret that waits for its users to go is left alone: whoever deletes it revokes what it held.",
			change: func(r *rig, s *corev1.Secret) { edit(r, s); r.delete(s) },
			want: func(s *corev1.Secret) *corev1.Secret {
				s.Data["VALKEY_PASSWORD_A"], s.Data["THEIRS"] = []byte("theirs"), []byte("theirs")
				delete(s.Data, "KAFKA_BROKERS")
				return s
			},
		},
		"Revoked": {
			reason: "And does not come back when they are gone.",
			change: func(r *rig, s *corev1.Secret) {
				r.force(s)
				r.force(made("kafka-1"))
				r.force(made("valkey/a-1"))
			},
			want: func(*corev1.Secret) *corev1.Secret { return nil },
		},
		"UserGone": {
			reason: "A Secret is not written without one of its users, whatever else was to be mended.",
			change: func(r *rig, _ *corev1.Secret) {
				r.force(made("kafka-1"))
				c := r.connection("valkey/a-1")
				r.change(c, func() { c.Data[connection.KeyEndpoint] = []byte("elsewhere.example") })
			},
			want: func(s *corev1.Secret) *corev1.Secret { return s },
		},
		"RotationAsked": {
			reason: "A rotation that is asked for meanwhile is not begun.",
			change: asks(func(app *v1.AivenApplication) {
				meta.AddAnnotations(app, map[string]string{v1.AnnotationRotate: "now"})
			}),
			want: func(s *corev1.Secret) *corev1.Secret { return s },
		},
		"Rotating": {
			reason: "One that was begun is not published, though its users are ready.",
			change: func(r *rig, _ *corev1.Secret) {
				r.make(published2...)
				r.remember(coming(2, v1.RotationScheduled))
			},
			want: func(s *corev1.Secret) *corev1.Secret { return s },
		},
		"SectionRemoved": {
			reason: "What is not asked for any more stays until there is something to publish without it.",
			change: asks(func(app *v1.AivenApplication) { app.Spec.Valkey = nil }),
			want:   func(s *corev1.Secret) *corev1.Secret { return s },
		},
		"Renamed": {
			reason: "Under another name nothing is published, and what is stays.",
			change: asks(func(app *v1.AivenApplication) { app.Spec.SecretName = "renamed" }),
			want:   func(s *corev1.Secret) *corev1.Secret { return s },
		},
	}
	for name, tc := range cases {
		for _, f := range refusals() {
			t.Run(name+"/"+string(f.reason), func(t *testing.T) {
				t.Parallel()
				r := refused(t, f, credentials(1, published1), published1...)
				want := tc.want(r.secret(orders.Name))
				if tc.change != nil {
					tc.change(r, orders.DeepCopy())
				}
				remembered := r.remember()
				app := r.declined(f)

				got := r.secret(orders.Name)
				if (got == nil) != (want == nil) {
					t.Fatalf("%s: got Secret %v", tc.reason, got)
				}
				if want != nil {
					diffSecret(t, tc.reason, want, got)
				}
				if wrote, told := len(r.writes) > 0, len(r.told(eventPublished)) > 0; wrote != tc.published || told != tc.published {
					t.Errorf("%s: it was written: %t, and told: %t", tc.reason, wrote, told)
				}
				if diff := cmp.Diff(remembered, app.Status.Credentials); diff != "" {
					t.Errorf("%s: credentials of the status: -want, +got:\n%s", tc.reason, diff)
				}
			})
		}
	}
}

// diffSecret compares all that is published, but for what follows from it: the key
// stores, the hash and the time.
func diffSecret(t *testing.T, reason string, want, got *corev1.Secret) {
	t.Helper()
	text := func(s *corev1.Secret) map[string]string {
		out := make(map[string]string)
		for k, v := range s.Data {
			out[k] = string(v)
		}
		maps.DeleteFunc(out, func(k, _ string) bool { return strings.HasPrefix(k, "client.") })
		return out
	}
	if diff := cmp.Diff(text(want), text(got)); diff != "" {
		t.Errorf("%s: data: -want, +got:\n%s", reason, diff)
	}
	if diff := cmp.Diff(want.GetLabels(), got.GetLabels()); diff != "" {
		t.Errorf("%s: labels: -want, +got:\n%s", reason, diff)
	}
	if diff := cmp.Diff(want.GetFinalizers(), got.GetFinalizers()); diff != "" {
		t.Errorf("%s: finalizers: -want, +got:\n%s", reason, diff)
	}
	same := cmpopts.IgnoreMapEntries(func(k, _ string) bool { return k == v1.AnnotationContentHash })
	if diff := cmp.Diff(want.GetAnnotations(), got.GetAnnotations(), same); diff != "" {
		t.Errorf("%s: annotations: -want, +got:\n%s", reason, diff)
	}
}

// TestRefusedSays is about all that the status says, and that it is said once.
// TestRefusedDuringLoss: a user is lost, and the application is refused before
// there is another one.
func TestRefusedDuringLoss(t *testing.T) {
	cases := map[string]struct {
		reason string
		next   func(c *v1.CredentialsStatus)
	}{
		"Vanished":      {"What vanished is replaced once that is granted. Until then nothing is published without it.", coming(2, v1.RotationUserVanished, "kafka")},
		"SecretDeleted": {"So are users whose Secret was deleted.", coming(2, v1.RotationSecretDeleted, "kafka")},
	}
	for name, tc := range cases {
		for _, f := range refusals() {
			t.Run(name+"/"+string(f.reason), func(t *testing.T) {
				r := refused(t, f, credentials(1, published1), published1...)
				app := application(v1.AivenApplicationSpec{})
				r.get(app)
				app.Status.Credentials.Next = credentials(1, nil, tc.next).Next
				if err := r.kube.Status().Update(t.Context(), app); err != nil {
					t.Fatal(err)
				}
				before := r.secret("orders-aiven")
				after := r.declined(f)
				diffSecret(t, tc.reason, before, r.secret("orders-aiven"))
				if diff := cmp.Diff(app.Status.Credentials, after.Status.Credentials); diff != "" {
					t.Errorf("%s: credentials: -want, +got:\n%s", tc.reason, diff)
				}
			})
		}
	}
}

func TestRefusedSays(t *testing.T) {
	for _, f := range refusals() {
		t.Run(string(f.reason), func(t *testing.T) {
			t.Parallel()
			r := refused(t, f, credentials(1, published1), published1...)
			before := application(v1.AivenApplicationSpec{})
			r.get(before)
			before.SetConditions(v1.Quota(v1.ReasonQuotaExceeded, "as before"))
			if err := r.kube.Status().Update(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			app := r.declined(f)
			message := app.GetCondition(xpv2.TypeReady).Message
			want := map[xpv2.ConditionType]string{
				xpv2.TypeReady:        "False " + string(f.reason) + message,
				xpv2.TypeSynced:       "False ReconcileError" + app.GetCondition(xpv2.TypeSynced).Message,
				v1.TypeSucceeded:      "False " + string(f.reason) + message,
				v1.TypeAivenFailure:   string(statuses[f.byAiven]) + " " + string(f.reason),
				v1.TypeLocalFailure:   string(statuses[!f.byAiven]) + " " + string(f.reason),
				v1.TypeQuotaAvailable: "False QuotaExceededas before",
				v1.TypeRotated:        "True UpToDate",
				v1.TypeExpiring:       "False NotExpiring",
			}
			if f.reason == v1.ReasonQuotaExceeded {
				want[v1.TypeQuotaAvailable] = "False QuotaExceeded" + message
			}
			got := make(map[xpv2.ConditionType]string)
			for _, c := range app.Status.Conditions {
				got[c.Type] = string(c.Status) + " " + string(c.Reason) + c.Message
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("conditions: -want, +got:\n%s", diff)
			}
			if app.Status.SynchronizationState != v1.RolloutFailed {
				t.Errorf("synchronizationState is %s", app.Status.SynchronizationState)
			}
			if diff := cmp.Diff(before.Status.Secrets, app.Status.Secrets); diff != "" {
				t.Errorf("Secrets of the status: -want, +got:\n%s", diff)
			}
			if diff := cmp.Diff(before.Status.Credentials, app.Status.Credentials); diff != "" {
				t.Errorf("credentials of the status: -want, +got:\n%s", diff)
			}

			if diff := cmp.Diff(app.Status, r.declined(f).Status); diff != "" {
				t.Errorf("the status does not stay: -want, +got:\n%s", diff)
			}
			if diff := cmp.Diff([]string{string(eventFailed) + ": " + message}, r.events); diff != "" {
				t.Errorf("events: -want, +got:\n%s", diff)
			}
		})
	}
}

func TestRefusedRetires(t *testing.T) {
	started := func(d time.Duration) []janitor.Use {
		return []janitor.Use{{Kind: "pod", Name: "orders-1", Started: noon.Add(d)}}
	}
	both := slices.Concat(published1, published2)
	slices.Sort(both)
	type want struct {
		users, previous, heldBy []string
		retired                 int
	}
	cases := map[string]struct {
		reason string
		since  time.Duration // When the users before were replaced.
		uses   []janitor.Use
		gone   []string
		want   want
	}{
		"Overlap": {
			reason: "Users that were replaced keep their overlap.",
			since:  -day + time.Second,
			want:   want{users: both, previous: published1},
		},
		"Over": {
			reason: "And go after it.",
			since:  -day,
			want:   want{users: []string{"(kafka-1)", "(valkey/a-1)", "kafka-2", "valkey/a-2"}, previous: published1, retired: 2},
		},
		"Held": {
			reason: "But not while a pod holds them, which is told.",
			since:  -day, uses: started(-2 * day),
			want: want{users: both, previous: published1, heldBy: []string{"orders-1"}},
		},
		"NotHeld": {
			reason: "One that was started since then does not.",
			since:  -day, uses: started(-time.Hour),
			want: want{users: []string{"(kafka-1)", "(valkey/a-1)", "kafka-2", "valkey/a-2"}, previous: published1, retired: 2},
		},
		"Gone": {
			reason: "When they are gone there is nothing to remember.",
			since:  -day, gone: published1,
			want: want{users: published2},
		},
		"OneGone": {
			reason: "Which is true for each of them.",
			since:  -time.Hour, gone: published1[:1],
			want: want{users: []string{"kafka-2", "valkey/a-1", "valkey/a-2"}, previous: published1[1:]},
		},
	}
	for name, tc := range cases {
		for _, f := range refusals() {
			t.Run(name+"/"+string(f.reason), func(t *testing.T) {
				t.Parallel()
				// Nothing has to go before it is refused.
				r := refused(t, f, credentials(2, published2, previous(1, 0, published1...)), both...)
				r.remember(previous(1, tc.since, published1...))
				for _, name := range tc.gone {
					r.force(made(name))
				}
				r.uses = tc.uses

				before := r.secret("orders-aiven")
				app := r.declined(f)
				got := want{users: r.users(), retired: len(r.told(eventRetired))}
				if p := app.Status.Credentials.Previous; p != nil {
					got.heldBy = p.HeldBy
					for _, u := range p.Users {
						got.previous = append(got.previous, u.Username)
					}
				}
				if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
					t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
				}
				diffSecret(t, "The Secret holds those that replaced them.", before, r.secret("orders-aiven"))
			})
		}
	}
}

func TestRefusedEnds(t *testing.T) {
	type want struct {
		users  []string
		secret bool
		ready  xpv2.ConditionReason
		ending xpv2.ConditionReason
	}
	cases := map[string]struct {
		reason string
		change func(r *rig, app *v1.AivenApplication)
		want   func(f refusal) want
		failed bool
	}{
		"Expired": {
			reason: "Access ends when it has to, whatever is refused.",
			change: func(r *rig, app *v1.AivenApplication) {
				r.change(app, func() { app.Spec.ExpiresAt = new(at(0)) })
			},
			want: func(refusal) want {
				return want{users: []string{"(kafka-1)", "(valkey/a-1)"}, ready: v1.ReasonExpired, ending: v1.ReasonExpired}
			},
		},
		"NotExpired": {
			reason: "And not before, of which people are warned.",
			change: func(r *rig, app *v1.AivenApplication) {
				r.change(app, func() { app.Spec.ExpiresAt = new(at(time.Second)) })
			},
			want: func(f refusal) want {
				return want{users: published1, secret: true, ready: f.reason, ending: v1.ReasonEndsWithinHour}
			},
			failed: true,
		},
		"Deleted": {
			reason: "An application that is being deleted is left to go, and nobody asks what it may have.",
			change: func(r *rig, app *v1.AivenApplication) {
				r.change(app, func() { app.SetFinalizers([]string{"foregroundDeletion"}) })
				r.delete(app)
				r.force(r.secret("orders-aiven"))
			},
			want: func(refusal) want {
				return want{users: published1, ready: v1.ReasonAvailable, ending: v1.ReasonNotExpiring}
			},
		},
	}
	for name, tc := range cases {
		for _, f := range refusals() {
			t.Run(name+"/"+string(f.reason), func(t *testing.T) {
				t.Parallel()
				r := refused(t, f, credentials(1, published1), published1...)
				tc.change(r, application(v1.AivenApplicationSpec{}))
				app, _, err := r.reconcile()
				if (err != nil) != tc.failed {
					t.Errorf("%s: got error %v", tc.reason, err)
				}
				s := r.secret("orders-aiven")
				got := want{users: r.users(), secret: s != nil && !meta.WasDeleted(s), ready: app.GetCondition(xpv2.TypeReady).Reason, ending: app.GetCondition(v1.TypeExpiring).Reason}
				if diff := cmp.Diff(tc.want(f), got, cmp.AllowUnexported(want{})); diff != "" {
					t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
				}
			})
		}
	}
}
