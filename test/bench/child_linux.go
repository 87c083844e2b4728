// SPDX-License-Identifier: Apache-2.0

package main

import "syscall"

// dieWithParent makes a child end with the thread that starts it.
func dieWithParent(a *syscall.SysProcAttr) *syscall.SysProcAttr {
	a.Pdeathsig = syscall.SIGKILL
	return a
}
