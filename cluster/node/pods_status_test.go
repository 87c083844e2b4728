// SPDX-License-Identifier: Apache-2.0

package node

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestPhase(t *testing.T) {
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}
	}
	cases := map[string]struct {
		reason string
		policy corev1.RestartPolicy
		states []corev1.ContainerStatus
		want   corev1.PodPhase
	}{
		"Begins":    {reason: "A container that never ran makes a Pod pending.", states: []corev1.ContainerStatus{{State: running}, {State: waiting}}, want: corev1.PodPending},
		"Runs":      {reason: "When all run, the Pod does.", states: []corev1.ContainerStatus{{State: running}}, want: corev1.PodRunning},
		"BacksOff":  {reason: "Between two lives a container runs.", states: []corev1.ContainerStatus{{State: waiting, LastTerminationState: ended(1)}}, want: corev1.PodRunning},
		"Again":     {reason: "What is started again runs.", policy: corev1.RestartPolicyAlways, states: []corev1.ContainerStatus{{State: ended(0)}}, want: corev1.PodRunning},
		"OnFailure": {reason: "So does what failed and is started again.", policy: corev1.RestartPolicyOnFailure, states: []corev1.ContainerStatus{{State: ended(0)}, {State: ended(1)}}, want: corev1.PodRunning},
		"Succeeded": {reason: "When all went well, the Pod succeeded.", policy: corev1.RestartPolicyOnFailure, states: []corev1.ContainerStatus{{State: ended(0)}}, want: corev1.PodSucceeded},
		"Failed":    {reason: "When one failed, the Pod did.", policy: corev1.RestartPolicyNever, states: []corev1.ContainerStatus{{State: ended(0)}, {State: ended(1)}}, want: corev1.PodFailed},
		"Partly":    {reason: "What runs is not over.", policy: corev1.RestartPolicyNever, states: []corev1.ContainerStatus{{State: ended(1)}, {State: running}}, want: corev1.PodRunning},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, phase(tc.policy, tc.states)); diff != "" {
				t.Errorf("\n%s\nphase(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPodStatus(t *testing.T) {
	begin := metav1.NewTime(time.Unix(1000, 0))
	later := metav1.NewTime(time.Unix(2000, 0))
	containers := func(ready bool) []corev1.ContainerStatus {
		return []corev1.ContainerStatus{{Ready: ready, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	}
	condition := func(t corev1.PodConditionType, s corev1.ConditionStatus, reason string, at metav1.Time) corev1.PodCondition {
		return corev1.PodCondition{Type: t, Status: s, Reason: reason, LastTransitionTime: at}
	}
	want := corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "127.1.0.1", PodIPs: []corev1.PodIP{{IP: "127.1.0.1"}}, StartTime: &begin, ContainerStatuses: containers(false),
		Conditions: []corev1.PodCondition{
			condition(corev1.PodScheduled, corev1.ConditionTrue, "", begin), condition(corev1.PodInitialized, corev1.ConditionTrue, "", begin),
			condition(corev1.ContainersReady, corev1.ConditionFalse, reasonNotReady, begin), condition(corev1.PodReady, corev1.ConditionFalse, reasonNotReady, begin),
		},
	}
	first := podStatus(corev1.RestartPolicyAlways, "127.1.0.1", containers(false), corev1.PodStatus{}, begin)
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("the first status: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(want, podStatus(corev1.RestartPolicyAlways, "127.1.0.1", containers(false), first, later)); diff != "" {
		t.Errorf("the same later: -want, +got:\n%s", diff)
	}
	want.ContainerStatuses = containers(true)
	want.Conditions[2] = condition(corev1.ContainersReady, corev1.ConditionTrue, "", later)
	want.Conditions[3] = condition(corev1.PodReady, corev1.ConditionTrue, "", later)
	if diff := cmp.Diff(want, podStatus(corev1.RestartPolicyAlways, "127.1.0.1", containers(true), first, later)); diff != "" {
		t.Errorf("when it is ready: -want, +got:\n%s", diff)
	}
}

func TestBackOff(t *testing.T) {
	for crashes, want := range map[int]time.Duration{0: minBackOff, 1: 2 * minBackOff, 3: 8 * minBackOff, 7: maxBackOff, 1000: maxBackOff} {
		if got := backOff(crashes); got != want {
			t.Errorf("backOff(%d): %s, want %s", crashes, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	probe := &corev1.Probe{SuccessThreshold: 1, FailureThreshold: 3}
	cases := map[string]struct {
		reason  string
		results []bool
		want    bool
	}{
		"Success":     {reason: "One success is enough.", results: []bool{true}, want: true},
		"Failure":     {reason: "One failure is not.", results: []bool{false}, want: false},
		"Failures":    {reason: "Three in a row are.", results: []bool{true, false, false, false}, want: true},
		"Interrupted": {reason: "A success between starts the count again.", results: []bool{false, false, true, false, false}, want: false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got tally
			for _, r := range tc.results {
				got = got.after(r)
			}
			if got.settled(probe) != tc.want {
				t.Errorf("\n%s\nsettled(...) of %+v: want %t", tc.reason, got, tc.want)
			}
		})
	}
}

func TestHealthyAt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/readyz?verbose" || r.Header.Get("X-Probe") != "yes" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	address, number, _ := net.SplitHostPort(server.Listener.Addr().String())
	port, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	c := &corev1.Container{Ports: []corev1.ContainerPort{{Name: "other", ContainerPort: 1}, {Name: "health", ContainerPort: int32(port)}}}
	headers := []corev1.HTTPHeader{{Name: "X-Probe", Value: "yes"}}
	cases := map[string]struct {
		reason string
		action corev1.HTTPGetAction
		want   bool
	}{
		"Number":  {reason: "A port may be a number.", action: corev1.HTTPGetAction{Path: "/readyz?verbose", Port: intstr.FromInt32(int32(port)), HTTPHeaders: headers}, want: true},
		"Name":    {reason: "A port may be a name of the container's.", action: corev1.HTTPGetAction{Path: "readyz?verbose", Port: intstr.FromString("health"), HTTPHeaders: headers}, want: true},
		"NoName":  {reason: "A port that is not there cannot be asked.", action: corev1.HTTPGetAction{Path: "/readyz?verbose", Port: intstr.FromString("no"), HTTPHeaders: headers}},
		"Refused": {reason: "An error is an answer, too.", action: corev1.HTTPGetAction{Path: "/", Port: intstr.FromString("health")}},
		"Silent":  {reason: "Nobody has to listen.", action: corev1.HTTPGetAction{Path: "/", Port: intstr.FromString("other")}},
		"NoTLS":   {reason: "The scheme counts.", action: corev1.HTTPGetAction{Path: "/readyz?verbose", Port: intstr.FromString("health"), Scheme: corev1.URISchemeHTTPS, HTTPHeaders: headers}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &tc.action}}
			if got := healthyAt(t.Context(), p, c, address); got != tc.want {
				t.Errorf("\n%s\nhealthyAt(...): %t, want %t", tc.reason, got, tc.want)
			}
		})
	}
}
