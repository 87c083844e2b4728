// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// TestStripKeepsUsage holds for every reference and every state that Strip
// changes nothing that this package tells, that it may be applied again, and
// that it leaves its input alone.
func TestStripKeepsUsage(t *testing.T) {
	t.Parallel()
	objects := make(map[string]metav1.Object)
	for kind, of := range kinds {
		for name, tc := range references {
			objects[string(kind)+"/"+name] = of(tc.spec)
		}
	}
	for name, tc := range states {
		objects["States/"+name] = tc.object
	}
	for name, o := range objects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := o.(runtime.Object).DeepCopyObject()
			once := strip(t, o)
			if diff := cmp.Diff(before, o); diff != "" {
				t.Errorf("Strip(...) should not modify its input: -want, +got:\n%s", diff)
			}
			if diff := cmp.Diff(SecretsOf(o), SecretsOf(once)); diff != "" {
				t.Errorf("SecretsOf(Strip(...)): -want, +got:\n%s", diff)
			}
			if diff := cmp.Diff(Describe(o), Describe(once)); diff != "" {
				t.Errorf("Describe(Strip(...)): -want, +got:\n%s", diff)
			}
			if diff := cmp.Diff(once, strip(t, once)); diff != "" {
				t.Errorf("Strip(Strip(...)): -want, +got:\n%s", diff)
			}
		})
	}
}

func strip(t *testing.T, o any) metav1.Object {
	t.Helper()
	got, err := Strip(o)
	if err != nil {
		t.Fatalf("Strip(...): %v", err)
	}
	return got.(metav1.Object)
}

func TestStrip(t *testing.T) {
	t.Parallel()
	at := metav1.Time{Time: time.Unix(100, 0)}
	kept := metav1.ObjectMeta{
		Name: "w", Namespace: "team-a", UID: "u", ResourceVersion: "7",
		CreationTimestamp: at, DeletionTimestamp: &metav1.Time{Time: at.Add(time.Hour)},
	}
	whole := *kept.DeepCopy()
	whole.GenerateName, whole.Generation, whole.Finalizers = "w-", 3, []string{"f"}
	whole.Labels, whole.Annotations = map[string]string{"app": "w"}, map[string]string{"a": "b"}
	whole.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "o"}}
	whole.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "m", FieldsV1: &metav1.FieldsV1{Raw: []byte("{}")}}}

	spec := corev1.PodSpec{
		NodeName: "n", Volumes: secretVolume("b").Volumes,
		Containers: []corev1.Container{{Name: "c", Image: "i", Env: envOf("a"), EnvFrom: envFromOf("b")}},
	}
	stripped := corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "a"}, {Name: "b"}}}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: whole.Labels}, Spec: spec}
	kind := metav1.TypeMeta{APIVersion: "v", Kind: "K"}
	selector := &metav1.LabelSelector{MatchLabels: whole.Labels}
	gone := cache.DeletedFinalStateUnknown{Key: "team-a/w", Obj: pod(spec, corev1.PodRunning)}

	cases := map[string]struct {
		reason   string
		in, want any
	}{
		"Pod": {
			reason: "A Pod should keep its phase and start beside the names.",
			in: &corev1.Pod{TypeMeta: kind, ObjectMeta: whole, Spec: spec, Status: corev1.PodStatus{
				Phase: corev1.PodRunning, StartTime: &at, PodIP: "10.0.0.1", ContainerStatuses: []corev1.ContainerStatus{{Name: "c"}},
			}},
			want: &corev1.Pod{TypeMeta: kind, ObjectMeta: kept, Spec: stripped, Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &at}},
		},
		"FinishedPod": {
			reason: "Names that do not count any more need not be kept.",
			in:     &corev1.Pod{ObjectMeta: whole, Spec: spec, Status: corev1.PodStatus{Phase: corev1.PodFailed}},
			want:   &corev1.Pod{ObjectMeta: kept, Status: corev1.PodStatus{Phase: corev1.PodFailed}},
		},
		"ReplicaSet": {
			reason: "A ReplicaSet should keep only the names.",
			in: &appsv1.ReplicaSet{
				TypeMeta: kind, ObjectMeta: whole, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}, Status: appsv1.ReplicaSetStatus{Replicas: 1},
			},
			want: &appsv1.ReplicaSet{TypeMeta: kind, ObjectMeta: kept, Spec: appsv1.ReplicaSetSpec{Template: in(stripped)}},
		},
		"Deployment": {
			reason: "A Deployment should keep only the names.",
			in: &appsv1.Deployment{
				TypeMeta: kind, ObjectMeta: whole, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}, Status: appsv1.DeploymentStatus{Replicas: 1},
			},
			want: &appsv1.Deployment{TypeMeta: kind, ObjectMeta: kept, Spec: appsv1.DeploymentSpec{Template: in(stripped)}},
		},
		"StatefulSet": {
			reason: "A StatefulSet should keep only the names.",
			in: &appsv1.StatefulSet{
				TypeMeta: kind, ObjectMeta: whole, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}, Status: appsv1.StatefulSetStatus{Replicas: 1},
			},
			want: &appsv1.StatefulSet{TypeMeta: kind, ObjectMeta: kept, Spec: appsv1.StatefulSetSpec{Template: in(stripped)}},
		},
		"DaemonSet": {
			reason: "A DaemonSet should keep only the names.",
			in: &appsv1.DaemonSet{
				TypeMeta: kind, ObjectMeta: whole, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}, Status: appsv1.DaemonSetStatus{NumberReady: 1},
			},
			want: &appsv1.DaemonSet{TypeMeta: kind, ObjectMeta: kept, Spec: appsv1.DaemonSetSpec{Template: in(stripped)}},
		},
		"Job": {
			reason: "A Job that goes on should keep only the names.",
			in: &batchv1.Job{TypeMeta: kind, ObjectMeta: whole, Spec: batchv1.JobSpec{Selector: selector, Template: template}, Status: batchv1.JobStatus{
				Active: 1, Conditions: []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue}},
			}},
			want: &batchv1.Job{TypeMeta: kind, ObjectMeta: kept, Spec: batchv1.JobSpec{Template: in(stripped)}},
		},
		"FinishedJob": {
			reason: "A Job that has finished should keep that it has.",
			in: &batchv1.Job{ObjectMeta: whole, Spec: batchv1.JobSpec{Template: template}, Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{
				{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue}, {Type: batchv1.JobComplete, Status: corev1.ConditionTrue, Message: "m"},
			}}},
			want: &batchv1.Job{ObjectMeta: kept, Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}}},
		},
		"CronJob": {
			reason: "A CronJob should keep only the names.",
			in: &batchv1.CronJob{TypeMeta: kind, ObjectMeta: whole, Spec: batchv1.CronJobSpec{
				Schedule: "@daily", JobTemplate: batchv1.JobTemplateSpec{ObjectMeta: whole, Spec: batchv1.JobSpec{Template: template}},
			}},
			want: &batchv1.CronJob{TypeMeta: kind, ObjectMeta: kept, Spec: batchv1.CronJobSpec{
				JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: in(stripped)}},
			}},
		},
		"Tombstone": {reason: "What stands for an object whose deletion was missed should pass.", in: gone, want: gone},
		"Other":     {reason: "What is no workload should pass.", in: &corev1.Service{ObjectMeta: whole}, want: &corev1.Service{ObjectMeta: whole}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Strip(tc.in)
			if err != nil {
				t.Fatalf("Strip(...): %v", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nStrip(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
