// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/cluster/node"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// stopped has no replica of the provider run.
const stopped = `- target: {kind: DeploymentRuntimeConfig, name: provider-aiven}
  patch: |
    - {op: replace, path: /spec/deploymentTemplate/spec/replicas, value: 0}
`

// removed removes the provider and Crossplane as docs/operations.md says, and leaves
// what they made.
func (s *suite) removed(t *testing.T) {
	t.Helper()
	s.apply(t, withCrossplane+stopped, older)
	s.away(t, node.Namespace)
	if err := s.UninstallCrossplane(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.core = false
	s.run(t, "-n", node.Namespace, "delete", "deployment", "-l", "app.kubernetes.io/name="+name)
}

// away waits until no replica of the provider runs.
func (s *suite) away(t *testing.T, namespace string) {
	t.Helper()
	harness.Eventually(t, "the provider is gone", func(ctx context.Context) error {
		pods, err := s.replicas(ctx, namespace)
		if err == nil && len(pods) > 0 {
			err = errors.Errorf("%d pods are left", len(pods))
		}
		return err
	})
}

// A keepsake is what must not change when the provider comes and goes.
type keepsake struct {
	te     *team
	secret map[string][]byte
	users  map[string][]string
}

// keep makes an application with a workload that uses it.
func (s *suite) keep(t *testing.T, namespace string) keepsake {
	t.Helper()
	te := s.team(t, namespace)
	te.create(te.app("orders"), te.workload("orders", "orders-aiven"))
	te.logsIn("orders", 5)
	return keepsake{te: te, secret: te.secret("orders-aiven").Data, users: te.users()}
}

// in returns the same for a subtest.
func (k keepsake) in(t *testing.T) keepsake {
	t.Helper()
	te := *k.te
	te.t = t
	k.te = &te
	return k
}

// kept fails the test if something has changed.
func (k keepsake) kept() {
	k.te.t.Helper()
	k.te.logsIn("orders", 5)
	k.te.same("orders-aiven", k.secret)
	if diff := cmp.Diff(k.users, k.te.users()); diff != "" {
		k.te.t.Errorf("users at Aiven: -want, +got:\n%s", diff)
	}
}

// works fails the test unless the provider looks after the application that it found,
// and makes new ones.
func (k keepsake) works() {
	k.te.t.Helper()
	k.te.change("orders", func(a *v1.AivenApplication) { a.Spec.Valkey[0].Access = v1.AccessRead })
	k.te.ready("orders", 1)
	k.kept()
	k.te.create(k.te.app("parcels"))
	k.te.ready("parcels", 1)
	if err := k.te.kube.Delete(k.te.t.Context(), k.te.app("parcels")); err != nil {
		k.te.t.Fatal(err)
	}
	k.te.eventually("the users are those of before", func() string { return cmp.Diff(k.users, k.te.users()) })
}

// TestReinstall: the provider and Crossplane are removed and installed again, this time
// with Crossplane's default activation policy, and nothing is lost.
func TestReinstall(t *testing.T) {
	s.installed(t, older)
	s.noRefusals(t)
	k := s.keep(t, "reinstall")
	s.removed(t)
	k.kept()

	s.crossplane(t, everything)
	s.apply(t, withCrossplane+withoutActivation, older)
	s.healthy(t, older)
	s.runs(t, node.Namespace, older)
	k.works()
}

// TestStandalone: whoever does without Crossplane goes on with what he has, restores a
// backup without changing a credential, and can remove everything in the end.
func TestStandalone(t *testing.T) {
	s.installed(t, older)
	k := s.keep(t, "standalone")
	s.removed(t)

	s.apply(t, alone, newer)
	s.runs(t, standaloneSystem, newer)
	ok := t.Run("Keep", func(t *testing.T) {
		k := k.in(t)
		s.noRefusals(t)
		k.works()
		if leader, err := s.leader(t.Context(), standaloneSystem); err != nil || !strings.HasPrefix(leader, name) {
			t.Errorf("leader is %s: %v", leader, err)
		}
	})
	ok = ok && t.Run("Restore", func(t *testing.T) {
		s.noRefusals(t)
		s.restore(t, k.in(t))
	})
	s.leaksNothing(t)
	// Without a provider nothing would end.
	_ = ok && t.Run("RemoveEverything", func(t *testing.T) { s.removeEverything(t) })
}

// restore loses the objects of a team, and brings them back as a tool for backups does.
func (s *suite) restore(t *testing.T, k keepsake) {
	t.Helper()
	s.run(t, "-n", standaloneSystem, "scale", "deployment/"+name, "--replicas=0")
	s.away(t, standaloneSystem)
	var backup []*unstructured.Unstructured
	for _, kind := range []string{"AivenApplication", "KafkaServiceUser", "OpenSearchServiceUser", "ValkeyServiceUser", "Secret"} {
		l := &unstructured.UnstructuredList{}
		switch kind {
		case "Secret":
			l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
		case "AivenApplication":
			l.SetGroupVersionKind(v1.SchemeGroupVersion.WithKind(kind))
		default:
			l.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
		}
		if err := s.kube.List(t.Context(), l, client.InNamespace(k.te.namespace)); err != nil {
			t.Fatal(err)
		}
		for i := range l.Items {
			if l.Items[i].GetDeletionTimestamp() == nil {
				backup = append(backup, backedUp(&l.Items[i]))
			}
			s.lose(t, &l.Items[i])
		}
	}
	// In any order.
	slices.Reverse(backup)
	for _, o := range backup {
		if err := s.kube.Create(t.Context(), o); err != nil {
			t.Fatalf("cannot restore %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
	s.run(t, "-n", standaloneSystem, "scale", "deployment/"+name, "--replicas=2")
	s.runs(t, standaloneSystem, newer)
	k.works()
}

// backedUp returns what such a tool keeps of an object: neither status nor owners.
func backedUp(o *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{}}
	for _, field := range []string{"apiVersion", "kind", "spec", "data", "type"} {
		if v, ok := o.Object[field]; ok {
			out.Object[field] = v
		}
	}
	out.SetNamespace(o.GetNamespace())
	out.SetName(o.GetName())
	out.SetLabels(o.GetLabels())
	out.SetAnnotations(o.GetAnnotations())
	return out
}

// lose deletes an object without anybody noticing.
func (s *suite) lose(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null,"ownerReferences":null}}`))
	// What belongs to what was lost before may be gone with it.
	if err := client.IgnoreNotFound(s.kube.Patch(t.Context(), o, patch)); err != nil {
		t.Fatal(err)
	}
	if err := client.IgnoreNotFound(s.kube.Delete(t.Context(), o)); err != nil {
		t.Fatal(err)
	}
	s.gone(t, o)
}

// removeEverything does what docs/operations.md says for that, and looks whether
// anything is left at Aiven, of any test.
func (s *suite) removeEverything(t *testing.T) {
	t.Helper()
	s.run(t, "delete", "aivenapp", "-A", "--all")
	s.run(t, "delete", "secrets", "-A", "-l", "aiven.nais.io/application")
	s.run(t, "delete", "kafkaserviceusers,opensearchserviceusers,valkeyserviceusers", "-A", "--all")
	s.run(t, "delete", "clusterproviderconfigs", "--all")
	s.run(t, "delete", "-k", filepath.Join(s.out, "install"))
	for _, service := range s.services {
		for _, u := range s.sim.Users(project, service) {
			if u.Type != "primary" {
				t.Errorf("%s has the user %s", service, u.Username)
			}
		}
	}
}
