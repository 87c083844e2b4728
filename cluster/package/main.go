// SPDX-License-Identifier: Apache-2.0

// Command package builds images of this repository's programs, the Crossplane
// package of the provider and archives of the kubectl plugin, pushes images and
// packages, and lists what is in them. It needs Go and git, and no container
// runtime. The same commit gives the same bytes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/pkg/errors"

	_ "embed"
)

//go:embed go.mod
var goMod string

// toolchain is the Go version that releases are built with.
var toolchain = regexp.MustCompile(`(?m)^toolchain (\S+)$`).FindStringSubmatch(goMod)[1]

func main() {
	if runtime.Version() != toolchain {
		fmt.Fprintf(os.Stderr, "Built with %s: the digests will not be those of a release, which is built with GOTOOLCHAIN=%s.\n", runtime.Version(), toolchain)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// A project is the repository, what is built of it, and where that goes.
type project struct {
	root string // The repository.
	out  string // Relative to the root.
	rev  revision
}

// path returns a path below the output folder.
func (p project) path(elem ...string) string {
	if filepath.IsAbs(p.out) {
		return filepath.Join(append([]string{p.out}, elem...)...)
	}
	return filepath.Join(append([]string{p.root, p.out}, elem...)...)
}

// image returns where the image of that name is kept, as an OCI layout.
func (p project) image(name string) string { return p.path("image", name) }

// xpkg returns the file of the package of one platform.
func (p project) xpkg(name, arch string) string {
	return p.path(name + "-" + p.rev.Version + "-" + arch + ".xpkg")
}

// packages returns the files of the package of all platforms.
func (p project) packages(name string) ([]string, error) {
	files, err := filepath.Glob(p.xpkg(name, "*"))
	if err != nil || len(files) == 0 {
		return nil, errors.Errorf("there is no %s: build the package first", p.xpkg(name, "*"))
	}
	return files, nil
}

func run(ctx context.Context, args []string) error {
	var (
		p             project
		version, name string
		spec          imageSpec
		plugged       pluginSpec
	)
	app := kingpin.New("package", "Builds the image, the Crossplane package and the kubectl plugin, pushes the first two, and lists what is in them.")
	app.Flag("root", "The repository.").Default(".").StringVar(&p.root)
	app.Flag("output", "Folder for what is built, relative to the repository.").Default("_output").StringVar(&p.out)
	// kingpin takes a flag "version" for its own, and then sets no defaults.
	app.Flag("set-version", "Version of what is built. Default: from git's tags and commits.").StringVar(&version)
	app.Flag("name", "Name of the image and of the package.").Default("provider-aiven").StringVar(&name)

	showVersion := app.Command("version", "Print the version.")

	img := app.Command("image", "Build a program and an image of it, as an OCI layout in <output>/image/<name>. Prints its digest.")
	spec.bind(img)

	pkg := app.Command("xpkg", "Build the Crossplane package on top of the image, as one <output>/<name>-<version>-<architecture>.xpkg each. Prints its digest.")
	meta := pkg.Flag("package", "Folder with crossplane.yaml and the CRDs, relative to the repository.").Default("package").String()
	examples := pkg.Flag("examples", "Folder whose YAML files become the package's examples, relative to the repository.").Default("examples").String()

	const paths = ".xpkg files of one version, or the folder of an image. Default: the package."
	push := app.Command("push", "Push all platforms under one reference. Prints the reference with the digest.")
	ref := push.Flag("ref", "Reference with a registry and a tag. Plain HTTP is used for loopback and private addresses only.").Required().String()
	pushed := push.Arg("path", paths).Strings()
	digest := app.Command("digest", "Print the digest that a push has.")
	arch := digest.Flag("arch", "Of one architecture, not of all.").String()
	digested := digest.Arg("path", paths).Strings()
	sbom := app.Command("sbom", "Write a bill of materials (CycloneDX) for each platform, as <output>/sbom/<name>-<version>-<architecture>.<image or xpkg>.cdx.json. Prints the files.")
	listed := sbom.Arg("path", paths).Strings()

	plug := app.Command("plugin", "Build archives of the kubectl plugin for all platforms, with checksums and a manifest for krew, in <output>/plugin. Prints the files.")
	plugged.bind(plug)

	command, err := app.Parse(args)
	if err != nil {
		return err
	}
	if p.root, p.rev, err = locate(ctx, p.root, version); err != nil {
		return err
	}
	switch command {
	case showVersion.FullCommand():
		fmt.Println(p.rev.Version)
		return nil
	case img.FullCommand():
		spec.Name = name
		return p.runImage(ctx, spec)
	case pkg.FullCommand():
		return p.runXpkg(ctx, name, filepath.Join(p.root, *meta), filepath.Join(p.root, *examples))
	case push.FullCommand():
		return p.runPush(ctx, name, *ref, *pushed)
	case digest.FullCommand():
		return p.runDigest(name, *arch, *digested)
	case sbom.FullCommand():
		return p.runSBOM(name, *listed)
	case plug.FullCommand():
		return p.runPlugin(ctx, plugged)
	}
	return errors.Errorf("unknown command %s", command)
}

// locate returns the repository as an absolute path, and what it holds.
func locate(ctx context.Context, root, version string) (string, revision, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", revision{}, errors.Wrap(err, "cannot find the repository")
	}
	rev, err := readRevision(ctx, root, version)
	return root, rev, err
}

func (p project) runImage(ctx context.Context, spec imageSpec) error {
	idx, err := buildImage(ctx, p, spec)
	if err != nil {
		return errors.Wrapf(err, "cannot build image %s", spec.Name)
	}
	if err := writeLayout(p.image(spec.Name), idx); err != nil {
		return errors.Wrapf(err, "cannot write image %s", spec.Name)
	}
	return printDigest(idx)
}

func (p project) runXpkg(ctx context.Context, name, meta, examples string) error {
	images, err := readImages([]string{p.image(name)})
	if err != nil {
		return errors.Wrap(err, "cannot read the image; build it first")
	}
	files := make([]string, 0, len(images))
	for _, img := range images {
		xp, err := buildPackage(ctx, img.Image, meta, examples)
		if err != nil {
			return errors.Wrap(err, "cannot build the package")
		}
		file := p.xpkg(name, img.arch)
		if err := writePackage(file, xp); err != nil {
			return errors.Wrapf(err, "cannot write %s", file)
		}
		files = append(files, file)
	}
	return p.runDigest(name, "", files)
}

func (p project) runDigest(name, arch string, paths []string) error {
	images, err := p.read(name, paths)
	if err != nil {
		return err
	}
	if arch == "" {
		idx, err := indexOf(images)
		if err != nil {
			return err
		}
		return printDigest(idx)
	}
	i := slices.IndexFunc(images, func(img platformImage) bool { return img.arch == arch })
	if i < 0 {
		return errors.Errorf("there is no image for %s", arch)
	}
	return printDigest(images[i])
}

func (p project) runPush(ctx context.Context, name, ref string, paths []string) error {
	images, err := p.read(name, paths)
	if err != nil {
		return err
	}
	idx, err := indexOf(images)
	if err != nil {
		return err
	}
	pushed, err := pushIndex(ctx, ref, idx)
	if err != nil {
		return errors.Wrapf(err, "cannot push %s", ref)
	}
	fmt.Println(pushed)
	return nil
}

func (p project) runSBOM(name string, paths []string) error {
	images, err := p.read(name, paths)
	if err != nil {
		return err
	}
	for _, img := range images {
		kind := "image"
		if img.xpkg {
			kind = "xpkg"
		}
		file := p.path("sbom", strings.Join([]string{name, p.rev.Version, img.arch}, "-")+"."+kind+".cdx.json")
		bom, err := listMaterials(name, img.Image)
		if err != nil {
			return errors.Wrapf(err, "cannot list what is in %s", name)
		}
		if err := writeMaterials(file, bom); err != nil {
			return errors.Wrapf(err, "cannot write %s", file)
		}
		fmt.Println(file)
	}
	return nil
}

func (p project) runPlugin(ctx context.Context, spec pluginSpec) error {
	files, err := buildPlugin(ctx, p, spec)
	if err != nil {
		return errors.Wrap(err, "cannot build the plugin")
	}
	files = append(files, checksums(files))
	if err := writeFiles(p.path("plugin"), files); err != nil {
		return errors.Wrap(err, "cannot write the plugin")
	}
	for _, f := range files {
		fmt.Println(p.path("plugin", f.path))
	}
	return nil
}

// read reads the images of the paths, by default those of the package.
func (p project) read(name string, paths []string) ([]platformImage, error) {
	if len(paths) == 0 {
		var err error
		if paths, err = p.packages(name); err != nil {
			return nil, err
		}
	}
	return readImages(paths)
}

func printDigest(of interface{ Digest() (v1.Hash, error) }) error {
	d, err := of.Digest()
	if err != nil {
		return errors.Wrap(err, "cannot get the digest")
	}
	fmt.Println(d)
	return nil
}
