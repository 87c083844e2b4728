// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/resource"
	"github.com/crossplane/function-sdk-go/response"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	xrJSON = `{"apiVersion": "e2e.example.org/v1", "kind": "ShopApplication", "metadata": {"name": "shop", "namespace": "team-a"},
		"spec": {"kafkaPool": "demo-pool", "openSearchInstance": "logs", "image": "registry.example.org/probe:v1", "probeArgs": ["-dir=/credentials"]}}`

	applicationJSON = `{"apiVersion": "aiven.nais.io/v1", "kind": "AivenApplication", "metadata": {"name": "shop"},
		"spec": {"kafka": {"pool": "demo-pool"}, "openSearch": {"instance": "logs"}}}`

	deploymentJSON = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
		"spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {
			"containers": [{"name": "probe", "image": "registry.example.org/probe:v1", "args": ["-dir=/credentials"],
				"ports": [{"containerPort": 8080}],
				"env": [
					{"name": "KAFKA_SCHEMA_REGISTRY_USER", "valueFrom": {"secretKeyRef": {"name": "shop-aiven", "key": "KAFKA_SCHEMA_REGISTRY_USER"}}},
					{"name": "KAFKA_SCHEMA_REGISTRY_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "shop-aiven", "key": "KAFKA_SCHEMA_REGISTRY_PASSWORD"}}},
					{"name": "KAFKA_CERTIFICATE", "valueFrom": {"secretKeyRef": {"name": "shop-aiven", "key": "KAFKA_CERTIFICATE"}}},
					{"name": "KAFKA_PRIVATE_KEY", "valueFrom": {"secretKeyRef": {"name": "shop-aiven", "key": "KAFKA_PRIVATE_KEY"}}},
					{"name": "OPEN_SEARCH_USERNAME", "valueFrom": {"secretKeyRef": {"name": "shop-aiven", "key": "OPEN_SEARCH_USERNAME"}}},
					{"name": "OPEN_SEARCH_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "shop-aiven", "key": "OPEN_SEARCH_PASSWORD"}}}
				],
				"volumeMounts": [{"name": "credentials", "mountPath": "/credentials", "readOnly": true}],
				"readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1}}],
			"volumes": [{"name": "credentials", "secret": {"secretName": "shop-aiven"}}]}}}}`

	statusJSON = `{"status": {"secretName": "shop-aiven"}}`
)

// seen returns a composed resource whose status is about a generation, and has a
// condition.
func seen(generation, observed int, condition, status string) *fnv1.Resource {
	return &fnv1.Resource{Resource: resource.MustStructJSON(fmt.Sprintf(
		`{"metadata": {"generation": %d}, "status": {"observedGeneration": %d, "conditions": [{"type": %q, "status": %q}]}}`,
		generation, observed, condition, status))}
}

// composedWith returns the state that is wanted, with the readiness of both composed
// resources.
func composedWith(application, deployment fnv1.Ready) *fnv1.State {
	return &fnv1.State{
		Composite: &fnv1.Resource{Resource: resource.MustStructJSON(statusJSON)},
		Resources: map[string]*fnv1.Resource{
			"application": {Resource: resource.MustStructJSON(applicationJSON), Ready: application},
			"deployment":  {Resource: resource.MustStructJSON(deploymentJSON), Ready: deployment},
		},
	}
}

func TestRunFunction(t *testing.T) {
	t.Parallel()
	xr := &fnv1.Resource{Resource: resource.MustStructJSON(xrJSON)}
	other := &fnv1.Resource{Resource: resource.MustStructJSON(`{"kind": "ConfigMap"}`), Ready: fnv1.Ready_READY_TRUE}
	withOther := composedWith(fnv1.Ready_READY_FALSE, fnv1.Ready_READY_FALSE)
	withOther.Resources["other"] = other

	cases := map[string]struct {
		reason  string
		req     *fnv1.RunFunctionRequest
		want    *fnv1.State
		results []*fnv1.Result
	}{
		"NothingObserved": {
			reason: "Both are composed, and not ready before they are there.",
			req:    &fnv1.RunFunctionRequest{Observed: &fnv1.State{Composite: xr}},
			want:   composedWith(fnv1.Ready_READY_FALSE, fnv1.Ready_READY_FALSE),
		},
		"WithoutStatus": {
			reason: "What nobody has looked at yet is not ready.",
			req: &fnv1.RunFunctionRequest{Observed: &fnv1.State{Composite: xr, Resources: map[string]*fnv1.Resource{
				"application": {Resource: resource.MustStructJSON(`{"metadata": {"generation": 1}}`)},
				"deployment":  {Resource: resource.MustStructJSON(`{"metadata": {"generation": 1}}`)},
			}}},
			want: composedWith(fnv1.Ready_READY_FALSE, fnv1.Ready_READY_FALSE),
		},
		"Ready": {
			reason: "Each is ready by its own condition.",
			req: &fnv1.RunFunctionRequest{Observed: &fnv1.State{Composite: xr, Resources: map[string]*fnv1.Resource{
				"application": seen(1, 1, "Ready", "True"),
				"deployment":  seen(2, 2, "Available", "True"),
			}}},
			want: composedWith(fnv1.Ready_READY_TRUE, fnv1.Ready_READY_TRUE),
		},
		"PodsWait": {
			reason: "The application may be ready before the Deployment is.",
			req: &fnv1.RunFunctionRequest{Observed: &fnv1.State{Composite: xr, Resources: map[string]*fnv1.Resource{
				"application": seen(1, 1, "Ready", "True"),
				"deployment":  seen(1, 1, "Available", "False"),
			}}},
			want: composedWith(fnv1.Ready_READY_TRUE, fnv1.Ready_READY_FALSE),
		},
		"OtherConditions": {
			reason: "Another condition says nothing about readiness.",
			req: &fnv1.RunFunctionRequest{Observed: &fnv1.State{Composite: xr, Resources: map[string]*fnv1.Resource{
				"application": seen(1, 1, "Synced", "True"),
				"deployment":  seen(1, 1, "Progressing", "True"),
			}}},
			want: composedWith(fnv1.Ready_READY_FALSE, fnv1.Ready_READY_FALSE),
		},
		"Outdated": {
			reason: "A condition of the spec before says nothing about the one that is there now.",
			req: &fnv1.RunFunctionRequest{Observed: &fnv1.State{Composite: xr, Resources: map[string]*fnv1.Resource{
				"application": seen(2, 1, "Ready", "True"),
				"deployment":  seen(3, 2, "Available", "True"),
			}}},
			want: composedWith(fnv1.Ready_READY_FALSE, fnv1.Ready_READY_FALSE),
		},
		"OtherFunctions": {
			reason: "What functions before this one composed stays.",
			req: &fnv1.RunFunctionRequest{
				Observed: &fnv1.State{Composite: xr},
				Desired:  &fnv1.State{Resources: map[string]*fnv1.Resource{"other": other}},
			},
			want: withOther,
		},
		"NoSpec": {
			reason: "A composite that cannot be read is a fatal result.",
			req: &fnv1.RunFunctionRequest{Observed: &fnv1.State{
				Composite: &fnv1.Resource{Resource: resource.MustStructJSON(`{"metadata": {"name": "shop"}}`)},
			}},
			results: []*fnv1.Result{{
				Severity: fnv1.Severity_SEVERITY_FATAL,
				Message:  "cannot read the spec of the composite: spec: no such field",
				Target:   fnv1.Target_TARGET_COMPOSITE.Enum(),
			}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := (&shop{}).RunFunction(t.Context(), tc.req)
			if err != nil {
				t.Fatal(err)
			}
			want := &fnv1.RunFunctionResponse{
				Meta:    &fnv1.ResponseMeta{Ttl: durationpb.New(response.DefaultTTL)},
				Desired: tc.want,
				Results: tc.results,
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("\n%s\nRunFunction(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
