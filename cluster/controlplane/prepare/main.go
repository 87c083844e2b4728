// SPDX-License-Identifier: Apache-2.0

// Command prepare makes sure that the named programs are there, and prints the
// folder that holds them; they must be of one pinning module. Without names it
// prints the folder that keeps all built binaries. Progress goes to standard
// error.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane/assets"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	dir, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(dir)
}

func run(ctx context.Context, names []string) (string, error) {
	if len(names) == 0 {
		return assets.Root()
	}
	return assets.Ensure(ctx, os.Stderr, names...)
}
