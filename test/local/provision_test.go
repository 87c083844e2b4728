// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package local

import (
	"bytes"
	"context"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/cluster/local/demo"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

func holdCompleteSecrets(t *testing.T) {
	eachSecret(t, func(a *v1.AivenApplication, s *corev1.Secret, parts []part) {
		if diff := cmp.Diff(keys(parts), slices.Sorted(maps.Keys(s.Data))); diff != "" {
			t.Errorf("keys of Secret %s: -want, +got:\n%s", s.GetName(), diff)
		}
		for k, v := range s.Data {
			if len(v) == 0 || bytes.Contains(v, []byte("redacted")) {
				t.Errorf("key %s of Secret %s is empty or redacted", k, s.GetName())
			}
		}
		for k, want := range map[string]string{v1.LabelApp: a.GetName(), v1.LabelTeam: a.GetNamespace(), v1.LabelType: v1.SecretType} {
			if got := s.GetLabels()[k]; got != want {
				t.Errorf("label %s of Secret %s: want %q, got %q", k, s.GetName(), want, got)
			}
		}
	})
}

func logIn(t *testing.T) {
	eachSecret(t, func(a *v1.AivenApplication, s *corev1.Secret, parts []part) {
		for _, p := range parts {
			if err := p.accepted(s); err != nil {
				t.Error(err)
			}
			username, _ := p.credentials(s)
			if !slices.ContainsFunc(a.Status.Credentials.Users, func(u v1.UserStatus) bool {
				return u.Project == p.project && u.ServiceName == p.name && u.Username == username
			}) {
				t.Errorf("status of %s does not name user %s of %s: %v", a.GetName(), username, p.name, a.Status.Credentials.Users)
			}
		}
	})
}

// serveAivenatorsTools checks what tools written for aivenator read.
func serveAivenatorsTools(t *testing.T) {
	apps := objects(t).Applications
	for i := range apps {
		a := &apps[i]
		got := a.Status
		if got.SynchronizationState != v1.RolloutComplete || got.SynchronizationHash == "" || got.SynchronizationTime == nil || got.SynchronizedGeneration != a.GetGeneration() {
			t.Errorf("%s: synchronizationState %q, hash %q, time %v, generation %d of %d", a.GetName(),
				got.SynchronizationState, got.SynchronizationHash, got.SynchronizationTime, got.SynchronizedGeneration, a.GetGeneration())
		}
		for ct, want := range map[xpv2.ConditionType]corev1.ConditionStatus{
			v1.TypeSucceeded: corev1.ConditionTrue, v1.TypeAivenFailure: corev1.ConditionFalse, v1.TypeLocalFailure: corev1.ConditionFalse,
		} {
			if c := a.GetCondition(ct); c.Status != want {
				t.Errorf("%s: condition %s is %s, want %s", a.GetName(), ct, c.Status, want)
			}
		}
	}
}

// standAlone checks managed resources that belong to no application.
func standAlone(t *testing.T) {
	services := map[string]string{
		v1alpha1.KafkaServiceUserKind: "kafka-demo", v1alpha1.OpenSearchServiceUserKind: "opensearch-demo-logs", v1alpha1.ValkeyServiceUserKind: "valkey-demo-cache",
	}
	alone := 0
	for _, mg := range objects(t).Managed {
		if len(mg.GetOwnerReferences()) > 0 {
			continue
		}
		alone++
		s := getSecret(t, mg.GetNamespace(), mg.Managed.(resource.LocalConnectionSecretWriterTo).GetWriteConnectionSecretToReference().Name)
		if !metav1.IsControlledBy(s, mg) {
			t.Errorf("Secret %s does not belong to %s %s", s.GetName(), mg.Kind, mg.GetName())
		}
		if !e.Sim.Login("demo-project", services[mg.Kind], string(s.Data[connection.KeyUsername]), string(s.Data[connection.KeyPassword])) {
			t.Errorf("%s does not accept what Secret %s holds", services[mg.Kind], s.GetName())
		}
	}
	if alone != len(services) {
		t.Errorf("want %d managed resources that stand alone, got %d", len(services), alone)
	}
}

// answerKubectl runs the commands that make run shows.
func answerKubectl(t *testing.T) {
	kubectl, err := demo.Kubectl(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		args   []string
		want   []string
	}{
		"Get": {
			reason: "Applications and managed resources are listed, with their state and names.",
			args:   []string{"get", "aivenapplications,managed", "-A"},
			want:   []string{"aivenapplication.aiven.nais.io/orders", "kafkaserviceuser.aiven.nais.io/reports", "EXTERNAL-NAME", "orders-aiven"},
		},
		"Category": {
			reason: "The category aiven is everything of this provider.",
			args:   []string{"get", "aiven", "-n", "payments"},
			want:   []string{"providerconfig.aiven.nais.io/default", "aivenapplication.aiven.nais.io/invoices", "valkeyserviceuser.aiven.nais.io/invoices-valkey-sessions-r2"},
		},
		"Explain": {
			reason: "Fields are documented.",
			args:   []string{"explain", "aivenapp.spec.secretName"},
			want:   []string{"the credentials of every"},
		},
		"Describe": {
			reason: "Events tell what happened.",
			args:   []string{"describe", "aivenapp", "orders", "-n", "demo"},
			want:   []string{"Published Secret orders-aiven"},
		},
		"Events": {
			reason: "They are found by the application, of which kubectl prefers the newest version.",
			args:   []string{"events", "--for", "aivenapp/orders", "-n", "demo"},
			want:   []string{"Published Secret orders-aiven"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			harness.Eventually(t, tc.reason, func(ctx context.Context) error {
				cmd := exec.CommandContext(ctx, kubectl, append(tc.args, "--kubeconfig="+e.Kubeconfig, "--cache-dir="+t.TempDir())...)
				out, err := cmd.CombinedOutput()
				return containsAll(string(out), tc.want, err)
			})
		})
	}
}

func containsAll(text string, want []string, err error) error {
	for _, w := range want {
		if !strings.Contains(text, w) {
			return errors.Errorf("%q is not in (error: %v):\n%s", w, err, text)
		}
	}
	return err
}
