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
)

// kinds are all kinds of workloads, and how to make one of a spec.
var kinds = map[Kind]func(s corev1.PodSpec) metav1.Object{
	Pod:         func(s corev1.PodSpec) metav1.Object { return &corev1.Pod{ObjectMeta: named("w"), Spec: s} },
	ReplicaSet:  func(s corev1.PodSpec) metav1.Object { return replicaSet(s, 1) },
	Deployment:  func(s corev1.PodSpec) metav1.Object { return deployment(s) },
	StatefulSet: func(s corev1.PodSpec) metav1.Object { return statefulSet(s) },
	DaemonSet:   func(s corev1.PodSpec) metav1.Object { return daemonSet(s) },
	Job:         func(s corev1.PodSpec) metav1.Object { return job(s) },
	CronJob:     func(s corev1.PodSpec) metav1.Object { return cronJob(s) },
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "team-a"}
}

func in(s corev1.PodSpec) corev1.PodTemplateSpec { return corev1.PodTemplateSpec{Spec: s} }

func pod(s corev1.PodSpec, phase corev1.PodPhase) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: named("w"), Spec: s, Status: corev1.PodStatus{Phase: phase}}
}

func replicaSet(s corev1.PodSpec, replicas int32) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: named("w"), Spec: appsv1.ReplicaSetSpec{Replicas: &replicas, Template: in(s)}}
}

func deployment(s corev1.PodSpec) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: named("w"), Spec: appsv1.DeploymentSpec{Template: in(s)}}
}

func statefulSet(s corev1.PodSpec) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{ObjectMeta: named("w"), Spec: appsv1.StatefulSetSpec{Template: in(s)}}
}

func daemonSet(s corev1.PodSpec) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{ObjectMeta: named("w"), Spec: appsv1.DaemonSetSpec{Template: in(s)}}
}

func job(s corev1.PodSpec, cs ...batchv1.JobCondition) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: named("w"), Spec: batchv1.JobSpec{Template: in(s)}, Status: batchv1.JobStatus{Conditions: cs}}
}

func cronJob(s corev1.PodSpec) *batchv1.CronJob {
	return &batchv1.CronJob{ObjectMeta: named("w"), Spec: batchv1.CronJobSpec{
		JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: in(s)}},
	}}
}

func suspended(w metav1.Object) metav1.Object {
	yes := true
	switch w := w.(type) {
	case *batchv1.Job:
		w.Spec.Suspend = &yes
	case *batchv1.CronJob:
		w.Spec.Suspend = &yes
	}
	return w
}

func ref(name string) *corev1.LocalObjectReference {
	return &corev1.LocalObjectReference{Name: name}
}

func volume(v corev1.VolumeSource) corev1.PodSpec {
	return corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: v}}}
}

func secretVolume(name string) corev1.PodSpec {
	return volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}})
}

func envOf(name string) []corev1.EnvVar {
	return []corev1.EnvVar{{Name: "PLAIN", Value: "x"}, {Name: "E", ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: *ref(name), Key: "k"},
	}}}
}

func envFromOf(name string) []corev1.EnvFromSource {
	return []corev1.EnvFromSource{{Prefix: "P_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: *ref(name)}}}
}

// references are all ways in which a Pod may, or may not, refer to Secrets.
var references = map[string]struct {
	reason string
	spec   corev1.PodSpec
	want   []string
}{
	"Nothing": {
		reason: "A workload without Secrets refers to none.",
		spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i", Env: []corev1.EnvVar{{Name: "A", Value: "b"}}}}},
	},
	"Volume": {
		reason: "A Secret may be mounted as a volume.",
		spec:   secretVolume("s"), want: []string{"s"},
	},
	"OptionalVolume": {
		reason: "What a workload may do without, it still uses when it is there.",
		spec:   volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s", Optional: new(true)}}), want: []string{"s"},
	},
	"UnmountedVolume": {
		reason: "A volume that no container mounts keeps the Pod from starting without its Secret all the same.",
		spec: corev1.PodSpec{
			Volumes:    secretVolume("s").Volumes,
			Containers: []corev1.Container{{Name: "c"}},
		}, want: []string{"s"},
	},
	"ProjectedVolume": {
		reason: "A projected volume may hold several Secrets among other things.",
		spec: volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "t"}},
			{Secret: &corev1.SecretProjection{LocalObjectReference: *ref("b")}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: *ref("m")}},
			{Secret: &corev1.SecretProjection{LocalObjectReference: *ref("a"), Optional: new(true)}},
		}}}), want: []string{"a", "b"},
	},
	"Env": {
		reason: "A variable may be a key of a Secret.",
		spec:   corev1.PodSpec{Containers: []corev1.Container{{Env: envOf("s")}}}, want: []string{"s"},
	},
	"OptionalEnv": {
		reason: "What a workload may do without, it still uses when it is there.",
		spec: corev1.PodSpec{Containers: []corev1.Container{{Env: []corev1.EnvVar{{ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: *ref("s"), Optional: new(true)},
		}}}}}}, want: []string{"s"},
	},
	"EnvFrom": {
		reason: "All keys of a Secret may be variables.",
		spec:   corev1.PodSpec{Containers: []corev1.Container{{EnvFrom: envFromOf("s")}}}, want: []string{"s"},
	},
	"OptionalEnvFrom": {
		reason: "What a workload may do without, it still uses when it is there.",
		spec: corev1.PodSpec{Containers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: *ref("s"), Optional: new(true)}},
		}}}}, want: []string{"s"},
	},
	"InitEnv": {
		reason: "Init containers count.",
		spec:   corev1.PodSpec{InitContainers: []corev1.Container{{Env: envOf("s")}}}, want: []string{"s"},
	},
	"InitEnvFrom": {
		reason: "Init containers count.",
		spec:   corev1.PodSpec{InitContainers: []corev1.Container{{EnvFrom: envFromOf("s")}}}, want: []string{"s"},
	},
	"EphemeralEnv": {
		reason: "Containers that were added for debugging count.",
		spec: corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{
			{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Env: envOf("s")}},
		}}, want: []string{"s"},
	},
	"EphemeralEnvFrom": {
		reason: "Containers that were added for debugging count.",
		spec: corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{
			{EphemeralContainerCommon: corev1.EphemeralContainerCommon{EnvFrom: envFromOf("s")}},
		}}, want: []string{"s"},
	},
	"LaterContainers": {
		reason: "Every container counts, not only the first.",
		spec:   corev1.PodSpec{Containers: []corev1.Container{{Env: envOf("b")}, {}, {EnvFrom: envFromOf("a")}}}, want: []string{"a", "b"},
	},
	"ImagePull": {
		reason: "The kubelet reads the credentials of the registry.",
		spec:   corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{*ref("b"), *ref("a")}}, want: []string{"a", "b"},
	},
	"CSI":       {reason: "A driver is given credentials.", spec: volume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: ref("s")}}), want: []string{"s"}},
	"AzureFile": {reason: "A driver is given credentials.", spec: volume(corev1.VolumeSource{AzureFile: &corev1.AzureFileVolumeSource{SecretName: "s"}}), want: []string{"s"}},
	"CephFS":    {reason: "A driver is given credentials.", spec: volume(corev1.VolumeSource{CephFS: &corev1.CephFSVolumeSource{SecretRef: ref("s")}}), want: []string{"s"}},
	"Cinder":    {reason: "A driver is given credentials.", spec: volume(corev1.VolumeSource{Cinder: &corev1.CinderVolumeSource{SecretRef: ref("s")}}), want: []string{"s"}},
	"Flex":      {reason: "A driver is given credentials.", spec: volume(corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{SecretRef: ref("s")}}), want: []string{"s"}},
	"ISCSI":     {reason: "A driver is given credentials.", spec: volume(corev1.VolumeSource{ISCSI: &corev1.ISCSIVolumeSource{SecretRef: ref("s")}}), want: []string{"s"}},
	"RBD":       {reason: "A driver is given credentials.", spec: volume(corev1.VolumeSource{RBD: &corev1.RBDVolumeSource{SecretRef: ref("s")}}), want: []string{"s"}},
	"ScaleIO":   {reason: "A driver is given credentials.", spec: volume(corev1.VolumeSource{ScaleIO: &corev1.ScaleIOVolumeSource{SecretRef: ref("s")}}), want: []string{"s"}},
	"StorageOS": {reason: "A driver is given credentials.", spec: volume(corev1.VolumeSource{StorageOS: &corev1.StorageOSVolumeSource{SecretRef: ref("s")}}), want: []string{"s"}},
	"DriversWithout": {
		reason: "Drivers without credentials name no Secret.",
		spec: corev1.PodSpec{Volumes: []corev1.Volume{
			{VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{}}}, {VolumeSource: corev1.VolumeSource{RBD: &corev1.RBDVolumeSource{}}},
		}},
	},
	"NotSecrets": {
		reason: "A ConfigMap of that name is no Secret.",
		spec: corev1.PodSpec{
			Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: *ref("s")}}}},
			Containers: []corev1.Container{{
				Env: []corev1.EnvVar{
					{ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: *ref("s")}}},
					{ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
				},
				EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: *ref("s")}}},
			}},
		},
	},
	"EmptyName": {
		reason: "An empty name, which the API server lets pass in places, is no Secret.",
		spec:   corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{}}, Containers: []corev1.Container{{EnvFrom: envFromOf("")}}},
	},
	"Several": {
		reason: "Names should be sorted, and stand once however often they are used.",
		spec: corev1.PodSpec{
			ImagePullSecrets: []corev1.LocalObjectReference{*ref("c")},
			Volumes:          secretVolume("b").Volumes,
			InitContainers:   []corev1.Container{{Env: envOf("a")}},
			Containers:       []corev1.Container{{Env: envOf("c"), EnvFrom: envFromOf("b")}},
		}, want: []string{"a", "b", "c"},
	},
}

func TestSecretsOfReferences(t *testing.T) {
	t.Parallel()
	for kind, of := range kinds {
		for name, tc := range references {
			t.Run(string(kind)+"/"+name, func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(tc.want, SecretsOf(of(tc.spec))); diff != "" {
					t.Errorf("\n%s\nSecretsOf(...): -want, +got:\n%s", tc.reason, diff)
				}
			})
		}
	}
}

// states are the states of workloads that all refer to the Secret s.
var states = map[string]struct {
	reason string
	object metav1.Object
	want   []string
}{
	"PodPending":   {reason: "A Pod that waits will read its Secrets.", object: pod(secretVolume("s"), corev1.PodPending), want: []string{"s"}},
	"PodRunning":   {reason: "A Pod that runs uses its Secrets.", object: pod(secretVolume("s"), corev1.PodRunning), want: []string{"s"}},
	"PodUnknown":   {reason: "A Pod on a node that is lost may still run.", object: pod(secretVolume("s"), corev1.PodUnknown), want: []string{"s"}},
	"PodSucceeded": {reason: "A Pod that has finished is never started again.", object: pod(secretVolume("s"), corev1.PodSucceeded)},
	"PodFailed":    {reason: "A Pod that has finished is never started again.", object: pod(secretVolume("s"), corev1.PodFailed)},
	"PodDeleted": {
		reason: "A Pod that is being deleted still runs, and may write what it has left.",
		object: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "w", DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}, Finalizers: []string{"f"}},
			Spec:       secretVolume("s"), Status: corev1.PodStatus{Phase: corev1.PodRunning},
		},
		want: []string{"s"},
	},
	"ReplicaSetAtZero": {reason: "A rollback returns to a ReplicaSet without replicas.", object: replicaSet(secretVolume("s"), 0), want: []string{"s"}},
	"JobRunning":       {reason: "A Job without a condition may start a Pod.", object: job(secretVolume("s")), want: []string{"s"}},
	"JobComplete":      {reason: "A Job that has finished starts no Pod.", object: job(secretVolume("s"), batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue})},
	"JobFailed": {
		reason: "A Job that has finished starts no Pod, whichever of its conditions says so.",
		object: job(secretVolume("s"),
			batchv1.JobCondition{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue},
			batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}),
	},
	"JobNotComplete": {
		reason: "A condition that is not true says nothing.",
		object: job(secretVolume("s"), batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionFalse}), want: []string{"s"},
	},
	"JobFailing": {
		reason: "A Job whose failure is certain still has Pods that end.",
		object: job(secretVolume("s"), batchv1.JobCondition{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue}), want: []string{"s"},
	},
	"JobSuspended": {
		reason: "A suspended Job may be resumed.",
		object: suspended(job(secretVolume("s"), batchv1.JobCondition{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue})), want: []string{"s"},
	},
	"CronJobSuspended": {reason: "A suspended CronJob may be resumed.", object: suspended(cronJob(secretVolume("s"))), want: []string{"s"}},
	"Service":          {reason: "What starts no container uses no Secret.", object: &corev1.Service{ObjectMeta: named("w")}},
}

func TestSecretsOfStates(t *testing.T) {
	t.Parallel()
	for name, tc := range states {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, SecretsOf(tc.object)); diff != "" {
				t.Errorf("\n%s\nSecretsOf(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for kind, of := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if got, want := Describe(of(corev1.PodSpec{})), string(kind)+"/w"; got != want {
				t.Errorf("Describe(...): want %s, got %s", want, got)
			}
		})
	}
	if got := KindOf(&corev1.Service{}); got != "" {
		t.Errorf("KindOf(...): a Service is no workload, got %s", got)
	}
}

func TestStartedAt(t *testing.T) {
	t.Parallel()
	created, started := time.Unix(100, 0), time.Unix(200, 0)
	cases := map[string]struct {
		reason string
		status corev1.PodStatus
		want   time.Time
	}{
		"Started": {reason: "The kubelet says when it took the Pod on.", status: corev1.PodStatus{StartTime: &metav1.Time{Time: started}}, want: started},
		"Waiting": {reason: "A Pod that waits for a node starts after its creation.", want: created},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Time{Time: created}}, Status: tc.status}
			if got := StartedAt(p); !got.Equal(tc.want) {
				t.Errorf("\n%s\nStartedAt(...): want %s, got %s", tc.reason, tc.want, got)
			}
		})
	}
}
