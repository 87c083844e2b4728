// SPDX-License-Identifier: Apache-2.0

package node

import (
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The reasons are the kubelet's: people and programs know them.
const (
	reasonCreating    = "ContainerCreating"
	reasonNoImage     = "ErrImageNeverPull"
	reasonConfigError = "CreateContainerConfigError"
	reasonStartError  = "StartError"
	reasonBackOff     = "CrashLoopBackOff"
	reasonNotReady    = "ContainersNotReady"
	reasonCompleted   = "Completed"
	reasonError       = "Error"

	// A process that was killed by a signal ends with this and the signal.
	codeOfSignal = 128

	// A process that dies at once is started again after these.
	minBackOff = 100 * time.Millisecond
	maxBackOff = 10 * time.Second
	// stable is how long a process lives that does not die at once.
	stable = 20 * time.Second
)

// backOff is how long to wait until a process is started again, after so many
// that died at once.
func backOff(crashes int) time.Duration {
	d := minBackOff
	for range crashes {
		if d *= 2; d >= maxBackOff {
			return maxBackOff
		}
	}
	return d
}

// startsAgain reports whether a container is started again after it ended.
func startsAgain(policy corev1.RestartPolicy, code int32) bool {
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return code != 0
	default:
		return true
	}
}

// exitCode returns how a process ended, as a container tells it.
func exitCode(s syscall.WaitStatus) int32 {
	if s.Signaled() {
		return codeOfSignal + int32(s.Signal()) //nolint:gosec // There are few signals.
	}
	return int32(s.ExitStatus()) //nolint:gosec // It has 8 bits.
}

// phase returns where a Pod is in its life.
func phase(policy corev1.RestartPolicy, containers []corev1.ContainerStatus) corev1.PodPhase {
	var alive, failed bool
	for i := range containers {
		s := &containers[i]
		switch {
		case s.State.Terminated != nil:
			failed = failed || s.State.Terminated.ExitCode != 0
			alive = alive || startsAgain(policy, s.State.Terminated.ExitCode)
		case s.State.Running == nil && s.LastTerminationState.Terminated == nil:
			return corev1.PodPending
		default:
			alive = true
		}
	}
	switch {
	case alive:
		return corev1.PodRunning
	case failed:
		return corev1.PodFailed
	default:
		return corev1.PodSucceeded
	}
}

// podStatus returns what there is to say of a Pod at an address and of its
// containers, after what was said before.
func podStatus(policy corev1.RestartPolicy, address string, containers []corev1.ContainerStatus, before corev1.PodStatus, now metav1.Time) corev1.PodStatus {
	s := corev1.PodStatus{
		Phase: phase(policy, containers), PodIP: address, PodIPs: []corev1.PodIP{{IP: address}},
		StartTime: before.StartTime, ContainerStatuses: containers,
	}
	if s.StartTime == nil {
		s.StartTime = &now
	}
	ready := corev1.PodCondition{Status: corev1.ConditionTrue}
	if slices.ContainsFunc(containers, func(c corev1.ContainerStatus) bool { return !c.Ready }) {
		ready = corev1.PodCondition{Status: corev1.ConditionFalse, Reason: reasonNotReady}
	}
	for _, t := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		c := corev1.PodCondition{Status: corev1.ConditionTrue}
		if t == corev1.ContainersReady || t == corev1.PodReady {
			c = ready
		}
		c.Type, c.LastTransitionTime = t, now
		for _, b := range before.Conditions {
			if b.Type == t && b.Status == c.Status {
				c.LastTransitionTime = b.LastTransitionTime
			}
		}
		s.Conditions = append(s.Conditions, c)
	}
	return s
}
