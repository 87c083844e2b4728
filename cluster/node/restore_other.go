// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package node

// There is no node on other systems, and so nothing to undo.

func cgroupsWritable() bool { return false }

func snapshotter(string) string { return "native" }

func killPods() error { return nil }

func killPod(string) error { return nil }

func killShims(string) error { return nil }

func unmountBelow(string) error { return nil }

func removeBridge(string) error { return nil }

func removeChains() error { return nil }
