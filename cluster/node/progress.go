// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// A progress tells people what happens and when. It may be used by several
// goroutines.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	begin time.Time
}

func newProgress(w io.Writer) *progress {
	if w == nil {
		w = io.Discard
	}
	return &progress{w: w, begin: time.Now()}
}

// restart counts the time from now on.
func (p *progress) restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin = time.Now()
}

// sayf writes a line with the time since the begin.
func (p *progress) sayf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%6.1fs  %s\n", time.Since(p.begin).Seconds(), fmt.Sprintf(format, args...))
}

// Write implements io.Writer.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Write(b) //nolint:wrapcheck // It is the writer's.
}
