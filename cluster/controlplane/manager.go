// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane/process"
)

const (
	// startTimeout bounds each step of a start.
	startTimeout = 3 * time.Minute
	// stopTimeout bounds the end of the API server and of etcd.
	stopTimeout = 2 * time.Minute
	// portAttempts is how often a port is looked for.
	portAttempts = 3
	// pollInterval is how often a condition of a start is looked at.
	pollInterval = 50 * time.Millisecond

	// managerUser is the user to whom the API server's bootstrap RBAC rules
	// grant what the controller manager needs.
	managerUser = "system:kube-controller-manager"
)

// startManager starts a kube-controller-manager and waits until it is healthy.
func (e *Environment) startManager(ctx context.Context, path string) error {
	cfg, err := e.UserConfig(managerUser)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(e.dir, "controller-manager.kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfigOf(cfg), kubeconfig); err != nil {
		return errors.Wrap(err, "cannot write the controller manager's kubeconfig file")
	}
	rootCA := filepath.Join(e.dir, "root-ca.crt")
	if err := os.WriteFile(rootCA, cfg.CAData, 0o600); err != nil {
		return errors.Wrap(err, "cannot write the root certificate")
	}
	// Somebody else may take the port that was free.
	for range portAttempts {
		err = e.runManager(ctx, path, kubeconfig, rootCA)
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
	}
	return err
}

// runManager starts one at a port that is free, and waits until it is healthy.
func (e *Environment) runManager(ctx context.Context, path, kubeconfig, rootCA string) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	log := filepath.Join(e.dir, ControllerManager+".log")
	// Its life is that of the Environment, not that of the call that starts it.
	cmd := exec.Command(path, //nolint:noctx // See above.
		"--kubeconfig="+kubeconfig,
		"--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port="+port,
		"--cert-dir="+e.certDir(),
		"--leader-elect=false",
		// With its own identity it lacks most rights, and does nothing.
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+filepath.Join(e.certDir(), "sa-signer.key"),
		"--root-ca-file="+rootCA,
		"--service-cluster-ip-range=10.0.0.0/24",
		"--kube-api-qps=300", "--kube-api-burst=600",
	)
	if e.manager, err = process.Start(cmd, log); err != nil {
		return errors.Wrap(err, "cannot start the controller manager")
	}
	return e.waitForManager(ctx, "https://127.0.0.1:"+port+"/healthz", log)
}

// waitForManager waits until the controller manager answers, or has exited.
func (e *Environment) waitForManager(ctx context.Context, url, log string) error {
	// Its serving certificate is one it made for itself.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // The health of a process on the loopback interface; nothing is sent to it.
	defer transport.CloseIdleConnections()
	hc := &http.Client{Transport: transport, Timeout: 5 * time.Second}

	err := poll(ctx, func(ctx context.Context) (bool, error) {
		if e.manager.Exited() {
			return false, errors.New("the process has exited")
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false, errors.Wrap(err, "cannot form a request")
		}
		rsp, err := hc.Do(req)
		if err != nil {
			return false, nil //nolint:nilerr // It is not listening yet.
		}
		_ = rsp.Body.Close()
		return rsp.StatusCode == http.StatusOK, nil
	})
	return errors.Wrapf(err, "cannot wait for the controller manager; the end of its log: %s", process.LogTail(log))
}

// waitForServiceAccount waits until Pods can be created in the namespace
// default: the admission of service accounts wants this one to exist.
func (e *Environment) waitForServiceAccount(ctx context.Context) error {
	cs, err := kubernetes.NewForConfig(e.Config)
	if err != nil {
		return errors.Wrap(err, "cannot make a client")
	}
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		_, err := cs.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	return errors.Wrap(err, "cannot wait for the default service account")
}

// poll calls fn until it is done, fails, or a start has taken too long.
func poll(ctx context.Context, fn wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextTimeout(ctx, pollInterval, startTimeout, true, fn)
}

// freePort returns a port of the loopback interface that is free now.
func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", errors.Wrap(err, "cannot find a free port")
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Wrap(err, "cannot find a free port")
}

// kubeconfigOf renders a configuration with a client certificate.
func kubeconfigOf(cfg *rest.Config) clientcmdapi.Config {
	const name = "control-plane"
	return clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: cfg.Host, CertificateAuthorityData: cfg.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
}
