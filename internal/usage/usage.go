// SPDX-License-Identifier: Apache-2.0

// Package usage tells which Secrets a workload refers to. A workload is a Pod,
// or one of the kinds that make Pods and come with Kubernetes.
//
// Everything here is pure: objects go in, names come out.
package usage

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Kind of workload, as people write it for kubectl.
type Kind string

// The kinds of workloads.
const (
	Pod         Kind = "pod"
	ReplicaSet  Kind = "replicaset"
	Deployment  Kind = "deployment"
	StatefulSet Kind = "statefulset"
	DaemonSet   Kind = "daemonset"
	Job         Kind = "job"
	CronJob     Kind = "cronjob"
)

// SecretsOf returns, sorted and once each, the names of all Secrets that the
// supplied workload refers to, also where it may do without them. They are in its own
// namespace.
//
// It returns nil for what never starts a container again: a Pod or Job that has
// finished. All else counts: a Pod that is being deleted still runs, a ReplicaSet
// without replicas is what a rollback returns to, and what is suspended may be
// resumed. It returns nil for an object that is no workload.
func SecretsOf(o metav1.Object) []string {
	if w := inspect(o); w.spec != nil && !w.finished {
		return secretsOf(w.spec)
	}
	return nil
}

// KindOf returns the kind of the supplied workload, "" if it is none.
func KindOf(o metav1.Object) Kind { return inspect(o).kind }

// Describe returns the supplied workload as people know it: "deployment/orders".
func Describe(o metav1.Object) string { return string(KindOf(o)) + "/" + o.GetName() }

// StartedAt returns when a node took the supplied Pod on, which is before any of its
// containers read a Secret. For a Pod that waits for a node it is the creation.
func StartedAt(p *corev1.Pod) time.Time {
	if p.Status.StartTime != nil {
		return p.Status.StartTime.Time
	}
	return p.CreationTimestamp.Time
}

// A workload is what all kinds have in common.
type workload struct {
	kind     Kind
	spec     *corev1.PodSpec // Of the Pod, or of those it makes. nil: no workload.
	finished bool
}

func inspect(o metav1.Object) workload {
	switch w := o.(type) {
	case *corev1.Pod:
		return workload{kind: Pod, spec: &w.Spec, finished: w.Status.Phase == corev1.PodSucceeded || w.Status.Phase == corev1.PodFailed}
	case *appsv1.ReplicaSet:
		return workload{kind: ReplicaSet, spec: &w.Spec.Template.Spec}
	case *appsv1.Deployment:
		return workload{kind: Deployment, spec: &w.Spec.Template.Spec}
	case *appsv1.StatefulSet:
		return workload{kind: StatefulSet, spec: &w.Spec.Template.Spec}
	case *appsv1.DaemonSet:
		return workload{kind: DaemonSet, spec: &w.Spec.Template.Spec}
	case *batchv1.Job:
		return workload{kind: Job, spec: &w.Spec.Template.Spec, finished: slices.ContainsFunc(w.Status.Conditions, finishes)}
	case *batchv1.CronJob:
		return workload{kind: CronJob, spec: &w.Spec.JobTemplate.Spec.Template.Spec}
	default:
		return workload{}
	}
}

// finishes reports whether a Job with the supplied condition starts no Pod any more.
func finishes(c batchv1.JobCondition) bool {
	return c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed)
}
