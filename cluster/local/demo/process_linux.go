// SPDX-License-Identifier: Apache-2.0

package demo

import "syscall"

// processAttributes make the system end the child when this process ends in
// whatever way.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
