// SPDX-License-Identifier: Apache-2.0

// Package policies tests that the policies of cluster/install/policies refuse at
// admission what the provider would refuse later, and nothing else.
package policies

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkg/errors"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis"
	"github.com/provider-aiven/provider-aiven/cluster/controlplane"
)

const root = "../.."

// patience is how long a policy may take to be enforced.
const patience = 2 * time.Minute

var folder = filepath.Join(root, "cluster", "install", "policies")

// kube is a client for the control plane that all tests share.
var kube client.Client

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	// The controller manager checks the types in expressions.
	env, err := controlplane.Start(context.Background(), controlplane.Options{
		CRDs: []string{filepath.Join(root, "package", "crds")}, ControllerManager: true, Progress: os.Stderr,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := 1
	if err = install(context.Background(), env); err == nil {
		err = create(context.Background())
	}
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
	}
	if err := env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	return code
}

// install creates what kubectl apply -k would.
func install(ctx context.Context, env *controlplane.Environment) error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return errors.Wrap(err, "cannot add Kubernetes APIs to scheme")
	}
	if err := apis.AddToScheme(scheme); err != nil {
		return errors.Wrap(err, "cannot add provider APIs to scheme")
	}
	cfg := rest.CopyConfig(env.Config)
	cfg.QPS = -1
	var err error
	if kube, err = client.New(cfg, client.Options{Scheme: scheme}); err != nil {
		return errors.Wrap(err, "cannot make a client")
	}
	files, err := resources()
	if err != nil {
		return err
	}
	for _, f := range files {
		objects, err := read(f)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if err := kube.Create(ctx, o); err != nil {
				return errors.Wrapf(err, "cannot create %s %s", o.GetKind(), o.GetName())
			}
		}
	}
	return nil
}

// resources returns the files that the kustomization names.
func resources() ([]string, error) {
	docs, err := read("kustomization.yaml")
	if err != nil {
		return nil, err
	}
	files, _, err := unstructured.NestedStringSlice(docs[0].Object, "resources")
	return files, errors.Wrap(err, "cannot read resources of the kustomization")
}

// read returns the objects of a file.
func read(file string) ([]*unstructured.Unstructured, error) {
	b, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		return nil, errors.Wrap(err, "cannot read file")
	}
	var out []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(b), len(b)); ; {
		o := &unstructured.Unstructured{}
		if err := d.Decode(&o.Object); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, errors.Wrapf(err, "cannot read %s", file)
		}
		out = append(out, o)
	}
}

func TestAllFilesAreInstalled(t *testing.T) {
	files, err := resources()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(found) != len(files)+1 {
		t.Errorf("the kustomization names %v, the folder has %v, %v", files, found, err)
	}
}

func TestTypes(t *testing.T) {
	err := poll(t.Context(), func(ctx context.Context) error {
		l := &admissionv1.ValidatingAdmissionPolicyList{}
		if err := kube.List(ctx, l); err != nil {
			return errors.Wrap(err, "cannot list policies")
		}
		for i := range l.Items {
			p := &l.Items[i]
			if p.Status.ObservedGeneration != p.Generation || p.Status.TypeChecking == nil {
				return errors.Errorf("policy %s is not checked yet", p.GetName())
			}
			for _, w := range p.Status.TypeChecking.ExpressionWarnings {
				t.Errorf("policy %s, %s: %s", p.GetName(), w.FieldRef, w.Warning)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// poll returns nil as soon as fn does, else its last error.
func poll(ctx context.Context, fn func(ctx context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		last = fn(ctx)
		return last == nil, nil
	})
	if err == nil {
		return nil
	}
	return last
}
