// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// requestTimeout bounds a request to a Pod, and one for its logs.
const requestTimeout = 10 * time.Second

// PodLogs returns what a Pod's containers have printed since their last start,
// and only while there is the Pod. At LevelProcesses it is everything, also of a
// Pod that is gone.
func (c *Cluster) PodLogs(namespace, name string) ([]byte, error) {
	if !c.level.RealPods() {
		b, err := os.ReadFile(filepath.Clean(c.podLog(namespace, name)))
		return b, errors.Wrapf(err, "cannot read the log of Pod %s/%s", namespace, name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	pods := c.kube.CoreV1().Pods(namespace)
	pod, err := pods.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, errors.Wrapf(err, "cannot get Pod %s/%s", namespace, name)
	}
	var out []byte
	for i := range pod.Spec.Containers {
		b, err := pods.GetLogs(name, &corev1.PodLogOptions{Container: pod.Spec.Containers[i].Name}).DoRaw(ctx)
		if err != nil {
			return nil, errors.Wrapf(err, "cannot get the logs of Pod %s/%s", namespace, name)
		}
		out = append(out, b...)
	}
	return out, nil
}

// Kill ends a Pod as a failure of its machine does: its processes are killed
// without being asked, and are gone when it returns, and then the Pod is.
// Whoever wants it makes another. At LevelCluster only the Pod is gone at once:
// its processes are asked to end, and killed some two seconds later.
func (c *Cluster) Kill(ctx context.Context, namespace, pod string) error {
	pods := c.kube.CoreV1().Pods(namespace)
	p, err := pods.Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return errors.Wrapf(err, "cannot get Pod %s/%s", namespace, pod)
	}
	switch c.level {
	case LevelNode:
		// A deletion by force is not enough: the kubelet asks first, and waits.
		if err := killPod(string(p.UID)); err != nil {
			return err
		}
	case LevelProcesses:
		c.pods.kill(p.UID)
	case LevelCluster: // Its control groups are out of reach.
	}
	err = pods.Delete(ctx, pod, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0)), Preconditions: metav1.NewUIDPreconditions(string(p.UID))})
	if kerrors.IsNotFound(err) || kerrors.IsConflict(err) {
		return nil // It is gone.
	}
	return errors.Wrapf(err, "cannot delete Pod %s/%s", namespace, pod)
}

// PodGet returns what a Pod answers to a request with the method GET. An answer
// that is not 2xx is an error.
func (c *Cluster) PodGet(ctx context.Context, namespace, pod string, port int, path string) ([]byte, error) {
	if c.level == LevelCluster {
		return c.foreignGet(ctx, namespace, pod, strconv.Itoa(port), path)
	}
	p, err := c.kube.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return nil, errors.Wrapf(err, "cannot get Pod %s/%s", namespace, pod)
	}
	if p.Status.PodIP == "" {
		return nil, errors.Errorf("cannot ask Pod %s/%s: it has no address yet", namespace, pod)
	}
	b, err := get(ctx, "http://"+net.JoinHostPort(p.Status.PodIP, strconv.Itoa(port))+"/"+strings.TrimPrefix(path, "/"))
	return b, errors.Wrapf(err, "cannot ask Pod %s/%s", namespace, pod)
}

// get makes a request without any proxy.
func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.Wrap(err, "cannot form a request")
	}
	rsp, err := direct.RoundTrip(req)
	if err != nil {
		return nil, errors.Wrap(err, "cannot send a request")
	}
	defer func() { _ = rsp.Body.Close() }()
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		return nil, errors.Wrap(err, "cannot read the answer")
	}
	if rsp.StatusCode/100 != 2 {
		return nil, errors.Errorf("answer %s: %s", rsp.Status, bytes.TrimSpace(b))
	}
	return b, nil
}

// podLog returns the path of a Pod's log.
func (c *Cluster) podLog(namespace, name string) string {
	return filepath.Join(c.LogDir(), "pods", namespace+"_"+name+".log")
}
