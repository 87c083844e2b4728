// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane"
)

const (
	// envTiny makes the test binary the tiny program that Pods run.
	envTiny   = "PROVIDER_AIVEN_TEST_TINY"
	tinyPort  = 8080
	tinyName  = "tiny"
	namespace = metav1.NamespaceDefault
)

func TestMain(m *testing.M) {
	if os.Getenv(envTiny) != "" {
		os.Exit(tiny(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// tiny answers what it has in its environment and in a folder, and ends when it
// is told to.
func tiny(args []string) int {
	flags := flag.NewFlagSet(tinyName, flag.ExitOnError)
	listen, dir := flags.String("listen", "", ""), flags.String("dir", "", "")
	_ = flags.Parse(args)
	http.HandleFunc("/env/{name}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.PathValue("name"))) })
	http.HandleFunc("/file/{name}", func(w http.ResponseWriter, r *http.Request) {
		b, err := os.ReadFile(filepath.Join(*dir, r.PathValue("name")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		_, _ = w.Write(b)
	})
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	var sick atomic.Bool
	http.HandleFunc("/sicken", func(http.ResponseWriter, *http.Request) { sick.Store(true) })
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		fmt.Println(http.ListenAndServe(*listen, nil))
		os.Exit(1)
	}()
	fmt.Println("hello")
	<-terminated
	fmt.Println("bye")
	return 0
}

// startWithoutCrossplane returns a cluster that is only a control plane.
func startWithoutCrossplane(t *testing.T) *Cluster {
	t.Helper()
	e, err := controlplane.Start(t.Context(), controlplane.Options{ControllerManager: true, Progress: t.Output()})
	if err != nil {
		t.Fatalf("controlplane.Start(...): %v", err)
	}
	t.Cleanup(func() { _ = e.Stop() })
	c := &Cluster{level: LevelProcesses, config: e.Config, record: record{Dir: t.TempDir()}, pki: &pki{server: e.Config.Host}}
	if c.kube, err = kubernetes.NewForConfig(e.Config); err != nil {
		t.Fatal(err)
	}
	ca, err := cert.ParseCertsPEM(e.Config.CAData)
	if err != nil {
		t.Fatal(err)
	}
	c.pki.ca = ca[0]
	t.Cleanup(c.pods.stop)
	return c
}

func tinyDeployment() *appsv1.Deployment {
	const mount = "/etc/credentials"
	labels := map[string]string{"app": tinyName}
	from := corev1.LocalObjectReference{Name: tinyName}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: tinyName}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			Volumes: []corev1.Volume{{Name: "credentials", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: tinyName}}}},
			Containers: []corev1.Container{{
				Name: tinyName, Image: "registry.test:5000/tests/tiny:v1", Args: []string{"-listen=:8080", "-dir", mount},
				EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: from}}},
				Env: []corev1.EnvVar{
					{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
					{Name: "COPY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: from, Key: "PASSWORD"}}},
				},
				VolumeMounts:   []corev1.VolumeMount{{Name: "credentials", MountPath: mount}},
				Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: tinyPort}},
				ReadinessProbe: probeOf("/readyz", intstr.FromString("http")),
				LivenessProbe:  probeOf("/healthz", intstr.FromInt32(tinyPort)),
				StartupProbe:   probeOf("/healthz", intstr.FromInt32(tinyPort)),
			}},
		}},
	}}
}

func probeOf(path string, port intstr.IntOrString) *corev1.Probe {
	return &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: port}}}
}

// A Deployment of a program that is known lives as it does with a kubelet.
func TestRunPods(t *testing.T) {
	c := startWithoutCrossplane(t)
	ctx := t.Context()
	programs := []Program{{Image: "registry.test:5000/tests/", Path: os.Args[0], Env: func(*corev1.Pod, string) []string { return []string{envTiny + "=yes"} }}}
	if err := c.RunPods(ctx, programs); err != nil {
		t.Fatalf("RunPods(...): %v", err)
	}
	if err := c.RunPods(ctx, programs); err == nil {
		t.Error("RunPods(...) a second time: no error")
	}
	stranger := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "stranger"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "stranger:v1"}}}}
	if _, err := c.kube.CoreV1().Pods(namespace).Create(ctx, stranger, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.kube.AppsV1().Deployments(namespace).Create(ctx, tinyDeployment(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	var pod *corev1.Pod
	eventually(t, c, "the Pod waits for its Secret", func() bool {
		pod = tinyPod(t, c)
		if pod == nil || len(pod.Status.ContainerStatuses) == 0 {
			return false
		}
		w := pod.Status.ContainerStatuses[0].State.Waiting
		return w != nil && w.Reason == reasonCreating && w.Message == `secret "tiny" not found`
	})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: tinyName}, StringData: map[string]string{"PASSWORD": "old", "FOLDER": "/etc/credentials/x"}}
	if _, err := c.kube.CoreV1().Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	available(t, c)

	t.Run("Tells", func(t *testing.T) { tells(t, c) })
	t.Run("ChangesFiles", func(t *testing.T) { changesFiles(t, c, secret) })
	t.Run("StartsAgain", func(t *testing.T) { startsAgainAfterExit(t, c) })
	t.Run("EndsWhatIsSick", func(t *testing.T) { endsWhatIsSick(t, c) })
	t.Run("Deletes", func(t *testing.T) { deletesPod(t, c) })
	t.Run("Kills", func(t *testing.T) { killsPod(t, c) })

	last := tinyPod(t, c)
	c.pods.stop()
	if _, err := c.PodGet(ctx, namespace, last.Name, tinyPort, "/readyz"); err == nil {
		t.Error("a Pod answers after stop()")
	}
	if left, err := os.ReadDir(c.path("sandboxes")); err != nil || len(left) > 0 {
		t.Errorf("folders of Pods after stop(): %v %v", left, err)
	}
	s, err := c.kube.CoreV1().Pods(namespace).Get(ctx, stranger.Name, metav1.GetOptions{})
	if err != nil || s.Status.Phase != corev1.PodPending || len(s.Status.Conditions) > 0 {
		t.Errorf("a Pod of a program that is not known: %v %v, want it left alone", s.Status, err)
	}
}

// tells looks at what the process was given.
func tells(t *testing.T, c *Cluster) {
	pod := tinyPod(t, c)
	kubeconfig := ask(t, c, pod, "/env/KUBECONFIG")
	want := map[string]string{
		"/env/PASSWORD": "old", "/env/COPY": "old", "/file/PASSWORD": "old", "/env/POD_IP": pod.Status.PodIP, "/env/HOSTNAME": pod.Name,
		"/env/FOLDER":     c.path("sandboxes", string(pod.UID), "volumes", "credentials", "x"),
		"/env/KUBECONFIG": c.path("default.default.kubeconfig"), "/env/GOPATH": "",
	}
	got := map[string]string{}
	for path := range want {
		got[path] = ask(t, c, pod, path)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the process has: -want, +got:\n%s", diff)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	kube, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kube.Discovery().ServerVersion(); err != nil {
		t.Errorf("the API server, to the process: %v", err)
	}
}

func changesFiles(t *testing.T, c *Cluster, secret *corev1.Secret) {
	secret.StringData = map[string]string{"PASSWORD": "new"}
	if _, err := c.kube.CoreV1().Secrets(namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := tinyPod(t, c)
	eventually(t, c, "the file changes with the Secret", func() bool {
		b, _ := c.PodGet(t.Context(), namespace, pod.Name, tinyPort, "/file/PASSWORD") // It may change just now.
		return string(b) == "new"
	})
	if got := ask(t, c, pod, "/env/PASSWORD"); got != "old" {
		t.Errorf("the environment is %q after the Secret has changed, want that of the start", got)
	}
}

func startsAgainAfterExit(t *testing.T, c *Cluster) {
	pod := tinyPod(t, c)
	_, _ = c.PodGet(t.Context(), namespace, pod.Name, tinyPort, "/exit")
	eventually(t, c, "the process is started again", func() bool {
		pod = tinyPod(t, c)
		s := pod.Status.ContainerStatuses[0]
		return s.RestartCount == 1 && s.Ready && s.LastTerminationState.Terminated.ExitCode == 3
	})
	if got := ask(t, c, pod, "/env/PASSWORD"); got != "new" {
		t.Errorf("the environment of the new process is %q, want that of the present Secret", got)
	}
}

func endsWhatIsSick(t *testing.T, c *Cluster) {
	pod := tinyPod(t, c)
	ask(t, c, pod, "/sicken")
	eventually(t, c, "the process is ended and started again", func() bool {
		s := tinyPod(t, c).Status.ContainerStatuses[0]
		return s.RestartCount == 2 && s.Ready
	})
	if diff := cmp.Diff([]string{"hello", "hello", "bye", "hello"}, podLines(t, c, pod)); diff != "" {
		t.Errorf("the log: -want, +got:\n%s", diff)
	}
}

func deletesPod(t *testing.T, c *Cluster) {
	pod := tinyPod(t, c)
	if err := c.kube.CoreV1().Pods(namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, c, "the process ends when it is asked to", func() bool {
		return slices.Equal(podLines(t, c, pod), []string{"hello", "hello", "bye", "hello", "bye"})
	})
	available(t, c)
	if next := tinyPod(t, c); next.Status.PodIP == pod.Status.PodIP {
		t.Errorf("the next Pod has the same address")
	}
}

func killsPod(t *testing.T, c *Cluster) {
	pod := tinyPod(t, c)
	if err := c.Kill(t.Context(), namespace, pod.Name); err != nil {
		t.Errorf("Kill(...): %v", err)
	}
	if _, err := get(t.Context(), "http://"+net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(tinyPort))+"/readyz"); err == nil {
		t.Error("a Pod answers after Kill(...)")
	}
	if diff := cmp.Diff([]string{"hello"}, podLines(t, c, pod)); diff != "" {
		t.Errorf("the log of a killed Pod: -want, +got:\n%s", diff)
	}
	if err := c.Kill(t.Context(), namespace, pod.Name); err == nil {
		t.Error("Kill(...) of a Pod that is gone: no error")
	}
	available(t, c)
}

// tinyPod returns the Deployment's Pod, or nil when it has none.
func tinyPod(t *testing.T, c *Cluster) *corev1.Pod {
	t.Helper()
	l, err := c.kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + tinyName})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Items) != 1 {
		return nil
	}
	return &l.Items[0]
}

// available waits until the Deployment is available with one Pod.
func available(t *testing.T, c *Cluster) {
	t.Helper()
	eventually(t, c, "the Deployment is available", func() bool {
		d, err := c.kube.AppsV1().Deployments(namespace).Get(t.Context(), tinyName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p := tinyPod(t, c)
		return d.Status.AvailableReplicas == 1 && p != nil && len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].Ready
	})
}

// ask returns what a Pod answers.
func ask(t *testing.T, c *Cluster, pod *corev1.Pod, path string) string {
	t.Helper()
	b, err := c.PodGet(t.Context(), namespace, pod.Name, tinyPort, path)
	if err != nil {
		t.Fatalf("PodGet(...): %v", err)
	}
	return string(b)
}

func podLines(t *testing.T, c *Cluster, pod *corev1.Pod) []string {
	t.Helper()
	b, err := c.PodLogs(pod.Namespace, pod.Name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b))
}

// eventually polls until what is said holds, and fails the test after a while.
func eventually(t *testing.T, c *Cluster, what string, holds func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), pollInterval, time.Minute, true, func(context.Context) (bool, error) { return holds(), nil })
	if err != nil {
		l, _ := c.kube.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{})
		for i := range l.Items {
			t.Logf("Pod %s: %v", l.Items[i].Name, l.Items[i].Status)
		}
		t.Fatalf("%s: %v", what, err)
	}
}
