// SPDX-License-Identifier: Apache-2.0

// Package version holds the version of the provider.
package version

// Version is set by the linker.
var Version = "v0.0.0-dev"
