// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddress returns an address of the loopback interface that is free. Where there is more
// than 127.0.0.1 it most likely stays so: hardly anybody else looks for a port at the
// same host.
func FreeAddress(t *testing.T) string {
	t.Helper()
	own := net.IPv4(127, byte(1+rand.N(254)), byte(rand.N(256)), byte(1+rand.N(254))) //nolint:gosec // No secret.
	var failed error
	for _, host := range []string{own.String(), "127.0.0.1"} {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
		if err == nil {
			_ = l.Close()
			return l.Addr().String()
		}
		failed = err
	}
	t.Fatal(failed)
	return ""
}
