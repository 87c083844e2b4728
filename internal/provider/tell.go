// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/pkg/errors"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// component is who events about the provider itself are from.
const component = "provider-aiven"

// Reasons of events about the provider itself. They are API.
const (
	eventMissingRights = "MissingRights"
	eventNotServed     = "KindsNotServed"
)

// podName returns the name of the pod that this is. The hostname is that, too, unless
// the pod shares the node's network.
func podName() (string, error) {
	if name := os.Getenv("POD_NAME"); name != "" {
		return name, nil
	}
	name, err := os.Hostname()
	return name, errors.Wrap(err, "cannot find the name of this host")
}

// podOf returns the pod that this is, nil when its namespace is not known.
func podOf(namespace string) *corev1.ObjectReference {
	name, err := podName()
	if err != nil || namespace == "" {
		return nil
	}
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: name}
}

// A teller tells people what the provider cannot do: in its log, in events about
// its pod and in a metric.
type teller struct {
	log    logging.Logger
	record record.EventRecorder
	pod    *corev1.ObjectReference
	metric *prometheus.GaugeVec
}

// tell tells what was found.
func (t *teller) tell(f findings) {
	t.metric.Reset()
	for _, r := range f.missing {
		t.metric.WithLabelValues(r.feature, r.verb, r.kubectlResource(), r.namespace).Set(1)
	}
	t.say(f, t.log)
}

// repeat tells the same again where it does not last: in events.
func (t *teller) repeat(f findings) { t.say(f, logging.NewNopLogger()) }

func (t *teller) say(f findings, log logging.Logger) {
	byFeature := make(map[string][]right)
	for _, r := range f.missing {
		byFeature[r.feature] = append(byFeature[r.feature], r)
	}
	for _, feature := range slices.Sorted(maps.Keys(byFeature)) {
		log.Info("The provider lacks a right: see docs/rbac.md", "for", feature, "rights", list(byFeature[feature]), "without", without[feature])
		t.event(eventMissingRights, "The provider lacks rights for "+feature+": "+without[feature]+". Missing: "+list(byFeature[feature]))
	}
	if len(f.absent) > 0 {
		names := strings.Join(f.absent, ", ") + " of " + v1.Group
		log.Info("Kinds of the package are not served: they are not installed, or no ManagedResourceActivationPolicy activates them", "kinds", names)
		t.event(eventNotServed, "Not served, because they are not installed or not activated: "+names)
	}
}

// maxMessage is how long the message of an event may be. Kubernetes: 1024.
const maxMessage = 1000

func (t *teller) event(reason, message string) {
	if t.pod == nil {
		return
	}
	if len(message) > maxMessage {
		message = message[:maxMessage] + " ..."
	}
	t.record.Event(t.pod, corev1.EventTypeWarning, reason, message)
}

// registrations registers metrics, to take them back together.
type registrations struct {
	prometheus.Registerer

	all []prometheus.Collector
}

// Register registers metrics.
func (r *registrations) Register(c prometheus.Collector) error {
	if err := r.Registerer.Register(c); err != nil {
		return err //nolint:wrapcheck // A decorator.
	}
	r.all = append(r.all, c)
	return nil
}

func (r *registrations) unregister() {
	for _, c := range r.all {
		r.Unregister(c)
	}
}
