// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg/parser"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg/parser/examples"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg/parser/yaml"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/pkg/errors"
	"github.com/spf13/afero"
)

// buildPackage returns the package of one platform: the image that Crossplane
// runs, a layer with the metadata and the CRDs, and one with the examples. It
// fails on what Crossplane's own linter objects to.
func buildPackage(ctx context.Context, img v1.Image, metaDir, examplesDir string) (v1.Image, error) {
	p, err := yaml.New()
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a parser")
	}
	meta := yamlBackend(metaDir)
	ex := yamlBackend(examplesDir, notIn(examplesDir))
	xp, _, err := xpkg.New(meta, ex, p, examples.New()).Build(ctx, xpkg.WithBase(img))
	return xp, err
}

// yamlBackend reads the YAML files of a folder in the order of their names.
func yamlBackend(dir string, skip ...parser.FilterFn) parser.Backend {
	skip = append(skip, parser.SkipDirs(), parser.SkipNotYAML(), parser.SkipEmpty())
	return parser.NewFsBackend(afero.NewOsFs(), parser.FsDir(dir), parser.FsFilters(skip...))
}

// notIn skips what is in folders of the folder.
func notIn(dir string) parser.FilterFn {
	return func(path string, _ os.FileInfo) (bool, error) {
		return filepath.Dir(path) != filepath.Clean(dir), nil
	}
}

// writePackage writes the archive that Crossplane's CLI writes, too. It has no
// place for annotations of layers; labels of the image remember them.
func writePackage(name string, xp v1.Image) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := tarball.Write(nil, xp, f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
