// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestUsage runs commands that end before they need a cluster.
func TestUsage(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		args   []string
		code   int
		says   string
	}{
		"Help":         {reason: "Help is fine, and says what exit codes mean.", args: []string{"--help"}, code: ExitFine, says: "Exit codes:"},
		"NoName":       {reason: "A command about an application needs one.", args: []string{"status"}, code: ExitUsage, says: "name one application, not 0"},
		"TwoNames":     {reason: "And no more than one.", args: []string{"rotate", "a", "b"}, code: ExitUsage, says: "name one application, not 2"},
		"Unknown":      {reason: "What is no command is said.", args: []string{"nope"}, code: ExitUsage, says: `unknown command "nope"`},
		"Form":         {reason: "What is no form is said.", args: []string{"doctor", "-o", "xml"}, code: ExitUsage, says: "use text, json or yaml"},
		"RotateForm":   {reason: "So it is before anything is asked for.", args: []string{"rotate", "a", "-o", "xml"}, code: ExitUsage, says: "use text, json or yaml"},
		"Files":        {reason: "So is what is no form of files.", args: []string{"credentials", "a", "-o", "json"}, code: ExitUsage, says: "use env, properties, kcat"},
		"TooLong":      {reason: "Access for longer than a day is an application's.", args: []string{"credentials", "a", "--for", "25h"}, code: ExitUsage, says: "--for is from 1m to 24h"},
		"Janitor":      {reason: "Who expects the janitor to remove something is told.", args: []string{"janitor"}, code: ExitUsage, says: "give --dry-run"},
		"NoKubeconfig": {reason: "A cluster that cannot be found is no problem of it.", args: []string{"status", "a", "--kubeconfig", "/nonexistent"}, code: ExitUsage, says: "cannot read kubeconfig"},
		"Token":        {reason: "A credential does not belong on a command line.", args: []string{"status", "a", "--token", "x"}, code: ExitUsage, says: "unknown flag: --token"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			code := Run(t.Context(), tc.args, Streams{Out: &out, Err: &out})
			if code != tc.code || !strings.Contains(out.String(), tc.says) {
				t.Errorf("\n%s\nRun(...): want %d and %q, got %d and:\n%s", tc.reason, tc.code, tc.says, code, out.String())
			}
		})
	}
}

func TestEvery(t *testing.T) {
	t.Parallel()
	gone := kerrors.NewNotFound(schema.GroupResource{Resource: "aivenapplications"}, "orders")
	away := errors.New("connection refused")
	cases := map[string]struct {
		reason  string
		timeout time.Duration
		fn      func(calls int) (bool, error)
		want    error
	}{
		"Done": {reason: "It ends when it is done.", timeout: time.Minute, fn: func(calls int) (bool, error) { return calls == 3, nil }},
		"Final": {
			reason: "What will not get better ends it.", timeout: time.Minute, want: gone,
			fn: func(int) (bool, error) { return false, gone },
		},
		"Away": {
			reason: "An API server that is away for a moment does not.", timeout: time.Minute,
			fn: func(calls int) (bool, error) {
				if calls < 3 {
					return false, away
				}
				return true, nil
			},
		},
		"TimeIsUp": {reason: "It says when time is up.", want: errTimeout, fn: func(int) (bool, error) { return false, nil }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, calls := &session{tick: time.Millisecond}, 0
			err := s.every(t.Context(), tc.timeout, func(context.Context) (bool, error) {
				calls++
				return tc.fn(calls)
			})
			if diff := cmp.Diff(tc.want, err, cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) || errors.Is(b, a) })); diff != "" {
				t.Errorf("\n%s\nevery(...): -want error, +got error:\n%s", tc.reason, diff)
			}
		})
	}
}
