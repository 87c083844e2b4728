// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/macho"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// tinyManifest is of three platforms, which are built for tests.
const tinyManifest = `
spec:
  version: "{{ .TagName }}"
  platforms:
  - selector: {matchLabels: {os: linux, arch: ` + runtime.GOARCH + `}}
    {{addURIAndSha "https://example.org/{{ .TagName }}/tiny_linux_` + runtime.GOARCH + `.tar.gz" .TagName }}
    bin: tiny
  - selector: {matchLabels: {os: darwin, arch: arm64}}
    {{addURIAndSha "https://example.org/{{ .TagName }}/tiny_darwin_arm64.tar.gz" .TagName }}
    bin: tiny
  - selector: {matchLabels: {os: windows, arch: amd64}}
    {{addURIAndSha "https://example.org/{{ .TagName }}/tiny_windows_amd64.zip" .TagName }}
    bin: tiny.exe
`

func tinyPlugin() pluginSpec {
	return pluginSpec{
		Main: "./cmd/tiny", Manifest: "krew.yaml", Files: []string{"complete", "LICENSE"},
		Platforms: []string{"linux/" + runtime.GOARCH, "darwin/arm64", "windows/amd64"},
	}
}

// A krewPlugin is what krew reads of a manifest.
type krewPlugin struct {
	Spec struct {
		Version   string
		Platforms []struct {
			Selector         struct{ MatchLabels map[string]string }
			URI, SHA256, Bin string
		}
	}
}

func TestPluginArchives(t *testing.T) {
	unix := []string{"-rw-r--r-- LICENSE", "-rwxr-xr-x complete", "-rwxr-xr-x tiny"}
	cases := map[string]struct {
		reason  string
		archive string
		want    []string
	}{
		"Linux":   {reason: "The license and the completion are beside the program.", archive: "tiny_linux_" + runtime.GOARCH + ".tar.gz", want: unix},
		"MacOS":   {reason: "On macOS it is the same.", archive: "tiny_darwin_arm64.tar.gz", want: unix},
		"Windows": {reason: "Windows runs no shell scripts.", archive: "tiny_windows_amd64.zip", want: []string{"-rw-r--r-- LICENSE", "-rwxr-xr-x tiny.exe"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range unpack(t, builtOnce.path("plugin", tc.archive)) {
				got = append(got, os.FileMode(f.mode).String()+" "+f.path)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// The program of this machine's archive runs, and knows its version.
func TestPluginProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the program is for Linux")
	}
	dir := t.TempDir()
	if err := writeFiles(dir, unpack(t, builtOnce.path("plugin", "tiny_linux_"+runtime.GOARCH+".tar.gz"))); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(dir, "tiny")).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != tinyRevision.Version {
		t.Errorf("got %q, %v, want %s", out, err, tinyRevision.Version)
	}
}

// Newer macOS does not start a program without a UUID, which the linker leaves out
// of programs without a build ID.
func TestPluginUUID(t *testing.T) {
	const loadUUID = 0x1b
	for _, f := range unpack(t, builtOnce.path("plugin", "tiny_darwin_arm64.tar.gz")) {
		if f.path != "tiny" {
			continue
		}
		m, err := macho.NewFile(bytes.NewReader(f.data))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range m.Loads {
			if raw := l.Raw(); m.ByteOrder.Uint32(raw) == loadUUID && !bytes.Equal(raw[8:24], make([]byte, 16)) {
				return
			}
		}
	}
	t.Error("the program for macOS has no UUID")
}

// The manifest names the archives, and the sums are theirs.
func TestPluginManifest(t *testing.T) {
	var got krewPlugin
	if err := kyaml.Unmarshal([]byte(read(t, builtOnce.path("plugin", "tiny.yaml"))), &got); err != nil {
		t.Fatal(err)
	}
	if got.Spec.Version != tinyRevision.Version || len(got.Spec.Platforms) != 3 {
		t.Fatalf("got %+v", got.Spec)
	}
	sums := read(t, builtOnce.path("plugin", "SHA256SUMS"))
	for _, p := range got.Spec.Platforms {
		archive := path.Base(p.URI)
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, builtOnce.path("plugin", archive)))))
		if p.SHA256 != sum || !strings.Contains(sums, sum+"  "+archive+"\n") {
			t.Errorf("%s has the sum %s, the manifest says %s, and SHA256SUMS:\n%s", archive, sum, p.SHA256, sums)
		}
		if want := "https://example.org/v1.2.3/" + archive; p.URI != want {
			t.Errorf("URI: got %s, want %s", p.URI, want)
		}
	}
}

// The manifest of this repository's plugin has every platform that is built, and a
// program that is in its archive.
func TestRealManifest(t *testing.T) {
	want := map[string]string{}
	var archives []file
	for _, platform := range pluginPlatforms {
		name, bin := "kubectl-aivenapp_"+strings.ReplaceAll(platform, "/", "_")+".tar.gz", "kubectl-aivenapp"
		if strings.HasPrefix(platform, windows) {
			name, bin = strings.TrimSuffix(name, ".tar.gz")+".zip", bin+".exe"
		}
		archives = append(archives, file{path: name, data: []byte(platform)})
		want[platform] = bin + " " + source + "/releases/download/v1.2.3/" + name + " " + checksum(archives[len(archives)-1])
	}
	template := read(t, "../../cmd/kubectl-aivenapp/.krew.yaml")
	b, err := krewManifest(template, "v1.2.3", archives)
	if err != nil {
		t.Fatal(err)
	}
	var m krewPlugin
	if err := kyaml.Unmarshal(b, &m); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	got := map[string]string{}
	for _, p := range m.Spec.Platforms {
		l := p.Selector.MatchLabels
		got[l["os"]+"/"+l["arch"]] = p.Bin + " " + p.URI + " " + p.SHA256
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("platforms: -want, +got:\n%s", diff)
	}
	if _, err := krewManifest(template, "v1.2.3", archives[1:]); err == nil {
		t.Error("a manifest without one of its archives: want an error")
	}
}

// unpack returns the files of an archive, and fails on a time.
func unpack(t *testing.T, name string) []file {
	t.Helper()
	data := []byte(read(t, name))
	reader := readTarGz
	if strings.HasSuffix(name, ".zip") {
		reader = readZip
	}
	files, err := reader(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return files
}

func readTarGz(data []byte) ([]file, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		return nil, errors.Errorf("the archive has the name %q and the time %s", z.Name, z.ModTime)
	}
	var files []file
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			return nil, errors.Errorf("%s has the time %s and belongs to %d:%d %s", h.Name, h.ModTime, h.Uid, h.Gid, h.Uname)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files = append(files, file{path: h.Name, mode: h.Mode, data: b})
	}
}

func readZip(data []byte) ([]file, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var files []file
	for _, f := range z.File {
		if !f.Modified.Equal(zipTime) {
			return nil, errors.Errorf("%s has the time %s", f.Name, f.Modified)
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files = append(files, file{path: f.Name, mode: int64(f.Mode()), data: b})
	}
	return files, nil
}
