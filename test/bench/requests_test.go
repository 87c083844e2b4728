// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const scraped = `# HELP apiserver_longrunning_requests Gauge of all active long-running apiserver requests.
# TYPE apiserver_longrunning_requests gauge
apiserver_longrunning_requests{component="apiserver",group="aiven.nais.io",resource="aivenapplications",scope="cluster",subresource="",verb="WATCH",version="v1"} 1
apiserver_longrunning_requests{component="apiserver",group="",resource="pods",scope="cluster",subresource="",verb="WATCH",version="v1"} 0
# HELP apiserver_request_total Counter of apiserver requests.
# TYPE apiserver_request_total counter
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="POST",version="v1"} 3
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="secrets",scope="namespace",subresource="",verb="POST",version="v1"} 2
apiserver_request_total{code="409",component="apiserver",dry_run="",group="aiven.nais.io",resource="aivenapplications",scope="resource",subresource="status",verb="PUT",version="v1"} 1
`

func TestParseMetrics(t *testing.T) {
	got, err := parseMetrics(strings.NewReader(scraped))
	if err != nil {
		t.Fatalf("parseMetrics(...): %v", err)
	}
	want := Metrics{
		Done: Requests{
			{Verb: "POST", Resource: "secrets", Code: "201"}:                                                         5,
			{Verb: "PUT", Group: "aiven.nais.io", Resource: "aivenapplications", Subresource: "status", Code: "409"}: 1,
		},
		Watched: map[string]bool{"aivenapplications": true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parseMetrics(...): -want, +got:\n%s", diff)
	}
	if _, err := parseMetrics(strings.NewReader("no metrics {")); err == nil {
		t.Error("parseMetrics(...) of something else: no error")
	}
}

func TestRequestKinds(t *testing.T) {
	const group = "aiven.nais.io"
	cases := map[string]struct {
		reason string
		in     Request
		want   string
	}{
		"Create":       {"A creation is a write.", Request{Verb: "POST", Group: group, Resource: "kafkaserviceusers", Code: "201"}, "write"},
		"Apply":        {"So is a server-side apply.", Request{Verb: "APPLY", Resource: "secrets", Code: "200"}, "write"},
		"Patch":        {"So is any other patch.", Request{Verb: "PATCH", Resource: "events", Code: "200"}, "write"},
		"Deletion":     {"So is a deletion that is accepted and not done yet.", Request{Verb: "DELETE", Group: group, Resource: "kafkaserviceusers", Code: "202"}, "write"},
		"Conflict":     {"An outdated object is a conflict and not a write.", Request{Verb: "PUT", Group: group, Resource: "kafkaserviceusers", Code: "409"}, "conflict"},
		"Refused":      {"What is not valid was not written.", Request{Verb: "PUT", Group: group, Resource: "kafkaserviceusers", Code: "422"}, "refused"},
		"Read":         {"A Secret that is read counts as that.", Request{Verb: "GET", Resource: "secrets", Code: "200"}, "secret read"},
		"ReadNothing":  {"So does one that is not there, which costs the same.", Request{Verb: "GET", Resource: "secrets", Code: "404"}, "secret read"},
		"OtherRead":    {"Other reads are not counted.", Request{Verb: "GET", Group: group, Resource: "kafkaserviceusers", Code: "200"}, ""},
		"List":         {"Nor are lists.", Request{Verb: "LIST", Resource: "secrets", Code: "200"}, ""},
		"Lease":        {"The API server's own leases are not the provider's.", Request{Verb: "PUT", Group: "coordination.k8s.io", Resource: "leases", Code: "200"}, ""},
		"Endpoints":    {"Nor are its endpoints.", Request{Verb: "PUT", Resource: "endpoints", Code: "200"}, ""},
		"OwnConflicts": {"Nor are its conflicts.", Request{Verb: "PUT", Group: "flowcontrol.apiserver.k8s.io", Resource: "flowschemas", Code: "409"}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			for kind, match := range map[string]func(Request) bool{"write": isWrite, "conflict": isConflict, "refused": isRefused, "secret read": isSecretRead} {
				if match(tc.in) {
					got += kind
				}
			}
			if got != tc.want {
				t.Errorf("\n%s\n%s: want %q, got %q", tc.reason, tc.in.name(), tc.want, got)
			}
		})
	}
}

func TestRequestsArithmetic(t *testing.T) {
	a := Request{Verb: "POST", Resource: "a", Code: "201"}
	b := Request{Verb: "POST", Resource: "b", Code: "201"}
	c := Request{Verb: "POST", Resource: "c", Code: "201"}
	before := Requests{a: 2, b: 5}
	after := Requests{a: 9, b: 5, c: 3}
	got := after.minus(before)
	if diff := cmp.Diff(Requests{a: 7, c: 3}, got); diff != "" {
		t.Errorf("what came since is counted, and what did not change is left out: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(Requests{a: 3, c: 3}, got.without(a, 4)); diff != "" {
		t.Errorf("the driver's own are taken off: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(Requests{a: 7}, got.without(c, 3)); diff != "" {
		t.Errorf("nothing is left of a kind that was the driver's alone: -want, +got:\n%s", diff)
	}
	if got := got.count(isWrite); got != 10 {
		t.Errorf("count of writes: want 10, got %d", got)
	}
	if diff := cmp.Diff(map[string]int{"POST a": 7, "POST c": 3}, got.group(isWrite, Request.name)); diff != "" {
		t.Errorf("by name: -want, +got:\n%s", diff)
	}
}
