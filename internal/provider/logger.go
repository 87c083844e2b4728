// SPDX-License-Identifier: Apache-2.0

package provider

import "github.com/crossplane/crossplane-runtime/v2/pkg/logging"

// A plainLogger logs the text of errors and not where they came from: the
// stacks that they carry would be most of the log.
type plainLogger struct {
	logging.Logger
}

// Info logs what a person should know.
func (l plainLogger) Info(msg string, kv ...any) { l.Logger.Info(msg, plain(kv)...) }

// Debug logs what is done.
func (l plainLogger) Debug(msg string, kv ...any) { l.Logger.Debug(msg, plain(kv)...) }

// WithValues returns a logger that adds keys and values to each line.
func (l plainLogger) WithValues(kv ...any) logging.Logger {
	return plainLogger{l.Logger.WithValues(plain(kv)...)}
}

func plain(kv []any) []any {
	out := make([]any, len(kv))
	for i, v := range kv {
		if err, ok := v.(error); ok {
			v = err.Error()
		}
		out[i] = v
	}
	return out
}
