// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner of what is applied from files.
const fieldOwner = "examples"

// Apply applies the YAML files that match the patterns, which are relative to
// the checkout ("examples/*.yaml"), on the server. Namespaces that the files use
// are made first. A pattern that matches no file is an error.
func (e *Environment) Apply(ctx context.Context, patterns ...string) error {
	var objects []*unstructured.Unstructured
	for _, p := range patterns {
		read, err := readManifests(filepath.Join(e.root, filepath.FromSlash(p)))
		if err != nil {
			return err
		}
		objects = append(objects, read...)
	}
	for _, ns := range namespaces(objects) {
		if err := e.Kube.Apply(ctx, corev1ac.Namespace(ns), client.FieldOwner(fieldOwner), client.ForceOwnership); err != nil {
			return errors.Wrapf(err, "cannot apply namespace %s", ns)
		}
	}
	for _, o := range objects {
		what := describe(o)
		if err := e.Kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(fieldOwner), client.ForceOwnership); err != nil {
			return errors.Wrapf(err, "cannot apply %s", what)
		}
		e.sayf("applied %s", what)
	}
	return nil
}

// readManifests reads the objects in all files that match a pattern, in the
// order of the files' names.
func readManifests(pattern string) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, errors.Wrap(err, "cannot find manifests")
	}
	if len(files) == 0 {
		return nil, errors.Errorf("cannot find manifests: no file matches %s", pattern)
	}
	var out []*unstructured.Unstructured
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, errors.Wrap(err, "cannot read manifest")
		}
		objects, err := decode(f)
		_ = f.Close()
		if err != nil {
			return nil, errors.Wrapf(err, "cannot read %s", filepath.Base(name))
		}
		out = append(out, objects...)
	}
	return out, nil
}

// decode reads the objects of a YAML stream. Empty documents are left out.
func decode(r io.Reader) ([]*unstructured.Unstructured, error) {
	const lookAhead = 4096 // Bytes in which JSON is told from YAML.
	var out []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(r, lookAhead); ; {
		u := &unstructured.Unstructured{}
		err := d.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, errors.Wrap(err, "cannot decode object")
		}
		if len(u.Object) == 0 {
			continue
		}
		if u.GetKind() == "" || u.GetAPIVersion() == "" || u.GetName() == "" {
			return nil, errors.New("cannot decode object: it needs apiVersion, kind and metadata.name")
		}
		out = append(out, u)
	}
}

// namespaces returns the namespaces that the objects are in, in order.
func namespaces(objects []*unstructured.Unstructured) []string {
	var out []string
	for _, o := range objects {
		if ns := o.GetNamespace(); ns != "" && ns != metav1.NamespaceDefault {
			out = append(out, ns)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// describe names an object for people.
func describe(o *unstructured.Unstructured) string {
	return o.GetKind() + " " + qualified(o.GetNamespace(), o.GetName())
}

// qualified is how an object is named in text.
func qualified(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
