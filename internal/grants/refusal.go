// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// ErrRefused is what every error of this package is.
var ErrRefused = errors.New("not granted by the configuration")

// A refusedError says which rule of the configuration refuses what, and what to do
// about it: one line, for people, the same as long as nothing changes.
type refusedError struct {
	message string
}

// Error returns the whole message.
func (e *refusedError) Error() string { return e.message }

// Is says that it is ErrRefused.
func (e *refusedError) Is(target error) bool { return target == ErrRefused }

// refuse takes texts that tenants wrote as well as ours.
func refuse(format string, texts ...string) error {
	args := make([]any, len(texts))
	for i, t := range texts {
		args[i] = printable(t)
	}
	return &refusedError{message: fmt.Sprintf(format, args...)}
}

// printable returns a text as it is, or quoted when it would break a line or
// hide something.
func printable(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !strconv.IsPrint(c) || c == '\ufffd' }) {
		return strconv.Quote(s)
	}
	return s
}
