// SPDX-License-Identifier: Apache-2.0

package node

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/pkg/errors"
)

// An image has one program and nothing that it could be run by but the kernel.
type image struct {
	// binary is the program, which is the image's entry point.
	binary string
	// user runs it.
	user string
	// trees are folders of this machine by the folders of the image.
	trees map[string]string
}

// build returns the image for this machine's architecture.
func (i image) build() (v1.Image, error) {
	const app = "app"
	layer, err := layerOf(func(w *tar.Writer) error { return addFile(w, i.binary, app, 0o755) })
	if err != nil {
		return nil, err
	}
	layers := []v1.Layer{layer}
	for to, from := range i.trees {
		layer, err := layerOf(func(w *tar.Writer) error { return addTree(w, from, to) })
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if img, err = mutate.AppendLayers(img, layers...); err != nil {
		return nil, errors.Wrap(err, "cannot append layers")
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, errors.Wrap(err, "cannot get the configuration")
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", runtime.GOARCH
	cfg.Config.Entrypoint, cfg.Config.User = []string{"/" + app}, i.user
	img, err = mutate.ConfigFile(img, cfg)
	return img, errors.Wrap(err, "cannot set the configuration")
}

// layerOf returns the layer of what fn writes.
func layerOf(fn func(*tar.Writer) error) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := fn(w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, errors.Wrap(err, "cannot write a layer")
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	// It travels no further than this machine.
	l, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestSpeed))
	return l, errors.Wrap(err, "cannot make a layer")
}

// addTree adds the files below a folder.
func addTree(w *tar.Writer, from, to string) error {
	return errors.Wrap(filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err //nolint:wrapcheck // It cannot happen below from.
		}
		return addFile(w, p, path.Join(to, filepath.ToSlash(rel)), 0o644)
	}), "cannot read the files of a layer")
}

func addFile(w *tar.Writer, from, to string, mode int64) error {
	b, err := os.ReadFile(filepath.Clean(from))
	if err != nil {
		return errors.Wrap(err, "cannot read a file of a layer")
	}
	if err := w.WriteHeader(&tar.Header{Name: to, Mode: mode, Size: int64(len(b)), Typeflag: tar.TypeReg}); err != nil {
		return errors.Wrap(err, "cannot write a layer")
	}
	_, err = w.Write(b)
	return errors.Wrap(err, "cannot write a layer")
}
