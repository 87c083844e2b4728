// SPDX-License-Identifier: Apache-2.0

package process

import "syscall"

// attributes make the system end the child when this process ends in whatever
// way.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
