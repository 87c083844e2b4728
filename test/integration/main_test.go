// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/provider-aiven/provider-aiven/test/harness"
)

// h is shared by all tests of the package: each has a namespace, a project and
// a configuration of its own.
var h *harness.Harness

// parallel tests run at a time unless -parallel says otherwise: they wait more
// than they compute.
const parallel = 6

func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		_ = flag.Set("test.parallel", strconv.Itoa(parallel))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if h, err = harness.New(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	h.StartProvider()
	code := m.Run()
	if leaks := scan(); len(leaks) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: credentials were found where none may be:", leaks)
		code = 1
	}
	if err := h.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	if code != 0 && os.Getenv("HARNESS_LOG") != "" {
		fmt.Fprintln(os.Stderr, h.Log.String())
	}
	return code
}

// scan looks for credentials in everything that the provider writes for people
// to read: its log, its metrics, and all objects but Secrets, events among them.
func scan() []string {
	texts := map[string]string{"the log": h.Log.String()}
	if mfs, err := h.Registry.Gather(); err == nil {
		for _, mf := range mfs {
			texts["the metrics"] += mf.String()
		}
	}
	for _, k := range []schema.GroupVersionKind{
		{Version: "v1", Kind: "Event"},
		{Group: "aiven.nais.io", Version: "v1", Kind: "AivenApplication"},
		{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "KafkaServiceUser"},
		{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "OpenSearchServiceUser"},
		{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "ValkeyServiceUser"},
		{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "ClusterProviderConfig"},
		{Group: "aiven.nais.io", Version: "v1alpha1", Kind: "ProviderConfig"},
	} {
		l := &unstructured.UnstructuredList{}
		l.SetGroupVersionKind(k)
		if err := h.Kube.List(context.Background(), l); err != nil {
			return []string{"cannot list " + k.Kind + ": " + err.Error()}
		}
		b, err := json.Marshal(l)
		if err != nil {
			return []string{err.Error()}
		}
		texts[k.Kind] = string(b)
	}
	return h.Scan(texts)
}
