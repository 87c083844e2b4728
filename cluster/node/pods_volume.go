// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
)

const (
	// The names are the kubelet's: programs know them.
	presentState = "..data"
	nextState    = "..data_tmp"
	stateName    = "..2006_01_02_15_04_05."

	defaultMode = 0o644
)

// A volumeFile is a file of a volume.
type volumeFile struct {
	data []byte
	mode os.FileMode
}

func (f volumeFile) equal(o volumeFile) bool { return f.mode == o.mode && bytes.Equal(f.data, o.data) }

// secretFiles returns the files of a volume of a Secret, by their paths. The
// Secret is nil when there is none. It fails, in the words of the kubelet, when
// something is missing that is not optional.
func secretFiles(v *corev1.SecretVolumeSource, s *corev1.Secret) (map[string]volumeFile, error) {
	out := map[string]volumeFile{}
	if s == nil {
		if isTrue(v.Optional) {
			return out, nil
		}
		return nil, errors.Errorf("secret %q not found", v.SecretName)
	}
	mode := modeOf(v.DefaultMode, defaultMode)
	if len(v.Items) == 0 {
		for key, value := range s.Data {
			out[key] = volumeFile{data: value, mode: mode}
		}
		return out, nil
	}
	for _, item := range v.Items {
		value, ok := s.Data[item.Key]
		if !ok && !isTrue(v.Optional) {
			return nil, errors.Errorf("references non-existent secret key: %s", item.Key)
		}
		if ok {
			out[item.Path] = volumeFile{data: value, mode: modeOf(item.Mode, mode)}
		}
	}
	return out, nil
}

func modeOf(mode *int32, otherwise os.FileMode) os.FileMode {
	if mode == nil {
		return otherwise
	}
	return os.FileMode(*mode) & os.ModePerm //nolint:gosec // The API server bounds it.
}

// A volume is a folder with the files of a Secret, which change all at once, as
// the kubelet has them: each is a link to one below ..data, which is a link to a
// folder with the present state.
type volume struct {
	dir    string
	source *corev1.SecretVolumeSource
	files  map[string]volumeFile // Nil before the first state.
}

// write makes files the present state, unless it is already.
func (v *volume) write(files map[string]volumeFile) error {
	if v.files != nil && maps.EqualFunc(v.files, files, volumeFile.equal) {
		return nil
	}
	if err := os.MkdirAll(v.dir, 0o755); err != nil {
		return errors.Wrap(err, "cannot make the folder of a volume")
	}
	before, _ := os.Readlink(filepath.Join(v.dir, presentState))
	state, err := v.writeState(files)
	if err != nil {
		return err
	}
	next := filepath.Join(v.dir, nextState)
	_ = os.Remove(next) // Of an attempt that failed.
	if err := os.Symlink(filepath.Base(state), next); err != nil {
		return errors.Wrap(err, "cannot link to the state of a volume")
	}
	if err := os.Rename(next, filepath.Join(v.dir, presentState)); err != nil {
		return errors.Wrap(err, "cannot link to the state of a volume")
	}
	if err := v.link(files); err != nil {
		return err
	}
	v.files = files
	if before == "" {
		return nil
	}
	return errors.Wrap(os.RemoveAll(filepath.Join(v.dir, before)), "cannot remove the former state of a volume")
}

// writeState writes files to a folder of their own, which it returns.
func (v *volume) writeState(files map[string]volumeFile) (string, error) {
	state, err := os.MkdirTemp(v.dir, time.Now().UTC().Format(stateName))
	if err != nil {
		return "", errors.Wrap(err, "cannot make the folder of a state of a volume")
	}
	if err := os.Chmod(state, 0o755); err != nil {
		return "", errors.Wrap(err, "cannot make the folder of a state of a volume")
	}
	for path, f := range files {
		path = filepath.Join(state, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", errors.Wrap(err, "cannot make a folder in a volume")
		}
		if err := os.WriteFile(path, f.data, f.mode); err != nil {
			return "", errors.Wrap(err, "cannot write a file of a volume")
		}
		if err := os.Chmod(path, f.mode); err != nil { // Whatever the umask is.
			return "", errors.Wrap(err, "cannot write a file of a volume")
		}
	}
	return state, nil
}

// link makes a link to each file, and removes those to files that are gone.
func (v *volume) link(files map[string]volumeFile) error {
	tops := map[string]bool{}
	for path := range files {
		top, _, _ := strings.Cut(path, "/")
		tops[top] = true
	}
	for top := range tops {
		if err := os.Symlink(filepath.Join(presentState, top), filepath.Join(v.dir, top)); err != nil && !os.IsExist(err) {
			return errors.Wrap(err, "cannot link to a file of a volume")
		}
	}
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return errors.Wrap(err, "cannot list a volume")
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") || tops[e.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(v.dir, e.Name())); err != nil {
			return errors.Wrap(err, "cannot remove the link to a file of a volume")
		}
	}
	return nil
}
