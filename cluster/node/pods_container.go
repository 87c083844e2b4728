// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane/process"
)

// A containerRun is a container that runs as a process.
type containerRun struct {
	pod     *podRun
	spec    *corev1.Container
	program *Program // Nil when it is not known.

	mu     sync.Mutex
	status corev1.ContainerStatus
}

func newContainerRun(pod *podRun, c *corev1.Container) *containerRun {
	return &containerRun{pod: pod, spec: c, program: programFor(pod.set.programs, c.Image), status: corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, Started: new(false),
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reasonCreating}},
	}}
}

// now returns the container's status.
func (r *containerRun) now() corev1.ContainerStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return *r.status.DeepCopy()
}

// set changes the status.
func (r *containerRun) set(change func(s *corev1.ContainerStatus)) {
	r.mu.Lock()
	change(&r.status)
	r.mu.Unlock()
	r.pod.tell()
}

// wait says for what the container waits.
func (r *containerRun) wait(reason string, why error) {
	r.set(func(s *corev1.ContainerStatus) {
		s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: why.Error()}}
	})
}

// run runs the container until the context ends or it is not to be started
// again, and returns when its process is gone.
func (r *containerRun) run(ctx context.Context) {
	if r.program == nil {
		r.wait(reasonNoImage, errors.Errorf("the program of image %s is not known", r.spec.Image))
		return
	}
	for crashes := 0; ctx.Err() == nil; {
		cmd, err := r.command(ctx)
		if err != nil {
			r.wait(reasonConfigError, err)
			pause(ctx, podInterval)
			continue
		}
		began := time.Now()
		end := r.live(ctx, cmd)
		if again := startsAgain(r.pod.pod.Spec.RestartPolicy, end.ExitCode); !again || ctx.Err() != nil {
			r.set(func(s *corev1.ContainerStatus) { s.State = corev1.ContainerState{Terminated: end} })
			return
		}
		if time.Since(began) >= stable {
			crashes = 0
		}
		d := backOff(crashes)
		crashes++
		r.set(func(s *corev1.ContainerStatus) {
			s.LastTerminationState = corev1.ContainerState{Terminated: end}
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reasonBackOff, Message: fmt.Sprintf("back-off %s", d)}}
		})
		if pause(ctx, d) {
			r.set(func(s *corev1.ContainerStatus) { s.RestartCount++ })
		}
	}
}

// command returns the command of the container's process, as Secrets are now.
func (r *containerRun) command(ctx context.Context) (*exec.Cmd, error) {
	env, err := r.pod.environment(ctx, r.spec)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := r.pod.kubeconfig(ctx, r.spec)
	if err != nil {
		return nil, err
	}
	p := r.pod.place(r.spec)
	cmd := exec.Command(r.program.Path, p.arguments(r.spec, env)...) //nolint:noctx // It is asked to end before it is killed.
	cmd.Dir, cmd.Env = r.pod.dir, append(r.pod.machineEnv(), p.variables(env)...)
	if kubeconfig != "" {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+kubeconfig)
	}
	if r.program.Env != nil {
		cmd.Env = append(cmd.Env, r.program.Env(r.pod.pod.DeepCopy(), kubeconfig)...)
	}
	return cmd, nil
}

// live runs a process until it ends, by itself or because it is not healthy or
// the context ends, and returns how it ended.
func (r *containerRun) live(ctx context.Context, cmd *exec.Cmd) *corev1.ContainerStateTerminated {
	began := metav1.Now().Rfc3339Copy()
	p, err := process.Start(cmd, r.pod.set.log(r.pod.pod.Namespace, r.pod.pod.Name))
	if err != nil {
		return &corev1.ContainerStateTerminated{ExitCode: codeOfSignal, Reason: reasonStartError, Message: err.Error(), StartedAt: began, FinishedAt: began}
	}
	id := fmt.Sprintf("process://%d", p.ID())
	r.set(func(s *corev1.ContainerStatus) {
		s.ContainerID, s.State = id, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: began}}
	})
	watching, stop := context.WithCancel(ctx)
	unhealthy := make(chan struct{}, 1)
	var probes sync.WaitGroup
	probes.Go(func() { r.probe(watching, &probes, unhealthy) })
	select {
	case <-p.Done():
	case <-ctx.Done():
		r.end(cmd, p)
	case <-unhealthy:
		r.end(cmd, p)
	}
	stop()
	probes.Wait()
	r.set(func(s *corev1.ContainerStatus) { s.Ready, s.Started = false, new(false) })
	end := &corev1.ContainerStateTerminated{ContainerID: id, StartedAt: began, FinishedAt: metav1.Now().Rfc3339Copy(), Reason: reasonCompleted}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		end.ExitCode = exitCode(s)
	}
	if end.ExitCode != 0 {
		end.Reason = reasonError
	}
	return end
}

// probe looks at the process until the context ends: whether it has started and
// then, at the same time, whether it is ready and whether it lives.
func (r *containerRun) probe(ctx context.Context, all *sync.WaitGroup, unhealthy chan<- struct{}) {
	address := r.pod.pod.Status.PodIP
	dies := func(healthy bool) bool {
		if !healthy {
			select {
			case unhealthy <- struct{}{}:
			default:
			}
		}
		return healthy
	}
	if p := r.spec.StartupProbe; p != nil {
		started := false
		watchProbe(ctx, p, r.spec, address, func(healthy bool) bool {
			started = dies(healthy)
			return false
		})
		if !started {
			return
		}
	}
	r.set(func(s *corev1.ContainerStatus) { s.Started, s.Ready = new(true), r.spec.ReadinessProbe == nil })
	if p := r.spec.LivenessProbe; p != nil {
		all.Go(func() { watchProbe(ctx, p, r.spec, address, dies) })
	}
	if p := r.spec.ReadinessProbe; p != nil {
		watchProbe(ctx, p, r.spec, address, func(healthy bool) bool {
			r.set(func(s *corev1.ContainerStatus) { s.Ready = healthy })
			return true
		})
	}
}

// end asks a process to end, kills it when that takes too long or it is not to
// be asked, and returns when it is gone.
func (r *containerRun) end(cmd *exec.Cmd, p *process.Process) {
	select {
	case <-r.pod.killed:
	default:
		_ = cmd.Process.Signal(syscall.SIGTERM) // It may be gone already.
		timeout := time.NewTimer(r.pod.grace())
		defer timeout.Stop()
		select {
		case <-p.Done():
		case <-r.pod.killed:
		case <-timeout.C:
		}
	}
	_ = p.Kill() // It may be gone already.
}
