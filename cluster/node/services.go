// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os/exec"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane/process"
)

// A service is a process of the cluster that can be started again.
type service struct {
	name    string
	path    string
	args    []string
	env     []string
	process *process.Process
	// guest is what the cluster's user runs, and may end.
	guest bool
}

// services are the processes of a cluster, in the order of their start. They
// may be used by several goroutines.
type services struct {
	dir string // Of the logs.

	mu   sync.Mutex
	list []*service
}

// log returns the path of a service's log.
func (s *services) log(name string) string { return filepath.Join(s.dir, name+".log") }

// start starts a service.
func (s *services) start(v service) error {
	cmd := exec.Command(v.path, v.args...) //nolint:noctx // Its life is that of the cluster.
	cmd.Env = append(cmd.Environ(), v.env...)
	_, err := s.adopt(v, cmd)
	return err
}

// adopt starts a service by a command.
func (s *services) adopt(v service, cmd *exec.Cmd) (*process.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := process.Start(cmd, s.log(v.name))
	if err != nil {
		return nil, errors.Wrapf(err, "cannot start %s", v.name)
	}
	v.process = p
	s.list = append(s.list, &v)
	return p, nil
}

// restart ends a service and starts it again.
func (s *services) restart(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.list, func(v *service) bool { return v.name == name })
	if i < 0 {
		return errors.Errorf("cannot restart %s: it does not run at this level", name)
	}
	v := s.list[i]
	if err := v.process.Stop(); err != nil {
		return errors.Wrapf(err, "cannot stop %s", name)
	}
	cmd := exec.Command(v.path, v.args...) //nolint:noctx // Its life is that of the cluster.
	cmd.Env = append(cmd.Environ(), v.env...)
	p, err := process.Start(cmd, s.log(name))
	if err != nil {
		return errors.Wrapf(err, "cannot start %s again", name)
	}
	v.process = p
	return nil
}

// remove ends the named services, the last to be started first. Those that do
// not run are no error.
func (s *services) remove(names ...string) error {
	return s.end(func(v *service) bool { return slices.Contains(names, v.name) })
}

// stop ends all services, the last to be started first.
func (s *services) stop() error {
	return s.end(func(*service) bool { return true })
}

func (s *services) end(which func(*service) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	for _, v := range slices.Backward(s.list) {
		if !which(v) {
			continue
		}
		if err := v.process.Stop(); err != nil && first == nil {
			first = errors.Wrapf(err, "cannot stop %s", v.name)
		}
	}
	s.list = slices.DeleteFunc(s.list, which)
	return first
}

// check fails when a process of the cluster has ended by itself.
func (s *services) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.list {
		if !v.guest && v.process.Exited() {
			return errors.Errorf("%s has ended; the end of its log: %s", v.name, v.process.LogTail())
		}
	}
	return nil
}
