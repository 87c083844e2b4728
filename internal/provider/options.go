// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"os"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/pkg/errors"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// Defaults of Options.
const (
	DefaultPollInterval        = 5 * time.Minute
	DefaultWorkers             = 32
	DefaultSyncInterval        = 10 * time.Hour
	DefaultStateMetricInterval = time.Minute
	DefaultJanitorGrace        = 10 * time.Minute
	// DefaultLeaseDuration is how long nobody works after the leader was killed, at
	// most: nothing that runs notices. With less, an API server that is away for a
	// moment makes the leader give up.
	DefaultLeaseDuration = 30 * time.Second
	// DefaultRecheckInterval is how soon it is noticed that what was missing is there.
	DefaultRecheckInterval = 5 * time.Second
)

// Options of the provider.
type Options struct {
	// PollInterval is how often each Aiven service and each managed resource is
	// looked at when nothing happens. Default: DefaultPollInterval.
	PollInterval time.Duration
	// SyncInterval is how often the caches are listed anew. Default:
	// DefaultSyncInterval.
	SyncInterval time.Duration
	// StateMetricInterval is how often managed resources are counted. Default:
	// DefaultStateMetricInterval.
	StateMetricInterval time.Duration
	// Workers of each controller. Default: DefaultWorkers.
	Workers int
	// BaseURLs are those of the Aiven API that configurations may use. Default:
	// Aiven's own.
	BaseURLs providerconfig.BaseURLs
	// WatchNamespaces are those whose objects the provider sees and touches, beside
	// its own records and the tokens of ClusterProviderConfigs. Default: all.
	WatchNamespaces []string
	// MetricsAddress and HealthAddress to listen on. "0", the default for both,
	// listens on none.
	MetricsAddress, HealthAddress string
	// PprofAddress serves Go profiles. "0", the default, serves none.
	PprofAddress string
	// LeaderElection makes sure that one of several replicas works.
	LeaderElection bool
	// LeaderElectionNamespace holds the lease. Default: the pod's.
	LeaderElectionNamespace string
	// LeaseDuration is how long a lease lasts that its holder does not renew.
	// Default: DefaultLeaseDuration.
	LeaseDuration time.Duration
	// RecheckInterval is how often it is looked for rights and kinds that are
	// missing. Default: DefaultRecheckInterval.
	RecheckInterval time.Duration
	// Namespace holds the records of the users that this cluster made. Default: the
	// pod's. Without one none are kept.
	Namespace string
	// OrphanInterval is how often users are looked for that nothing claims.
	// Default: orphans.DefaultInterval.
	OrphanInterval time.Duration
	// UserAgent tells Aiven who calls.
	UserAgent string
	// Registry of metrics. Default: controller-runtime's.
	Registry prometheus.Registerer
	// JanitorGrace is how long a Secret that no application names stays after its
	// last user is gone. Default: DefaultJanitorGrace.
	JanitorGrace time.Duration
	// JanitorDryRun has the janitor say what it would remove, and remove nothing.
	JanitorDryRun bool
	// KeyStorePassword protects the key stores of Kafka users, beside which it lies.
	// Default: connection.DefaultKeyStorePassword.
	KeyStorePassword string
	// Clock by which credentials are rotated, expire and are removed. Default: the
	// machine's.
	Clock clock.WithTicker
	// Logger. Default: none.
	Logger logging.Logger
	// Aiven adjusts the options of Aiven clients. Default: not at all.
	Aiven func(o *aiven.Options)
}

func (o Options) withDefaults() Options {
	o.PollInterval = orDefault(o.PollInterval, DefaultPollInterval)
	o.SyncInterval = orDefault(o.SyncInterval, DefaultSyncInterval)
	o.StateMetricInterval = orDefault(o.StateMetricInterval, DefaultStateMetricInterval)
	o.Workers = orDefault(o.Workers, DefaultWorkers)
	o.JanitorGrace = orDefault(o.JanitorGrace, DefaultJanitorGrace)
	o.LeaseDuration = orDefault(o.LeaseDuration, DefaultLeaseDuration)
	o.RecheckInterval = orDefault(o.RecheckInterval, DefaultRecheckInterval)
	o.MetricsAddress = orDefault(o.MetricsAddress, "0")
	o.HealthAddress = orDefault(o.HealthAddress, "0")
	o.PprofAddress = orDefault(o.PprofAddress, "0")
	o.Namespace = orDefault(o.Namespace, podNamespace())
	o.LeaderElectionNamespace = orDefault(o.LeaderElectionNamespace, podNamespace())
	if o.Registry == nil {
		o.Registry = ctrlmetrics.Registry
	}
	if o.Logger == nil {
		o.Logger = logging.NewNopLogger()
	}
	o.Logger = plainLogger{o.Logger}
	return o
}

// checkPassword refuses a password of key stores with anything but visible ASCII
// characters: a space or line end is a slip, and not all that reads the stores agrees on
// how to encode the others. It does not quote the password.
func checkPassword(password string) error {
	if strings.ContainsFunc(password, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("cannot use the password of key stores: it has other characters than visible ASCII")
	}
	return nil
}

// podNamespace returns the namespace of the pod that this is, "" when it is none.
// Kubernetes: every pod with a token of its service account has this file.
func podNamespace() string {
	b, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}
