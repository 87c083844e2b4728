// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"
)

// marker is the file by which a folder is known as ours. It says what else is,
// and holds no credential.
const marker = ".kubectl-aivenapp.json"

const (
	folderMode = 0o700
	fileMode   = 0o600
)

// A folder holds the credentials of one person for one application.
type folder struct {
	path string
	root *os.Root
	// Content is what the marker says.
	content folderContent
}

type folderContent struct {
	// Namespace and Name of the application that the credentials are of.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Files that were written.
	Files []string `json:"files"`
}

// openFolder opens a folder, which is made if there is none. It refuses one that
// holds what others put there, and one of other credentials.
func openFolder(path, namespace, name string) (*folder, error) {
	err := os.Mkdir(path, folderMode)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, errors.Wrap(err, "cannot make the folder")
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Wrap(err, "cannot look at the folder")
	}
	if !info.IsDir() {
		return nil, errors.Errorf("%s is no folder: name another one with --dir", path)
	}
	f, err := readFolder(path)
	if err != nil {
		return nil, err
	}
	mine := folderContent{Namespace: namespace, Name: name, Files: f.content.Files}
	if f.content.Name != "" && (f.content.Name != name || f.content.Namespace != namespace) {
		return nil, f.refuse(errors.Errorf("%s holds credentials of %s/%s: name another folder with --dir", path, f.content.Namespace, f.content.Name))
	}
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, f.refuse(errors.Wrap(err, "cannot read the folder"))
	}
	for _, e := range entries {
		if e.Name() != marker && !slices.Contains(f.content.Files, e.Name()) {
			return nil, f.refuse(errors.Errorf("%s holds %s, which is not ours to overwrite: name another folder with --dir", path, e.Name()))
		}
	}
	f.content = mine
	return f, errors.Wrap(f.root.Chmod(".", folderMode), "cannot keep others out of the folder")
}

// readFolder opens a folder that exists.
func readFolder(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, errors.Wrap(err, "cannot open the folder")
	}
	f := &folder{path: path, root: root}
	b, err := root.ReadFile(marker)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &f.content)
	}
	if err != nil {
		return nil, f.refuse(errors.Wrapf(err, "cannot read %s", filepath.Join(path, marker)))
	}
	return f, nil
}

func (f *folder) refuse(err error) error {
	_ = f.close() // The error says more.
	return err
}

func (f *folder) close() error { return errors.Wrap(f.root.Close(), "cannot close the folder") }

// write replaces what the folder holds. A file is never seen by others, nor
// half written.
func (f *folder) write(files map[string][]byte) error {
	old := f.content.Files
	f.content.Files = slices.Sorted(maps.Keys(files))
	// What is about to be written has to be known as ours, should we not get to the end.
	both := f.content
	both.Files = slices.Compact(slices.Sorted(slices.Values(slices.Concat(old, both.Files))))
	if err := f.mark(both); err != nil {
		return err
	}
	for _, name := range f.content.Files {
		if err := f.put(name, files[name]); err != nil {
			return err
		}
	}
	for _, name := range old {
		if _, ok := files[name]; !ok {
			if err := f.remove(name); err != nil {
				return err
			}
		}
	}
	return f.mark(f.content)
}

func (f *folder) mark(c folderContent) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return errors.Wrap(err, "cannot write the folder's marker")
	}
	return f.put(marker, append(b, '\n'))
}

// put writes a file beside its place and moves it there.
func (f *folder) put(name string, content []byte) error {
	next := marker + ".new"
	if err := f.remove(next); err != nil {
		return err
	}
	w, err := f.root.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return errors.Wrap(err, "cannot make a file")
	}
	_, err = w.Write(content)
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return errors.Wrapf(err, "cannot write %s", filepath.Join(f.path, name))
	}
	return errors.Wrapf(f.root.Rename(next, name), "cannot write %s", filepath.Join(f.path, name))
}

func (f *folder) remove(name string) error {
	err := f.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Wrapf(err, "cannot remove %s", filepath.Join(f.path, name))
}

// clear removes what was written, and the folder if nothing else is in it.
func (f *folder) clear() error {
	for _, name := range append(slices.Clone(f.content.Files), marker+".new", marker) {
		if err := f.remove(name); err != nil {
			return err
		}
	}
	_ = os.Remove(f.path) // Not when it holds something else.
	return nil
}

// clearFolder removes the credentials of an application from a folder, and tells
// whether there were any.
func clearFolder(path, namespace, name string) (bool, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	f, err := readFolder(path)
	if err != nil {
		return false, err
	}
	if f.content.Name != name || f.content.Namespace != namespace {
		return false, f.close()
	}
	if err := f.clear(); err != nil {
		return false, f.refuse(err)
	}
	return true, f.close()
}
