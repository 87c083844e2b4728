// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane/process"
)

// shell stands for the image of shellPod.
var shell = []Program{{Image: "shell", Path: "/bin/sh"}}

func shellPod(policy corev1.RestartPolicy, script string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "n", UID: "u"},
		Spec: corev1.PodSpec{
			RestartPolicy: policy, TerminationGracePeriodSeconds: new(int64(60)),
			Containers: []corev1.Container{{Name: "c", Image: "shell:v1", Args: []string{"-c", script}}},
		},
	}
}

// runPod runs a Pod of an API server that does nothing else.
func runPod(t *testing.T, pod *corev1.Pod) *podSet {
	t.Helper()
	c := &Cluster{level: LevelProcesses, record: record{Dir: t.TempDir()}, kube: fake.NewClientset(pod)}
	if err := c.RunPods(t.Context(), shell); err != nil {
		t.Fatalf("RunPods(...): %v", err)
	}
	t.Cleanup(c.pods.stop)
	return &c.pods
}

// seenPod polls until the Pod's status is as it should be.
func seenPod(t *testing.T, s *podSet, what string, holds func(*corev1.PodStatus) bool) {
	t.Helper()
	tick, timeout := time.NewTicker(pollInterval), time.After(2*time.Minute)
	defer tick.Stop()
	for {
		pod, err := s.kube.CoreV1().Pods("n").Get(t.Context(), "p", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if holds(&pod.Status) {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s: %v", what, pod.Status)
		}
	}
}

func TestPodEnds(t *testing.T) {
	const polite, stubborn = `trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.01; done`, `trap 'echo no' TERM; echo hello; while :; do sleep 0.01; done`
	deleted := func(s *podSet) {
		if err := s.kube.CoreV1().Pods("n").Delete(context.Background(), "p", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}
	cases := map[string]struct {
		reason string
		script string
		grace  int64 // seconds; shellPod's if 0
		end    func(s *podSet)
		want   string
	}{
		"Deleted":  {reason: "A process is asked to end when its Pod is deleted.", script: polite, end: deleted, want: "hello\nbye"},
		"Stubborn": {reason: "A process that does not end in time is killed.", script: stubborn, grace: 5, end: deleted, want: "hello\nno"},
		"Killed":   {reason: "A process that is killed is not asked.", script: polite, end: func(s *podSet) { s.kill("u") }, want: "hello"},
		"Stopped":  {reason: "Processes end with the cluster.", script: polite, end: (*podSet).stop, want: "hello\nbye"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := shellPod(corev1.RestartPolicyAlways, tc.script)
			if tc.grace > 0 {
				pod.Spec.TerminationGracePeriodSeconds = &tc.grace
			}
			s := runPod(t, pod)
			// The process has set its trap when it has said hello.
			log := s.log("n", "p")
			seenPod(t, s, "the process says hello", func(*corev1.PodStatus) bool { return process.LogTail(log) != "" })
			tc.end(s)
			s.mu.Lock()
			r := s.runs["u"]
			s.mu.Unlock()
			<-r.done
			if diff := cmp.Diff(tc.want, process.LogTail(log)); diff != "" {
				t.Errorf("\n%s\nlog: -want, +got:\n%s", tc.reason, diff)
			}
			if _, err := os.Stat(filepath.Join(s.dir, "u")); !os.IsNotExist(err) {
				t.Errorf("\n%s\nthe Pod's folder: %v", tc.reason, err)
			}
		})
	}
}

func TestPodStatuses(t *testing.T) {
	first := func(s *corev1.PodStatus) corev1.ContainerState {
		if len(s.ContainerStatuses) == 0 {
			return corev1.ContainerState{}
		}
		return s.ContainerStatuses[0].State
	}
	waits := func(reason, message string) func(s *corev1.PodStatus) bool {
		return func(s *corev1.PodStatus) bool {
			w := first(s).Waiting
			return s.Phase == corev1.PodPending && w != nil && w.Reason == reason && strings.Contains(w.Message, message)
		}
	}
	missing := shellPod(corev1.RestartPolicyAlways, "sleep 600")
	missing.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
	initial := shellPod(corev1.RestartPolicyAlways, "sleep 600")
	initial.Spec.InitContainers = []corev1.Container{{Name: "i", Image: "shell"}}
	sidecar := shellPod(corev1.RestartPolicyAlways, "sleep 600")
	sidecar.Spec.Containers = append(sidecar.Spec.Containers, corev1.Container{Name: "d", Image: "strange"})
	cases := map[string]struct {
		reason string
		pod    *corev1.Pod
		want   func(s *corev1.PodStatus) bool
	}{
		"Succeeded": {
			reason: "A Pod that is not started again has succeeded.", pod: shellPod(corev1.RestartPolicyNever, "exit 0"),
			want: func(s *corev1.PodStatus) bool {
				return s.Phase == corev1.PodSucceeded && first(s).Terminated.Reason == reasonCompleted
			},
		},
		"Failed": {
			reason: "A Pod that is not started again has failed.", pod: shellPod(corev1.RestartPolicyNever, "kill -9 $$$$"),
			want: func(s *corev1.PodStatus) bool {
				return s.Phase == corev1.PodFailed && first(s).Terminated.ExitCode == 137
			},
		},
		"StartedAgain": {
			reason: "A process that fails is started again, and again.", pod: shellPod(corev1.RestartPolicyOnFailure, "exit 1"),
			want: func(s *corev1.PodStatus) bool {
				return s.Phase == corev1.PodRunning && s.ContainerStatuses[0].RestartCount > 1
			},
		},
		"Variables": {reason: "A container waits for the Secrets of its environment.", pod: missing, want: waits(reasonConfigError, `secret "s" not found`)},
		"Init":      {reason: "A Pod says for what it waits that it never gets.", pod: initial, want: waits(reasonCreating, "init containers")},
		"Sidecar": {
			reason: "What is known runs beside what is not.", pod: sidecar,
			want: func(s *corev1.PodStatus) bool {
				return s.Phase == corev1.PodPending && s.ContainerStatuses[0].Ready && s.ContainerStatuses[1].State.Waiting.Reason == reasonNoImage
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			seenPod(t, runPod(t, tc.pod), tc.reason, func(s *corev1.PodStatus) bool { return len(s.ContainerStatuses) > 0 && tc.want(s) })
		})
	}
}
