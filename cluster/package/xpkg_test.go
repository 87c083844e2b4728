// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg/parser"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg/parser/yaml"
	pkgmetav1 "github.com/crossplane/crossplane/apis/v2/pkg/meta/v1"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/pkg/errors"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// What Crossplane reads of the package is the metadata and the CRDs.
func TestPackage(t *testing.T) {
	images := builtPackages(t)
	for _, img := range images {
		pkg := parsePackage(t, img)
		if err := xpkg.NewProviderLinter().Lint(pkg); err != nil {
			t.Errorf("%s: lint: %v", img.arch, err)
		}
		if err := xpkg.NewProviderValidator().Lint(pkg); err != nil {
			t.Errorf("%s: validate: %v", img.arch, err)
		}
		var got []string
		for _, o := range pkg.GetObjects() {
			crd, ok := o.(*extv1.CustomResourceDefinition)
			if !ok {
				t.Fatalf("%s: %T is no CRD", img.arch, o)
			}
			got = append(got, crd.Spec.Group+"_"+crd.Spec.Names.Plural+".yaml")
		}
		files, err := filepath.Glob(realPackage + "/crds/*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i] = filepath.Base(files[i])
		}
		if diff := cmp.Diff(files, got); diff != "" {
			t.Errorf("%s: CRDs: -want, +got:\n%s", img.arch, diff)
		}
	}
}

func TestPackageMeta(t *testing.T) {
	images := builtPackages(t)
	meta, ok := parsePackage(t, images[0]).GetMeta()[0].(*pkgmetav1.Provider)
	if !ok {
		t.Fatal("the package is no Provider")
	}
	if !pkgmetav1.CapabilitiesContainFuzzyMatch(meta.Spec.Capabilities, pkgmetav1.ProviderCapabilitySafeStart) {
		t.Errorf("capabilities: got %v, want safe-start", meta.Spec.Capabilities)
	}
	for _, a := range []string{
		"friendly-name.meta.crossplane.io", "meta.crossplane.io/maintainer", "meta.crossplane.io/source",
		"meta.crossplane.io/license", "meta.crossplane.io/description", "meta.crossplane.io/readme",
	} {
		if meta.Annotations[a] == "" {
			t.Errorf("annotation %s is missing", a)
		}
	}
	c, err := semver.NewConstraint(meta.GetCrossplaneConstraints().Version)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]bool{"v1.20.0": false, "v2.0.0-rc.0.42.gabc": true, "v2.0.0": true, "v2.4.0": true, "v2.5.0-rc.0": true} {
		if got := c.Check(semver.MustParse(version)); got != want {
			t.Errorf("Crossplane %s: allowed is %t, want %t", version, got, want)
		}
	}
}

// The examples are those of the folder itself, without its folders.
func TestPackageExamples(t *testing.T) {
	images := builtPackages(t)
	names, err := filepath.Glob(realExamples + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want []map[string]any
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, documents(t, b)...)
	}
	if len(want) < len(names) {
		t.Fatalf("%d files have %d objects", len(names), len(want))
	}
	for _, img := range images {
		files := annotated(t, img, xpkg.ExamplesAnnotation)
		if len(files) != 1 || files[0].path != xpkg.XpkgExamplesFile {
			t.Fatalf("%s: the layer of examples has %d files", img.arch, len(files))
		}
		if diff := cmp.Diff(want, documents(t, files[0].data)); diff != "" {
			t.Errorf("%s: examples: -want, +got:\n%s", img.arch, diff)
		}
	}
}

// The package is still the image: what Crossplane runs is unchanged.
func TestPackageIsImage(t *testing.T) {
	images, packages := builtImages(t), builtPackages(t)
	for i := range images {
		if diff := cmp.Diff(layerDigests(t, images[i]), layerDigests(t, packages[i])[:2]); diff != "" {
			t.Errorf("%s: layers of the image: -want, +got:\n%s", images[i].arch, diff)
		}
		ic, err := images[i].ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		pc, err := packages[i].ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		for k := range pc.Config.Labels {
			if _, ok := ic.Config.Labels[k]; !ok {
				delete(pc.Config.Labels, k)
			}
		}
		if diff := cmp.Diff(ic.Config, pc.Config); diff != "" {
			t.Errorf("%s: configuration: -image, +package:\n%s", images[i].arch, diff)
		}
	}
}

func TestPackageRefused(t *testing.T) {
	img := builtImages(t)[0]
	dir := t.TempDir()
	role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x}\n"
	meta := read(t, realPackage+"/crossplane.yaml")
	for name, content := range map[string]string{"crossplane.yaml": meta, "role.yaml": role} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := buildPackage(t.Context(), img, dir, realExamples); err == nil {
		t.Error("a package with a ClusterRole was built, which Crossplane refuses")
	}
	if err := os.Remove(filepath.Join(dir, "crossplane.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "role.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := buildPackage(t.Context(), img, dir, realExamples); err == nil {
		t.Error("a package without metadata was built")
	}
}

func parsePackage(t *testing.T, img v1.Image) parser.Lintable {
	t.Helper()
	rc, err := xpkg.ExtractPackageYAML(img)
	if err != nil {
		t.Fatal(err)
	}
	p, err := yaml.New()
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := p.Parse(t.Context(), rc)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// annotated returns the files of the layer that has the annotation.
func annotated(t *testing.T, img v1.Image, value string) []file {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	for _, d := range m.Layers {
		if d.Annotations[xpkg.AnnotationKey] != value {
			continue
		}
		l, err := img.LayerByDigest(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		rc, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		found, err := readTar(rc)
		_ = rc.Close()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func documents(t *testing.T, data []byte) []map[string]any {
	t.Helper()
	var all []map[string]any
	for d := kyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
		var o map[string]any
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(o) > 0 {
			all = append(all, o)
		}
	}
}

func layerDigests(t *testing.T, img v1.Image) []string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	all := make([]string, 0, len(layers))
	for _, l := range layers {
		all = append(all, digestOf(t, l))
	}
	return all
}
