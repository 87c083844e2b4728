// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestFilesTellOfChanges(t *testing.T) {
	t.Parallel()
	write := func(content string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// link does as the kubelet: the file is a link into a folder, which changes by a rename of a link.
	link := func(content string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			t.Helper()
			target, fresh := filepath.Join(t.TempDir(), "token"), path+".new"
			write(content)(t, target)
			if err := os.Symlink(target, fresh); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(fresh, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, path string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(*testing.T, string) {}
	cases := map[string]struct {
		reason       string
		before, then func(t *testing.T, path string)
		told         bool
	}{
		"Same":      {"What is the same is no news.", write("one"), nothing, false},
		"Rewritten": {"Nor is the same, written again.", write("one"), write("one"), false},
		"Changed":   {"Another token is.", write("one"), write("two"), true},
		"Linked":    {"However it gets there.", link("one"), link("two"), true},
		"Appeared":  {"Also the first one.", nothing, write("one"), true},
		"Gone":      {"And that there is none any more.", write("one"), remove, true},
		"Absent":    {"Nothing comes of nothing.", nothing, nothing, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, other := filepath.Join(dir, "token"), filepath.Join(dir, "other")
			tc.before(t, path)
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				f := NewFiles(ctx)
				var mu sync.Mutex
				var told []string
				f.Subscribe(func(path string) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, path)
				})
				_, _ = f.Read(path)  // It may not be there.
				_, _ = f.Read(other) // It is not.
				tc.then(t, path)
				<-time.After(3 * fileInterval) // Of synthetic time.
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				var want []string
				if tc.told {
					want = []string{path}
				}
				if diff := cmp.Diff(want, slices.Clone(told), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
				}
			})
		})
	}
}
