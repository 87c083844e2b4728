// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/pkg/errors"
)

func TestImage(t *testing.T) {
	images := builtImages(t)
	archs := make([]string, 0, len(images))
	for _, img := range images {
		archs = append(archs, img.arch)

		cfg, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		want := v1.Config{
			User:       "65532:65532",
			WorkingDir: "/",
			Entrypoint: []string{"/usr/local/bin/tiny"},
			Labels: map[string]string{
				"org.opencontainers.image.title":       "tiny",
				"org.opencontainers.image.description": "Prints its version.",
				"org.opencontainers.image.source":      "https://github.com/provider-aiven/provider-aiven",
				"org.opencontainers.image.licenses":    "Apache-2.0",
				"org.opencontainers.image.version":     "v1.2.3",
				"org.opencontainers.image.revision":    tinyRevision.Commit,
				"org.opencontainers.image.created":     "2023-11-14T22:13:20Z",
			},
		}
		if diff := cmp.Diff(want, cfg.Config); diff != "" {
			t.Errorf("%s: configuration: -want, +got:\n%s", img.arch, diff)
		}
		if got := []string{cfg.OS, cfg.Architecture, cfg.Created.UTC().Format(time.RFC3339)}; !cmp.Equal(got, []string{"linux", img.arch, "2023-11-14T22:13:20Z"}) {
			t.Errorf("platform and time: got %v", got)
		}

		wantEntries := []string{
			"drwxr-xr-x 0:0 etc/",
			"drwxr-xr-x 0:0 etc/ssl/",
			"drwxr-xr-x 0:0 etc/ssl/certs/",
			"-rw-r--r-- 0:0 etc/ssl/certs/ca-certificates.crt",
			"drwxr-xr-x 0:0 usr/",
			"drwxr-xr-x 0:0 usr/local/",
			"drwxr-xr-x 0:0 usr/local/bin/",
			"-rwxr-xr-x 0:0 usr/local/bin/tiny",
		}
		if diff := cmp.Diff(wantEntries, entries(t, img)); diff != "" {
			t.Errorf("%s: Crossplane runs it as a user of its own, so that all must be able to read and to run what is in it: -want, +got:\n%s", img.arch, diff)
		}
		if diff := cmp.Diff([]types.MediaType{types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer, types.OCILayer}, mediaTypes(t, img)); diff != "" {
			t.Errorf("%s: media types: -want, +got:\n%s", img.arch, diff)
		}
	}
	if diff := cmp.Diff([]string{"amd64", "arm64"}, archs); diff != "" {
		t.Errorf("architectures: -want, +got:\n%s", diff)
	}
}

// The program in the image runs, and knows its version.
func TestImageProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the program is for Linux")
	}
	for _, img := range builtImages(t) {
		if img.arch != runtime.GOARCH {
			continue
		}
		files, err := filesOf(img)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "tiny")
		if err := os.WriteFile(name, files[len(files)-1].data, 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(name).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != tinyRevision.Version {
			t.Errorf("got %q, %v, want %s", out, err, tinyRevision.Version)
		}
	}
}

// A program that was built before becomes an image without building.
func TestImageOfBinary(t *testing.T) {
	p := tinyProject(t, 0)
	binary := filepath.Join(p.root, "some.test")
	if err := os.WriteFile(binary, []byte("not a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := imageSpec{Name: "sut", Main: "./no/such/package", Architectures: []string{"arm64"}, Binaries: map[string]string{"arm64": binary}}
	if err := p.runImage(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	images, err := readImages([]string{p.image("sut")})
	if err != nil {
		t.Fatal(err)
	}
	got := entries(t, images[0])
	if len(images) != 1 || images[0].arch != "arm64" || got[len(got)-1] != "-rwxr-xr-x 0:0 usr/local/bin/package" {
		t.Errorf("got %d images, the first for %s with %v", len(images), images[0].arch, got)
	}
}

// Two builds give the same bytes, wherever and whenever they are made.
func TestReproducible(t *testing.T) {
	type result struct{ Images, Packages, Index, Archives, Materials, Plugin []string }
	look := func(p project) result {
		var r result
		images, err := readImages([]string{p.image("tiny")})
		if err != nil {
			t.Fatal(err)
		}
		packages, err := p.read("tiny", nil)
		if err != nil {
			t.Fatal(err)
		}
		idx, err := indexOf(packages)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.runSBOM("tiny", nil); err != nil {
			t.Fatal(err)
		}
		r.Index = []string{digestOf(t, idx)}
		r.Plugin = []string{read(t, p.path("plugin", "SHA256SUMS"))}
		for i := range images {
			arch := images[i].arch
			r.Images = append(r.Images, digestOf(t, images[i]))
			r.Packages = append(r.Packages, digestOf(t, packages[i]))
			r.Archives = append(r.Archives, fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, p.xpkg("tiny", arch))))))
			r.Materials = append(r.Materials, read(t, p.path("sbom", "tiny-v1.2.3-"+arch+".xpkg.cdx.json")))
		}
		return r
	}
	first := look(builtOnce)

	t.Setenv("GOCACHE", t.TempDir())
	t.Setenv("GOAMD64", "v3")
	t.Setenv("GOFLAGS", "-trimpath=false")
	t.Setenv("TZ", "Asia/Tokyo")
	t.Setenv("CGO_ENABLED", "1")
	p := tinyProject(t, 1000*time.Hour)
	if err := p.buildTiny(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, look(p)); diff != "" {
		t.Errorf("built again in another folder, with files of another age, an empty cache and another environment: -first, +second:\n%s", diff)
	}
}

// entries lists mode, owner and name of all that is in the layers, and fails on
// a time.
func entries(t *testing.T, img v1.Image) []string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range layers {
		rc, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(rc); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if !h.ModTime.Equal(time.Unix(0, 0)) {
				t.Errorf("%s has the time %s", h.Name, h.ModTime)
			}
			all = append(all, fmt.Sprintf("%s %d:%d %s", h.FileInfo().Mode(), h.Uid, h.Gid, h.Name))
		}
		_ = rc.Close()
	}
	return all
}

func mediaTypes(t *testing.T, img v1.Image) []types.MediaType {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	all := []types.MediaType{m.MediaType, m.Config.MediaType}
	for _, l := range m.Layers {
		all = append(all, l.MediaType)
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
