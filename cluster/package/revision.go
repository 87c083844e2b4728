// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// A revision says what the repository holds.
type revision struct {
	// Version is semantic and a legal tag of an image: v1.2.3 for a tag,
	// v1.2.3-4-gabcdef012345 for the fourth commit after it, v0.0.0-gabcdef012345
	// where there is no tag, and -dirty at the end if something is not committed.
	Version string
	// Commit in full, empty outside git.
	Commit string
	// Time of the commit, or SOURCE_DATE_EPOCH. Nothing that is built has
	// another time in it.
	Time time.Time
}

var (
	// legalVersion is a semantic version without build metadata, which the tag
	// of an image cannot carry.
	legalVersion = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)
	bareCommit   = regexp.MustCompile(`^[0-9a-f]+$`)
)

// readRevision asks git. Outside git a version must be given.
func readRevision(ctx context.Context, root, version string) (revision, error) {
	r := revision{Version: version, Time: time.Unix(0, 0).UTC()}
	described, err := git(ctx, root, "describe", "--tags", "--always", "--abbrev=12", "--match=v[0-9]*")
	switch {
	case err != nil && version == "":
		return r, errors.Wrap(err, "cannot ask git for the version: give it with --set-version")
	case err == nil:
		if err := r.readCommit(ctx, root); err != nil {
			return r, err
		}
		if version != "" {
			break
		}
		// git describe --dirty does not see new files, which are built as well.
		changes, err := git(ctx, root, "status", "--porcelain")
		if err != nil {
			return r, errors.Wrap(err, "cannot ask git for what is not committed")
		}
		r.Version = versionOf(described, changes != "")
	}
	if !legalVersion.MatchString(r.Version) {
		return r, errors.Errorf("%q is no semantic version, such as v1.2.3 or v1.2.3-rc.1", r.Version)
	}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		if r.Time, err = unixTime(epoch); err != nil {
			return r, errors.Wrap(err, "cannot read SOURCE_DATE_EPOCH")
		}
	}
	return r, nil
}

func (r *revision) readCommit(ctx context.Context, root string) error {
	out, err := git(ctx, root, "log", "-1", "--format=%H %ct")
	if err != nil {
		return errors.Wrap(err, "cannot ask git for the commit")
	}
	commit, seconds, _ := strings.Cut(out, " ")
	r.Commit = commit
	r.Time, err = unixTime(seconds)
	return errors.Wrap(err, "cannot read the time of the commit")
}

// versionOf returns the version for what git describe says of a tree.
func versionOf(described string, dirty bool) string { //nolint:revive // it is a fact about the tree
	v := described
	if bareCommit.MatchString(v) {
		v = "v0.0.0-g" + v
	}
	if dirty {
		v += "-dirty"
	}
	return v
}

func unixTime(seconds string) (time.Time, error) {
	s, err := strconv.ParseInt(seconds, 10, 64)
	return time.Unix(s, 0).UTC(), err
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", errors.Errorf("%s: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}
