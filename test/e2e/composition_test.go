// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// function is the name of the composition function of the tests, and of its package.
const function = "function-shop"

// buildFunction makes the package of the function, and pushes it.
func (s *suite) buildFunction(ctx context.Context) error {
	program := filepath.Join(s.out, function, "program")
	build := exec.CommandContext(ctx, "go", "build", "-C", "function", "-trimpath", "-ldflags=-s -w", "-o", program, ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return errors.Wrapf(err, "cannot build the function: %s", out)
	}
	for _, args := range [][]string{
		{"image", "--arch=" + runtime.GOARCH, "--binary=" + runtime.GOARCH + "=" + program, "--description=A function of the end-to-end tests."},
		{"xpkg", "--package=test/e2e/function/package", "--examples=test/e2e/composition"},
		{"push", "--ref=" + s.Registry() + "/" + function + ":latest"},
	} {
		if err := s.pack(ctx, function, append([]string{"--name=" + function}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// TestComposition: a platform team's own kind composes an application and what uses its
// Secret, and tools that show what belongs together see all of it.
func TestComposition(t *testing.T) {
	if !s.Level().RealPods() {
		t.Skip("Crossplane calls functions by the names of their Services, which needs a node")
	}
	s.installed(t, older)
	s.noRefusals(t)
	if err := s.buildFunction(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &pkgv1.Function{ObjectMeta: metav1.ObjectMeta{Name: function}}
	f.Spec.Package = s.RegistryInCluster() + "/" + function + ":latest"
	if err := s.kube.Create(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	s.run(t, "apply", "-f", "composition")
	s.run(t, "wait", "--for=condition=Healthy", "function.pkg.crossplane.io/"+function, "--timeout=5m")
	s.run(t, "wait", "--for=condition=Established", "xrd/shopapplications.e2e.example.org", "--timeout=5m")

	te := s.team(t, "composed")
	xr := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"kafkaPool": "pool", "openSearchInstance": "logs", "image": s.RegistryInCluster() + "/probe:latest",
		"probeArgs": anys(te.probeArgs("kafka", "opensearch")),
	}}}
	xr.SetGroupVersionKind(schema.GroupVersionKind{Group: "e2e.example.org", Version: "v1", Kind: "ShopApplication"})
	xr.SetNamespace(te.namespace)
	xr.SetName("orders")
	te.create(xr)
	te.logsIn("orders", 5)
	s.run(t, "-n", te.namespace, "wait", "--for=condition=Ready", "shopapplication/orders", "--timeout=5m")

	te.traced(t)
	te.owned(t)

	if err := s.kube.Delete(t.Context(), xr); err != nil {
		t.Fatal(err)
	}
	s.gone(t, xr)
	te.noUsers()
	s.gone(t, &corev1.Secret{ObjectMeta: metaOf(te.namespace, "orders-aiven")})
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}

// A traced object is one that Crossplane's CLI shows.
type traced struct {
	Object struct {
		Kind   string                 `json:"kind"`
		Status xpv2.ConditionedStatus `json:"status"`
	} `json:"object"`
	Children []traced `json:"children"`
}

// traced checks what Crossplane's CLI shows of the composite.
func (te *team) traced(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=cluster/tools/trace/go.mod", "crank", "beta", "trace", "-o", "json", "-n", te.namespace, "shopapplication.e2e.example.org", "orders")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "KUBECONFIG="+te.Kubeconfig())
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot trace: %v", err)
	}
	var top traced
	if err := json.Unmarshal(b, &top); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]corev1.ConditionStatus)
	for _, c := range append(top.Children, top) {
		got[c.Object.Kind] = ""
		for _, typ := range []xpv2.ConditionType{xpv2.TypeReady, "Available"} {
			if s := c.Object.Status.GetCondition(typ).Status; s != corev1.ConditionUnknown {
				got[c.Object.Kind] = s
			}
		}
	}
	want := map[string]corev1.ConditionStatus{"ShopApplication": corev1.ConditionTrue, "AivenApplication": corev1.ConditionTrue, "Deployment": corev1.ConditionTrue}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("traced: -want, +got:\n%s", diff)
	}
}

// owned checks that who follows owner references, as kubectl tree does, comes from the
// composite to the managed resources.
func (te *team) owned(t *testing.T) {
	t.Helper()
	harness.Eventually(t, "the tree is complete", func(ctx context.Context) error {
		k, o := &v1alpha1.KafkaServiceUserList{}, &v1alpha1.OpenSearchServiceUserList{}
		for _, l := range []client.ObjectList{k, o} {
			if err := te.kube.List(ctx, l, client.InNamespace(te.namespace)); err != nil {
				return err
			}
		}
		if len(k.Items) != 1 || len(o.Items) != 1 {
			return errors.Errorf("there are %d and %d managed resources", len(k.Items), len(o.Items))
		}
		for _, refs := range [][]metav1.OwnerReference{k.Items[0].OwnerReferences, o.Items[0].OwnerReferences} {
			if !slices.ContainsFunc(refs, func(r metav1.OwnerReference) bool { return r.Kind == "AivenApplication" && r.Name == "orders" }) {
				return errors.Errorf("owners are %v", refs)
			}
		}
		return nil
	})
	out := te.run(t, "-n", te.namespace, "get", "aivenapplication", "orders", "-o", "jsonpath={.metadata.ownerReferences[0].kind}")
	if strings.TrimSpace(out) != "ShopApplication" {
		t.Errorf("the application's owner is %s", out)
	}
}
