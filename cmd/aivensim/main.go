// SPDX-License-Identifier: Apache-2.0

// Command aivensim serves a simulated Aiven API, see package aivensim.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

const usage = `aivensim serves a simulated Aiven API below /v1, and beside it an inspection API without authentication:

  GET    /-/state                              projects, services, users; ?secrets=true with credentials
  GET    /-/requests                           the request log; ?secrets=true with bodies
  DELETE /-/requests                           forget the log and the statistics
  GET    /-/stats                              calls and bytes by operation
  POST   /-/faults                             {"operation":"CreateUser","status":502,"after":true,"count":1}
  DELETE /-/faults                             remove all faults
  PUT    /-/services/{project}/{service}       {"type":"valkey"} adds; {"state":"POWEROFF","user_limit":10} changes
  DELETE /-/users/{project}/{service}/{user}   remove a user behind the API's back
  POST   /-/clock                              {"advance":"720h"}

Flags:
`

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on; port 0 takes a free one")
	seed := flag.String("seed", "", "JSON file with the tokens and projects to start with")
	latency := flag.Duration("latency", 0, "delay of every API answer, such as 300ms")
	redaction := flag.Bool("redaction", false, "redact passwords unless a GET has include_secrets=true, as Aiven does from March 2027")
	limit := flag.Int("limit-per-minute", 0, "requests of a token per minute before 429; 0 means no limit")
	flag.Usage = func() {
		_, _ = fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()

	opts := []aivensim.Option{
		aivensim.WithLatency(*latency),
		aivensim.WithRedaction(*redaction),
		aivensim.WithLimitPerMinute(*limit),
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, *listen, *seed, opts)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "aivensim:", err)
		os.Exit(1)
	}
}

// run writes the URL to out and serves until the context ends.
func run(ctx context.Context, out io.Writer, listen, seedFile string, opts []aivensim.Option) error {
	if seedFile != "" {
		f, err := os.Open(seedFile) //nolint:gosec // who starts the program names the file
		if err != nil {
			return errors.Wrap(err, "cannot open seed")
		}
		seed, err := aivensim.ReadSeed(f)
		_ = f.Close()
		if err != nil {
			return errors.Wrap(err, "cannot read seed")
		}
		opts = append(opts, aivensim.WithSeed(seed))
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return errors.Wrap(err, "cannot listen")
	}
	srv := &http.Server{Handler: aivensim.New(opts...), ReadHeaderTimeout: 10 * time.Second}
	_, _ = fmt.Fprintf(out, "http://%s\n", l.Addr())
	drained := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(drained)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // requests that hang by a fault do not end by themselves
		}
	})
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return errors.Wrap(err, "cannot serve")
	}
	<-drained
	return nil
}
