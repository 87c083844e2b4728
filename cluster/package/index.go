// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/pkg/errors"
)

// An index is an image of several platforms.
type index = v1.ImageIndex

// A platformImage is what an index holds for one architecture of Linux, as a
// registry has it.
type platformImage struct {
	v1.Image

	arch string
	xpkg bool // It is a Crossplane package.
}

// indexOf returns the index of images, which must be of different architectures.
func indexOf(images []platformImage) (index, error) {
	sort.Slice(images, func(i, j int) bool { return images[i].arch < images[j].arch })
	adds := make([]mutate.IndexAddendum, 0, len(images))
	annotations := map[string]string{}
	for i, img := range images {
		if i > 0 && images[i-1].arch == img.arch {
			return nil, errors.Errorf("there are two images for %s", img.arch)
		}
		cfg, err := img.ConfigFile()
		if err != nil {
			return nil, errors.Wrap(err, "cannot get the configuration of an image")
		}
		for k, v := range cfg.Config.Labels {
			if strings.HasPrefix(k, labelPrefix) {
				annotations[k] = v
			}
		}
		adds = append(adds, mutate.IndexAddendum{
			Add:        img.Image,
			Descriptor: v1.Descriptor{MediaType: types.OCIManifestSchema1, Platform: &v1.Platform{OS: cfg.OS, Architecture: cfg.Architecture}},
		})
	}
	idx, ok := mutate.Annotations(mutate.AppendManifests(empty.Index, adds...), annotations).(index)
	if !ok {
		return nil, errors.New("cannot annotate the index")
	}
	return idx, nil
}

// writeLayout replaces an OCI layout.
func writeLayout(dir string, idx index) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return l.AppendIndex(idx)
}

// readImages reads .xpkg files and OCI layouts.
func readImages(paths []string) ([]platformImage, error) {
	var images []platformImage
	for _, p := range paths {
		read := readLayout
		if filepath.Ext(p) == xpkg.XpkgExtension {
			read = readPackage
		}
		found, err := read(p)
		if err != nil {
			return nil, errors.Wrapf(err, "cannot read %s", p)
		}
		images = append(images, found...)
	}
	return images, nil
}

// readLayout returns the images of an OCI layout that writeLayout wrote.
func readLayout(dir string) ([]platformImage, error) {
	root, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	m, err := root.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(m.Manifests) != 1 || !m.Manifests[0].MediaType.IsIndex() {
		return nil, errors.New("the layout does not hold exactly one index")
	}
	idx, err := root.ImageIndex(m.Manifests[0].Digest)
	if err != nil {
		return nil, err
	}
	if m, err = idx.IndexManifest(); err != nil {
		return nil, err
	}
	images := make([]platformImage, 0, len(m.Manifests))
	for _, d := range m.Manifests {
		img, err := idx.Image(d.Digest)
		if err != nil {
			return nil, err
		}
		images = append(images, platformImage{Image: img, arch: d.Platform.Architecture})
	}
	return images, nil
}

// readPackage returns the image of an .xpkg file, with the annotations of its
// layers that Crossplane looks for.
func readPackage(name string) ([]platformImage, error) {
	img, err := tarball.ImageFromPath(name, nil)
	if err != nil {
		return nil, err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	annotated := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, l := range layers {
		d, err := l.Digest()
		if err != nil {
			return nil, err
		}
		add := mutate.Addendum{Layer: l, MediaType: types.OCILayer}
		if a := cfg.Config.Labels[xpkg.Label(d.String())]; a != "" {
			add.Annotations = map[string]string{xpkg.AnnotationKey: a}
		}
		if annotated, err = mutate.Append(annotated, add); err != nil {
			return nil, err
		}
	}
	if annotated, err = mutate.ConfigFile(annotated, cfg); err != nil {
		return nil, err
	}
	return []platformImage{{Image: annotated, arch: cfg.Architecture, xpkg: true}}, nil
}

// pushIndex pushes with the credentials that docker login or others left, and
// returns the reference with the digest. Pushing what is there changes nothing.
func pushIndex(ctx context.Context, ref string, idx index) (string, error) {
	r, err := name.ParseReference(ref, name.StrictValidation)
	if err != nil {
		return "", err
	}
	if err := remote.WriteIndex(r, idx, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return "", err
	}
	d, err := idx.Digest()
	if err != nil {
		return "", err
	}
	return r.Context().Digest(d.String()).String(), nil
}
