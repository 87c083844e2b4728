// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"flag"
	"fmt"
	"os"
	"strconv"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// Exit ends the process of a package's tests with their exit code, or says why they
// did not run.
func Exit(code int, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

// Parallel has so many tests of a package run at a time, unless -parallel says otherwise.
func Parallel(n int) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		_ = flag.Set("test.parallel", strconv.Itoa(n))
	}
}

// LogLibraries has the log hold what the libraries log, too: at the level of zap's
// default, or with the supplied options.
func (h *Harness) LogLibraries(opts ...zap.Opts) {
	zl := zap.New(append([]zap.Opts{zap.WriteTo(h.Log)}, opts...)...)
	ctrl.SetLogger(zl)
	klog.SetLogger(zl)
}

// End stops everything and returns the exit code of a package's tests, which is not 0
// either when a credential stands in one of the texts, which are named by their keys, or when
// something does not stop. Whoever sets HARNESS_LOG sees the log of a failure.
func (h *Harness) End(code int, texts map[string]string) int {
	if leaks := h.Scan(texts); len(leaks) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: credentials were found where none may be:", leaks)
		code = 1
	}
	if err := h.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	if code != 0 && os.Getenv("HARNESS_LOG") != "" {
		fmt.Fprintln(os.Stderr, h.Log.String())
	}
	return code
}
