// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"strings"
	"testing"

	apiextensionsv1alpha1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/cluster/node"
)

// withoutActivation takes the policy from the manifests.
const withoutActivation = `- target: {kind: ManagedResourceActivationPolicy}
  patch: |
    {apiVersion: apiextensions.crossplane.io/v1alpha1, kind: ManagedResourceActivationPolicy, metadata: {name: provider-aiven}, $patch: delete}
`

// TestActivation: where Crossplane was installed without default activations, the
// package is installed and nothing of it runs until the manifests' own policy says
// so, and then all of it does. TestReinstall installs Crossplane with its defaults.
func TestActivation(t *testing.T) {
	if s.core {
		t.Fatal("Crossplane is there already: this test is the first")
	}
	s.crossplane(t, nil)
	s.apply(t, withCrossplane+withoutActivation, older)
	s.healthy(t, older)
	definitions := &apiextensionsv1alpha1.ManagedResourceDefinitionList{}
	if err := s.kube.List(t.Context(), definitions); err != nil || len(definitions.Items) == 0 {
		t.Fatalf("the package defines %d kinds: %v", len(definitions.Items), err)
	}
	for _, d := range definitions.Items {
		if d.Spec.State == apiextensionsv1alpha1.ManagedResourceDefinitionActive {
			t.Errorf("%s is active before anything asked for it", d.Name)
		}
	}
	deployments, err := s.deployments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deployments {
		if d.Status.Replicas > 0 {
			t.Errorf("Deployment %s has %d replicas before anything is active", d.Name, d.Status.Replicas)
		}
	}

	s.installed(t, older)
	for _, d := range definitions.Items {
		if err := s.kube.Get(t.Context(), client.ObjectKeyFromObject(&d), &d); err != nil || d.Spec.State != apiextensionsv1alpha1.ManagedResourceDefinitionActive {
			t.Errorf("%s is %s: %v", d.Name, d.Spec.State, err)
		}
	}
	s.lacksNothing(t)
	te := s.team(t, "first")
	te.create(te.app("orders"))
	te.ready("orders", 1)
}

// lacksNothing fails the test if the provider said that it lacks rights or kinds. It
// looks for them before it does anything else.
func (s *suite) lacksNothing(t *testing.T) {
	t.Helper()
	pods, err := s.replicas(t.Context(), node.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		l := &corev1.EventList{}
		if err := s.kube.List(t.Context(), l, client.InNamespace(p.Namespace), client.MatchingFields{"involvedObject.name": p.Name}); err != nil {
			t.Fatal(err)
		}
		for _, e := range l.Items {
			if e.Source.Component == name {
				t.Errorf("pod %s says %s: %s", p.Name, e.Reason, e.Message)
			}
		}
		b, err := s.PodGet(t.Context(), p.Namespace, p.Name, 8080, "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "provider_aiven_missing_rights{") {
				t.Errorf("pod %s lacks a right: %s", p.Name, line)
			}
		}
	}
}
