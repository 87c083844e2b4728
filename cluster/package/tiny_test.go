// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// tinyModule is a repository with a program that takes a moment to build: it
// prints its version. It is a kubectl plugin, too.
var tinyModule = map[string]string{
	"go.mod":                      "module " + module + "\n\ngo 1.26.0\n",
	"internal/version/version.go": "package version\n\nvar Version = \"unknown\"\n",
	"cmd/tiny/main.go":            "package main\n\nimport \"" + module + "/internal/version\"\n\nfunc main() { println(version.Version) }\n",
	"LICENSE":                     "Do what you like.\n",
	"complete":                    "#!/bin/sh\n",
	"krew.yaml":                   tinyManifest,
}

var tinyRevision = revision{Version: "v1.2.3", Commit: "0123456789abcdef0123456789abcdef01234567", Time: time.Unix(1_700_000_000, 0).UTC()}

// tinyProject writes the module into a new folder, with files of that age.
func tinyProject(t *testing.T, age time.Duration) project {
	t.Helper()
	p, err := writeTiny(t.TempDir(), age)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func writeTiny(root string, age time.Duration) (project, error) {
	p := project{root: root, out: "_output", rev: tinyRevision}
	then := time.Now().Add(-age)
	for name, content := range tinyModule {
		f := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			return p, err
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(f, []byte(content), mode); err != nil {
			return p, err
		}
		if err := os.Chtimes(f, then, then); err != nil {
			return p, err
		}
	}
	return p, nil
}

func tinySpec() imageSpec {
	return imageSpec{Name: "tiny", Description: "Prints its version.", Main: "./cmd/tiny", Architectures: []string{"amd64", "arm64"}}
}

// The package of this repository.
const (
	realPackage  = "../../package"
	realExamples = "../../examples"
)

// builtOnce is a project with image and package for tests that only read them.
var builtOnce project

func TestMain(m *testing.M) {
	root, err := os.MkdirTemp("", "package-test-")
	if err != nil {
		panic(err)
	}
	// Tests are of whatever Go they run with, and download no other.
	if os.Getenv("GOTOOLCHAIN") == "" {
		_ = os.Setenv("GOTOOLCHAIN", "local")
	}
	builtOnce, err = buildOnce(root)
	code := 1
	if err == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(root)
	if err != nil {
		panic(err)
	}
	os.Exit(code)
}

func buildOnce(root string) (project, error) {
	p, err := writeTiny(root, 0)
	if err != nil {
		return p, err
	}
	return p, p.buildTiny(context.Background())
}

// buildTiny builds the image of the tiny program, around it the package of this
// repository, and the program as a plugin, as the commands do.
func (p project) buildTiny(ctx context.Context) error {
	if err := p.runImage(ctx, tinySpec()); err != nil {
		return err
	}
	if err := p.runXpkg(ctx, "tiny", realPackage, realExamples); err != nil {
		return err
	}
	return p.runPlugin(ctx, tinyPlugin())
}

// builtImages returns the images of builtOnce.
func builtImages(t *testing.T) []platformImage {
	t.Helper()
	images, err := readImages([]string{builtOnce.image("tiny")})
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// builtPackages returns the packages of builtOnce.
func builtPackages(t *testing.T) []platformImage {
	t.Helper()
	images, err := builtOnce.read("tiny", nil)
	if err != nil {
		t.Fatal(err)
	}
	return images
}

func digestOf(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	d, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}
