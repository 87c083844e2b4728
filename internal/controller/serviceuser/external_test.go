// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// Environment variables with which the tests of the external client run against
// the real Aiven API. They make and delete users whose names begin with
// "provider-aiven-test".
const (
	envToken   = "AIVEN_TOKEN"
	envProject = "AIVEN_PROJECT"
	envURL     = "AIVEN_BASE_URL"
)

var envServices = map[string]string{
	"kafka": "AIVEN_KAFKA_SERVICE", "opensearch": "AIVEN_OPENSEARCH_SERVICE", "valkey": "AIVEN_VALKEY_SERVICE",
}

// A place is where users are made: the simulator or Aiven.
type place struct {
	client   *aiven.Client
	sim      *aivensim.Server
	project  string
	services map[string]string
}

func simulated(t *testing.T) place {
	t.Helper()
	sim := aivensim.New()
	sim.AddProject("p")
	p := place{sim: sim, project: "p", services: map[string]string{}}
	for _, s := range []string{"kafka", "opensearch", "valkey"} {
		sim.AddService("p", aivensim.Service{Name: "the-" + s, Type: s})
		p.services[s] = "the-" + s
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	p.client = newClient(t, aiven.Options{Token: "t", BaseURL: server.URL, ACLInterval: 10 * time.Millisecond, ErrorTTL: 50 * time.Millisecond})
	return p
}

func atAiven(t *testing.T) place {
	t.Helper()
	p := place{project: os.Getenv(envProject), services: map[string]string{}}
	if os.Getenv(envToken) == "" || p.project == "" {
		t.Skipf("not run against the real Aiven API: set %s, %s and at least one of %v", envToken, envProject, envServices)
	}
	for s, env := range envServices {
		p.services[s] = os.Getenv(env)
	}
	p.client = newClient(t, aiven.Options{Token: os.Getenv(envToken), BaseURL: os.Getenv(envURL)})
	return p
}

func newClient(t *testing.T, o aiven.Options) *aiven.Client {
	t.Helper()
	c, err := aiven.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// alone is a cluster without other managed resources, and stores no marks.
type alone struct{ client.Client }

func (alone) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

func (alone) UpdateCriticalAnnotations(context.Context, client.Object) error { return nil }

func externalFor[T ServiceUser](p place, k Kind[T]) *external[T] {
	a := newAttempts()
	a.since = time.Now().Add(-time.Hour)
	return &external[T]{kind: k, access: k.NewAccess(alone{}), aiven: p.client, cache: alone{}, marks: alone{}, refusals: &refusals{}, attempts: a, granted: providerconfig.Granted{Imports: true}}
}

// prepare gives a managed resource what the controller would have given it.
func prepare(mg ServiceUser, p v1alpha1.ServiceUserParameters) {
	name := "provider-aiven-test-" + uuid.NewString()[:8]
	mg.SetName(name)
	mg.SetNamespace("test")
	meta.SetExternalName(mg, name)
	meta.AddAnnotations(mg, map[string]string{v1.AnnotationGeneratedUsername: name})
	switch mg := mg.(type) {
	case *v1alpha1.KafkaServiceUser:
		mg.Spec.ForProvider.ServiceUserParameters = p
	case *v1alpha1.OpenSearchServiceUser:
		mg.Spec.ForProvider.ServiceUserParameters = p
		mg.Spec.ForProvider.Rules = []v1alpha1.OpenSearchRule{{Index: "provider-aiven-test-*", Permission: "read"}}
	case *v1alpha1.ValkeyServiceUser:
		mg.Spec.ForProvider.ServiceUserParameters = p
		mg.Spec.ForProvider.Categories, mg.Spec.ForProvider.Keys = []string{"-@all", "+@read"}, []string{"b:*", "a:*"}
	}
}

// widen asks for more access than prepare did.
func widen(mg ServiceUser) {
	switch mg := mg.(type) {
	case *v1alpha1.OpenSearchServiceUser:
		mg.Spec.ForProvider.Rules[0].Permission = "readwrite"
	case *v1alpha1.ValkeyServiceUser:
		mg.Spec.ForProvider.Categories = append(mg.Spec.ForProvider.Categories, "+@write")
	}
}

// settled observes until the user is ready, as polls would.
func settled[T ServiceUser](t *testing.T, e *external[T], mg T) managed.ExternalObservation {
	t.Helper()
	var o managed.ExternalObservation
	poll(t, func() error {
		var err error
		if o, err = e.Observe(t.Context(), mg); err != nil {
			return err
		}
		if c := mg.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionTrue {
			return errors.Errorf("Ready is %s: %s: %s", c.Status, c.Reason, c.Message)
		}
		return nil
	})
	return o
}

func poll(t *testing.T, fn func() error) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

// lifecycle takes one user from nothing to nothing.
func lifecycle[T ServiceUser](t *testing.T, p place, k Kind[T]) {
	t.Helper()
	service := p.services[k.ServiceType]
	if service == "" {
		t.Skipf("not run against a real %s service: set %s", k.ServiceType, envServices[k.ServiceType])
	}
	mg := k.New()
	prepare(mg, v1alpha1.ServiceUserParameters{Project: p.project, ServiceName: service})
	e := externalFor(p, k)
	ctx := t.Context()

	if o, err := e.Observe(ctx, mg); err != nil || o.ResourceExists {
		t.Fatalf("Observe before Create: want a user that does not exist, got %+v, %v", o, err)
	}
	meta.SetExternalCreatePending(mg, time.Now())
	c, err := e.Create(ctx, mg)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	t.Cleanup(func() { _ = p.client.DeleteUser(context.WithoutCancel(ctx), providerconfig.UserOf(mg)) })

	o := settled(t, e, mg)
	if !o.ResourceExists || !o.ResourceUpToDate {
		t.Errorf("Observe after Create: want a user that exists and is up to date, got %+v", o)
	}
	if missing := (connection.Part{Service: k.Service, Details: connection.Details(o.ConnectionDetails)}).Missing(); len(missing) > 0 {
		t.Errorf("Observe after Create: connection details lack %v", missing)
	}
	if len(c.ConnectionDetails) > 0 && !cmp.Equal(c.ConnectionDetails, o.ConnectionDetails) {
		t.Error("Create and Observe return different connection details")
	}

	widen(mg)
	if o, err = e.Observe(ctx, mg); err != nil {
		t.Fatalf("Observe after a change: %v", err)
	}
	if !o.ResourceUpToDate {
		if _, err := e.Update(ctx, mg); err != nil {
			t.Fatalf("Update: %v", err)
		}
	}
	if o := settled(t, e, mg); !o.ResourceUpToDate {
		t.Errorf("Observe after Update: want a user that is up to date, got %+v", o)
	}

	now := metav1.Now()
	mg.SetDeletionTimestamp(&now)
	poll(t, func() error {
		o, err := e.Observe(ctx, mg)
		if err != nil || !o.ResourceExists {
			return err
		}
		if _, err := e.Delete(ctx, mg); err != nil {
			return err
		}
		return errors.New("the user or its access still exists after Delete")
	})
}

func TestLifecycle(t *testing.T) {
	for name, where := range map[string]func(t *testing.T) place{"Simulator": simulated, "Aiven": atAiven} {
		t.Run(name, func(t *testing.T) {
			p := where(t)
			t.Run("Kafka", func(t *testing.T) { lifecycle(t, p, Kafka()) })
			t.Run("OpenSearch", func(t *testing.T) { lifecycle(t, p, OpenSearch()) })
			t.Run("Valkey", func(t *testing.T) { lifecycle(t, p, Valkey()) })
		})
	}
}

func TestSteadyStateCallsNothing(t *testing.T) {
	p := simulated(t)
	mg := Valkey().New()
	prepare(mg, v1alpha1.ServiceUserParameters{Project: "p", ServiceName: "the-valkey"})
	e := externalFor(p, Valkey())
	if _, err := e.Observe(t.Context(), mg); err != nil {
		t.Fatal(err)
	}
	meta.SetExternalCreatePending(mg, time.Now())
	if _, err := e.Create(t.Context(), mg); err != nil {
		t.Fatal(err)
	}
	settled(t, e, mg)
	if got := p.sim.Stats().ByOperation["UpdateUser"].Calls; got > 0 {
		t.Errorf("a new user with access control took %d updates, want none: it is created with it", got)
	}
	p.sim.ResetRequests()
	for range 100 {
		if o, err := e.Observe(t.Context(), mg); err != nil || !o.ResourceUpToDate || len(o.ConnectionDetails) == 0 {
			t.Fatalf("Observe: %+v, %v", o, err)
		}
	}
	if n := p.sim.Stats().Calls; n > 0 {
		t.Errorf("100 observations of a user at rest made %d calls to Aiven, want none", n)
	}
}

func TestOwnership(t *testing.T) {
	const name = "u"
	cases := map[string]struct {
		reason      string
		annotations map[string]string
		created     time.Time
		seen        bool
		deleted     bool
		exists      bool
		taken       bool
	}{
		"Import": {
			reason:      "A name that a person set is an import: the user is used as it is.",
			annotations: map[string]string{meta.AnnotationKeyExternalName: name},
			exists:      true,
		},
		"GeneratedNeverTried": {
			reason:      "A user of a generated name that was never about to be created is somebody else's.",
			annotations: map[string]string{meta.AnnotationKeyExternalName: name, v1.AnnotationGeneratedUsername: name},
			taken:       true,
		},
		"Reserved": {
			reason: "A name that this process reserved and never tried to create is not ours.",
			annotations: map[string]string{
				meta.AnnotationKeyExternalName: name, v1.AnnotationGeneratedUsername: name,
				meta.AnnotationKeyExternalCreatePending: time.Now().Format(time.RFC3339),
			},
			created: time.Now(),
			taken:   true,
		},
		"SeenBefore": {
			reason:      "A user that was seen to be ours stays ours, whatever became of the annotations.",
			annotations: map[string]string{meta.AnnotationKeyExternalName: name, v1.AnnotationGeneratedUsername: name},
			created:     time.Now(),
			seen:        true,
			exists:      true,
		},
		"GeneratedPending": {
			reason: "A user of a generated name that an earlier process was about to create is ours.",
			annotations: map[string]string{
				meta.AnnotationKeyExternalName: name, v1.AnnotationGeneratedUsername: name,
				meta.AnnotationKeyExternalCreatePending: time.Now().Format(time.RFC3339),
			},
			exists: true,
		},
		"GeneratedTaken": {
			reason: "A name that was found to be taken stays somebody else's, whatever was recorded before.",
			annotations: map[string]string{
				meta.AnnotationKeyExternalName: name, v1.AnnotationGeneratedUsername: name, v1.AnnotationUsernameTaken: name,
				meta.AnnotationKeyExternalCreatePending: time.Now().Format(time.RFC3339),
			},
			taken: true,
		},
		"DeletedTaken": {
			reason:      "What was never ours is gone when the resource is deleted: the user of somebody else stays.",
			annotations: map[string]string{meta.AnnotationKeyExternalName: name, v1.AnnotationGeneratedUsername: name},
			deleted:     true,
		},
	}
	for n, tc := range cases {
		t.Run(n, func(t *testing.T) {
			p := simulated(t)
			p.sim.AddUser("p", "the-kafka", name)
			mg := Kafka().New()
			mg.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: "p", ServiceName: "the-kafka"}
			mg.SetAnnotations(tc.annotations)
			mg.SetCreationTimestamp(metav1.NewTime(tc.created))
			if tc.seen {
				mg.SetServiceUserObservation(v1alpha1.ServiceUserObservation{Username: name})
			}
			if tc.deleted {
				now := metav1.Now()
				mg.SetDeletionTimestamp(&now)
			}
			o, err := externalFor(p, Kafka()).Observe(t.Context(), mg)
			if got := errors.Is(err, errTaken); got != tc.taken || o.ResourceExists != tc.exists {
				t.Errorf("%s: got %+v, %v", tc.reason, o, err)
			}
		})
	}
}

// TestUserExists: a user that exists when it should be created is ours only when
// an earlier attempt may have made it.
func TestUserExists(t *testing.T) {
	now := time.Now()
	cases := map[string]struct {
		reason  string
		created time.Time
		failed  bool
		ours    bool
	}{
		"FirstAttempt":   {reason: "This process never tried: somebody else was faster.", created: now},
		"AnswerLost":     {reason: "This process tried and does not know what came of it.", created: now, failed: true, ours: true},
		"EarlierProcess": {reason: "An earlier process recorded that it was about to.", created: now.Add(-2 * time.Hour), ours: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := simulated(t)
			mg := Kafka().New()
			prepare(mg, v1alpha1.ServiceUserParameters{Project: "p", ServiceName: "the-kafka"})
			mg.SetUID("uid")
			mg.SetCreationTimestamp(metav1.NewTime(tc.created))
			meta.SetExternalCreatePending(mg, tc.created)
			e := externalFor(p, Kafka())
			if tc.failed {
				e.attempts.ended(mg, aiven.ErrUnavailable)
			}
			if _, err := e.Observe(t.Context(), mg); err != nil {
				t.Fatal(err)
			}
			p.sim.AddUser("p", "the-kafka", meta.GetExternalName(mg))
			_, err := e.Create(t.Context(), mg)
			if ours := err == nil; ours != tc.ours || !ours && !errors.Is(err, errTaken) {
				t.Errorf("%s: got %v", tc.reason, err)
			}
			if got := taken(mg); got == tc.ours {
				t.Errorf("%s: marked as taken: %v", tc.reason, got)
			}
		})
	}
}

func TestExplanations(t *testing.T) {
	var seen []xpv2.ConditionReason
	for _, x := range explanations {
		mg := Valkey().New()
		prepare(mg, v1alpha1.ServiceUserParameters{Project: "proj", ServiceName: "serv"})
		c := notReady(mg, errors.Wrap(x.err, "cannot do it"))
		if c.Reason != x.reason || c.Message == "" || slices.Contains([]byte(c.Message), '%') {
			t.Errorf("%v: got %s: %s", x.err, c.Reason, c.Message)
		}
		seen = append(seen, c.Reason)
	}
	if c := notReady(Valkey().New(), errors.New("boom")); c.Reason != v1.ReasonSyncFailed {
		t.Errorf("an unknown error: want %s, got %s", v1.ReasonSyncFailed, c.Reason)
	}
	if len(seen) < 10 {
		t.Errorf("only %v are explained", seen)
	}
}
