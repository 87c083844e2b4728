// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

const (
	// rootModule is the module whose source tree holds the pinning module.
	rootModule = "github.com/provider-aiven/provider-aiven"

	// kubernetesModule gives the Kubernetes programs their version.
	kubernetesModule = "k8s.io/kubernetes"

	// recipeVersion is raised when the way of building changes, so that
	// binaries built the old way are not taken for those of the new.
	recipeVersion = "1"

	errNoTree = "cannot find the module " + rootModule + " in the working directory or above it: " +
		"run this inside a checkout, or set KUBEBUILDER_ASSETS to a folder that holds the binaries"
)

// packages maps the name of each program to the package it is built from.
// Every package here is imported by cluster/binaries/tools.go too, which
// keeps its dependencies in that module's go.mod.
var packages = map[string]string{
	"etcd":                    "go.etcd.io/etcd/server/v3",
	"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
	"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
	"kubectl":                 "k8s.io/kubernetes/cmd/kubectl",
}

// names returns the known programs in order.
func names() []string {
	out := make([]string, 0, len(packages))
	for n := range packages {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// known fails on a program without a recipe.
func known(want []string) error {
	for _, n := range want {
		if _, ok := packages[n]; !ok {
			return errors.Errorf("cannot build %q: the known programs are %s", n, strings.Join(names(), ", "))
		}
	}
	return nil
}

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

// ldflags are the linker flags for a version of Kubernetes such as v1.35.4.
// Without them kube-apiserver reports v0.0.0-master, which clients that
// compare versions do not accept.
func ldflags(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	var b strings.Builder
	b.WriteString("-s -w")
	for _, p := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		fmt.Fprintf(&b, " -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s -X %[1]s.gitTreeState=clean", p, version, major, minor)
	}
	return b.String()
}

// moduleDir finds the folder of the pinning module from a folder of the
// source tree.
func moduleDir(from string) (string, error) {
	for dir := from; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && declares(string(b), rootModule) {
			return filepath.Join(dir, "cluster", "binaries"), nil
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

// key names the folder of the binaries of a pinning module on a platform.
func key(gomod, gosum []byte, platform string) string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(recipeVersion), []byte(platform), gomod, gosum} {
		fmt.Fprintf(h, "%d\n", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// cacheDir is the folder that keeps the binaries of the pinning module in
// module.
func cacheDir(module string) (string, error) {
	gomod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return "", errors.Wrap(err, "cannot read the module of the control plane's binaries")
	}
	gosum, err := os.ReadFile(filepath.Join(module, "go.sum"))
	if err != nil {
		return "", errors.Wrap(err, "cannot read the checksums of the control plane's binaries")
	}
	base, err := cacheRoot()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, key(gomod, gosum, runtime.GOOS+"/"+runtime.GOARCH)), nil
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

// kubernetesVersion asks the pinning module for its version of Kubernetes.
func kubernetesVersion(ctx context.Context, module string) (string, error) {
	var stderr bytes.Buffer
	cmd := goCommand(ctx, module, "list", "-m", "-f", "{{.Version}}", kubernetesModule)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", errors.Wrapf(err, "cannot ask for the pinned version of Kubernetes: %s", tail(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}
