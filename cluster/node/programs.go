// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"net"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	nodeName = "node"

	kubelet   = "kubelet"
	scheduler = "kube-scheduler"
	proxy     = "kube-proxy"

	pauseImage = "provider-aiven/pause:1"
)

// startNode starts what makes a node, and returns when it is ready.
func (c *Cluster) startNode(ctx context.Context) error {
	if err := c.configureNode(ctx); err != nil {
		return err
	}
	at := func(name string) string { return c.path("config", name) }
	kubeconfig := func(name string) string { return c.path(name + ".kubeconfig") }
	own := func(name string) string { return filepath.Join(c.bin.crossplane, name) }
	containerd := service{name: "containerd", path: c.machine.programs["containerd"], args: []string{"--config", at("containerd.toml")}}
	if err := c.services.start(containerd); err != nil {
		return err
	}
	// The kubelet does not wait for it.
	if err := c.waitForSocket(ctx, c.path("containerd.sock")); err != nil {
		return err
	}
	for _, v := range []service{
		{name: scheduler, path: c.kubernetes(scheduler), args: []string{
			"--config=" + at("scheduler.yaml"), "--secure-port=0",
			"--authentication-kubeconfig=" + kubeconfig(scheduler), "--authorization-kubeconfig=" + kubeconfig(scheduler),
		}},
		{name: "coredns", path: own("coredns"), args: []string{"-conf", at("Corefile")}},
		{name: proxy, path: c.kubernetes(proxy), args: []string{"--config=" + at("proxy.yaml")}},
		{name: kubelet, path: c.kubernetes(kubelet), args: []string{
			"--config=" + at("kubelet.yaml"), "--kubeconfig=" + kubeconfig(kubelet), "--root-dir=" + c.path(kubelet),
			"--hostname-override=" + nodeName, "--node-ip=" + c.HostAddress(),
		}},
	} {
		if err := c.services.start(v); err != nil {
			return err
		}
	}
	if err := c.waitForNode(ctx, metav1.Time{}); err != nil {
		return err
	}
	c.progress.sayf("node is ready at %s", c.HostAddress())
	return nil
}

// configureNode writes the identities and the configuration files of a node's
// programs, and pushes the image that every Pod needs.
func (c *Cluster) configureNode(ctx context.Context) error {
	masters := []string{"system:masters"}
	for program, id := range map[string]identity{
		scheduler: {name: "system:" + scheduler},
		proxy:     {name: "system:" + proxy},
		kubelet:   {name: "system:node:" + nodeName, groups: []string{"system:nodes"}},
		"coredns": {name: "coredns", groups: masters},
	} {
		if err := c.pki.userKubeconfig(c.path(program+".kubeconfig"), id); err != nil {
			return err
		}
	}
	serving := identity{name: "system:node:" + nodeName, groups: []string{"system:nodes"}, hosts: []string{nodeName, c.HostAddress()}}
	if _, _, err := c.pki.issue("kubelet-serving", serving); err != nil {
		return err
	}
	files := map[string]string{filepath.Join("certs.d", c.RegistryInCluster(), "hosts.toml"): "hosts.toml", "cni/network.conflist": "network.conflist"}
	for _, name := range []string{"containerd.toml", "kubelet.yaml", "scheduler.yaml", "proxy.yaml", "Corefile"} {
		files[filepath.Join("config", name)] = name
	}
	if err := c.settings().write(files); err != nil {
		return err
	}
	return c.push(ctx, pauseImage, image{binary: filepath.Join(c.bin.crossplane, "pause"), user: "65535:65535"})
}

// RestartKubelet ends the node's kubelet, starts it again, and returns when it
// has told the API server that the node is ready. Containers run on meanwhile. At
// another level than LevelNode it fails.
func (c *Cluster) RestartKubelet(ctx context.Context) error {
	// The API server keeps times in whole seconds.
	before := metav1.Now().Rfc3339Copy()
	if err := c.restart(kubelet); err != nil {
		return err
	}
	return c.waitForNode(ctx, before)
}

// waitForSocket waits until somebody listens at a socket.
func (c *Cluster) waitForSocket(ctx context.Context, path string) error {
	return c.wait(ctx, "containerd", func(ctx context.Context) (bool, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err != nil {
			return false, nil //nolint:nilerr // It is not listening yet.
		}
		_ = conn.Close()
		return true, nil
	})
}

// waitForNode waits until the node is ready, as its kubelet said after a time.
func (c *Cluster) waitForNode(ctx context.Context, after metav1.Time) error {
	return c.wait(ctx, "the node to be ready", func(ctx context.Context) (bool, error) {
		n, err := c.kube.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return false, nil //nolint:nilerr // It is not registered yet.
		}
		for _, cond := range n.Status.Conditions {
			if cond.Type == corev1.NodeReady {
				return cond.Status == corev1.ConditionTrue && cond.LastHeartbeatTime.After(after.Time), nil
			}
		}
		return false, nil
	})
}
