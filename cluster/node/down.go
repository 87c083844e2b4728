// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"io"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Down ends the machine's cluster, and returns when nothing of it is left: it
// tells the process that runs it to, or removes what a killed one left. That
// there is none is no error.
func Down(ctx context.Context, progressTo io.Writer) error {
	p := newProgress(progressTo)
	told := false
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, waitTimeout, true, func(context.Context) (bool, error) {
		s, err := acquire()
		if errors.Is(err, ErrRunning) {
			if told {
				return false, nil
			}
			told = true
			return false, interrupt(p)
		}
		if err != nil {
			return false, err
		}
		if err := s.reap(p); err != nil {
			s.close()
			return false, err
		}
		return true, s.release()
	})
	return errors.Wrap(err, "cannot end the cluster")
}

// interrupt tells the process that runs the cluster to end.
func interrupt(p *progress) error {
	st, err := Get()
	if err != nil || st == nil || !st.Running {
		return err
	}
	p.sayf("telling process %d to end", st.PID)
	return errors.Wrap(syscall.Kill(st.PID, syscall.SIGTERM), "cannot tell it to end")
}
