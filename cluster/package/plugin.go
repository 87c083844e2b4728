// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/alecthomas/kingpin/v2"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/pkg/errors"
)

const (
	windows = "windows"
	darwin  = "darwin"
)

// pluginPlatforms are those that kubectl plugins are built for.
var pluginPlatforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// zipTime is the first time that a file in a zip archive can have.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// A pluginSpec says what the archives of a kubectl plugin are made of.
type pluginSpec struct {
	Main      string   // Package of the program.
	Manifest  string   // Template of the manifest for krew, a file relative to the repository.
	Files     []string // Beside the program, relative to the repository.
	Platforms []string // As <os>/<architecture>.
}

func (s *pluginSpec) bind(cmd *kingpin.CmdClause) {
	cmd.Flag("main", "Package of the program. The last element of its path is the program's name.").Default("./cmd/kubectl-aivenapp").StringVar(&s.Main)
	cmd.Flag("manifest", "Template of the manifest for krew, relative to the repository.").Default("cmd/kubectl-aivenapp/.krew.yaml").StringVar(&s.Manifest)
	cmd.Flag("file", "File beside the program, relative to the repository. May be repeated.").Default("LICENSE", "cmd/kubectl-aivenapp/kubectl_complete-aivenapp").StringsVar(&s.Files)
	s.Platforms = pluginPlatforms
}

// buildPlugin returns the archives of all platforms and the manifest for krew.
func buildPlugin(ctx context.Context, p project, spec pluginSpec) ([]file, error) {
	beside, err := readFiles(p.root, spec.Files)
	if err != nil {
		return nil, errors.Wrap(err, "cannot read the files beside the program")
	}
	tmp, err := os.MkdirTemp("", "package-")
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a folder")
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // nothing can be done about it

	out := make([]file, 0, len(spec.Platforms)+1)
	for _, name := range spec.Platforms {
		platform, err := v1.ParsePlatform(name)
		if err != nil {
			return nil, errors.Wrapf(err, "cannot parse platform %s", name)
		}
		binary := filepath.Join(tmp, platform.OS+"-"+platform.Architecture)
		if err := buildBinary(ctx, p, spec.Main, *platform, binary); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(binary)
		if err != nil {
			return nil, errors.Wrap(err, "cannot read the program")
		}
		a, err := pluginArchive(path.Base(spec.Main), *platform, data, beside)
		if err != nil {
			return nil, errors.Wrapf(err, "cannot write the archive for %s", platform)
		}
		out = append(out, a)
	}
	text, err := os.ReadFile(filepath.Join(p.root, spec.Manifest))
	if err != nil {
		return nil, errors.Wrap(err, "cannot read the manifest's template")
	}
	manifest, err := krewManifest(string(text), p.rev.Version, out)
	if err != nil {
		return nil, errors.Wrap(err, "cannot write the manifest for krew")
	}
	name := strings.TrimPrefix(path.Base(spec.Main), "kubectl-") + ".yaml"
	return append(out, file{path: name, mode: 0o644, data: manifest}), nil
}

// pluginArchive returns the archive of a program for a platform and of the files
// beside it, named as kubectl-aivenapp_linux_amd64.tar.gz.
func pluginArchive(name string, platform v1.Platform, program []byte, beside []file) (file, error) {
	ending, write := ".tar.gz", writeTarGz
	archive := name + "_" + platform.OS + "_" + platform.Architecture
	if platform.OS == windows {
		name, ending, write = name+".exe", ".zip", writeZip
	}
	files := []file{{path: name, mode: 0o755, data: program}}
	for _, f := range beside {
		// Windows runs no shell scripts.
		if platform.OS != windows || f.mode == 0o644 {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	var buf bytes.Buffer
	err := write(&buf, files)
	return file{path: archive + ending, mode: 0o644, data: buf.Bytes()}, err
}

// krewManifest fills in a template as krew-release-bot does, which knows TagName
// and addURIAndSha.
func krewManifest(text, version string, archives []file) ([]byte, error) {
	sums := make(map[string]string, len(archives))
	for _, a := range archives {
		sums[a.path] = checksum(a)
	}
	values := struct{ TagName string }{version}
	fill := func(text string, funcs template.FuncMap) ([]byte, error) {
		t, err := template.New("manifest").Funcs(funcs).Parse(text)
		if err != nil {
			return nil, err
		}
		var buf bytes.Buffer
		err = t.Execute(&buf, values)
		return buf.Bytes(), err
	}
	return fill(text, template.FuncMap{"addURIAndSha": func(url, _ string) (string, error) {
		uri, err := fill(url, nil)
		if err != nil {
			return "", err
		}
		sum, ok := sums[path.Base(string(uri))]
		if !ok {
			return "", errors.Errorf("there is no archive for %s", uri)
		}
		return "uri: " + string(uri) + "\n    sha256: " + sum, nil
	}})
}

func checksum(f file) string {
	sum := sha256.Sum256(f.data)
	return hex.EncodeToString(sum[:])
}

// checksums returns what sha256sum writes of files.
func checksums(files []file) file {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(checksum(f) + "  " + f.path + "\n")
	}
	return file{path: "SHA256SUMS", mode: 0o644, data: []byte(b.String())}
}

// readFiles reads files, to be put beside each other. Of their modes only whether
// they can be run is kept, which is all that git keeps.
func readFiles(root string, names []string) ([]file, error) {
	files := make([]file, 0, len(names))
	for _, name := range names {
		name = filepath.Join(root, name)
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f := file{path: filepath.Base(name), mode: 0o644, data: data}
		if info.Mode()&0o111 != 0 {
			f.mode = 0o755
		}
		files = append(files, f)
	}
	return files, nil
}

// writeFiles replaces a folder.
func writeFiles(dir string, files []file) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.path), f.data, f.perm()); err != nil {
			return err
		}
	}
	return nil
}

func writeTarGz(w io.Writer, files []file) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := writeTar(z, files); err != nil {
		return err
	}
	return z.Close()
}

func writeZip(w io.Writer, files []file) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.path, Method: zip.Deflate, Modified: zipTime}
		h.SetMode(f.perm())
		fw, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := fw.Write(f.data); err != nil {
			return err
		}
	}
	return z.Close()
}
