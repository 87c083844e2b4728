// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package binaries pins the programs of a control plane and of a node, so that
// they can be built from their published Go modules. Package
// cluster/controlplane/assets builds and caches them; the names it knows are
// listed there.
package binaries

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
