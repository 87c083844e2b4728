// SPDX-License-Identifier: Apache-2.0

// Package local checks what comes of the examples when everything runs as
// processes of its own, as make run starts it. Its tests have the build tag e2e.
package local
