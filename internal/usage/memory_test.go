// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// as returns its input: the cache of an informer without a transform.
func as(o any) (any, error) { return o, nil }

func BenchmarkStrippedPods(b *testing.B) {
	const pods = 10_000
	for name, transform := range map[string]func(any) (any, error){"Whole": as, "Stripped": Strip} {
		b.Run(name, func(b *testing.B) {
			var bytes uint64
			for b.Loop() {
				bytes += retained(b, pods, transform)
			}
			b.ReportMetric(float64(bytes)/float64(b.N)/pods, "B/pod")
		})
	}
}

// TestStrippedPodsAreSmall is not parallel, so that the heap holds nothing else
// that grows.
func TestStrippedPodsAreSmall(t *testing.T) {
	const pods, limit = 1000, 2048
	got, before := retained(t, pods, Strip)/pods, retained(t, pods, as)/pods
	if got > limit || got > before/5 {
		t.Errorf("retained(...): want at most %d bytes and a fifth of %d per stripped Pod, got %d", limit, before, got)
	}
}

// retained returns how many bytes the heap holds for the supplied number of Pods
// after they were received and transformed.
func retained(tb testing.TB, pods int, transform func(any) (any, error)) uint64 {
	tb.Helper()
	sent := make([][]byte, 10)
	for i := range sent {
		b, err := realistic(i).Marshal()
		if err != nil {
			tb.Fatal(err)
		}
		sent[i] = b
	}
	store := make([]any, pods)
	before := heap()
	for i := range store {
		p := &corev1.Pod{}
		if err := p.Unmarshal(sent[i%len(sent)]); err != nil {
			tb.Fatal(err)
		}
		o, err := transform(p)
		if err != nil {
			tb.Fatal(err)
		}
		store[i] = o
	}
	after := heap()
	runtime.KeepAlive(store)
	return after - min(before, after)
}

func heap() uint64 {
	// What one collection finalizes the next one frees.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// realistic returns a Pod as a cluster has them: an application and a proxy beside
// it, and what the kubelet and admission add.
func realistic(i int) *corev1.Pod {
	now := metav1.Time{Time: time.Unix(1_700_000_000, 0)}
	probe := func(path string) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(8080), Scheme: corev1.URISchemeHTTP}},
			PeriodSeconds: 10, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 3,
		}
	}
	container := func(name string, from []corev1.EnvFromSource) corev1.Container {
		return corev1.Container{
			Name: name, Image: "europe-north1-docker.pkg.dev/registry/team-a/" + name + "@sha256:" + fmt.Sprintf("%064d", i),
			Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
			Env: []corev1.EnvVar{
				{Name: "NAIS_APP_NAME", Value: "orders"},
				{Name: "NAIS_NAMESPACE", Value: "team-a"},
				{Name: "NAIS_CLUSTER_NAME", Value: "dev-gcp"},
				{Name: "JAVA_OPTS", Value: "-XX:MaxRAMPercentage=75 -XX:+ExitOnOutOfMemoryError"},
				{Name: "LOG_FORMAT", Value: "json"},
				{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "status.podIP"}}},
				envOf("orders-database")[1],
			},
			EnvFrom: from,
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
			},
			VolumeMounts: []corev1.VolumeMount{
				{Name: "aiven-credentials", MountPath: "/var/run/secrets/nais.io/kafka", ReadOnly: true},
				{Name: "kube-api-access", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true},
				{Name: "tmp", MountPath: "/tmp"},
			},
			LivenessProbe: probe("/isalive"), ReadinessProbe: probe("/isready"), StartupProbe: probe("/started"),
			TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullIfNotPresent,
			SecurityContext: &corev1.SecurityContext{RunAsNonRoot: new(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		}
	}
	status := func(name string) corev1.ContainerStatus {
		return corev1.ContainerStatus{
			Name: name, Ready: true, Started: new(true), Image: "europe-north1-docker.pkg.dev/registry/team-a/" + name,
			ImageID: "sha256:" + fmt.Sprintf("%064d", i), ContainerID: "containerd://" + fmt.Sprintf("%064d", i),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}
	}
	conditions := make([]corev1.PodCondition, 0, 5)
	for _, c := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		conditions = append(conditions, corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	fields := func(n int) *metav1.FieldsV1 { return &metav1.FieldsV1{Raw: make([]byte, n)} }
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("orders-7d9c5b8f6d-%05d", i), GenerateName: "orders-7d9c5b8f6d-", Namespace: "team-a",
			UID: types.UID(fmt.Sprintf("0b7f9e0e-1c5a-4b55-9a55-%012d", i)), ResourceVersion: "123456789", CreationTimestamp: now,
			Labels: map[string]string{"app": "orders", "team": "team-a", "pod-template-hash": "7d9c5b8f6d", "logs.nais.io/flow-loki": "true"},
			Annotations: map[string]string{
				"kubectl.kubernetes.io/default-container": "orders", "prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/metrics",
			},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "orders-7d9c5b8f6d", UID: "0b7f9e0e-1c5a-4b55-9a55-0b7f9e0e0b7f", Controller: new(true)}},
			ManagedFields: []metav1.ManagedFieldsEntry{
				{Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &now, FieldsType: "FieldsV1", FieldsV1: fields(4000)},
				{Manager: "kubelet", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &now, FieldsType: "FieldsV1", FieldsV1: fields(1200), Subresource: "status"},
			},
		},
		Spec: corev1.PodSpec{
			NodeName: "node-17", ServiceAccountName: "orders", RestartPolicy: corev1.RestartPolicyAlways, DNSPolicy: corev1.DNSClusterFirst, SchedulerName: "default-scheduler",
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry"}},
			Containers:       []corev1.Container{container("orders", envFromOf("orders-aiven")), container("proxy", nil)},
			Volumes: []corev1.Volume{
				{Name: "aiven-credentials", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "orders-aiven", DefaultMode: new(int32(0o644))}}},
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "kube-api-access", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
					{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: new(int64(3607))}},
					{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: *ref("kube-root-ca.crt"), Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
				}}}},
			},
			Tolerations: []corev1.Toleration{
				{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
				{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
			},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, StartTime: &now, HostIP: "10.0.0.1", PodIP: "10.1.2.3", PodIPs: []corev1.PodIP{{IP: "10.1.2.3"}},
			QOSClass: corev1.PodQOSBurstable, Conditions: conditions, ContainerStatuses: []corev1.ContainerStatus{status("orders"), status("proxy")},
		},
	}
}
