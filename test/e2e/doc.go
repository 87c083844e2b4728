// SPDX-License-Identifier: Apache-2.0

// Package e2e installs the package with a real Crossplane on a real cluster, and
// uses it as its users do. It needs the build tag e2e: see make e2e.
//
// The tests share a cluster and run in the order of the names of their files. Each
// has the provider installed as it needs it (suite.installed), and namespaces of
// its own. The first, TestActivation, needs a cluster without Crossplane, and the last,
// TestWithoutCrossplane, makes one.
package e2e
