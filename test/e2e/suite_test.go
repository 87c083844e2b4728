// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apiextensionsv1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1"
	apiextensionsv1alpha1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1alpha1"
	apiextensionsv2 "github.com/crossplane/crossplane/apis/v2/apiextensions/v2"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
	pkgv1beta1 "github.com/crossplane/crossplane/apis/v2/pkg/v1beta1"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane/assets"
	"github.com/provider-aiven/provider-aiven/cluster/node"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/provider"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const (
	root = "../.."

	// The versions that are built. They are of one commit, because there is no
	// release yet, and differ in what they say of themselves, and so in their digests.
	// E2E_OLDER is a revision of git of which the older one is built instead.
	older, newer = "v0.1.0", "v0.2.0"

	olderRevision = "E2E_OLDER"

	image = "provider-aiven"
	token = "token-of-the-platform-team"

	project = "shop-project"

	// kubectlTimeout is how long a command may take that waits for something.
	kubectlTimeout = 6 * time.Minute
)

// A suite is a cluster, a simulated Aiven that its pods reach, and what was built
// to run in it.
type suite struct {
	*node.Cluster

	kube    client.Client
	sim     *aivensim.Server
	server  *httptest.Server
	url     string // of the simulator, for pods
	out     string // folder of what is built
	kubectl string
	core    bool // Crossplane is installed.
	// services are those at Aiven.
	services []string
	// refused counts the logins that a service did not accept.
	refused atomic.Int64
	// vacant means that the cluster had nothing of what the tests make.
	vacant bool

	stopping sync.Once
	stopErr  error
}

// start builds everything into a folder and starts a cluster without Crossplane, or uses
// one.
func start(ctx context.Context, out string, o node.Options) (*suite, error) {
	s := &suite{out: out, sim: aivensim.New(aivensim.WithSeed(aivensim.Seed{Tokens: []aivensim.Token{{Token: token, Permissions: "admin"}}}))}
	if err := os.RemoveAll(s.out); err != nil {
		return nil, err
	}
	dir, err := assets.Ensure(ctx, os.Stderr, "kubectl")
	if err != nil {
		return nil, err
	}
	s.kubectl = filepath.Join(dir, "kubectl")
	if err := s.build(ctx); err != nil {
		return nil, err
	}
	if s.Cluster, err = node.Start(ctx, o); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		if s.vacant || s.Level() != node.LevelCluster { // Else its objects are somebody else's.
			s.explain(o.Failed)
		}
		if stopErr := s.stop(); stopErr != nil {
			fmt.Fprintln(os.Stderr, "cannot stop:", stopErr)
		}
		return nil, err
	}
	return s, nil
}

// prepare has the cluster know the images and Aiven.
func (s *suite) prepare(ctx context.Context) error {
	if err := s.serveAiven(); err != nil {
		return err
	}
	if err := s.push(ctx); err != nil {
		return err
	}
	if err := s.RunPods(ctx, s.programs()); err != nil {
		return err
	}
	if os.Getenv(olderRevision) != "" && !s.Level().RealPods() {
		return errors.New(olderRevision + " needs containers: at this level all versions are one program")
	}
	scheme, err := provider.NewScheme()
	if err != nil {
		return err
	}
	for _, add := range []func() error{
		func() error { return pkgv1.AddToScheme(scheme) }, func() error { return pkgv1beta1.AddToScheme(scheme) },
		func() error { return apiextensionsv1.AddToScheme(scheme) }, func() error { return apiextensionsv2.AddToScheme(scheme) },
		func() error { return apiextensionsv1alpha1.AddToScheme(scheme) }, func() error { return crdv1.AddToScheme(scheme) },
	} {
		if err := add(); err != nil {
			return err
		}
	}
	if s.kube, err = client.New(s.Config(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	return s.look(ctx)
}

// serveAiven serves the simulator where pods reach it, and counts the logins that
// it refuses.
func (s *suite) serveAiven() error {
	l, err := net.Listen("tcp", net.JoinHostPort(s.HostAddress(), "0"))
	if err != nil {
		return errors.Wrap(err, "cannot listen for the simulator")
	}
	counting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/-/logins/") {
			s.sim.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		s.sim.ServeHTTP(rec, r)
		if rec.Code != http.StatusNoContent {
			s.refused.Add(1)
		}
		w.WriteHeader(rec.Code)
	})
	s.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: counting}}
	s.server.Start()
	s.url = s.server.URL
	s.sim.AddProject(project)
	return nil
}

// build makes the image and the package of both versions, and the image of the
// probe.
func (s *suite) build(ctx context.Context) error {
	source := s.repository() // Of the older version.
	if revision := os.Getenv(olderRevision); revision != "" {
		dir, err := os.MkdirTemp("", "provider-aiven-older-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := s.checkOut(ctx, revision, dir); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s is built of %s\n", older, revision)
		source = dir
	}
	for _, version := range []string{older, newer} {
		if version == newer {
			source = s.repository()
		}
		for _, args := range [][]string{{"image", "--arch=" + runtime.GOARCH}, {"xpkg"}} {
			if err := s.packFrom(ctx, source, version, args...); err != nil {
				return err
			}
		}
	}
	if err := command(ctx, "go", "build", "-trimpath", "-o", s.program(""), filepath.Join(root, "cmd", "provider"), filepath.Join(root, "test", "e2e", "probe")); err != nil {
		return err
	}
	return s.pack(ctx, "probe", "--name=probe", "image", "--arch="+runtime.GOARCH, "--main=./test/e2e/probe", "--description=A workload of the end-to-end tests.")
}

// checkOut writes the files of a revision into a folder.
func (s *suite) checkOut(ctx context.Context, revision, dir string) error {
	archive := filepath.Join(dir, "archive.tar")
	if err := command(ctx, "git", "-C", s.repository(), "archive", "--format=tar", "--output="+archive, revision); err != nil {
		return err
	}
	if err := command(ctx, "tar", "-xf", archive, "-C", dir); err != nil {
		return err
	}
	return os.Remove(archive)
}

// push pushes what was built.
func (s *suite) push(ctx context.Context) error {
	for _, version := range []string{older, newer} {
		if err := s.pack(ctx, version, "push", "--ref="+s.Registry()+"/"+image+":"+version); err != nil {
			return err
		}
	}
	return s.pack(ctx, "probe", "push", "--ref="+s.Registry()+"/probe:latest", filepath.Join(s.out, "probe", "image", "probe"))
}

// pack runs the package builder for a version, whose results have a folder of
// their own.
func (s *suite) pack(ctx context.Context, version string, args ...string) error {
	return s.packFrom(ctx, s.repository(), version, args...)
}

// packFrom is pack for what is in another folder than this repository.
func (s *suite) packFrom(ctx context.Context, source, version string, args ...string) error {
	base := []string{"run", "-C", filepath.Join(root, "cluster", "package"), ".", "--root=" + source, "--output=" + filepath.Join(s.out, version)}
	if strings.HasPrefix(version, "v") {
		base = append(base, "--set-version="+version)
	}
	return command(ctx, "go", append(base, args...)...)
}

// repository returns the folder of this repository.
func (s *suite) repository() string { return filepath.Join(s.out, "..", "..") }

// program returns the path of a program of the same name as its image.
func (s *suite) program(name string) string { return filepath.Join(s.out, "programs") + "/" + name }

// programs are those that run without containers at node.LevelProcesses, where all
// versions are the same program.
func (s *suite) programs() []node.Program {
	return []node.Program{
		{Image: s.RegistryInCluster() + "/" + image, Path: s.program("provider"), Env: func(pod *corev1.Pod, _ string) []string {
			// What the provider finds out by itself in a pod.
			return []string{"PROVIDER_NAMESPACE=" + pod.Namespace, "PROVIDER_LEADER_ELECTION_NAMESPACE=" + pod.Namespace}
		}},
		{Image: s.RegistryInCluster() + "/probe", Path: s.program("probe")},
	}
}

// try runs kubectl.
func (s *suite) try(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, kubectlTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.kubectl, args...)
	cmd.Env = append(cmd.Environ(), "KUBECONFIG="+s.Kubeconfig(), "KUBECACHEDIR="+filepath.Join(s.out, "kubectl"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return stdout.String(), errors.Wrapf(err, "kubectl %s: %s", strings.Join(args, " "), &stderr)
}

// command runs a program. Its output is part of the error.
func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	return errors.Wrapf(cmd.Run(), "%s %s: %s", filepath.Base(name), strings.Join(args, " "), &b)
}

// leaks looks for credentials in what people read: all objects but the values of
// Secrets, and all logs, which it writes to a folder.
func (s *suite) leaks(dir string) (found []string, read int) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
	defer cancel()
	if err := s.Dump(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, "cannot write all logs and objects:", err)
	}
	texts := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		texts[path] = string(b)
		return err
	})
	if err != nil {
		return []string{err.Error()}, 0
	}
	return harness.Scan(s.sim, texts), len(texts)
}

// leaksNothing fails the test if a credential stands where people read. What a test
// made and the provider's log are there at its end, and may be gone later.
func (s *suite) leaksNothing(t *testing.T) {
	t.Helper()
	dir := filepath.Join(s.out, "read")
	found, n := s.leaks(dir)
	if len(found) > 0 || n == 0 {
		t.Errorf("credentials were found in %d files: %v", n, found)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*", "*"+name+"*"))
	pods, failure := filepath.Glob(filepath.Join(dir, "*", "pods", "*"+name+"*"))
	if err != nil || failure != nil || len(logs)+len(pods) == 0 {
		t.Errorf("no log of the provider is among them: %v, %v", err, failure)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}
