// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Strip returns a workload of the same type with nothing but what this package
// needs: names, versions, times, whether it has finished, and the names of its
// Secrets. All of these stand in imagePullSecrets, the smallest field that names
// Secrets, so what it returns is for looking at only.
//
// It is a transform for the cache of an informer: it never fails, does not modify
// the supplied object nor share memory that is worth freeing with it, may be
// applied again, and returns as it is what is no workload.
func Strip(o any) (any, error) {
	switch w := o.(type) {
	case *corev1.Pod:
		return &corev1.Pod{
			TypeMeta: w.TypeMeta, ObjectMeta: meta(w), Spec: spec(w),
			Status: corev1.PodStatus{Phase: w.Status.Phase, StartTime: w.Status.StartTime.DeepCopy()},
		}, nil
	case *appsv1.ReplicaSet:
		return &appsv1.ReplicaSet{TypeMeta: w.TypeMeta, ObjectMeta: meta(w), Spec: appsv1.ReplicaSetSpec{Template: template(w)}}, nil
	case *appsv1.Deployment:
		return &appsv1.Deployment{TypeMeta: w.TypeMeta, ObjectMeta: meta(w), Spec: appsv1.DeploymentSpec{Template: template(w)}}, nil
	case *appsv1.StatefulSet:
		return &appsv1.StatefulSet{TypeMeta: w.TypeMeta, ObjectMeta: meta(w), Spec: appsv1.StatefulSetSpec{Template: template(w)}}, nil
	case *appsv1.DaemonSet:
		return &appsv1.DaemonSet{TypeMeta: w.TypeMeta, ObjectMeta: meta(w), Spec: appsv1.DaemonSetSpec{Template: template(w)}}, nil
	case *batchv1.Job:
		return &batchv1.Job{
			TypeMeta: w.TypeMeta, ObjectMeta: meta(w), Spec: batchv1.JobSpec{Template: template(w)},
			Status: batchv1.JobStatus{Conditions: finished(w.Status.Conditions)},
		}, nil
	case *batchv1.CronJob:
		return &batchv1.CronJob{
			TypeMeta: w.TypeMeta, ObjectMeta: meta(w),
			Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template(w)}}},
		}, nil
	default:
		return o, nil
	}
}

func meta(o metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:              o.GetName(),
		Namespace:         o.GetNamespace(),
		UID:               o.GetUID(),
		ResourceVersion:   o.GetResourceVersion(),
		CreationTimestamp: o.GetCreationTimestamp(),
		DeletionTimestamp: o.GetDeletionTimestamp().DeepCopy(),
	}
}

func template(o metav1.Object) corev1.PodTemplateSpec { return corev1.PodTemplateSpec{Spec: spec(o)} }

func spec(o metav1.Object) corev1.PodSpec {
	secrets := SecretsOf(o)
	if len(secrets) == 0 {
		return corev1.PodSpec{}
	}
	refs := make([]corev1.LocalObjectReference, len(secrets))
	for i, name := range secrets {
		refs[i].Name = name
	}
	return corev1.PodSpec{ImagePullSecrets: refs}
}

// finished returns the first condition that a Job has finished with, nil when it has
// not.
func finished(cs []batchv1.JobCondition) []batchv1.JobCondition {
	i := slices.IndexFunc(cs, finishes)
	if i < 0 {
		return nil
	}
	return []batchv1.JobCondition{{Type: cs[i].Type, Status: cs[i].Status}}
}
