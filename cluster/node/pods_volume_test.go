// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestSecretFiles(t *testing.T) {
	secret := &corev1.Secret{Data: map[string][]byte{"a": []byte("1"), "b": []byte("2")}}
	items := []corev1.KeyToPath{{Key: "a", Path: "deep/x", Mode: new(int32(0o400))}, {Key: "c", Path: "y"}}
	cases := map[string]struct {
		reason string
		v      corev1.SecretVolumeSource
		secret *corev1.Secret
		want   map[string]string
		err    string
	}{
		"All": {
			reason: "Without items there is a file for each key.", v: corev1.SecretVolumeSource{SecretName: "s", DefaultMode: new(int32(0o440))}, secret: secret,
			want: map[string]string{"a": "1 -r--r-----", "b": "2 -r--r-----"},
		},
		"Items": {
			reason: "With items there are files for these.", v: corev1.SecretVolumeSource{SecretName: "s", Items: items[:1]}, secret: secret,
			want: map[string]string{"deep/x": "1 -r--------"},
		},
		"NoKey":          {reason: "Each key of items has to be there.", v: corev1.SecretVolumeSource{SecretName: "s", Items: items}, secret: secret, err: "references non-existent secret key: c"},
		"OptionalKey":    {reason: "Unless it is optional.", v: corev1.SecretVolumeSource{SecretName: "s", Items: items, Optional: new(true)}, secret: secret, want: map[string]string{"deep/x": "1 -r--------"}},
		"NoSecret":       {reason: "The Secret has to be there.", v: corev1.SecretVolumeSource{SecretName: "s"}, err: `secret "s" not found`},
		"OptionalSecret": {reason: "Unless it is optional.", v: corev1.SecretVolumeSource{SecretName: "s", Optional: new(true)}, want: map[string]string{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			files, err := secretFiles(&tc.v, tc.secret)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if diff := cmp.Diff(tc.err, message); diff != "" {
				t.Errorf("\n%s\nsecretFiles(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			if tc.err != "" {
				return
			}
			got := map[string]string{}
			for path, f := range files {
				got[path] = string(f.data) + " " + f.mode.String()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nsecretFiles(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// A volume changes from state to state as one of the kubelet does.
func TestVolume(t *testing.T) {
	file := func(content string) volumeFile { return volumeFile{data: []byte(content), mode: 0o666} } // A usual umask takes some of it.
	v := &volume{dir: filepath.Join(t.TempDir(), "v")}
	for _, tc := range []struct {
		reason string
		files  map[string]volumeFile
	}{
		{reason: "The first state is made.", files: map[string]volumeFile{"a": file("1"), "deep/b": file("2")}},
		{reason: "Files change, come and go.", files: map[string]volumeFile{"a": file("3"), "c": file("4")}},
		{reason: "All files go.", files: map[string]volumeFile{}},
	} {
		// As an attempt leaves it that failed.
		if err := os.MkdirAll(v.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("..gone", filepath.Join(v.dir, nextState)); err != nil {
			t.Fatal(err)
		}
		if err := v.write(tc.files); err != nil {
			t.Fatalf("\n%s\nwrite(...): %v", tc.reason, err)
		}
		state := readLink(t, filepath.Join(v.dir, presentState))
		if diff := cmp.Diff(tc.files, visible(t, v.dir), cmp.AllowUnexported(volumeFile{})); diff != "" {
			t.Errorf("\n%s\nfiles: -want, +got:\n%s", tc.reason, diff)
		}
		if states, _ := filepath.Glob(filepath.Join(v.dir, "..2*")); len(states) != 1 || filepath.Base(states[0]) != state {
			t.Errorf("\n%s\nstates: %v, want only %s", tc.reason, states, state)
		}
		if err := v.write(tc.files); err != nil {
			t.Fatalf("\n%s\nwrite(...) again: %v", tc.reason, err)
		}
		if diff := cmp.Diff(state, readLink(t, filepath.Join(v.dir, presentState))); diff != "" {
			t.Errorf("\n%s\nthe state after the same files: -want, +got:\n%s", tc.reason, diff)
		}
	}
}

// visible returns the files of a volume that are not the volume's own.
func visible(t *testing.T, dir string) map[string]volumeFile {
	t.Helper()
	out := map[string]volumeFile{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") {
			continue
		}
		if want := filepath.Join(presentState, e.Name()); readLink(t, filepath.Join(dir, e.Name())) != want {
			t.Errorf("%s does not lead to %s", e.Name(), want)
		}
		top := filepath.Join(dir, e.Name())
		for _, path := range append([]string{top}, glob(t, filepath.Join(top, "*"))...) {
			fi, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if fi.IsDir() {
				continue
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rel, _ := filepath.Rel(dir, path)
			out[rel] = volumeFile{data: b, mode: fi.Mode()}
		}
	}
	return out
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	l, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func readLink(t *testing.T, path string) string {
	t.Helper()
	s, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
