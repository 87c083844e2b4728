// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"context"
	"testing"

	"github.com/pkg/errors"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// TestActivation: Crossplane makes kinds when somebody activates them. The provider
// is ready before any is, and begins with each when it comes, whichever comes first.
func TestActivation(t *testing.T) {
	scheme := h.Kube.Scheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	activate := make(map[string]func())
	for _, name := range []string{"aivenapplications", "kafkaserviceusers", "opensearchserviceusers", "valkeyserviceusers"} {
		activate[name] = deactivate(t, name+"."+v1.Group)
	}
	r := start(t)
	r.ready(t)
	ns := h.Namespace(t, "activation")

	activate["valkeyserviceusers"]()
	mg := user(ns, 1)
	create(t, mg)
	condition(t, mg, v1.ReasonAvailable)

	activate["aivenapplications"]()
	a := app(ns, "orders")
	create(t, a)
	condition(t, a, v1.ReasonKindNotActivated)

	activate["kafkaserviceusers"]()
	condition(t, a, v1.ReasonAvailable)
	r.ready(t)
	activate["opensearchserviceusers"]()

	deleteAll(t, mg, a)
	harness.Eventually(t, "users are gone", func(context.Context) error {
		if u := append(usernames(kafka, ns), usernames(valkey, ns)...); len(u) > 0 {
			return errors.Errorf("there are %v", u)
		}
		return nil
	})
}

// deactivate removes a CRD, of which there may be no objects, and returns what
// brings it back.
func deactivate(t *testing.T, name string) func() {
	t.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := h.Kube.Get(t.Context(), client.ObjectKey{Name: name}, crd); err != nil {
		t.Fatal(err)
	}
	again := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: crd.GetAnnotations()}, Spec: crd.Spec}
	deleteAll(t, crd)
	return func() {
		t.Helper()
		create(t, again)
	}
}
