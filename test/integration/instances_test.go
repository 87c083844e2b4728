// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// TestGrantInstanceOfAnother: a service whose name fits two namespaces is that of
// the one with the longer name, unless the other has users on it already.
func TestGrantInstanceOfAnother(t *testing.T) {
	t.Parallel()
	short := newTenant(t, "inst")
	ofValkey := func(instance string) func(a *v1.AivenApplication) {
		return func(a *v1.AivenApplication) {
			a.Spec.Kafka, a.Spec.OpenSearch, a.Spec.Valkey = nil, nil, []v1.ValkeySpec{{Instance: instance}}
		}
	}
	long := short.beside(short.namespace + "-sub")
	h.Sim.AddService(short.project, aivensim.Service{Name: long.valkey("x"), Type: "valkey"})
	short.create(short.app("reaches", ofValkey("sub-x")))
	if c := short.notReady("reaches", v1.ReasonNotAllowed); !strings.Contains(c.Message, "belongs to namespace "+long.namespace) {
		t.Errorf("the message does not say whose the service is: %s", c.Message)
	}
	u := short.user("reaches", func(u *v1alpha1.ValkeyServiceUser) { u.Spec.ForProvider.ServiceName = long.valkey("x") })
	short.create(u)
	short.refused(u, v1.ReasonNotAllowed)
	if got := writesTo(short.project); len(got) > 0 {
		t.Errorf("who reaches for another namespace's instance led to %v", got)
	}
	long.create(long.app("owner", ofValkey("x")))
	long.ready("owner")

	// Who has users keeps the service.
	h.Sim.AddService(short.project, aivensim.Service{Name: short.valkey("late-x"), Type: "valkey"})
	short.create(short.app("holder", ofValkey("late-x"), shortOverlap))
	short.ready("holder")
	late := short.beside(short.namespace + "-late")
	late.create(late.app("latecomer", ofValkey("x")))
	if c := late.notReady("latecomer", v1.ReasonNotAllowed); !strings.Contains(c.Message, "belongs to namespace "+short.namespace) {
		t.Errorf("the message does not say whose the service is: %s", c.Message)
	}
	short.change("holder", request("one"))
	short.revision("holder", 2, true)
	short.create(short.app("second", ofValkey("late-x")))
	short.ready("second")
	if got := late.managed(t.Context()); len(got) > 0 {
		t.Errorf("who was refused has %d managed resources", len(got))
	}

	// When its last user is gone, the longer name counts.
	since := time.Now()
	short.delete(short.app("holder"))
	short.delete(short.app("second"))
	late.ready("latecomer")
	t.Logf("the latecomer was ready %s after the holder was deleted", time.Since(since).Round(time.Millisecond))
}

// instance returns an object of Aiven's own operator.
func (te tenant) instance(kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"project": te.project}}}
	o.SetAPIVersion("aiven.io/v1alpha1")
	o.SetKind(kind)
	o.SetNamespace(te.namespace)
	o.SetName(name)
	return o
}

// instanceKind defines a kind of Aiven's own operator, less what nobody here reads.
func instanceKind(kind, plural string) *apiextensionsv1.CustomResourceDefinition {
	keep := true
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + ".aiven.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "aiven.io", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: kind, ListKind: kind + "List", Plural: plural, Singular: strings.ToLower(kind)},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1alpha1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &keep}},
			}},
		},
	}
}

// define makes a kind known to the cluster.
func define(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(h.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), crd); err != nil {
		t.Fatalf("cannot create %s: %v", crd.GetName(), err)
	}
}

// set writes a field of an object of Aiven's operator.
func set(t *testing.T, o *unstructured.Unstructured, value string, path ...string) {
	t.Helper()
	harness.Update(t, h.Kube, o, func(o *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(o.Object, value, path...); err != nil {
			t.Fatal(err)
		}
	})
}

// TestInstanceRequired is the only test for which the cluster gets these kinds: it
// begins without them.
func TestInstanceRequired(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "required")
	te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) { s.RequireInstance = true })
	te.create(te.app("orders", shortOverlap, func(a *v1.AivenApplication) { a.Spec.Kafka, a.Spec.Valkey = nil, a.Spec.Valkey[1:] }))
	u := te.user("by-hand")
	te.create(u)
	waits := func(what string) {
		t.Helper()
		harness.Eventually(t, "the application waits: "+what, func(context.Context) error {
			c := te.notReady("orders", v1.ReasonInstanceNotReady)
			if !strings.Contains(c.Message, what) {
				return errors.New(c.Message)
			}
			return nil
		})
		if got := writesTo(te.project); len(got) > 0 {
			t.Errorf("an instance that is not ready led to %v", got)
		}
	}
	waits("the cluster has no kind OpenSearch")
	te.refused(u, v1.ReasonInstanceNotReady)

	define(t, instanceKind("OpenSearch", "opensearches"))
	define(t, instanceKind("Valkey", "valkeys"))
	waits("there is no OpenSearch " + te.openSearch())
	o, v := te.instance("OpenSearch", te.openSearch()), te.instance("Valkey", te.valkey("cache"))
	for _, i := range []*unstructured.Unstructured{o, v} {
		harness.Eventually(t, "the instance is made", func(ctx context.Context) error {
			return client.IgnoreAlreadyExists(h.Kube.Create(ctx, i))
		})
	}
	waits("is not RUNNING")
	set(t, o, "another", "spec", "project")
	waits("is in another project")
	set(t, o, te.project, "spec", "project")
	set(t, o, "REBUILDING", "status", "state")
	waits("is not RUNNING")

	since := time.Now()
	set(t, v, "RUNNING", "status", "state")
	set(t, o, "RUNNING", "status", "state")
	te.ready("orders")
	t.Logf("the application was ready %s after its instances", time.Since(since).Round(time.Millisecond))
	te.isReady(u)
	t.Logf("the managed resource was ready %s after its instance", time.Since(since).Round(time.Millisecond))
	before := te.secret("orders-aiven")

	// What exists needs no instance: it can be changed, but not replaced.
	te.delete(o)
	te.delete(v)
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.OpenSearch.Access = v1.AccessRead })
	te.ready("orders")
	if diff := cmp.Diff([]string{"*=read", "_*=read"}, te.rules(string(before.Data["OPEN_SEARCH_USERNAME"]))); diff != "" {
		t.Errorf("rules after a change without the instance: -want, +got:\n%s", diff)
	}
	te.change("orders", request("one"))
	te.condition("orders", v1.TypeRotated, v1.ReasonInstanceNotReady)
	te.ready("orders")
	if diff := cmp.Diff(before.Data, te.secret("orders-aiven").Data); diff != "" {
		t.Errorf("the Secret without the instance: -want, +got:\n%s", diff)
	}
	te.works(before)
	te.isReady(u)
	te.delete(te.app("orders"))
	te.delete(u)
	te.nobodyLeft()
	gone(t, u)
}
