// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// A definition of two versions, of which one is not served.
const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.controlplane.test
spec:
  group: controlplane.test
  names: {kind: Widget, listKind: WidgetList, plural: widgets, singular: widget}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object}}
  - name: v1alpha1
    served: false
    storage: false
    schema: {openAPIV3Schema: {type: object}}
`

func TestEnvironment(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	crds := filepath.Join(t.TempDir(), "crd.yaml")
	if err := os.WriteFile(crds, []byte(crd), 0o600); err != nil {
		t.Fatal(err)
	}

	e, err := Start(t.Context(), Options{CRDs: []string{crds}, ControllerManager: true, Progress: t.Output()})
	if err != nil {
		t.Fatalf("Start(...): %v", err)
	}
	t.Cleanup(func() { _ = e.Stop() })

	t.Run("ServesDefinitions", func(t *testing.T) { servesDefinitions(t, e) })
	t.Run("CollectsGarbage", func(t *testing.T) { collectsGarbage(t, e) })
	t.Run("AdmitsServiceAccounts", func(t *testing.T) { admitsServiceAccounts(t, e) })
	t.Run("AuthorizesUsers", func(t *testing.T) { authorizesUsers(t, e) })
	t.Run("WritesKubeconfig", func(t *testing.T) { writesKubeconfig(t, e) })

	manager := e.manager
	if err := e.Stop(); err != nil {
		t.Errorf("Stop(): %v", err)
	}
	if !manager.Exited() {
		t.Errorf("the controller manager runs after Stop()")
	}
	if _, err := discoveryClient(t, e.Config).ServerVersion(); err == nil {
		t.Errorf("the API server answers after Stop()")
	}
	if left := entries(t, tmp); len(left) > 0 {
		t.Errorf("files left after Stop(): %v", left)
	}
	if err := e.Stop(); err != nil {
		t.Errorf("a second Stop(): %v", err)
	}
}

func servesDefinitions(t *testing.T, e *Environment) {
	l, err := discoveryClient(t, e.Config).ServerResourcesForGroupVersion("controlplane.test/v1")
	if err != nil {
		t.Fatalf("discovery right after Start(...): %v", err)
	}
	if len(l.APIResources) != 1 || l.APIResources[0].Name != "widgets" {
		t.Errorf("discovery right after Start(...): %v, want widgets", l.APIResources)
	}
	v, err := discoveryClient(t, e.Config).ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(v.GitVersion, "v1.") {
		t.Errorf("the API server's version is %q, want that of a release", v.GitVersion)
	}
}

// collectsGarbage deletes an owner and waits for what it owns to go.
func collectsGarbage(t *testing.T, e *Environment) {
	cms := clientset(t, e.Config).CoreV1().ConfigMaps(metav1.NamespaceDefault)
	owner, err := cms.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name:            "owned",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}},
	}}
	if _, err := cms.Create(t.Context(), owned, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := cms.Delete(t.Context(), owner.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the owned ConfigMap is collected", func(ctx context.Context) bool {
		_, err := cms.Get(ctx, owned.Name, metav1.GetOptions{})
		return kerrors.IsNotFound(err)
	})
}

// admitsServiceAccounts creates a Pod, which only the ServiceAccount admission
// plugin gives a service account and a token.
func admitsServiceAccounts(t *testing.T, e *Environment) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	got, err := clientset(t, e.Config).CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("a Pod right after Start(...): %v", err)
	}
	if got.Spec.ServiceAccountName != "default" {
		t.Errorf("the Pod's service account is %q, want default", got.Spec.ServiceAccountName)
	}
}

func authorizesUsers(t *testing.T, e *Environment) {
	cfg, err := e.UserConfig("nobody")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clientset(t, cfg).CoreV1().Secrets(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{}); !kerrors.IsForbidden(err) {
		t.Errorf("a user without a role lists Secrets: %v, want forbidden", err)
	}
}

func writesKubeconfig(t *testing.T, e *Environment) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := e.WriteKubeconfig(path); err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clientset(t, cfg).CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceDefault, metav1.GetOptions{}); err != nil {
		t.Errorf("a client made from the kubeconfig file: %v", err)
	}
}

// A start that fails half way leaves no process and no file.
func TestStartFails(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	_, err := Start(t.Context(), Options{CRDs: []string{filepath.Join(t.TempDir(), "nothing")}, Progress: t.Output()})
	if err == nil {
		t.Fatal("Start(...) with a path that does not exist: no error")
	}
	if left := entries(t, tmp); len(left) > 0 {
		t.Errorf("files left after a failed Start(...): %v", left)
	}
}

func TestGroupVersions(t *testing.T) {
	version := func(name string, served bool) apiextensionsv1.CustomResourceDefinitionVersion {
		return apiextensionsv1.CustomResourceDefinitionVersion{Name: name, Served: served}
	}
	definition := func(group, plural string, versions ...apiextensionsv1.CustomResourceDefinitionVersion) *apiextensionsv1.CustomResourceDefinition {
		return &apiextensionsv1.CustomResourceDefinition{Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural}, Versions: versions,
		}}
	}
	cases := map[string]struct {
		reason string
		crds   []*apiextensionsv1.CustomResourceDefinition
		want   map[string]map[string]struct{}
	}{
		"None": {reason: "Without definitions there is nothing to wait for.", want: map[string]map[string]struct{}{}},
		"Grouped": {
			reason: "Definitions of one group and version are waited for together; what is not served is not waited for.",
			crds:   []*apiextensionsv1.CustomResourceDefinition{definition("g", "as", version("v1", true), version("v2", false)), definition("g", "bs", version("v1", true))},
			want:   map[string]map[string]struct{}{"g/v1": {"as": {}, "bs": {}}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, groupVersions(tc.crds)); diff != "" {
				t.Errorf("\n%s\ngroupVersions(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func clientset(t *testing.T, cfg *rest.Config) *kubernetes.Clientset {
	t.Helper()
	cs, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

func discoveryClient(t *testing.T, cfg *rest.Config) *discovery.DiscoveryClient {
	t.Helper()
	dc, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return dc
}

// eventually polls until what is said holds, and fails the test after a while.
func eventually(t *testing.T, what string, holds func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := poll(ctx, func(ctx context.Context) (bool, error) { return holds(ctx), nil }); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	l, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, 0, len(l))
	for _, e := range l {
		out = append(out, e.Name())
	}
	return out
}
