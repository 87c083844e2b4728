// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/pkg/errors"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/test/harness"
)

// probePort is where a probe tells what came of its logins.
const probePort = 8080

// workload returns a Deployment of two pods that use a Secret in their environment and
// as files, and log in with both, over and over.
func (te *team) workload(name, secret string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					AutomountServiceAccountToken:  new(false),
					TerminationGracePeriodSeconds: new(int64(1)),
					Containers: []corev1.Container{{
						Name:         "app",
						Image:        te.RegistryInCluster() + "/probe:latest",
						Args:         te.probeArgs("kafka", "opensearch", "valkey/sessions"),
						Env:          variables(secret),
						VolumeMounts: []corev1.VolumeMount{{Name: "credentials", MountPath: "/credentials", ReadOnly: true}},
						ReadinessProbe: &corev1.Probe{
							PeriodSeconds: 1,
							ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(probePort)}},
						},
					}},
					Volumes: []corev1.Volume{{Name: "credentials", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}}},
				},
			},
		},
	}
}

// variables are what a probe looks for in its environment. envFrom would not do: the key
// stores of Kafka are binary.
func variables(secret string) []corev1.EnvVar {
	keys := []string{
		"KAFKA_SCHEMA_REGISTRY_USER", "KAFKA_SCHEMA_REGISTRY_PASSWORD", "KAFKA_CERTIFICATE", "KAFKA_PRIVATE_KEY",
		"OPEN_SEARCH_USERNAME", "OPEN_SEARCH_PASSWORD", "VALKEY_USERNAME_SESSIONS", "VALKEY_PASSWORD_SESSIONS",
	}
	out := make([]corev1.EnvVar, len(keys))
	for i, key := range keys {
		ref := &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key}
		out[i] = corev1.EnvVar{Name: key, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: ref}}
	}
	return out
}

// probeArgs are those of a probe that logs in at services of the team.
func (te *team) probeArgs(services ...string) []string {
	at := map[string]string{"kafka": "kafka", "opensearch": te.openSearch(), "valkey/sessions": te.valkey()}
	for i, service := range services {
		services[i] = service + "=" + project + "/" + at[service]
	}
	return []string{
		"-url=" + te.url, "-dir=/credentials", fmt.Sprintf("-listen=:%d", probePort), "-every=100ms",
		"-services=" + strings.Join(services, ","),
	}
}

// counts are what a probe tells.
type counts struct {
	Attempts, Failures int
	Last               string
}

// pods returns those of a workload that are not ending.
func (te *team) pods(ctx context.Context, workload string) ([]corev1.Pod, error) {
	l := &corev1.PodList{}
	err := te.kube.List(ctx, l, client.InNamespace(te.namespace), client.MatchingLabels{"app": workload})
	out := l.Items[:0]
	for _, p := range l.Items {
		if p.DeletionTimestamp == nil {
			out = append(out, p)
		}
	}
	return out, err
}

// probed returns what a pod tells of its logins.
func (te *team) probed(ctx context.Context, pod string) (counts, error) {
	var c counts
	b, err := te.PodGet(ctx, te.namespace, pod, probePort, "/counts")
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	return c, err
}

// logsIn waits until all pods of a workload are ready and have logged in that many
// times more, and fails the test if one of them was ever refused.
func (te *team) logsIn(workload string, times int) {
	te.t.Helper()
	begin := make(map[string]int)
	harness.Eventually(te.t, "pods of "+workload+" log in", func(ctx context.Context) error {
		d := &appsv1.Deployment{}
		if err := te.kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: workload}, d); err != nil {
			return err
		}
		pods, err := te.pods(ctx, workload)
		if err != nil {
			return err
		}
		if len(pods) != int(*d.Spec.Replicas) {
			return errors.Errorf("there are %d pods", len(pods))
		}
		for _, p := range pods {
			if !ready(p) {
				return errors.Errorf("pod %s is not ready: %+v", p.Name, p.Status.ContainerStatuses)
			}
			c, err := te.probed(ctx, p.Name)
			if err != nil {
				return err
			}
			if _, ok := begin[p.Name]; !ok {
				begin[p.Name] = c.Attempts
			}
			if c.Attempts < begin[p.Name]+times {
				return errors.Errorf("pod %s logged in %d times since %d", p.Name, c.Attempts, begin[p.Name])
			}
		}
		return nil
	})
	te.neverFailed(workload)
}

// neverFailed fails the test if a login of one of the pods was ever refused.
func (te *team) neverFailed(workload string) {
	te.t.Helper()
	pods, err := te.pods(te.t.Context(), workload)
	if err != nil {
		te.t.Fatal(err)
	}
	for _, p := range pods {
		c, err := te.probed(te.t.Context(), p.Name)
		if err != nil {
			te.t.Errorf("cannot ask pod %s: %v", p.Name, err)
		}
		if c.Failures > 0 || p.Status.ContainerStatuses[0].RestartCount > 0 {
			te.t.Errorf("pod %s: %d of %d logins failed, the last: %s; it was restarted %d times", p.Name, c.Failures, c.Attempts, c.Last, p.Status.ContainerStatuses[0].RestartCount)
		}
	}
}

// noRefusals fails the test at its end if any login, also of pods that are gone by
// then, was refused.
func (s *suite) noRefusals(t *testing.T) {
	t.Helper()
	before := s.refused.Load()
	t.Cleanup(func() {
		if n := s.refused.Load() - before; n > 0 {
			t.Errorf("%d logins were refused", n)
		}
	})
}
