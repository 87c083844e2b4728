// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contents returns what is in a folder, and the modes of the files, the marker left out.
func contents(t *testing.T, dir string) (files map[string]string, modes map[string]os.FileMode) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, modes = make(map[string]string), make(map[string]os.FileMode)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		modes[e.Name()] = info.Mode()
		if e.Name() != marker {
			files[e.Name()] = string(b)
		}
	}
	return files, modes
}

func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	f, err := openFolder(dir, "team-a", "orders-jane")
	if err != nil {
		t.Fatalf("openFolder(...): %v", err)
	}
	if err := f.write(files); err != nil {
		t.Fatalf("write(...): %v", err)
	}
	if err := f.close(); err != nil {
		t.Fatalf("close(): %v", err)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mine")
	write(t, dir, map[string][]byte{"a": []byte("1"), "b": []byte("2")})
	// Somebody let others in meanwhile.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string][]byte{"b": []byte("3"), "c": []byte("4")})

	files, modes := contents(t, dir)
	if diff := cmp.Diff(map[string]string{"b": "3", "c": "4"}, files); diff != "" {
		t.Errorf("a folder should hold what was written last: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]os.FileMode{marker: 0o600, "b": 0o600, "c": 0o600}, modes); diff != "" {
		t.Errorf("nobody else should read the files: -want, +got:\n%s", diff)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("nobody else should see the folder: %v, %v", info.Mode(), err)
	}

	if removed, err := clearFolder(dir, "team-a", "shipping-jane"); removed || err != nil {
		t.Errorf("clearFolder(...): other credentials should stay: %t, %v", removed, err)
	}
	if removed, err := clearFolder(dir, "team-a", "orders-jane"); !removed || err != nil {
		t.Errorf("clearFolder(...): %t, %v", removed, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("an empty folder should be gone: %v", err)
	}
	if removed, err := clearFolder(dir, "team-a", "orders-jane"); removed || err != nil {
		t.Errorf("clearFolder(...): what is gone is gone: %t, %v", removed, err)
	}
}

func TestFolderRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason  string
		prepare func(dir string) error
		want    string
	}{
		"File": {
			reason:  "A file of that name is somebody's.",
			prepare: func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
			want:    "is no folder",
		},
		"Link": {
			reason:  "A link may lead to where others read.",
			prepare: func(dir string) error { return os.Symlink(filepath.Dir(dir), dir) },
			want:    "is no folder",
		},
		"Diary": {
			reason: "A folder with somebody's files is not ours.",
			prepare: func(dir string) error {
				if err := os.Mkdir(dir, 0o755); err != nil {
					return err
				}
				return os.WriteFile(filepath.Join(dir, "diary"), nil, 0o600)
			},
			want: "holds diary, which is not ours to overwrite",
		},
		"Garbled": {
			reason: "A marker that cannot be read says nothing.",
			prepare: func(dir string) error {
				if err := os.Mkdir(dir, 0o755); err != nil {
					return err
				}
				return os.WriteFile(filepath.Join(dir, marker), []byte("?"), 0o600)
			},
			want: "cannot read",
		},
		"Others": {
			reason: "Credentials of another application are not overwritten.",
			prepare: func(dir string) error {
				f, err := openFolder(dir, "team-a", "shipping-jane")
				if err != nil {
					return err
				}
				return f.write(map[string][]byte{"a": nil})
			},
			want: "holds credentials of team-a/shipping-jane",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "mine")
			if err := tc.prepare(dir); err != nil {
				t.Fatal(err)
			}
			_, err := openFolder(dir, "team-a", "orders-jane")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("\n%s\nopenFolder(...): want error with %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

// TestFolderDoesNotFollowLinks holds that a file is replaced, not what it leads to.
func TestFolderDoesNotFollowLinks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mine")
	write(t, dir, map[string][]byte{"a": []byte("1")})
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string][]byte{"a": []byte("2")})
	if b, err := os.ReadFile(elsewhere); err != nil || string(b) != "theirs" {
		t.Errorf("what a link leads to should stay: %q, %v", b, err)
	}
}
