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

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

func TestKey(t *testing.T) {
	base := key([]byte("mod"), []byte("sum"), "linux/amd64")
	cases := map[string]struct {
		reason   string
		mod      string
		sum      string
		platform string
		same     bool
	}{
		"Same":          {reason: "The same module on the same platform has the same folder.", mod: "mod", sum: "sum", platform: "linux/amd64", same: true},
		"OtherModule":   {reason: "A changed version must not find the old binaries.", mod: "mod2", sum: "sum", platform: "linux/amd64"},
		"OtherSum":      {reason: "A changed checksum must not find the old binaries.", mod: "mod", sum: "sum2", platform: "linux/amd64"},
		"OtherPlatform": {reason: "A shared cache folder may be seen by machines of several kinds.", mod: "mod", sum: "sum", platform: "linux/arm64"},
		"MovedBoundary": {reason: "Text that moves from one file to the other is a change.", mod: "mods", sum: "um", platform: "linux/amd64"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := key([]byte(tc.mod), []byte(tc.sum), tc.platform)
			if (got == base) != tc.same {
				t.Errorf("\n%s\nkey(...): %q, compared with %q", tc.reason, got, base)
			}
		})
	}
}

func TestModuleDir(t *testing.T) {
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
		"Root":      {reason: "The root itself is found.", from: "tree", want: "tree/cluster/binaries"},
		"Below":     {reason: "Tests run in the folder of their package.", from: "tree/internal/deep", want: "tree/cluster/binaries"},
		"SubModule": {reason: "A module inside the tree is not its root.", from: "tree/cluster/binaries", want: "tree/cluster/binaries"},
		"Elsewhere": {reason: "Outside a checkout the error says what to do.", from: "elsewhere", err: errors.New(errNoTree)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := moduleDir(filepath.Join(root, tc.from))
			if diff := cmp.Diff(text(tc.err), text(err)); diff != "" {
				t.Fatalf("\n%s\nmoduleDir(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			want := tc.want
			if want != "" {
				want = filepath.Join(root, want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("\n%s\nmoduleDir(...): -want, +got:\n%s", tc.reason, diff)
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
		version string
		want    []string
	}{
		"Release": {
			reason:  "The API server reports its version, major and minor.",
			version: "v1.35.4",
			want: []string{
				"-X k8s.io/component-base/version.gitVersion=v1.35.4", "-X k8s.io/component-base/version.gitMajor=1", "-X k8s.io/component-base/version.gitMinor=35",
				"-X k8s.io/client-go/pkg/version.gitVersion=v1.35.4",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ldflags(tc.version)
			for _, w := range tc.want {
				if !strings.Contains(got, w) {
					t.Errorf("\n%s\nldflags(%q): %q does not contain %q", tc.reason, tc.version, got, w)
				}
			}
		})
	}
}

// Every program must be imported by the pinning module: what it does not
// import loses its requirements at the next tidy.
func TestPackagesArePinned(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := moduleDir(wd)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "tools.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, pkg := range packages {
		if !bytes.Contains(b, []byte(`_ "`+pkg+`"`)) {
			t.Errorf("%s is built from %s, which cluster/binaries/tools.go does not import", name, pkg)
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
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	module, err := moduleDir(wd)
	if err != nil {
		t.Fatal(err)
	}
	cached, err := cacheDir(module)
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
		"Unknown":       {reason: "A name without a recipe is named, with those that have one.", names: []string{"kube-frobnicator"}, err: `cannot build "kube-frobnicator": the known programs are etcd, kube-apiserver, kube-controller-manager, kubectl`},
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
	b := builder{module: filepath.Join(dir, "nowhere"), dir: dir, progress: &bytes.Buffer{}}
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
