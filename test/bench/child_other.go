// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import "syscall"

// dieWithParent does nothing: only Linux can do this.
func dieWithParent(a *syscall.SysProcAttr) *syscall.SysProcAttr { return a }
