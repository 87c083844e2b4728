// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVersionOf(t *testing.T) {
	cases := map[string]struct {
		reason    string
		described string
		dirty     bool
		want      string
	}{
		"Tag":         {reason: "A tag is the version.", described: "v1.2.3", want: "v1.2.3"},
		"AfterTag":    {reason: "A later commit says how far it is from the tag.", described: "v1.2.3-4-gabcdef012345", want: "v1.2.3-4-gabcdef012345"},
		"NoTag":       {reason: "Without a tag the commit makes a version that is below all others.", described: "abcdef012345", want: "v0.0.0-gabcdef012345"},
		"DigitsOnly":  {reason: "A commit that looks like a number must not become one: numbers have no leading zero.", described: "012345678901", want: "v0.0.0-g012345678901"},
		"Uncommitted": {reason: "What is not committed cannot be built by anybody else.", described: "v1.2.3", dirty: true, want: "v1.2.3-dirty"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := versionOf(tc.described, tc.dirty)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nversionOf(...): -want, +got:\n%s", tc.reason, diff)
			}
			if !legalVersion.MatchString(got) {
				t.Errorf("\n%s\n%s is no legal version", tc.reason, got)
			}
		})
	}
}

func TestReadRevision(t *testing.T) {
	dir := t.TempDir()
	committed := time.Unix(1_600_000_000, 0).UTC()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE=1600000000 +0200", "GIT_AUTHOR_DATE=1500000000 +0200")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	want := func(reason, version, pattern string, at time.Time) {
		t.Helper()
		got, err := readRevision(t.Context(), dir, version)
		if err != nil {
			t.Fatalf("%s: %v", reason, err)
		}
		if !regexp.MustCompile("^"+pattern+"$").MatchString(got.Version) || !got.Time.Equal(at) {
			t.Errorf("%s: got %s of %s, want %s of %s", reason, got.Version, got.Time, pattern, at)
		}
	}

	t.Setenv("SOURCE_DATE_EPOCH", "")
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	if r, err := readRevision(t.Context(), dir, ""); err == nil {
		t.Errorf("outside git: got %+v, want an error", r)
	}
	want("outside git with a version", "v0.1.0", `v0\.1\.0`, time.Unix(0, 0))

	run("init", "-q")
	run("commit", "-q", "--allow-empty", "-m", "one")
	want("without a tag", "", `v0\.0\.0-g[0-9a-f]{12}`, committed)
	run("tag", "v1.2.3")
	run("tag", "other")
	want("at a tag", "", `v1\.2\.3`, committed)
	run("commit", "-q", "--allow-empty", "-m", "two")
	want("after a tag", "", `v1\.2\.3-1-g[0-9a-f]{12}`, committed)
	if err := os.WriteFile(filepath.Join(dir, "new.go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want("with a new file", "", `v1\.2\.3-1-g[0-9a-f]{12}-dirty`, committed)
	want("with a version", "v9.0.0-rc.1", `v9\.0\.0-rc\.1`, committed)
	t.Setenv("SOURCE_DATE_EPOCH", "1234567890")
	want("with a time", "v9.0.0", `v9\.0\.0`, time.Unix(1234567890, 0))

	for _, illegal := range []string{"1.2.3", "v1.2", "v1.2.3+build", "latest", "v01.2.3"} {
		if r, err := readRevision(t.Context(), dir, illegal); err == nil {
			t.Errorf("%s: got %+v, want an error", illegal, r)
		}
	}
}
