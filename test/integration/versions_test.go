// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	v2 "github.com/provider-aiven/provider-aiven/apis/v2"
)

// TestVersionsAreOne: without a conversion, versions may differ in nothing that
// objects say.
func TestVersionsAreOne(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../package/crds/aiven.nais.io_aivenapplications.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(b, crd); err != nil {
		t.Fatal(err)
	}
	if len(crd.Spec.Versions) != 2 {
		t.Fatalf("want v1 and v2, got %d versions", len(crd.Spec.Versions))
	}
	for i := range crd.Spec.Versions {
		v := &crd.Spec.Versions[i]
		if stored := v.Name == v1.Version; v.Storage != stored || !v.Served {
			t.Errorf("%s: served %t, stored %t, want true, %t", v.Name, v.Served, v.Storage, stored)
		}
		v.Name, v.Storage, v.Schema.OpenAPIV3Schema.Description = "", false, ""
	}
	if diff := cmp.Diff(crd.Spec.Versions[0], crd.Spec.Versions[1]); diff != "" {
		t.Errorf("-v1, +v2:\n%s", diff)
	}
}

// TestV2 uses the version that newer manifests for aivenator are written in.
func TestV2(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "newer")
	app := &v2.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: te.namespace, Name: "orders"}, Spec: te.app("orders", kafkaOnly).Spec}
	te.create(app)
	te.ready("orders")
	te.works(te.secret("orders-aiven"))

	before := app.DeepCopy()
	app.Spec.Valkey = []v1.ValkeySpec{{Instance: "cache"}}
	if err := h.Kube.Patch(t.Context(), app, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	te.ready("orders")
	s := te.secret("orders-aiven")
	te.works(s)
	if len(s.Data["VALKEY_URI_CACHE"]) == 0 {
		t.Error("what was added in v2 is not in the Secret")
	}

	te.delete(app)
	te.nobodyLeft()
}
