// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

import "syscall"

// attributes cannot tie the child's life to this process here: a child whose
// parent was killed has to be ended by hand.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
