// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// What is pushed is what a client finds for its platform, and what Crossplane
// can read.
func TestPush(t *testing.T) {
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(srv.Close)
	ref := strings.TrimPrefix(srv.URL, "http://") + "/acme/tiny:v1.2.3"
	idx, err := indexOf(builtPackages(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		pushed, err := pushIndex(t.Context(), ref, idx)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimSuffix(ref, ":v1.2.3") + "@" + digestOf(t, idx); pushed != want {
			t.Errorf("got %s, want %s", pushed, want)
		}
	}

	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Index(r)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := digestOf(t, pulled), digestOf(t, idx); got != want {
		t.Errorf("pulled %s, pushed %s", got, want)
	}
	m, err := pulled.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Annotations["org.opencontainers.image.source"]; got != source {
		t.Errorf("the index is of %q, want %q", got, source)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := remote.Image(r, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
		if err != nil {
			t.Fatal(err)
		}
		want := []types.MediaType{types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer, types.OCILayer, types.OCILayer, types.OCILayer}
		if diff := cmp.Diff(want, mediaTypes(t, img)); diff != "" {
			t.Errorf("%s: media types: -want, +got:\n%s", arch, diff)
		}
		if diff := cmp.Diff([]string{"", "", "base", "upbound"}, annotations(t, img)); diff != "" {
			t.Errorf("%s: annotations of the layers: -want, +got:\n%s", arch, diff)
		}
		if n := len(parsePackage(t, img).GetMeta()); n != 1 {
			t.Errorf("%s: the package has %d metadata", arch, n)
		}
	}
}

func TestPushRefused(t *testing.T) {
	idx, err := indexOf(builtImages(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"acme/tiny:v1", "127.0.0.1:1/tiny", "127.0.0.1:1/Tiny:v1", ""} {
		if pushed, err := pushIndex(t.Context(), ref, idx); err == nil {
			t.Errorf("%q: pushed %s, want an error", ref, pushed)
		}
	}
}

func TestIndexRefused(t *testing.T) {
	images := builtImages(t)
	if _, err := indexOf(append(images, images[0])); err == nil {
		t.Error("an index has two images for one platform")
	}
}

func annotations(t *testing.T, img v1.Image) []string {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	all := make([]string, 0, len(m.Layers))
	for _, l := range m.Layers {
		all = append(all, l.Annotations["io.crossplane.xpkg"])
	}
	return all
}
