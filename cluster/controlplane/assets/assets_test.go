// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

func TestKey(t *testing.T) {
	files := func(mod, sum string) fstest.MapFS {
		return fstest.MapFS{"go.mod": {Data: []byte(mod)}, "go.sum": {Data: []byte(sum)}}
	}
	with := func(fs fstest.MapFS, name, content string) fstest.MapFS {
		fs[name] = &fstest.MapFile{Data: []byte(content)}
		return fs
	}
	keyOf := func(fs fstest.MapFS, platform string) string {
		k, err := key(fs, platform)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	base := keyOf(files("mod", "sum"), "linux/amd64")
	cases := map[string]struct {
		reason   string
		module   fstest.MapFS
		platform string
		same     bool
	}{
		"Same":          {reason: "The same module on the same platform has the same folder.", module: files("mod", "sum"), platform: "linux/amd64", same: true},
		"OtherModule":   {reason: "A changed version must not find the old binaries.", module: files("mod2", "sum"), platform: "linux/amd64"},
		"OtherSum":      {reason: "A changed checksum must not find the old binaries.", module: files("mod", "sum2"), platform: "linux/amd64"},
		"OtherProgram":  {reason: "A program of the module's own is a part of it.", module: with(files("mod", "sum"), "pause/main.go", "package main"), platform: "linux/amd64"},
		"OtherPlatform": {reason: "A shared cache folder may be seen by machines of several kinds.", module: files("mod", "sum"), platform: "linux/arm64"},
		"MovedBoundary": {reason: "Text that moves from one file to the other is a change.", module: files("mods", "um"), platform: "linux/amd64"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := keyOf(tc.module, tc.platform)
			if (got == base) != tc.same {
				t.Errorf("\n%s\nkey(...): %q, compared with %q", tc.reason, got, base)
			}
		})
	}
}

func TestRootOf(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "tree", "go.mod"), "// A comment.\nmodule "+rootModule+"\n", 0o600)
	write(t, filepath.Join(root, "tree", "cluster", "binaries", "go.mod"), "module "+rootModule+"/cluster/binaries\n", 0o600)
	mkdir(t, filepath.Join(root, "tree", "internal", "deep"))
	mkdir(t, filepath.Join(root, "elsewhere"))

	cases := map[string]struct {
		reason string
		from   string
		want   string
		err    error
	}{
		"Root":      {reason: "The root itself is found.", from: "tree", want: "tree"},
		"Below":     {reason: "Tests run in the folder of their package.", from: "tree/internal/deep", want: "tree"},
		"SubModule": {reason: "A module inside the tree is not its root.", from: "tree/cluster/binaries", want: "tree"},
		"Elsewhere": {reason: "Outside a checkout the error says what to do.", from: "elsewhere", err: errors.New(errNoTree)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := rootOf(filepath.Join(root, tc.from))
			if diff := cmp.Diff(text(tc.err), text(err)); diff != "" {
				t.Fatalf("\n%s\nrootOf(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			want := tc.want
			if want != "" {
				want = filepath.Join(root, want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("\n%s\nrootOf(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "etcd"), "", 0o700)
	write(t, filepath.Join(dir, "kubectl"), "", 0o600)
	mkdir(t, filepath.Join(dir, "kube-apiserver"))

	cases := map[string]struct {
		reason string
		want   []string
		absent []string
	}{
		"Present":       {reason: "An executable file is there.", want: []string{"etcd"}},
		"Absent":        {reason: "A name without a file is missing.", want: []string{"etcd", "nothing"}, absent: []string{"nothing"}},
		"NotExecutable": {reason: "A file that cannot be run is missing.", want: []string{"kubectl"}, absent: []string{"kubectl"}},
		"Folder":        {reason: "A folder is not a program.", want: []string{"kube-apiserver"}, absent: []string{"kube-apiserver"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.absent, missing(dir, tc.want)); diff != "" {
				t.Errorf("\n%s\nmissing(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLDFlags(t *testing.T) {
	cases := map[string]struct {
		reason  string
		ldflags func(string) string
		version string
		want    []string
	}{
		"Kubernetes": {
			reason:  "The API server reports its version, major and minor.",
			ldflags: kubernetesFlags, version: "v1.35.4",
			want: []string{
				"-X k8s.io/component-base/version.gitVersion=v1.35.4", "-X k8s.io/component-base/version.gitMajor=1", "-X k8s.io/component-base/version.gitMinor=35",
				"-X k8s.io/client-go/pkg/version.gitVersion=v1.35.4",
			},
		},
		"Crossplane": {
			reason:  "Crossplane compares its version with what a package needs.",
			ldflags: crossplaneFlags, version: "v2.4.0",
			want: []string{"-X github.com/crossplane/crossplane-runtime/v2/pkg/version.version=v2.4.0"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.ldflags(tc.version)
			for _, w := range tc.want {
				if !strings.Contains(got, w) {
					t.Errorf("\n%s\nldflags(%q): %q does not contain %q", tc.reason, tc.version, got, w)
				}
			}
		})
	}
}

func TestModuleOf(t *testing.T) {
	cases := map[string]struct {
		reason string
		want   []string
		dir    string
		err    string
	}{
		"ControlPlane": {reason: "Kubernetes is pinned in one module.", want: []string{"etcd", "kubelet"}, dir: "cluster/binaries"},
		"Crossplane":   {reason: "Crossplane is pinned in another.", want: []string{"crossplane", "pause"}, dir: "cluster/node/binaries"},
		"Mixed":        {reason: "No folder holds programs of two modules.", want: []string{"pause", "etcd"}, err: `cannot build "etcd" together with "pause": the programs of cluster/node/binaries are coredns, crossplane, helm, pause`},
		"Nothing":      {reason: "No name is a mistake of the caller.", err: "cannot build nothing: name a program"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m, err := moduleOf(tc.want...)
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Errorf("\n%s\nmoduleOf(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.dir, m.dir); diff != "" {
				t.Errorf("\n%s\nmoduleOf(...): -want folder, +got folder:\n%s", tc.reason, diff)
			}
		})
	}
}

// Every published program must be imported by its pinning module: what that does
// not import loses its requirements at the next tidy.
func TestPackagesArePinned(t *testing.T) {
	root, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		b, err := os.ReadFile(filepath.Join(m.in(root), "tools.go"))
		if err != nil {
			t.Fatal(err)
		}
		for name, pkg := range m.packages {
			if strings.HasPrefix(pkg, "./") {
				if _, err := os.Stat(filepath.Join(m.in(root), pkg)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if !bytes.Contains(b, []byte(`_ "`+pkg+`"`)) {
				t.Errorf("%s is built from %s, which %s/tools.go does not import", name, pkg, m.dir)
			}
		}
	}
}

func TestEnsure(t *testing.T) {
	full, partial := t.TempDir(), t.TempDir()
	write(t, filepath.Join(full, "etcd"), "", 0o700)
	write(t, filepath.Join(full, "kube-apiserver"), "", 0o700)
	write(t, filepath.Join(partial, "etcd"), "", 0o700)

	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	root, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	cached, err := cacheDir(modules[0].in(root))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(cached, "etcd"), "", 0o700)
	write(t, filepath.Join(cached, "kube-apiserver"), "", 0o700)

	cases := map[string]struct {
		reason string
		assets string
		names  []string
		want   string
		says   string
		err    string
	}{
		"Assets":        {reason: "KUBEBUILDER_ASSETS wins when it holds everything.", assets: full, names: []string{"etcd", "kube-apiserver"}, want: full},
		"PartialAssets": {reason: "A folder that lacks one program is passed over, and said to be.", assets: partial, names: []string{"etcd", "kube-apiserver"}, want: cached, says: "lacks kube-apiserver"},
		"Cache":         {reason: "Without the variable the cache is used, and nothing is built that is there.", names: []string{"etcd", "kube-apiserver"}, want: cached},
		"Unknown":       {reason: "A name without a recipe is named, with those that have one.", names: []string{"kube-frobnicator"}, err: `cannot build "kube-frobnicator": the known programs are coredns, crossplane, etcd, helm, kube-apiserver, kube-controller-manager, kube-proxy, kube-scheduler, kubectl, kubelet, pause`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv(EnvAssets, tc.assets)
			var progress bytes.Buffer
			got, err := Ensure(t.Context(), &progress, tc.names...)
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Fatalf("\n%s\nEnsure(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nEnsure(...): -want, +got:\n%s", tc.reason, diff)
			}
			if !strings.Contains(progress.String(), tc.says) {
				t.Errorf("\n%s\nEnsure(...): progress %q does not contain %q", tc.reason, progress.String(), tc.says)
			}
		})
	}
}

// A process that finds the lock taken waits, and gives up with its context.
func TestLockIsExclusive(t *testing.T) {
	b := builder{dir: t.TempDir(), progress: &bytes.Buffer{}}
	unlock, err := b.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.lock(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("lock(...) of a locked folder: %v, want one that is %v", err, context.Canceled)
	}

	unlock()
	again, err := b.lock(t.Context())
	if err != nil {
		t.Fatalf("lock(...) after unlock: %v", err)
	}
	again()
}

// What another process built while this one waited for the lock is not built
// again: there is no module here that could be built.
func TestBuildAfterWait(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "etcd"), "", 0o700)
	b := builder{recipe: modules[0], module: filepath.Join(dir, "nowhere"), dir: dir, progress: &bytes.Buffer{}}
	if err := b.build(t.Context(), []string{"etcd"}); err != nil {
		t.Errorf("build(...): %v", err)
	}
	if err := b.build(t.Context(), []string{"kubectl"}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("build(...) of a missing program: %v, want one that is %v", err, syscall.ENOENT)
	}
	if diff := cmp.Diff([]string{"kubectl"}, missing(dir, []string{"etcd", "kubectl"})); diff != "" {
		t.Errorf("a failed build: -want missing, +got missing:\n%s", diff)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
