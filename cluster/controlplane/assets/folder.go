// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pkg/errors"
)

const (
	// rootModule is the module whose source tree holds the pinning modules.
	rootModule = "github.com/provider-aiven/provider-aiven"

	// recipeVersion is raised when the way of building changes, so that
	// binaries built the old way are not taken for those of the new.
	recipeVersion = "2"

	errNoTree = "cannot find the module " + rootModule + " in the working directory or above it: " +
		"run this inside a checkout, or set KUBEBUILDER_ASSETS to a folder that holds the binaries"
)

// missing returns those of want that are not executable files in dir.
func missing(dir string, want []string) []string {
	var out []string
	for _, n := range want {
		fi, err := os.Stat(filepath.Join(dir, n))
		if err != nil || fi.IsDir() || fi.Mode()&0o111 == 0 {
			out = append(out, n)
		}
	}
	return out
}

// tree finds the root of the source tree that the working directory is in.
func tree() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", errors.Wrap(err, "cannot get the working directory")
	}
	return rootOf(wd)
}

// rootOf finds the root of the source tree that a folder is in.
func rootOf(from string) (string, error) {
	for dir := from; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && declares(string(b), rootModule) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New(errNoTree)
		}
	}
}

// declares reports whether a go.mod file is that of the named module.
func declares(gomod, module string) bool {
	for line := range strings.Lines(gomod) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
			return f[1] == module
		}
	}
	return false
}

// key names the folder of the binaries of a pinning module on a platform: any
// change to a file of the module gives another one.
func key(module fs.FS, platform string) (string, error) {
	h := sha256.New()
	part := func(b []byte) {
		fmt.Fprintf(h, "%d\n", len(b))
		h.Write(b)
	}
	part([]byte(recipeVersion))
	part([]byte(platform))
	// In the order of their names.
	err := fs.WalkDir(module, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(module, path)
		part([]byte(path))
		part(b)
		return err //nolint:wrapcheck // It names the file.
	})
	return hex.EncodeToString(h.Sum(nil))[:16], errors.Wrap(err, "cannot read the module of the binaries")
}

// cacheDir is the folder that keeps the binaries of the pinning module in
// module.
func cacheDir(module string) (string, error) {
	k, err := key(os.DirFS(module), runtime.GOOS+"/"+runtime.GOARCH)
	if err != nil {
		return "", err
	}
	base, err := cacheRoot()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, k), nil
}

// cacheRoot is the folder above those of cacheDir.
func cacheRoot() (string, error) {
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", errors.Wrap(err, "cannot find the user's cache folder (set XDG_CACHE_HOME or HOME)")
		}
	}
	return filepath.Join(base, "provider-aiven", "control-plane"), nil
}
