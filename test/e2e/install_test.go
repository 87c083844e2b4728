// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
	"github.com/pkg/errors"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/cluster/node"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const (
	name             = "provider-aiven"
	standaloneSystem = "provider-aiven-system"

	// tokenSecret is the name of the Secret with the token, as in the manifests.
	tokenSecret = "aiven-token"
)

// everything activates the kinds of all packages, as Crossplane's chart does.
var everything = []string{"*"}

// withCrossplane is the kustomization of docs/install.md for an installation
// with Crossplane, and what tests add.
const withCrossplane = `resources: [%[1]s/cluster/install/crossplane]
patches:
- target: {kind: Provider, name: provider-aiven}
  patch: |
    - {op: replace, path: /spec/package, value: "%[2]s/provider-aiven:%[3]s"}
` + inPackage

// inPackage is a janitor that tests need not wait for.
const inPackage = `- target: {kind: DeploymentRuntimeConfig, name: provider-aiven}
  patch: |
    - {op: add, path: /spec/deploymentTemplate/spec/template/spec/containers/0/args/-, value: --janitor-grace=2s}
    - {op: add, path: /spec/deploymentTemplate/spec/template/spec/containers/0/args/-, value: --log-level=debug}
`

// alone is the kustomization for an installation without Crossplane, and what tests add.
const alone = `resources: [%[1]s/cluster/install/standalone]
images: [{name: ghcr.io/provider-aiven/provider-aiven, newName: %[2]s/provider-aiven, newTag: %[3]s}]
patches:
` + inDeployment

const inDeployment = `- target: {kind: Deployment, name: provider-aiven}
  patch: |
    - {op: add, path: /spec/template/spec/containers/0/args/-, value: --janitor-grace=2s}
`

// run runs kubectl as a person would, and returns what it prints.
func (s *suite) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.try(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply applies a kustomization with the provider of a version.
func (s *suite) apply(t *testing.T, kustomization, version string) {
	t.Helper()
	dir := filepath.Join(s.out, "install")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(kustomization, "../../..", s.RegistryInCluster(), version)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s.run(t, "apply", "--server-side", "-k", dir)
}

// crossplane has Crossplane run with a default activation policy.
func (s *suite) crossplane(t *testing.T, activations []string) {
	t.Helper()
	if s.core {
		return
	}
	if err := s.InstallCrossplane(t.Context(), activations); err != nil {
		t.Fatal(err)
	}
	s.core = true
}

// installed has the provider of a version run in Crossplane, as its only one, and
// with a token.
func (s *suite) installed(t *testing.T, version string) {
	t.Helper()
	t.Cleanup(func() {
		if !t.Failed() {
			s.leaksNothing(t)
		}
	})
	s.crossplane(t, everything)
	s.apply(t, withCrossplane, version)
	s.healthy(t, version)
	s.runs(t, node.Namespace, version)
	s.configured(t, node.Namespace)
}

// healthy waits until Crossplane calls the package of that version healthy.
func (s *suite) healthy(t *testing.T, version string) {
	t.Helper()
	harness.Eventually(t, "the package "+version+" is healthy", func(ctx context.Context) error {
		p := &pkgv1.Provider{}
		if err := s.kube.Get(ctx, client.ObjectKey{Name: name}, p); err != nil {
			return err
		}
		i, h := p.GetCondition(pkgv1.TypeInstalled), p.GetCondition(pkgv1.TypeHealthy)
		if i.Status != corev1.ConditionTrue || h.Status != corev1.ConditionTrue || !strings.HasSuffix(p.Status.CurrentIdentifier, ":"+version) {
			return errors.Errorf("Installed is %s: %s, Healthy is %s: %s, of %s", i.Status, i.Message, h.Status, h.Message, p.Status.CurrentIdentifier)
		}
		return nil
	})
}

// runs waits until all replicas of the provider are of that version, and ready.
func (s *suite) runs(t *testing.T, namespace, version string) {
	t.Helper()
	harness.Eventually(t, "the provider "+version+" runs", func(ctx context.Context) error {
		pods, err := s.replicas(ctx, namespace)
		if err != nil {
			return err
		}
		if len(pods) != 2 {
			return errors.Errorf("there are %d pods", len(pods))
		}
		for _, p := range pods {
			if !strings.HasSuffix(p.Spec.Containers[0].Image, ":"+version) && !strings.Contains(p.Spec.Containers[0].Image, "@") || !ready(p) || p.DeletionTimestamp != nil {
				return errors.Errorf("pod %s of %s: %s %+v", p.Name, p.Spec.Containers[0].Image, p.Status.Phase, p.Status.ContainerStatuses)
			}
		}
		return nil
	})
}

func ready(p corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// replicas returns the pods of the provider.
func (s *suite) replicas(ctx context.Context, namespace string) ([]corev1.Pod, error) {
	l := &corev1.PodList{}
	err := s.kube.List(ctx, l, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/name": name})
	return l.Items, err
}

// deployments returns those that run the provider.
func (s *suite) deployments(ctx context.Context) ([]appsv1.Deployment, error) {
	l := &appsv1.DeploymentList{}
	err := s.kube.List(ctx, l, client.InNamespace(node.Namespace))
	out := l.Items[:0]
	for _, d := range l.Items {
		if strings.HasPrefix(d.Name, name) {
			out = append(out, d)
		}
	}
	return out, err
}

// configured has a token for all namespaces.
func (s *suite) configured(t *testing.T, namespace string) {
	t.Helper()
	limit := &v1alpha1.ServiceUsers{Limit: userLimit}
	for _, o := range []client.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: tokenSecret, Namespace: namespace}, Data: map[string][]byte{"token": []byte(token)}},
		&v1alpha1.ClusterProviderConfig{
			ObjectMeta: metav1.ObjectMeta{Name: "default"},
			Spec: v1alpha1.ClusterProviderConfigSpec{
				Credentials: v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
					SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: namespace, Name: tokenSecret}, Key: "token"},
				}},
				ServiceSettings: v1alpha1.ServiceSettings{
					BaseURL: s.url, Project: project, ServiceUsers: limit,
					KafkaPools: []v1alpha1.KafkaPool{{Name: "pool", Project: project, ServiceName: "kafka"}},
				},
			},
		},
	} {
		if err := s.kube.Create(t.Context(), o); err != nil && !kerrors.IsAlreadyExists(err) {
			t.Fatalf("cannot create %T: %v", o, err)
		}
	}
}
