// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pkg/errors"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
)

const (
	metricRequests = "apiserver_request_total"
	metricWatches  = "apiserver_longrunning_requests"

	applications = "aivenapplications"
	secrets      = "secrets"
	verbPost     = "POST"
	verbPatch    = "PATCH"
)

// A Request is a kind of request to the API server. Verb is the API server's
// word for it: APPLY is a server-side apply, PATCH any other patch.
type Request struct {
	Verb, Group, Resource, Subresource, Code string
}

// Requests counts requests by kind.
type Requests map[Request]int

// Metrics are what the API server tells of requests to it.
type Metrics struct {
	// Done counts requests that were answered since it started.
	Done Requests
	// Watched are the resources that somebody watches.
	Watched map[string]bool
}

// scrape reads the API server's metrics.
func scrape(ctx context.Context, c rest.Interface) (Metrics, error) {
	b, err := c.Get().AbsPath("/metrics").Do(ctx).Raw()
	if err != nil {
		return Metrics{}, errors.Wrap(err, "cannot get the API server's metrics")
	}
	return parseMetrics(bytes.NewReader(b))
}

// parseMetrics reads the text format.
func parseMetrics(r io.Reader) (Metrics, error) {
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(r)
	if err != nil {
		return Metrics{}, errors.Wrap(err, "cannot parse the API server's metrics")
	}
	out := Metrics{Done: Requests{}, Watched: map[string]bool{}}
	for _, m := range families[metricRequests].GetMetric() {
		l := labelsOf(m)
		// Kinds that differ only in version, scope or component are one.
		out.Done[Request{l["verb"], l["group"], l["resource"], l["subresource"], l["code"]}] += int(m.GetCounter().GetValue())
	}
	for _, m := range families[metricWatches].GetMetric() {
		if l := labelsOf(m); l["verb"] == "WATCH" && m.GetGauge().GetValue() > 0 {
			out.Watched[l["resource"]] = true
		}
	}
	return out, nil
}

func labelsOf(m *dto.Metric) map[string]string {
	out := make(map[string]string, len(m.GetLabel()))
	for _, l := range m.GetLabel() {
		out[l.GetName()] = l.GetValue()
	}
	return out
}

// minus returns what was counted since before.
func (r Requests) minus(before Requests) Requests {
	out := Requests{}
	for k, n := range r {
		if d := n - before[k]; d != 0 {
			out[k] = d
		}
	}
	return out
}

// without returns r less n requests of a kind.
func (r Requests) without(k Request, n int) Requests {
	out := maps.Clone(r)
	if out[k] -= n; out[k] == 0 {
		delete(out, k)
	}
	return out
}

// count adds up the kinds that match.
func (r Requests) count(match func(k Request) bool) int {
	n := 0
	for k, v := range r {
		if match(k) {
			n += v
		}
	}
	return n
}

// group adds up the kinds that match by the text that name gives them.
func (r Requests) group(match func(k Request) bool, name func(k Request) string) map[string]int {
	out := map[string]int{}
	for k, n := range r {
		if match(k) {
			out[name(k)] += n
		}
	}
	return out
}

// isWrite matches writes that succeeded, but for those with which the API
// server keeps itself going.
func isWrite(k Request) bool {
	return isWriteVerb(k.Verb) && strings.HasPrefix(k.Code, "2") && !isHousekeeping(k)
}

// isRefused matches writes that did not succeed, conflicts apart.
func isRefused(k Request) bool {
	return isWriteVerb(k.Verb) && !strings.HasPrefix(k.Code, "2") && !isConflict(k) && !isHousekeeping(k)
}

// isConflict matches writes of an outdated object, and creations of one that
// exists.
func isConflict(k Request) bool {
	return isWriteVerb(k.Verb) && k.Code == "409" && !isHousekeeping(k)
}

// isSecretRead matches single Secrets that were read, there or not.
func isSecretRead(k Request) bool { return k.Verb == "GET" && k.Group == "" && k.Resource == secrets }

func isWriteVerb(verb string) bool {
	return slices.Contains([]string{verbPost, "PUT", verbPatch, "APPLY", "DELETE", "DELETECOLLECTION"}, verb)
}

// isHousekeeping matches what the API server writes for itself, and reviews,
// which store nothing.
func isHousekeeping(k Request) bool {
	switch k.Group {
	case "coordination.k8s.io", "flowcontrol.apiserver.k8s.io", "apiregistration.k8s.io", "discovery.k8s.io",
		"authentication.k8s.io", "authorization.k8s.io", "rbac.authorization.k8s.io", "apiextensions.k8s.io", "networking.k8s.io", "scheduling.k8s.io":
		return true
	case "":
		return slices.Contains([]string{"endpoints", "services", "namespaces", "configmaps"}, k.Resource)
	}
	return false
}

// name of a kind of request as tables have it.
func (k Request) name() string {
	s := k.Verb + " " + k.Resource
	if k.Subresource != "" {
		s += "/" + k.Subresource
	}
	return s
}
