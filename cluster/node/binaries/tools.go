// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package binaries pins what a cluster with Crossplane runs besides Kubernetes.
package binaries

import (
	_ "github.com/crossplane/crossplane/v2/cmd/crossplane"
	_ "helm.sh/helm/v3/cmd/helm"
)
