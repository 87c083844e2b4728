// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// h is shared by all tests of the package: each has a namespace, a project and
// a configuration of its own.
var h *harness.Harness

// parallel tests run at a time unless -parallel says otherwise: they wait more
// than they compute.
const parallel = 6

func TestMain(m *testing.M) {
	harness.Parallel(parallel)
	harness.Exit(run(m))
}

func run(m *testing.M) (code int, err error) {
	if h, err = harness.New(context.Background()); err != nil {
		return 1, err
	}
	// What the libraries log is looked at too, short of client-go's bodies of requests.
	h.LogLibraries(zap.Level(harness.MostVerbose))
	h.StartProvider()
	code = m.Run()
	return h.End(code, readables()), nil
}

// readable are the kinds that the provider may write, but Secrets.
var readable = []schema.GroupVersionKind{
	{Version: "v1", Kind: "Event"},
	{Version: "v1", Kind: "ConfigMap"},
	{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"},
	{Group: "aiven.nais.io", Version: "v1", Kind: "AivenApplication"},
	{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "KafkaServiceUser"},
	{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "OpenSearchServiceUser"},
	{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "ValkeyServiceUser"},
	{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "ProviderConfigUsage"},
	{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "ProviderConfig"},
	{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "ClusterProviderConfig"},
}

// readables returns everything that the provider writes for people to read: its log, its
// metrics, all objects that it may write but Secrets, events among them, and the metadata of
// Secrets.
func readables() map[string]string {
	texts := objects(metav1.NamespaceAll)
	texts["the log"] = h.Log.String()
	if mfs, err := h.Registry.Gather(); err == nil {
		for _, mf := range mfs {
			texts["the metrics"] += mf.String()
		}
	}
	return texts
}

// objects returns all objects of a namespace as texts, by kind.
func objects(namespace string) map[string]string {
	texts := make(map[string]string)
	list := func(name string, l client.ObjectList) {
		err := h.Kube.List(context.Background(), l, client.InNamespace(namespace))
		b, failure := json.Marshal(l)
		if err != nil || failure != nil {
			panic(fmt.Sprintf("cannot list %s: %v, %v", name, err, failure))
		}
		texts[name] = string(b)
	}
	for _, k := range readable {
		if k.Kind == "ClusterProviderConfig" && namespace != metav1.NamespaceAll {
			continue
		}
		l := &unstructured.UnstructuredList{}
		l.SetGroupVersionKind(k)
		list(k.Kind, l)
	}
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "SecretList"})
	list("the metadata of Secrets", secrets)
	return texts
}

// cleanUp looks for credentials in what a test left, and has it deleted: hundreds of
// users that are polled would slow down the tests that follow.
func cleanUp(t *testing.T, namespace string) {
	t.Helper()
	if found := h.Scan(objects(namespace)); len(found) > 0 {
		t.Errorf("credentials were found where none may be: %v", found)
	}
	for _, o := range []client.Object{
		&v1.AivenApplication{}, &v1alpha1.KafkaServiceUser{}, &v1alpha1.OpenSearchServiceUser{}, &v1alpha1.ValkeyServiceUser{},
	} {
		if err := h.Kube.DeleteAllOf(context.Background(), o, client.InNamespace(namespace)); err != nil {
			t.Errorf("cannot delete what is left: %v", err)
		}
	}
}
