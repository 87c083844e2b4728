// SPDX-License-Identifier: Apache-2.0

// Command kubectl-aivenapp is kubectl aivenapp.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/provider-aiven/provider-aiven/internal/plugin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := plugin.Run(ctx, os.Args[1:], plugin.Terminal())
	stop()
	os.Exit(code)
}
