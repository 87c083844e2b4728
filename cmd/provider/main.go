// SPDX-License-Identifier: Apache-2.0

// Command provider runs provider-aiven.
package main

import (
	"os"
	"runtime/debug"

	"github.com/alecthomas/kingpin/v2"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/go-logr/logr"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/provider-aiven/provider-aiven/internal/provider"
)

// gcPercent is how much garbage may come on top of what is in use, unless GOGC
// says otherwise.
const gcPercent = 75

func main() {
	app, s := flags()
	kingpin.MustParse(app.Parse(os.Args[1:]))
	o := s.options()
	zl := logger(s)
	o.Logger = logging.NewLogrLogger(zl.WithName("provider-aiven"))
	klog.SetLogger(zl)
	if s.verbose() {
		ctrl.SetLogger(zl)
	} else {
		// What reconcilers return is in conditions and events; what is left are
		// failures of the machinery.
		ctrl.SetLogger(zap.New(zap.Level(zapcore.DPanicLevel)))
	}

	if os.Getenv("GOGC") == "" {
		// Most of the heap is caches that live long: collecting it sooner
		// costs little and keeps the peak of a burst down.
		debug.SetGCPercent(gcPercent)
	}
	cfg, err := ctrl.GetConfig()
	app.FatalIfError(err, "cannot get the configuration of the API server")
	app.FatalIfError(provider.Run(ctrl.SetupSignalHandler(), cfg, o), "cannot run the provider")
}

// logger returns a logger as the flags say.
func logger(s *settings) logr.Logger {
	encoder := zap.JSONEncoder
	if s.logFormat == formatText {
		encoder = zap.ConsoleEncoder
	}
	return zap.New(zap.UseDevMode(s.verbose()), encoder(func(c *zapcore.EncoderConfig) { c.EncodeTime = zapcore.ISO8601TimeEncoder }))
}
