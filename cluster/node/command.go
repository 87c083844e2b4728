// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"os/exec"

	"github.com/pkg/errors"
)

// run runs a command, whose output is in the error when it fails.
func run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	return errors.Wrapf(err, "cannot run %s: %s", cmd, bytes.TrimSpace(out))
}
