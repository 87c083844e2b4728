// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	// registryPort is where the registry of a foreign cluster listens, unless its
	// host says another port.
	registryPort = 5000

	// crossplaneGroup is how the names of Crossplane's groups end.
	crossplaneGroup = "crossplane.io"
)

// A foreign cluster is one that somebody else runs.
type foreign struct {
	// config is its kubeconfig. Certificates and keys are in it, not beside it.
	config clientcmdapi.Config
	// host is this machine as Pods reach it, with the port of the registry.
	host netip.AddrPort
}

// chooseForeign settles that the cluster is the one that the options name, and
// says which it is.
func (c *Cluster) chooseForeign(o Options) error {
	switch {
	case c.level != "" && c.level != LevelCluster:
		return errors.Errorf("cannot start a cluster of level %s: the options name one that runs", c.level)
	case o.Kubeconfig == "" || o.Host == "":
		return errors.New("cannot use a cluster that somebody else runs: it takes a kubeconfig file that names it, and the address at which its Pods reach this machine")
	case c.machine.os != "linux":
		return errors.New("cannot use a cluster that somebody else runs: its images are made of programs of this machine, which have to be of Linux")
	}
	c.level = LevelCluster
	var err error
	if c.foreign.host, err = parseHost(o.Host); err != nil {
		return err
	}
	if c.foreign.config, err = current(o.Kubeconfig); err != nil {
		return err
	}
	c.progress.sayf("level %s: %s, at %s", c.level, c.level.description(), c.foreign.server())
	return nil
}

// parseHost reads an address with or without a port.
func parseHost(host string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(host)
	if err != nil {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return netip.AddrPort{}, errors.Errorf("cannot use the host %q: it is no IP address with or without a port", host)
		}
		at = netip.AddrPortFrom(addr, registryPort)
	}
	switch {
	case !at.Addr().Is4() || !at.Addr().IsPrivate():
		return netip.AddrPort{}, errors.Errorf("cannot use the host %q: it is no private IPv4 address, and Crossplane speaks plain HTTP to no other registry", host)
	case at.Port() == 0:
		return netip.AddrPort{}, errors.Errorf("cannot use the host %q: the container runtime has to know the port", host)
	}
	return at, nil
}

// current returns what kubeconfig files, of which there may be a list as in the
// variable KUBECONFIG, say of the current context.
func current(files string) (clientcmdapi.Config, error) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(files)}
	if len(rules.Precedence) == 1 {
		rules.ExplicitPath = files // It has to be there.
	}
	cfg, err := rules.Load()
	if err != nil {
		return clientcmdapi.Config{}, errors.Wrap(err, "cannot read the kubeconfig file")
	}
	if err := clientcmdapi.MinifyConfig(cfg); err != nil {
		return clientcmdapi.Config{}, errors.Wrapf(err, "cannot use the current context of %s", files)
	}
	if err := clientcmdapi.FlattenConfig(cfg); err != nil {
		return clientcmdapi.Config{}, errors.Wrapf(err, "cannot read what %s refers to", files)
	}
	if cfg.Clusters[cfg.Contexts[cfg.CurrentContext].Cluster] == nil {
		return clientcmdapi.Config{}, errors.Errorf("cannot use the current context of %s: it has no cluster", files)
	}
	// Who has a namespace of his own does not mean that ours should be there.
	cfg.Contexts[cfg.CurrentContext].Namespace = ""
	return *cfg, nil
}

// server is the URL of the API server.
func (f foreign) server() string {
	return f.config.Clusters[f.config.Contexts[f.config.CurrentContext].Cluster].Server
}

// kubeconfig writes a kubeconfig file for a user of the cluster.
func (f foreign) kubeconfig(path string, who clientcmdapi.AuthInfo) error {
	cfg := f.config.DeepCopy()
	const name = "provider-aiven-node"
	cfg.AuthInfos = map[string]*clientcmdapi.AuthInfo{name: &who}
	cfg.Contexts[cfg.CurrentContext].AuthInfo = name
	return writeKubeconfig(path, *cfg)
}

// join connects to the cluster.
func (c *Cluster) join(ctx context.Context) error {
	if err := writeKubeconfig(c.Kubeconfig(), c.foreign.config); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	if err := vacant(ctx, c.kube); err != nil {
		return errors.Wrapf(err, "cannot use the cluster at %s", c.foreign.server())
	}
	return nil
}

// vacant fails unless a cluster is one that has nothing of Crossplane: somebody
// would lose his, and what was left of one would be taken for ours.
func vacant(ctx context.Context, kube kubernetes.Interface) error {
	groups, err := kube.Discovery().ServerGroups()
	if err != nil {
		return errors.Wrap(err, "cannot list its groups of resources")
	}
	if slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return inGroup(g.Name, crossplaneGroup) }) {
		return errors.New("it has Crossplane, or had; use a new one")
	}
	_, err = kube.CoreV1().Namespaces().Get(ctx, Namespace, metav1.GetOptions{})
	if err == nil {
		return errors.Errorf("it has the namespace %s; use a new one", Namespace)
	}
	if kerrors.IsNotFound(err) {
		return nil
	}
	return errors.Wrapf(err, "cannot look for the namespace %s", Namespace)
}

// foreignGet is PodGet for Pods whose addresses this machine may not reach.
func (c *Cluster) foreignGet(ctx context.Context, namespace, pod, port, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	b, err := c.kube.CoreV1().Pods(namespace).ProxyGet("http", pod, port, path, nil).DoRaw(ctx)
	return b, errors.Wrapf(err, "cannot ask Pod %s/%s", namespace, pod)
}
