// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pkg/errors"
)

// ErrRunning is the cause of errors about a cluster that another process runs.
var ErrRunning = errors.New("another process runs a cluster on this machine")

// A record is what has to be known to undo what a cluster changed on the
// machine. It is written before anything is changed.
type record struct { //nolint:recvcheck // It is remembered once, and then a value.
	PID        int    `json:"pid"`
	Level      Level  `json:"level"`
	Dir        string `json:"dir"`
	Kubeconfig string `json:"kubeconfig"`

	// Of a node only.
	Bridge  string            `json:"bridge,omitempty"`
	Sysctls map[string]string `json:"sysctls,omitempty"`
	Absent  []string          `json:"absent,omitempty"`
}

// A state is the file with the record of the machine's cluster, and the lock
// that whoever runs the cluster holds on it. The system frees the lock when that
// process ends in whatever way, so a record that is not locked is of a killed
// run. A nil state is of a cluster that changes nothing of the machine.
type state struct{ file *os.File }

// statePath is where the record is: for root, of whose clusters a machine has
// one, in /run, and for others among their files.
func statePath() (string, error) {
	if os.Geteuid() == 0 {
		return "/run/provider-aiven-node/state.json", nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "provider-aiven-node", "state.json"), nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "provider-aiven", "node", "state.json"), errors.Wrap(err, "cannot find a folder for the cluster's state (set XDG_RUNTIME_DIR or HOME)")
}

// acquire takes the lock, or fails because of ErrRunning.
func acquire() (*state, error) {
	path, err := statePath()
	if err != nil {
		return nil, err
	}
	return acquireAt(path)
}

func acquireAt(path string) (*state, error) {
	for {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, errors.Wrap(err, "cannot make the folder of the cluster's state")
		}
		f, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o600)
		if os.IsNotExist(err) {
			continue // The one before us removed the folder just now.
		}
		if err != nil {
			return nil, errors.Wrap(err, "cannot open the cluster's state")
		}
		s := &state{file: f}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			r, readErr := s.read()
			_ = f.Close()
			if !errors.Is(err, syscall.EWOULDBLOCK) || readErr != nil {
				return nil, errors.Wrap(err, "cannot lock the cluster's state")
			}
			return nil, errors.Wrapf(ErrRunning, "process %d", r.PID)
		}
		if s.current(path) {
			return s, nil
		}
		_ = f.Close() // The one before us removed it after we opened it.
	}
}

// current reports whether the locked file is the one at path.
func (s *state) current(path string) bool {
	mine, err := s.file.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Stat(path)
	return err == nil && os.SameFile(mine, theirs)
}

// read returns the record. The zero value means that there is none.
func (s *state) read() (record, error) {
	var r record
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return r, errors.Wrap(err, "cannot read the cluster's state")
	}
	b, err := io.ReadAll(s.file)
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return r, errors.Wrap(err, "cannot read the cluster's state")
	}
	return r, errors.Wrap(json.Unmarshal(b, &r), "cannot read the cluster's state")
}

// write replaces the record.
func (s *state) write(r record) error {
	if s == nil {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return errors.Wrap(err, "cannot write the cluster's state")
	}
	if err := s.file.Truncate(0); err != nil {
		return errors.Wrap(err, "cannot write the cluster's state")
	}
	_, err = s.file.WriteAt(append(b, '\n'), 0)
	return errors.Wrap(err, "cannot write the cluster's state")
}

// reap undoes what a killed run left.
func (s *state) reap(p *progress) error {
	r, err := s.read()
	if err != nil || r.Dir == "" {
		return err
	}
	p.sayf("removing what process %d left when it was killed", r.PID)
	if err := r.restore(); err != nil {
		return err
	}
	return errors.Wrap(s.file.Truncate(0), "cannot empty the cluster's state")
}

// release removes the record and frees the lock.
func (s *state) release() error {
	if s == nil {
		return nil
	}
	path := s.file.Name()
	err := os.Remove(path)
	_ = os.Remove(filepath.Dir(path)) // Unless it holds something else.
	_ = s.file.Close()
	return errors.Wrap(err, "cannot remove the cluster's state")
}

// close frees the lock.
func (s *state) close() {
	if s != nil {
		_ = s.file.Close()
	}
}

// recorded reports whether there is a record: of a killed run, or of one that
// runs.
func recorded() bool {
	path, err := statePath()
	if err != nil {
		return false
	}
	fi, err := os.Stat(path)
	return err == nil && fi.Size() > 0
}

// A Status says which cluster the machine has.
type Status struct {
	// Running means that a process runs it; else that process was killed.
	Running    bool
	PID        int
	Level      Level
	Dir        string
	Kubeconfig string
}

// Get returns the status of the cluster that the machine has, or nil.
func Get() (*Status, error) {
	path, err := statePath()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Clean(path))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "cannot open the cluster's state")
	}
	defer func() { _ = f.Close() }()
	s := &state{file: f}
	r, err := s.read()
	if err != nil || r.Dir == "" {
		return nil, err
	}
	// A lock that can be shared is not held; it is freed again with the file.
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return &Status{Running: err != nil, PID: r.PID, Level: r.Level, Dir: r.Dir, Kubeconfig: r.Kubeconfig}, nil
}
