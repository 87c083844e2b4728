// SPDX-License-Identifier: Apache-2.0

// Package controlplane runs a real Kubernetes control plane as processes of
// this machine: etcd, kube-apiserver and, when asked for,
// kube-controller-manager. Tests and the local environment use it; it needs
// neither root nor containers.
package controlplane

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane/assets"
	"github.com/provider-aiven/provider-aiven/cluster/controlplane/process"
)

// Names of the programs, as Binaries takes them.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Kubectl           = "kubectl"
)

// Binaries returns a folder that holds the named programs: KUBEBUILDER_ASSETS
// when it holds all of them, else a folder of the user's cache, where what is
// missing is built first. Progress may be nil. See assets.Ensure.
func Binaries(ctx context.Context, progress io.Writer, names ...string) (string, error) {
	return assets.Ensure(ctx, progress, names...)
}

// Options say what a control plane is to consist of. The zero value is etcd
// and kube-apiserver without any CustomResourceDefinition.
type Options struct {
	// CRDs are files, or folders of files, with CustomResourceDefinitions.
	// A path that does not exist is an error.
	CRDs []string

	// ControllerManager adds a kube-controller-manager with all of its
	// controllers: garbage collection, namespaces, service accounts and their
	// admission, workloads. Without it none of these work, and Pods need no
	// service account.
	ControllerManager bool

	// Progress is told what is built and started. Nil is silent.
	Progress io.Writer
}

// An Environment is a running control plane. Stop must be called.
type Environment struct {
	// Config is for a client with all rights (group system:masters) and a
	// generous rate limit. Copy it before changing it.
	Config *rest.Config

	dir     string
	plane   *envtest.Environment
	manager *process.Process
}

// Start starts a control plane on free ports of the loopback interface, with
// RBAC on, and installs the CustomResourceDefinitions. When it returns, the
// API server serves their discovery and OpenAPI documents, and, with a
// controller manager, the namespace default has its service account. This
// takes about three seconds once the programs are built (see Binaries).
// Whatever was started is stopped again when it fails.
func Start(ctx context.Context, o Options) (*Environment, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	names := []string{Etcd, APIServer}
	if o.ControllerManager {
		names = append(names, ControllerManager)
	}
	bin, err := Binaries(ctx, o.Progress, names...)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "provider-aiven-control-plane-")
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a folder for the control plane")
	}
	e := &Environment{dir: dir}
	if err := e.start(ctx, bin, o); err != nil {
		if stopErr := e.Stop(); stopErr != nil {
			fmt.Fprintln(o.Progress, stopErr)
		}
		return nil, err
	}
	return e, nil
}

func (e *Environment) start(ctx context.Context, bin string, o Options) error {
	if err := e.startPlane(bin, o); err != nil {
		return err
	}
	if err := e.WaitForOpenAPI(ctx); err != nil {
		return err
	}
	if !o.ControllerManager {
		return nil
	}
	// After the CustomResourceDefinitions: the garbage collector looks for new
	// kinds only every 30 seconds.
	if err := e.startManager(ctx, filepath.Join(bin, ControllerManager)); err != nil {
		return err
	}
	return e.waitForServiceAccount(ctx)
}

// startPlane starts etcd and the API server and installs the definitions.
func (e *Environment) startPlane(bin string, o Options) error {
	log, err := os.Create(filepath.Join(e.dir, APIServer+".log"))
	if err != nil {
		return errors.Wrap(err, "cannot make the log file of the API server")
	}
	defer func() { _ = log.Close() }() // The process has its own descriptor.

	e.plane = &envtest.Environment{
		CRDDirectoryPaths:     o.CRDs,
		ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: bin,
		// A machine that compiles meanwhile needs more than the usual 20 seconds.
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  stopTimeout,
		CRDInstallOptions:        envtest.CRDInstallOptions{MaxTime: startTimeout},
	}
	etcdDir, certDir := filepath.Join(e.dir, "etcd"), e.certDir()
	for _, d := range []string{etcdDir, certDir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return errors.Wrap(err, "cannot make a folder for the control plane")
		}
	}
	e.plane.ControlPlane.Etcd = &envtest.Etcd{Path: filepath.Join(bin, Etcd), DataDir: etcdDir}
	e.plane.ControlPlane.Etcd.Configure().Set("unsafe-no-fsync", "true")

	api := e.plane.ControlPlane.GetAPIServer()
	api.Path, api.CertDir, api.Out, api.Err = filepath.Join(bin, APIServer), certDir, log, log
	if o.ControllerManager {
		// envtest turns this plugin off, because it needs a controller.
		api.Configure().Disable("disable-admission-plugins")
	}
	cfg, err := e.plane.Start()
	if err != nil {
		return errors.Wrapf(err, "cannot start the API server; the end of its log: %s", process.LogTail(log.Name()))
	}
	e.Config = cfg
	return nil
}

// certDir is where envtest writes the API server's keys.
func (e *Environment) certDir() string { return filepath.Join(e.dir, "certificates") }

// Kubeconfig returns a kubeconfig file's content for Config. It holds a
// private key.
func (e *Environment) Kubeconfig() []byte { return e.plane.KubeConfig }

// WriteKubeconfig writes Kubeconfig to a file that only this user may read.
func (e *Environment) WriteKubeconfig(path string) error {
	return errors.Wrap(os.WriteFile(path, e.Kubeconfig(), 0o600), "cannot write the kubeconfig file")
}

// UserConfig returns a configuration for a client that acts as the named user
// and groups with a certificate of its own. RBAC decides what it may do.
func (e *Environment) UserConfig(name string, groups ...string) (*rest.Config, error) {
	u, err := e.plane.AddUser(envtest.User{Name: name, Groups: groups}, &rest.Config{QPS: e.Config.QPS, Burst: e.Config.Burst})
	if err != nil {
		return nil, errors.Wrap(err, "cannot issue a client certificate")
	}
	return u.Config(), nil
}

// Stop stops every process and removes every file of the environment. It may
// be called more than once. The first error is returned, after everything was
// tried.
func (e *Environment) Stop() error {
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	if e.manager != nil {
		keep(errors.Wrap(e.manager.Stop(), "cannot stop the controller manager"))
		e.manager = nil
	}
	if e.plane != nil {
		keep(errors.Wrap(e.plane.Stop(), "cannot stop the API server and etcd"))
		e.plane = nil
	}
	keep(errors.Wrap(os.RemoveAll(e.dir), "cannot remove the control plane's folder"))
	return first
}
