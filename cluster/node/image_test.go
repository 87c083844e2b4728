// SPDX-License-Identifier: Apache-2.0

package node

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/pkg/errors"
)

// What is pushed to the registry can be pulled from it.
func TestPush(t *testing.T) {
	dir := t.TempDir()
	binary, tree := filepath.Join(dir, "binary"), filepath.Join(dir, "tree", "deep")
	if err := os.MkdirAll(tree, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{binary: "program", filepath.Join(tree, "file.yaml"): "a: b"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := &Cluster{level: LevelProcesses, progress: newProgress(t.Output()), record: record{Dir: filepath.Join(dir, "cluster")}}
	if err := c.startRegistry(t.Context()); err != nil {
		t.Fatalf("startRegistry(...): %v", err)
	}
	t.Cleanup(func() { _ = c.registry.close() })
	i := image{binary: binary, user: "1:1", trees: map[string]string{"etc": filepath.Join(dir, "tree")}}
	if err := c.push(t.Context(), "some/image:v1", i); err != nil {
		t.Fatalf("push(...): %v", err)
	}

	ref, err := name.ParseReference(c.RegistryInCluster() + "/some/image:v1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref)
	if err != nil {
		t.Fatalf("pull: %v", err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"linux", "1:1", "/app"}, []string{cfg.OS, cfg.Config.User, cfg.Config.Entrypoint[0]}); diff != "" {
		t.Errorf("configuration: -want, +got:\n%s", diff)
	}
	files := map[string]string{}
	flat := mutate.Extract(img)
	defer func() { _ = flat.Close() }()
	for r := tar.NewReader(flat); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = h.FileInfo().Mode().String() + " " + string(b)
	}
	want := map[string]string{"app": "-rwxr-xr-x program", "etc/deep/file.yaml": "-rw-r--r-- a: b"}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files: -want, +got:\n%s", diff)
	}
}
