// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	apiextensionsv1alpha1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1alpha1"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
	pkgv1beta1 "github.com/crossplane/crossplane/apis/v2/pkg/v1beta1"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane"
)

const install = "../../cluster/install"

// variants are the ways to install the provider, and their namespaces.
var variants = map[string]string{"crossplane": "crossplane-system", "standalone": ownNamespace}

// deploymentOf returns what runs the provider.
func deploymentOf(t *testing.T, objects []client.Object) appsv1.DeploymentSpec {
	t.Helper()
	for _, o := range objects {
		switch d := o.(type) {
		case *appsv1.Deployment:
			return d.Spec
		case *pkgv1beta1.DeploymentRuntimeConfig:
			return *d.Spec.DeploymentTemplate.Spec
		}
	}
	t.Fatal("nothing runs the provider")
	return appsv1.DeploymentSpec{}
}

// TestInstall looks at both ways to install the provider without a cluster.
func TestInstall(t *testing.T) {
	for variant, namespace := range variants {
		t.Run(variant, func(t *testing.T) {
			objects := load(t, filepath.Join(install, variant))
			d := deploymentOf(t, objects)
			if ptr.Deref(d.Replicas, 1) < 2 || d.Selector == nil {
				t.Errorf("%d replicas, selector %v", ptr.Deref(d.Replicas, 1), d.Selector)
			}
			secure(t, d.Template.Spec)
			agrees(t, objects, namespace)
			for _, g := range []string{"provider-aiven-namespaces: delete kafkaserviceusers.aiven.nais.io", "provider-aiven-namespaces: list pods", "provider-aiven-namespace-labels: list namespaces", "provider-aiven-namespaces: get opensearches.aiven.io"} {
				if !slices.ContainsFunc(grants(objects), func(have grant) bool { return have.String() == g && have.namespaces == nil }) {
					t.Errorf("it does not grant %s", g)
				}
			}
		})
	}
}

// agrees fails the test unless the objects of an installation fit each other, in the
// namespace of the provider.
func agrees(t *testing.T, objects []client.Object, namespace string) {
	t.Helper()
	pod := deploymentOf(t, objects).Template
	account := pod.Spec.ServiceAccountName
	if !slices.ContainsFunc(objects, func(o client.Object) bool {
		_, ok := o.(*corev1.ServiceAccount)
		return ok && o.GetName() == account && o.GetNamespace() == namespace
	}) {
		t.Errorf("there is no ServiceAccount %s/%s", namespace, account)
	}
	for _, o := range objects {
		for _, s := range subjects(o) {
			if s.Kind != rbacv1.ServiceAccountKind || s.Name != account || s.Namespace != namespace {
				t.Errorf("%s binds a role to %s %s/%s, want ServiceAccount %s/%s", o.GetName(), s.Kind, s.Namespace, s.Name, namespace, account)
			}
		}
		selects(t, o, pod.Labels)
	}
}

// secure fails the test unless a pod meets Kubernetes' standard restricted, and more.
func secure(t *testing.T, p corev1.PodSpec) {
	t.Helper()
	c := p.Containers[0]
	s := c.SecurityContext
	switch {
	case p.SecurityContext.SeccompProfile == nil || p.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Error("no seccomp profile")
	case !ptr.Deref(s.ReadOnlyRootFilesystem, false), !ptr.Deref(s.RunAsNonRoot, false), ptr.Deref(s.AllowPrivilegeEscalation, true), ptr.Deref(s.RunAsUser, 0) == 0:
		t.Errorf("security context is %+v", s)
	case !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0:
		t.Errorf("capabilities are %+v", s.Capabilities)
	case c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero():
		t.Errorf("resources are %+v", c.Resources)
	case len(p.TopologySpreadConstraints) == 0:
		t.Error("replicas may all be on one node")
	}
	for name, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != name || !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == probe.HTTPGet.Port.StrVal }) {
			t.Errorf("probe of %s is %+v", name, probe)
		}
	}
	if c.StartupProbe == nil {
		t.Error("there is no startup probe")
	}
}

func subjects(o client.Object) []rbacv1.Subject {
	switch b := o.(type) {
	case *rbacv1.ClusterRoleBinding:
		return b.Subjects
	case *rbacv1.RoleBinding:
		return b.Subjects
	default:
		return nil
	}
}

// selects fails the test when an object is to select the provider's pods, and does not.
func selects(t *testing.T, o client.Object, pod map[string]string) {
	t.Helper()
	var sel labels.Selector
	switch s := o.(type) {
	case *corev1.Service:
		sel = labels.SelectorFromSet(s.Spec.Selector)
	case *policyv1.PodDisruptionBudget:
		var err error
		if sel, err = metav1.LabelSelectorAsSelector(s.Spec.Selector); err != nil {
			t.Fatal(err)
		}
	default:
		return
	}
	if sel.Empty() || !sel.Matches(labels.Set(pod)) {
		t.Errorf("%T %s selects %s, which is not %v", o, o.GetName(), sel, pod)
	}
}

// TestVariantsAgree: Crossplane runs the provider as it runs without.
func TestVariantsAgree(t *testing.T) {
	with, without := load(t, filepath.Join(install, "crossplane")), load(t, filepath.Join(install, "standalone"))
	if diff := cmp.Diff(deploymentOf(t, without).Template, deploymentOf(t, with).Template,
		cmpopts.IgnoreFields(corev1.Container{}, "Name", "Image"),
		cmpopts.IgnoreSliceElements(func(p corev1.ContainerPort) bool { return p.Name == "metrics" })); diff != "" {
		t.Errorf("pods: -standalone, +crossplane:\n%s", diff)
	}
	specs := func(objects []client.Object) (out []any) {
		for _, o := range objects {
			switch s := o.(type) {
			case *corev1.Service:
				out = append(out, s.Spec)
			case *policyv1.PodDisruptionBudget:
				out = append(out, s.Spec)
			}
		}
		return out
	}
	if diff := cmp.Diff(specs(without), specs(with)); diff != "" {
		t.Errorf("specs: -standalone, +crossplane:\n%s", diff)
	}
}

// TestPackage looks at what only Crossplane reads.
func TestPackage(t *testing.T) {
	var provider *pkgv1.Provider
	var runtime *pkgv1beta1.DeploymentRuntimeConfig
	var policy *apiextensionsv1alpha1.ManagedResourceActivationPolicy
	for _, o := range load(t, filepath.Join(install, "crossplane")) {
		switch p := o.(type) {
		case *pkgv1.Provider:
			provider = p
		case *pkgv1beta1.DeploymentRuntimeConfig:
			runtime = p
		case *apiextensionsv1alpha1.ManagedResourceActivationPolicy:
			policy = p
		}
	}
	if r := provider.Spec.RuntimeConfigReference; r == nil || r.Name != runtime.GetName() {
		t.Errorf("the package runs with %v, want %s", r, runtime.GetName())
	}
	if name := runtime.Spec.DeploymentTemplate.Spec.Template.Spec.Containers[0].Name; name != "package-runtime" {
		t.Errorf("Crossplane does not know container %s", name)
	}
	for _, o := range load(t, "../../package/crds") {
		if !policy.Activates(o.GetName()) {
			t.Errorf("%s is not activated", o.GetName())
		}
	}
	files, err := filepath.Glob("../../package/crds/*.yaml")
	if err != nil || len(files) != len(load(t, "../../package/crds")) {
		t.Errorf("package/crds/Kustomization does not name each of %v: %v", files, err)
	}
}

// TestAccepted: an API server accepts what is shipped, as far as it has the kinds.
func TestAccepted(t *testing.T) {
	for variant, namespace := range variants {
		t.Run(variant, func(t *testing.T) {
			ensure(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
			objects := load(t, filepath.Join(install, variant))
			if variant == "standalone" {
				objects = append(objects, load(t, filepath.Join(install, variant, "networkpolicy"))...)
			}
			for _, o := range objects {
				switch o.(type) {
				case *pkgv1.Provider, *pkgv1beta1.DeploymentRuntimeConfig, *apiextensionsv1alpha1.ManagedResourceActivationPolicy, *apiextensionsv1.CustomResourceDefinition:
					continue // There is no Crossplane here, and the CRDs are installed.
				}
				if err := h.Kube.Create(t.Context(), o, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil && !kerrors.IsAlreadyExists(err) {
					t.Errorf("%T %s: %v", o, o.GetName(), err)
				}
			}
		})
	}
}

// TestKustomize: kubectl renders what the tests here read.
func TestKustomize(t *testing.T) {
	for _, dir := range []string{"crossplane", "standalone", "standalone/networkpolicy", "rbac/base", "rbac/cluster-wide", "rbac/chosen-namespaces", "rbac/users", "rbac/roles"} {
		t.Run(dir, func(t *testing.T) {
			if got, want := len(render(t, filepath.Join(install, dir))), len(load(t, filepath.Join(install, dir))); got != want {
				t.Errorf("%d objects, want %d", got, want)
			}
		})
	}
}

// render returns the objects that kubectl makes of a kustomization.
func render(t *testing.T, dir string) []client.Object {
	t.Helper()
	programs, err := controlplane.Binaries(t.Context(), t.Output(), controlplane.Kubectl)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(programs, controlplane.Kubectl), "kustomize", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("cannot render %s: %v: %s", dir, err, out)
	}
	path := filepath.Join(t.TempDir(), "rendered.yaml")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	var objects []client.Object
	for _, doc := range documents(t, path) {
		objects = append(objects, typed(t, path, doc))
	}
	return objects
}
