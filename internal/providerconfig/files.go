// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"bytes"
	"context"
	"os"
	"sync"
	"time"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/listeners"
)

// fileInterval is how often files that were read are looked at for changes.
// Kubernetes changes a mounted Secret by moving links, up to a minute after the
// Secret changed.
const fileInterval = 2 * time.Second

// Files reads files with tokens, and tells when one of them changed. Safe for
// concurrent use.
type Files struct {
	changed listeners.Listeners[string]

	mu   sync.Mutex
	seen map[string][]byte // nil: could not be read
}

// NewFiles returns a reader of files that looks for changes until the context
// ends.
func NewFiles(ctx context.Context) *Files {
	f := &Files{seen: make(map[string][]byte)}
	go f.watch(ctx)
	return f
}

// Read returns what is in a file, and begins to look for changes of it.
func (f *Files) Read(path string) ([]byte, error) {
	b, err := os.ReadFile(path) //nolint:gosec // Who writes a ClusterProviderConfig names it.
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.seen[path]; !ok {
		f.seen[path] = b
	}
	return b, errors.Wrap(err, "cannot read file")
}

// Subscribe calls fn with the path of each file that changed. fn must not block.
func (f *Files) Subscribe(fn func(path string)) (cancel func()) { return f.changed.Subscribe(fn) }

func (f *Files) watch(ctx context.Context) {
	t := time.NewTicker(fileInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			f.look()
		}
	}
}

func (f *Files) look() {
	f.mu.Lock()
	var changed []string
	for path, was := range f.seen {
		is, err := os.ReadFile(path) //nolint:gosec // As above.
		if err != nil {
			is = nil
		}
		if !bytes.Equal(was, is) {
			f.seen[path] = is
			changed = append(changed, path)
		}
	}
	f.mu.Unlock()
	for _, path := range changed {
		f.changed.Tell(path)
	}
}
