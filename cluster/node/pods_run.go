// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podInterval is how often mounted Secrets are looked at, and how often is tried
// again what failed.
const podInterval = time.Second

// A podRun is a Pod that runs as processes.
type podRun struct {
	set        *podSet
	pod        *corev1.Pod // As it was when it was seen first, with its address.
	dir        string
	volumes    []*volume
	folders    map[string]string // Of all volumes, by their names.
	containers []*containerRun

	changed chan struct{} // Full when there is something to publish.
	status  corev1.PodStatus

	cancel context.CancelFunc
	killed chan struct{} // Closed when nothing is to be asked to end.
	once   sync.Once
	done   chan struct{} // Closed when nothing of it is left.
}

func newPodRun(s *podSet, pod *corev1.Pod, address string) *podRun {
	r := &podRun{
		set: s, pod: pod.DeepCopy(), dir: filepath.Join(s.dir, string(pod.UID)), folders: map[string]string{},
		changed: make(chan struct{}, 1), killed: make(chan struct{}), done: make(chan struct{}), status: pod.Status,
	}
	r.pod.Status.PodIP, r.pod.Status.PodIPs = address, []corev1.PodIP{{IP: address}}
	for i := range pod.Spec.Volumes {
		v := &r.pod.Spec.Volumes[i]
		r.folders[v.Name] = filepath.Join(r.dir, "volumes", v.Name)
		if v.Secret != nil {
			r.volumes = append(r.volumes, &volume{dir: r.folders[v.Name], source: v.Secret})
		}
	}
	for i := range r.pod.Spec.Containers {
		r.containers = append(r.containers, newContainerRun(r, &r.pod.Spec.Containers[i]))
	}
	return r
}

// run runs the Pod until the context ends, and returns when nothing of it is
// left.
func (r *podRun) run(ctx context.Context) {
	defer close(r.done)
	defer r.cancel()
	if r.prepare(ctx) {
		var all sync.WaitGroup
		for _, c := range r.containers {
			all.Go(func() { c.run(ctx) })
		}
		r.look(ctx)
		all.Wait()
	}
	_ = os.RemoveAll(r.dir) // The cluster's folder goes, too.
}

// prepare makes the Pod's folders, and reports whether the context has not
// ended. It tries until all Secrets are there that the Pod needs.
func (r *podRun) prepare(ctx context.Context) bool {
	for {
		err := r.mount(ctx)
		if what := unsupported(r.pod); err == nil && what != "" {
			err = errors.New("this cluster has no kubelet: " + what)
		}
		if err == nil {
			return ctx.Err() == nil
		}
		for _, c := range r.containers {
			c.wait(reasonCreating, err)
		}
		r.publish(ctx)
		if !pause(ctx, podInterval) {
			return false
		}
	}
}

// mount makes the Pod's folders, or brings them up to date.
func (r *podRun) mount(ctx context.Context) error {
	for _, dir := range append(slices.Collect(maps.Values(r.folders)), r.dir) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return errors.Wrap(err, "cannot make a folder of the Pod")
		}
	}
	names := make([]string, 0, len(r.volumes))
	for _, v := range r.volumes {
		names = append(names, v.source.SecretName)
	}
	secrets, err := r.set.secrets(ctx, r.pod.Namespace, names)
	if err != nil {
		return err
	}
	for _, v := range r.volumes {
		files, err := secretFiles(v.source, secrets[v.source.SecretName])
		if err != nil {
			return err
		}
		if err := v.write(files); err != nil {
			return err
		}
	}
	return nil
}

// look keeps volumes and status up to date until the context ends. Where
// that fails, they stay as they are for now.
func (r *podRun) look(ctx context.Context) {
	every := time.NewTicker(podInterval)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.changed:
		case <-every.C:
			_ = r.mount(ctx)
		}
		r.publish(ctx)
	}
}

// publish writes the status, unless it is already so.
func (r *podRun) publish(ctx context.Context) {
	statuses := make([]corev1.ContainerStatus, 0, len(r.containers))
	for _, c := range r.containers {
		statuses = append(statuses, c.now())
	}
	s := podStatus(r.pod.Spec.RestartPolicy, r.pod.Status.PodIP, statuses, r.status, metav1.Now().Rfc3339Copy())
	if equality.Semantic.DeepEqual(s, r.status) {
		return
	}
	// With its UID, so that it is not about another of the same name.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": r.pod.UID}, "status": s})
	if err != nil {
		panic(err) // Of a status in memory.
	}
	if _, err := r.set.kube.CoreV1().Pods(r.pod.Namespace).Patch(ctx, r.pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err == nil {
		r.status = s
	}
}

// tell says that there is something to publish.
func (r *podRun) tell() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// kill kills the processes, and returns when they are gone.
func (r *podRun) kill() {
	r.once.Do(func() { close(r.killed) })
	r.cancel()
	<-r.done
}

// grace is how long a process may take to end.
func (r *podRun) grace() time.Duration {
	if s := r.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}

// place is where a container of the Pod is.
func (r *podRun) place(c *corev1.Container) place {
	p := place{address: r.pod.Status.PodIP, folders: map[string]string{}}
	for _, m := range c.VolumeMounts {
		if m.MountPath != tokenFolder {
			p.folders[strings.TrimRight(m.MountPath, "/")] = r.folders[m.Name]
		}
	}
	return p
}

// kubeconfig returns the path of a kubeconfig file for a container, or nothing
// when it is not to have a token.
func (r *podRun) kubeconfig(ctx context.Context, c *corev1.Container) (string, error) {
	if !hasToken(c) {
		return "", nil
	}
	return r.set.kubeconfig(ctx, r.pod.Namespace, r.pod.Spec.ServiceAccountName)
}

// environment returns the environment that the Pod asks for a container.
func (r *podRun) environment(ctx context.Context, c *corev1.Container) (map[string]string, error) {
	secrets, err := r.set.secrets(ctx, r.pod.Namespace, environmentSecrets(c))
	if err != nil {
		return nil, err
	}
	return environment(r.pod, c, secrets)
}

// machineEnv is the environment that every process has.
func (r *podRun) machineEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "HOSTNAME=" + r.pod.Name}
}
