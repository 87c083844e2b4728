// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// root of the source tree.
const root = "../.."

var (
	// h is shared by all pages, which are run one after the other.
	h *harness.Harness
	// environment of all commands.
	environment []string
	// tree is the source tree.
	tree string
	// terminal is everything that they wrote.
	terminal = &harness.Buffer{}
)

func TestMain(m *testing.M) {
	flag.Parse()
	harness.Exit(run(m))
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "docs")
	if err != nil {
		return 1, errors.Wrap(err, "cannot make a folder")
	}
	defer func() { _ = os.RemoveAll(dir) }()
	seed, err := readSeed()
	if err != nil {
		return 1, err
	}
	ctx := context.Background()
	if h, err = harness.New(ctx, aivensim.WithSeed(seed)); err != nil {
		return 1, err
	}
	h.LogLibraries()
	code = 1
	if environment, err = prepare(ctx, dir); err == nil {
		code = m.Run()
	}
	return h.End(code, map[string]string{"the terminal": terminal.String()}), err
}

// readSeed returns what the simulator of make run starts with.
func readSeed() (aivensim.Seed, error) {
	f, err := os.Open(filepath.Join(root, "examples", "aivensim-seed.json"))
	if err != nil {
		return aivensim.Seed{}, errors.Wrap(err, "cannot open the simulator's seed")
	}
	defer func() { _ = f.Close() }()
	return aivensim.ReadSeed(f)
}

// prepare makes what commands need in a folder, and returns their environment: kubectl
// with our plugin, and the cluster.
func prepare(ctx context.Context, dir string) ([]string, error) {
	programs, err := controlplane.Binaries(ctx, os.Stderr, controlplane.Kubectl)
	if err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", dir, "./cmd/kubectl-aivenapp")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.Wrapf(err, "cannot build kubectl-aivenapp: %s", bytes.TrimSpace(out))
	}
	if tree, err = filepath.Abs(root); err != nil {
		return nil, errors.Wrap(err, "cannot find the source tree")
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	return append(os.Environ(),
		"PATH="+dir+":"+programs+":"+os.Getenv("PATH"), "HOME="+dir, "KUBECONFIG="+kubeconfig,
		"TREE="+tree,
		// What docs call the control plane of make run.
		"LOCAL="+kubeconfig,
	), h.WriteKubeconfig(kubeconfig)
}
