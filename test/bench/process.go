// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/pkg/errors"
	"github.com/prometheus/procfs"
)

// CPU is processor time in seconds that each process has used.
type CPU struct {
	Provider, APIServer, Etcd, Simulator float64
}

func (c CPU) minus(o CPU) CPU {
	return CPU{c.Provider - o.Provider, c.APIServer - o.APIServer, c.Etcd - o.Etcd, c.Simulator - o.Simulator}
}

// children returns the direct children of this process by the names of their
// programs.
func children() (map[string]int, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, errors.Wrap(err, "cannot list processes (this needs Linux)")
	}
	out := make(map[string]int)
	for _, p := range all {
		if s, err := p.Stat(); err == nil && s.PPID == os.Getpid() { // Others may have gone meanwhile.
			out[s.Comm] = p.PID
		}
	}
	return out, nil
}

// cpuSeconds of a process since it started.
func cpuSeconds(pid int) (float64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, errors.Wrap(err, "cannot find a process")
	}
	s, err := p.Stat()
	return s.CPUTime(), errors.Wrap(err, "cannot read the processor time of a process")
}

// peakMemory is the largest resident set of a process so far, in bytes.
func peakMemory(pid int) (uint64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, errors.Wrap(err, "cannot find a process")
	}
	s, err := p.NewStatus()
	return s.VmHWM, errors.Wrap(err, "cannot read the memory of a process")
}

// cpuModel is the name of the processor, or empty.
func cpuModel() string {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return ""
	}
	cpus, err := fs.CPUInfo()
	if err != nil || len(cpus) == 0 {
		return ""
	}
	return cpus[0].ModelName
}
