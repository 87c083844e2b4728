// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
)

// A bill of materials has every file of the image, and every module of its program.
func TestMaterials(t *testing.T) {
	img := builtPackages(t)[0]
	bom, err := listMaterials("tiny", img)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, 0, len(*bom.Components))
	for _, c := range *bom.Components {
		got = append(got, string(c.Type)+" "+c.Name+" "+c.Version)
	}
	roots := slices.IndexFunc(*bom.Components, func(c cdx.Component) bool { return c.Name == "/"+rootsFile })
	want := []string{
		"file /etc/ssl/certs/ca-certificates.crt " + (*bom.Components)[roots].Version,
		"application " + module + " v1.2.3",
		"library std " + runtime.Version(),
		"file /package.yaml ",
		"file /.up/examples.yaml ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("components: -want, +got:\n%s", diff)
	}
	if v := (*bom.Components)[roots].Version; !strings.HasPrefix(v, "v0.0.0-") {
		t.Errorf("the root certificates are of version %q", v)
	}
	digest := digestOf(t, img)
	main := bom.Metadata.Component
	if !strings.Contains(main.PackageURL, strings.ReplaceAll(digest, ":", "%3A")) || (*main.Hashes)[0].Value != strings.TrimPrefix(digest, "sha256:") {
		t.Errorf("the image has the digest %s, the bill of materials is of %s", digest, main.PackageURL)
	}
	refs := map[string]bool{main.BOMRef: true}
	for _, c := range *bom.Components {
		if refs[c.BOMRef] {
			t.Errorf("two components have the reference %s", c.BOMRef)
		}
		refs[c.BOMRef] = true
	}
	for _, d := range *bom.Dependencies {
		for _, ref := range append([]string{d.Ref}, *orEmpty(d.Dependencies)...) {
			if !refs[ref] {
				t.Errorf("%s is a dependency and no component", ref)
			}
		}
	}
}

func orEmpty(s *[]string) *[]string {
	if s == nil {
		return &[]string{}
	}
	return s
}
