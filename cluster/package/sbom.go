// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/licensedetect/local"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/uuid"
	"github.com/pkg/errors"
	"github.com/rs/zerolog"
)

// listMaterials returns what is in an image or in a package: of programs all
// modules with licenses, of other files a hash. It reads the layers and nothing
// that only the one who built them could know; licenses are read from the
// published modules. Time and serial number follow from the image.
func listMaterials(name string, img v1.Image) (*cdx.BOM, error) {
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, errors.Wrap(err, "cannot get the configuration")
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, errors.Wrap(err, "cannot get the digest")
	}
	version := cfg.Config.Labels[labelVersion]
	purl := "pkg:oci/" + name + "@" + url.QueryEscape(digest.String()) + "?arch=" + cfg.Architecture + "&tag=" + version
	bom := cdx.NewBOM()
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, []byte(purl)).URN()
	bom.Metadata = &cdx.Metadata{
		Timestamp: cfg.Created.UTC().Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef: purl, PackageURL: purl, Type: cdx.ComponentTypeContainer, Name: name, Version: version,
			Description: cfg.Config.Labels[labelPrefix+"description"],
			Hashes:      &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: digest.Hex}},
			Licenses:    &cdx.Licenses{{License: &cdx.License{ID: cfg.Config.Labels[labelPrefix+"licenses"]}}},
		},
	}
	bom.Components, bom.Dependencies, bom.Compositions = &[]cdx.Component{}, &[]cdx.Dependency{}, &[]cdx.Composition{}

	files, err := filesOf(img)
	if err != nil {
		return nil, errors.Wrap(err, "cannot read the layers")
	}
	contains := make([]string, 0, len(files))
	for _, f := range files {
		ref, err := addFile(bom, f, version)
		if err != nil {
			return nil, errors.Wrapf(err, "cannot describe %s", f.path)
		}
		contains = append(contains, ref)
	}
	*bom.Dependencies = append([]cdx.Dependency{{Ref: purl, Dependencies: &contains}}, *bom.Dependencies...)
	return bom, nil
}

// addFile adds a file and all that is in it, and returns its reference.
func addFile(bom *cdx.BOM, f file, version string) (string, error) {
	if _, err := buildinfo.Read(bytes.NewReader(f.data)); err == nil {
		return addProgram(bom, f, version)
	}
	sum := sha256.Sum256(f.data)
	c := cdx.Component{
		BOMRef: "file:/" + f.path, Type: cdx.ComponentTypeFile, Name: "/" + f.path,
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
	}
	if f.path == rootsFile {
		c.Description = "Mozilla's root certificates, as published in the Go module " + rootsModule
		c.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "MPL-2.0"}}}
		if info, ok := debug.ReadBuildInfo(); ok {
			i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == rootsModule })
			if i >= 0 {
				c.Version = info.Deps[i].Version
			}
		}
	}
	*bom.Components = append(*bom.Components, c)
	return c.BOMRef, nil
}

// addProgram adds a Go program, its modules, and the standard library.
func addProgram(bom *cdx.BOM, f file, version string) (string, error) {
	dir, err := os.MkdirTemp("", "sbom-")
	if err != nil {
		return "", errors.Wrap(err, "cannot make a folder")
	}
	defer os.RemoveAll(dir) //nolint:errcheck // nothing can be done about it
	name := filepath.Join(dir, filepath.Base(f.path))
	if err := os.WriteFile(name, f.data, 0o600); err != nil {
		return "", errors.Wrap(err, "cannot write the program")
	}
	g, err := bin.NewGenerator(name, bin.WithIncludeStdlib(true), bin.WithVersionOverride(version),
		bin.WithLogger(zerolog.Nop()), bin.WithLicenseDetector(local.NewDetector(zerolog.Nop())))
	if err != nil {
		return "", errors.Wrap(err, "cannot make a generator")
	}
	program, err := g.Generate()
	if err != nil {
		return "", errors.Wrap(err, "cannot list the modules")
	}
	main := program.Metadata.Component
	main.Properties = program.Metadata.Properties
	*bom.Components = append(append(*bom.Components, *main), *program.Components...)
	*bom.Dependencies = append(*bom.Dependencies, *program.Dependencies...)
	*bom.Compositions = append(*bom.Compositions, *program.Compositions...)
	return main.BOMRef, nil
}

// filesOf returns the regular files of all layers, in their order.
func filesOf(img v1.Image) ([]file, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	var files []file
	for _, l := range layers {
		rc, err := l.Uncompressed()
		if err != nil {
			return nil, err
		}
		found, err := readTar(rc)
		_ = rc.Close()
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

func readTar(r io.Reader) ([]file, error) {
	var files []file
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		files = append(files, file{path: strings.TrimPrefix(h.Name, "/"), mode: h.Mode, data: data})
	}
}

func writeMaterials(name string, bom *cdx.BOM) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	var buf bytes.Buffer
	e := cdx.NewBOMEncoder(&buf, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := e.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return err
	}
	return os.WriteFile(name, buf.Bytes(), 0o644)
}
