// SPDX-License-Identifier: Apache-2.0

// Package budget tests what happens when Aiven allows fewer calls than are
// wanted.
package budget

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const (
	// allowed calls in a window: so few that it is Aiven whom all wait for, also when the
	// machine is slow.
	allowed = 30
	window  = 15 * time.Second
	// applications that are made at once take several windows.
	applications = 60

	namespace = "budget"
	project   = "budget"
)

// TestBudget makes many applications at once, then one more, and looks at what
// Aiven was asked: no storm of refused calls, and the newest before the others.
// The same at Aiven's own limit and for longer is what make bench measures.
func TestBudget(t *testing.T) {
	h := start(t)
	for i := range applications {
		create(t, h, application(fmt.Sprintf("app-%02d", i)))
	}
	harness.Eventually(t, "Aiven refuses calls", func(context.Context) error {
		if _, refused := calls(h); refused == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	// Who comes before does not matter where applications wait for the provider itself.
	harness.Eventually(t, "all users are asked for", func(ctx context.Context) error {
		kafka, valkey := &v1alpha1.KafkaServiceUserList{}, &v1alpha1.ValkeyServiceUserList{}
		for _, l := range []client.ObjectList{kafka, valkey} {
			if err := h.Kube.List(ctx, l, client.InNamespace(namespace)); err != nil {
				return err
			}
		}
		if n := len(kafka.Items) + len(valkey.Items); n < 2*applications {
			return errors.Errorf("%d are", n)
		}
		return nil
	})
	waiting := applications - ready(t, h)
	create(t, h, application("newest"))
	harness.Eventually(t, "the newest is ready", func(ctx context.Context) error {
		a := &v1.AivenApplication{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "newest"}, a); err != nil {
			return err
		}
		if c := a.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionTrue {
			return errors.Errorf("Ready is %s: %s", c.Reason, c.Message)
		}
		return nil
	})
	if left := applications + 1 - ready(t, h); left < waiting/3 {
		t.Errorf("of %d that waited %d were left when the newest was ready: it did not go first", waiting, left)
	}
	harness.Eventually(t, "all are ready", func(context.Context) error {
		if n := ready(t, h); n <= applications {
			return errors.Errorf("%d are", n)
		}
		return nil
	})
	all, refused := calls(h)
	t.Logf("%d calls, %d of them refused", all, refused)
	// Calls that began evenly may arrive together. Who goes on calling is refused many times as often.
	if most := 2*aiven.DefaultMaxInFlight + all/20; refused > most {
		t.Errorf("%d of %d calls were refused, want at most twice those in flight at the first one and one in twenty (%d)", refused, all, most)
	}
}

func start(t *testing.T) *harness.Harness {
	t.Helper()
	h, err := harness.New(t.Context(), aivensim.WithLatency(20*time.Millisecond), aivensim.WithLimitPerMinute(allowed))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	})
	h.Sim.UpdatePolicy(func(p *aivensim.Policy) { p.RateWindow = window })
	h.Sim.AddProject(project)
	h.Sim.AddService(project, aivensim.Service{Name: "kafka", Type: "kafka", UserLimit: 500})
	h.Sim.AddService(project, aivensim.Service{Name: "valkey-" + namespace + "-cache", Type: "valkey"})
	h.StartProvider(func(p *harness.Process) {
		adjust := p.Aiven
		p.Aiven = func(o *aiven.Options) {
			adjust(o)
			o.RateWindow, o.CallTimeout = window, 10*time.Second
		}
		p.PollInterval = time.Minute
	})
	create(t, h, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	create(t, h, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token", Namespace: namespace}, Data: map[string][]byte{"token": []byte(harness.Token)}})
	create(t, h, &v1alpha1.ProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: namespace},
		Spec: v1alpha1.ProviderConfigSpec{
			Credentials: v1alpha1.LocalCredentials{SecretRef: xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "token"}, Key: "token"}},
			ServiceSettings: v1alpha1.ServiceSettings{
				BaseURL: h.URL, Project: project, KafkaPools: []v1alpha1.KafkaPool{{Name: "pool", Project: project, ServiceName: "kafka"}},
			},
		},
	})
	return h
}

func application(name string) *v1.AivenApplication {
	return &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       v1.AivenApplicationSpec{Kafka: &v1.KafkaSpec{Pool: "pool"}, Valkey: []v1.ValkeySpec{{Instance: "cache"}}},
	}
}

func create(t *testing.T, h *harness.Harness, o client.Object) {
	t.Helper()
	if err := h.Kube.Create(t.Context(), o); err != nil {
		t.Fatalf("cannot create %T: %v", o, err)
	}
}

func ready(t *testing.T, h *harness.Harness) int {
	t.Helper()
	l := &v1.AivenApplicationList{}
	if err := h.Kube.List(t.Context(), l, client.InNamespace(namespace)); err != nil {
		t.Fatalf("cannot list applications: %v", err)
	}
	n := 0
	for i := range l.Items {
		if l.Items[i].GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue {
			n++
		}
	}
	return n
}

// calls returns how many calls Aiven was asked, and how many of these it refused.
func calls(h *harness.Harness) (all, refused int) {
	for _, r := range h.Sim.Requests() {
		all++
		if r.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	return all, refused
}
