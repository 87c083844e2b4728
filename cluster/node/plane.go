// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// waitTimeout bounds each wait of a start.
	waitTimeout = 2 * time.Minute
	// pollInterval is how often a condition is looked at.
	pollInterval = 50 * time.Millisecond

	apiServer = "kube-apiserver"
	manager   = "kube-controller-manager"

	// processServices are the addresses of Services where no node serves them.
	processServices = "10.0.0.0/24"
)

// ports are where the cluster's own programs listen.
type ports struct{ etcd, etcdPeer, api, kubelet, proxyHealth, proxyMetrics int }

// startPlane starts etcd, the API server and the controllers.
func (c *Cluster) startPlane(ctx context.Context) error {
	free, err := freePorts(ctx, 6)
	if err != nil {
		return err
	}
	c.ports = ports{etcd: free[0], etcdPeer: free[1], api: free[2], kubelet: free[3], proxyHealth: free[4], proxyMetrics: free[5]}
	if err := c.issueCertificates(); err != nil {
		return err
	}
	if err := c.services.start(service{name: "etcd", path: c.kubernetes("etcd"), args: c.etcdArgs()}); err != nil {
		return err
	}
	if err := c.services.start(service{name: apiServer, path: c.kubernetes(apiServer), args: c.apiServerArgs()}); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	if err := c.waitForAPIServer(ctx); err != nil {
		return err
	}
	c.progress.sayf("API server is ready at %s", c.config.Host)
	return c.services.start(service{name: manager, path: c.kubernetes(manager), args: c.managerArgs()})
}

// kubernetes returns the path of a program of Kubernetes.
func (c *Cluster) kubernetes(name string) string { return filepath.Join(c.bin.kubernetes, name) }

// issueCertificates makes what the control plane and its first user need.
func (c *Cluster) issueCertificates() error {
	address := c.HostAddress()
	var err error
	if c.pki, err = newPKI(c.path("pki"), "https://"+net.JoinHostPort(address, strconv.Itoa(c.ports.api))); err != nil {
		return err
	}
	hosts := []string{address, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}
	if c.level == LevelNode {
		hosts = append(hosts, c.network.apiServer().String())
	}
	if _, _, err := c.pki.issue(apiServer, identity{name: apiServer, hosts: hosts}); err != nil {
		return err
	}
	if _, _, err := c.pki.issue(apiServer+"-kubelet", identity{name: apiServer, groups: []string{"system:masters"}}); err != nil {
		return err
	}
	if err := c.pki.userKubeconfig(c.Kubeconfig(), identity{name: "admin", groups: []string{"system:masters"}}); err != nil {
		return err
	}
	// The API server's bootstrap rules grant these users what the programs need.
	return c.pki.userKubeconfig(c.path(manager+".kubeconfig"), identity{name: "system:" + manager})
}

// connect makes the cluster's own client.
func (c *Cluster) connect() error {
	cfg, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return errors.Wrap(err, "cannot read the kubeconfig file")
	}
	cfg.QPS, cfg.Burst = 1000, 2000
	c.config = cfg
	c.kube, err = kubernetes.NewForConfig(cfg)
	return errors.Wrap(err, "cannot make a client")
}

func (c *Cluster) etcdArgs() []string {
	client, peer := "http://127.0.0.1:"+strconv.Itoa(c.ports.etcd), "http://127.0.0.1:"+strconv.Itoa(c.ports.etcdPeer)
	return []string{
		"--data-dir=" + c.path("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		// A cluster does not outlive the machine.
		"--unsafe-no-fsync", "--log-level=warn",
	}
}

func (c *Cluster) apiServerArgs() []string {
	args := []string{
		"--etcd-servers=http://127.0.0.1:" + strconv.Itoa(c.ports.etcd),
		"--bind-address=" + c.HostAddress(),
		"--secure-port=" + strconv.Itoa(c.ports.api),
		"--tls-cert-file=" + c.pki.path(apiServer+".crt"), "--tls-private-key-file=" + c.pki.path(apiServer+".key"),
		"--client-ca-file=" + c.pki.path("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.pki.path("service-accounts.key"),
		"--service-account-signing-key-file=" + c.pki.path("service-accounts.key"),
		"--allow-privileged=true",
		// Webhooks are called at their endpoints, to which kube-proxy is not needed.
		"--enable-aggregator-routing=true",
		// Else it would wait for whoever watches, when it is told to end.
		"--shutdown-watch-termination-grace-period=1s",
	}
	if c.level != LevelNode {
		return append(args,
			"--authorization-mode=RBAC",
			"--service-cluster-ip-range="+processServices,
			// Nobody looks for the API server's Service, and an endpoint may not be
			// of the loopback interface.
			"--endpoint-reconciler-type=none")
	}
	return append(args,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range="+c.network.Services.String(),
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority="+c.pki.path("ca.crt"),
		"--kubelet-client-certificate="+c.pki.path(apiServer+"-kubelet.crt"),
		"--kubelet-client-key="+c.pki.path(apiServer+"-kubelet.key"))
}

func (c *Cluster) managerArgs() []string {
	kubeconfig := c.path(manager + ".kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--secure-port=0", "--leader-elect=false",
		// With its own identity it lacks most rights, and does nothing.
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + c.pki.path("service-accounts.key"),
		"--root-ca-file=" + c.pki.path("ca.crt"),
		"--cluster-signing-cert-file=" + c.pki.path("ca.crt"), "--cluster-signing-key-file=" + c.pki.path("ca.key"),
		"--kube-api-qps=300", "--kube-api-burst=600",
	}
}

// RestartAPIServer ends the API server, starts it again, and returns when it is
// ready. At LevelCluster it fails.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	if err := c.restart(apiServer); err != nil {
		return err
	}
	return c.waitForAPIServer(ctx)
}

// restart restarts what this process runs.
func (c *Cluster) restart(name string) error {
	if c.level == LevelCluster {
		return errors.Errorf("cannot restart %s: somebody else runs it", name)
	}
	return c.services.restart(name)
}

func (c *Cluster) waitForAPIServer(ctx context.Context) error {
	return c.wait(ctx, "the API server to be ready", func(ctx context.Context) (bool, error) {
		return c.kube.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil, nil
	})
}

// waitForServiceAccount waits until Pods can be created in the namespace
// default: the admission of service accounts wants this one to exist.
func (c *Cluster) waitForServiceAccount(ctx context.Context) error {
	return c.wait(ctx, "the default service account", func(ctx context.Context) (bool, error) {
		_, err := c.kube.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
}

// wait waits until a condition holds. It fails when that takes too long, or when
// a process of the cluster ends meanwhile.
func (c *Cluster) wait(ctx context.Context, what string, holds wait.ConditionWithContextFunc) error {
	err := wait.PollUntilContextTimeout(ctx, pollInterval, waitTimeout, true, func(ctx context.Context) (bool, error) {
		if err := c.services.check(); err != nil {
			return false, err
		}
		return holds(ctx)
	})
	return errors.Wrapf(err, "cannot wait for %s", what)
}

// freePorts returns ports that are free now at all addresses of this machine.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var out []int
	var taken []net.Listener
	defer func() {
		for _, l := range taken {
			_ = l.Close()
		}
	}()
	for range n {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", ":0")
		if err != nil {
			return nil, errors.Wrap(err, "cannot find a free port")
		}
		taken = append(taken, l)
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.Errorf("cannot find a free port: %s is none", l.Addr())
		}
		out = append(out, addr.Port)
	}
	return out, nil
}
