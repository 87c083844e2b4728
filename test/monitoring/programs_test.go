// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root of the source tree.
const root = "../.."

// program returns the path of promtool or prometheus: of the one on the PATH, else of
// one that is built from its published Go module, which go keeps in its cache.
func program(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if testing.Short() {
		t.Skipf("%s is not on the PATH (Debian has it in package prometheus), and building it takes minutes, which -short is against", name)
	}
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s is not on the PATH: building it, which takes minutes the first time", name)
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=cluster/tools/monitoring/go.mod", "-n", name)
	cmd.Dir = dir
	// Without the means to discover targets in clouds it is half as much.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-tags=remove_all_sd", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s is not on the PATH (Debian has it in package prometheus), and cannot be built: %v\n%s", name, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}
