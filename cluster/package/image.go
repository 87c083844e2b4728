// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"time"

	"github.com/alecthomas/kingpin/v2"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/pkg/errors"
)

const (
	module = "github.com/provider-aiven/provider-aiven"
	source = "https://" + module

	// user is a number, so that runAsNonRoot can be checked. Crossplane runs
	// the package as another one: nothing may be the user's own.
	user = "65532:65532"

	binDir = "usr/local/bin"
	// rootsFile is where Go and most other programs look for root certificates.
	rootsFile = "etc/ssl/certs/ca-certificates.crt"

	labelPrefix   = "org.opencontainers.image."
	labelVersion  = labelPrefix + "version"
	labelRevision = labelPrefix + "revision"
)

// An imageSpec says what an image is made of.
type imageSpec struct {
	Name          string
	Description   string
	Main          string            // Package of the program.
	Architectures []string          // Of Linux.
	Binaries      map[string]string // Files of programs that need not be built, by architecture.
}

func (s *imageSpec) bind(cmd *kingpin.CmdClause) {
	s.Binaries = map[string]string{}
	cmd.Flag("main", "Package of the program. The last element of its path is the program's name in /usr/local/bin.").Default("./cmd/provider").StringVar(&s.Main)
	cmd.Flag("binary", "A static program that is there already, as <architecture>=<file>, instead of building one. May be repeated.").StringMapVar(&s.Binaries)
	cmd.Flag("description", "What it is, in a sentence.").Default("Crossplane provider for credentials of Aiven services.").StringVar(&s.Description)
	cmd.Flag("arch", "Architecture. May be repeated.").Default("amd64", "arm64").EnumsVar(&s.Architectures, "amd64", "arm64")
}

// A file is a regular file of an image, an archive or a folder.
type file struct {
	path string // Without a slash at the beginning.
	mode int64
	data []byte
}

func (f file) perm() os.FileMode {
	return os.FileMode(f.mode) & os.ModePerm //nolint:gosec // A mode has few bits.
}

// buildImage returns the image of all platforms: root certificates and a
// static program, and nothing else. It runs as any user, and on a read-only root.
func buildImage(ctx context.Context, p project, spec imageSpec) (index, error) {
	roots, err := rootCertificates()
	if err != nil {
		return nil, err
	}
	rootsLayer, err := newLayer(file{path: rootsFile, mode: 0o644, data: roots})
	if err != nil {
		return nil, errors.Wrap(err, "cannot make the layer of root certificates")
	}
	tmp, err := os.MkdirTemp("", "package-")
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a folder")
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // nothing can be done about it

	images := make([]platformImage, 0, len(spec.Architectures))
	for _, arch := range spec.Architectures {
		binary := spec.Binaries[arch]
		if binary == "" {
			binary = filepath.Join(tmp, arch)
			if err := buildBinary(ctx, p, spec.Main, v1.Platform{OS: "linux", Architecture: arch}, binary); err != nil {
				return nil, err
			}
		}
		data, err := os.ReadFile(binary)
		if err != nil {
			return nil, errors.Wrap(err, "cannot read the program")
		}
		program, err := newLayer(file{path: path.Join(binDir, path.Base(spec.Main)), mode: 0o755, data: data})
		if err != nil {
			return nil, errors.Wrap(err, "cannot make the layer of the program")
		}
		img, err := newImage(configOf(p.rev, spec, arch), rootsLayer, program)
		if err != nil {
			return nil, err
		}
		images = append(images, platformImage{Image: img, arch: arch})
	}
	return indexOf(images)
}

// configOf returns what a runtime is told, and what people see of the image.
func configOf(rev revision, spec imageSpec, arch string) *v1.ConfigFile {
	labels := map[string]string{
		labelPrefix + "title":       spec.Name,
		labelPrefix + "description": spec.Description,
		labelPrefix + "source":      source,
		labelPrefix + "licenses":    "Apache-2.0",
		labelPrefix + "created":     rev.Time.Format(time.RFC3339),
		labelVersion:                rev.Version,
	}
	if rev.Commit != "" {
		labels[labelRevision] = rev.Commit
	}
	return &v1.ConfigFile{
		OS:           "linux",
		Architecture: arch,
		Created:      v1.Time{Time: rev.Time},
		Config: v1.Config{
			User:       user,
			WorkingDir: "/",
			Entrypoint: []string{"/" + path.Join(binDir, path.Base(spec.Main))},
			Labels:     labels,
		},
	}
}

func newImage(cfg *v1.ConfigFile, layers ...v1.Layer) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.ConfigFile(img, cfg)
	if err != nil {
		return nil, errors.Wrap(err, "cannot configure the image")
	}
	for _, l := range layers {
		add := mutate.Addendum{Layer: l, History: v1.History{Created: cfg.Created, CreatedBy: "cluster/package"}}
		if img, err = mutate.Append(img, add); err != nil {
			return nil, errors.Wrap(err, "cannot append a layer")
		}
	}
	return img, nil
}

// newLayer returns a layer of a file and the folders it is in.
func newLayer(f file) (v1.Layer, error) {
	var buf bytes.Buffer
	if err := writeTar(&buf, []file{f}); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
}

// writeTar writes files, each after the folders it is in. All belong to root and
// have no time.
func writeTar(to io.Writer, files []file) error {
	w := tar.NewWriter(to)
	for _, f := range files {
		for i, c := range f.path {
			if c != '/' {
				continue
			}
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: f.path[:i+1], Mode: 0o755}); err != nil {
				return err
			}
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	return w.Close()
}

// buildBinary builds a static program. What could make a difference between
// machines is switched off or said.
func buildBinary(ctx context.Context, p project, pkg string, platform v1.Platform, out string) error {
	buildID := ""
	if platform.OS == darwin {
		// Go's linker makes the UUID of it that macOS wants a program to have.
		buildID = path.Join(path.Base(pkg), p.rev.Version, platform.Architecture)
	}
	ldflags := "-s -w -buildid=" + buildID + " -X " + module + "/internal/version.Version=" + p.rev.Version
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", out, pkg)
	cmd.Dir = p.root
	cmd.Env = append(os.Environ(),
		"CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off")
	if os.Getenv("GOTOOLCHAIN") == "" {
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+toolchain)
	}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return errors.Wrapf(cmd.Run(), "cannot build %s for %s", pkg, platform)
}
