// SPDX-License-Identifier: Apache-2.0

// Command provider runs provider-aiven.
package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/provider-aiven/provider-aiven/internal/provider"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/version"
)

// gcPercent is how much garbage may come on top of what is in use, unless GOGC
// says otherwise.
const gcPercent = 75

func main() {
	app := kingpin.New(filepath.Base(os.Args[0]), "Crossplane provider for credentials of Aiven services.").Version(version.Version).DefaultEnvars()
	verbose := app.Flag("debug", "Log what is done, not only what goes wrong.").Short('d').Bool()
	var allowed, watched string
	var o provider.Options
	app.Flag("poll", "How often each Aiven service and each managed resource is looked at when nothing happens.").Default(provider.DefaultPollInterval.String()).DurationVar(&o.PollInterval)
	app.Flag("sync", "How often the caches are listed anew.").Default(provider.DefaultSyncInterval.String()).DurationVar(&o.SyncInterval)
	app.Flag("poll-state-metric", "How often managed resources are counted for the state metrics.").Default(provider.DefaultStateMetricInterval.String()).DurationVar(&o.StateMetricInterval)
	app.Flag("max-concurrent-reconciles", "Workers of each controller.").Default("32").IntVar(&o.Workers)
	app.Flag("leader-election", "Make sure that one of several replicas works.").Default("true").BoolVar(&o.LeaderElection)
	app.Flag("leader-election-namespace", "Namespace of the lease. Default: the pod's.").StringVar(&o.LeaderElectionNamespace)
	app.Flag("namespace", "Namespace of the records of the users that this cluster made, without which no orphan is deleted. Default: the pod's.").StringVar(&o.Namespace)
	app.Flag("watch-namespaces", "Namespaces, separated by commas, whose objects the provider sees and touches. Default: all. See docs/rbac.md.").StringVar(&watched)
	app.Flag("base-url", "Base URL of the Aiven API, where a configuration names none.").Default(providerconfig.DefaultBaseURL).StringVar(&o.BaseURLs.Default)
	app.Flag("allowed-base-urls", "Base URLs of the Aiven API, separated by commas, that a namespaced ProviderConfig may use beside --base-url.").StringVar(&allowed)
	app.Flag("janitor-grace", "How long a published Secret stays that no application names, after the last workload that used it. 0 means the default.").Default(provider.DefaultJanitorGrace.String()).DurationVar(&o.JanitorGrace)
	app.Flag("janitor-dry-run", "Say in events and metrics which Secrets would be removed because nothing uses them, and remove none.").BoolVar(&o.JanitorDryRun)
	app.Flag("metrics-address", "Address of the metrics, \"0\" for none.").Default(":8080").StringVar(&o.MetricsAddress)
	app.Flag("health-address", "Address of /healthz and /readyz, \"0\" for none.").Default(":8081").StringVar(&o.HealthAddress)
	app.Flag("pprof-address", "Address of Go profiles for whoever looks for a bottleneck, \"0\" for none.").Default("0").StringVar(&o.PprofAddress)
	kingpin.MustParse(app.Parse(os.Args[1:]))

	if allowed != "" {
		o.BaseURLs.Allowed = strings.Split(allowed, ",")
	}
	if watched != "" {
		o.WatchNamespaces = strings.Split(watched, ",")
	}
	o.UserAgent = "provider-aiven/" + version.Version
	zl := zap.New(zap.UseDevMode(*verbose), zap.JSONEncoder(func(c *zapcore.EncoderConfig) { c.EncodeTime = zapcore.ISO8601TimeEncoder }))
	o.Logger = logging.NewLogrLogger(zl.WithName("provider-aiven"))
	klog.SetLogger(zl)
	if *verbose {
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
