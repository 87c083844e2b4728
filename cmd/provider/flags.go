// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/provider"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/version"
)

// name of the program, which begins the names of the environment variables that
// stand for flags.
const name = "provider"

// What --log-level and --log-format may be.
const (
	levelInfo  = "info"
	levelDebug = "debug"
	formatJSON = "json"
	formatText = "text"
)

// settings are what the flags say.
type settings struct {
	provider.Options

	debug               bool
	logLevel, logFormat string
	allowed, watched    string
}

// flags returns a command line whose flags set the returned settings.
func flags() (*kingpin.Application, *settings) {
	app := kingpin.New(name, "Crossplane provider for credentials of Aiven services.").Version(version.Version).DefaultEnvars()
	s := &settings{}
	s.logFlags(app)
	s.workFlags(app)
	s.clusterFlags(app)
	app.Flag("metrics-address", "Address of the metrics, \"0\" for none.").Default(":8080").StringVar(&s.MetricsAddress)
	app.Flag("health-address", "Address of /healthz and /readyz, \"0\" for none.").Default(":8081").StringVar(&s.HealthAddress)
	app.Flag("pprof-address", "Address of Go profiles for whoever looks for a bottleneck, \"0\" for none.").Default("0").StringVar(&s.PprofAddress)
	return app, s
}

func (s *settings) logFlags(app *kingpin.Application) {
	app.Flag("log-level", "What is logged: what a person should know (info), or also what is done (debug).").Default(levelInfo).EnumVar(&s.logLevel, levelInfo, levelDebug)
	app.Flag("debug", "The same as --log-level=debug.").Short('d').BoolVar(&s.debug)
	app.Flag("log-format", "How it is logged: a JSON object per line (json), or for people to read (text).").Default(formatJSON).EnumVar(&s.logFormat, formatJSON, formatText)
}

// workFlags are about how much is done, and how often.
func (s *settings) workFlags(app *kingpin.Application) {
	app.Flag("poll", "How often each Aiven service and each managed resource is looked at when nothing happens.").Default(provider.DefaultPollInterval.String()).DurationVar(&s.PollInterval)
	app.Flag("sync", "How often the caches are listed anew.").Default(provider.DefaultSyncInterval.String()).DurationVar(&s.SyncInterval)
	app.Flag("poll-state-metric", "How often managed resources are counted for the state metrics.").Default(provider.DefaultStateMetricInterval.String()).DurationVar(&s.StateMetricInterval)
	app.Flag("max-concurrent-reconciles", "Workers of each controller. Most of the time they wait for the API server; calls to Aiven have a limit of their own, in rateLimit of the configuration.").
		Default(strconv.Itoa(provider.DefaultWorkers)).IntVar(&s.Workers)
	app.Flag("janitor-grace", "How long a published Secret stays that no application names, after the last workload that used it. 0 means the default.").Default(provider.DefaultJanitorGrace.String()).DurationVar(&s.JanitorGrace)
	app.Flag("janitor-dry-run", "Say in events and metrics which Secrets would be removed because nothing uses them, and remove none.").BoolVar(&s.JanitorDryRun)
	app.Flag("key-store-password", "Password of the key stores of Kafka users, which is published beside them. Another one is written into all Secrets at once: see docs/secret-keys.md.").
		Default(connection.DefaultKeyStorePassword).StringVar(&s.KeyStorePassword)
	app.Flag("base-url", "Base URL of the Aiven API, where a configuration names none.").Default(providerconfig.DefaultBaseURL).StringVar(&s.BaseURLs.Default)
	app.Flag("allowed-base-urls", "Base URLs of the Aiven API, separated by commas, that a namespaced ProviderConfig may use beside --base-url.").StringVar(&s.allowed)
}

// clusterFlags are about the cluster that the provider runs in.
func (s *settings) clusterFlags(app *kingpin.Application) {
	app.Flag("leader-election", "Make sure that one of several replicas works.").Default("true").BoolVar(&s.LeaderElection)
	app.Flag("leader-election-namespace", "Namespace of the lease. Default: the pod's.").StringVar(&s.LeaderElectionNamespace)
	app.Flag("lease-duration", "How long after a leader was killed another replica takes over. One that cannot renew its lease for two thirds of that ends. At least 2s.").
		Default(provider.DefaultLeaseDuration.String()).DurationVar(&s.LeaseDuration)
	app.Flag("namespace", "Namespace of the records of the users that this cluster made, without which no orphan is deleted. Default: the pod's.").StringVar(&s.Namespace)
	app.Flag("watch-namespaces", "Namespaces, separated by commas, whose objects the provider sees and touches. Default: all. See docs/rbac.md.").StringVar(&s.watched)
	app.Flag("recheck-interval", "How often it is looked for kinds and rights that are missing.").Default(provider.DefaultRecheckInterval.String()).DurationVar(&s.RecheckInterval)
}

// options returns the options of the provider, but for its logger.
func (s *settings) options() provider.Options {
	o := s.Options
	o.BaseURLs.Allowed, o.WatchNamespaces = split(s.allowed), split(s.watched)
	o.UserAgent = "provider-aiven/" + version.Version
	return o
}

// verbose tells whether what is done is logged, too.
func (s *settings) verbose() bool { return s.debug || s.logLevel == levelDebug }

// split returns the parts of a list, none of an empty one.
func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
