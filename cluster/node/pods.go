// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// A Program stands for a container image where there are no containers.
type Program struct {
	// Image is the name of the image without tag and digest, or a beginning of it.
	// The longest that fits counts.
	Image string

	// Path is the program for this machine. It stands for the image's entrypoint,
	// and for the first word of a container's command.
	Path string

	// Env returns what the program needs besides what its Pod says, because it
	// does not run in a Pod. These variables win, and are taken as they are. The
	// Pod has its IP address; kubeconfig is a file for its service account, or
	// empty when it is not to have a token. Nil is nothing.
	Env func(pod *corev1.Pod, kubeconfig string) []string
}

// RunPods runs the Pods whose programs it knows as processes of this machine,
// from now until Stop, and returns at once. A Pod without any known image is left
// alone, and waits for ever. Where a kubelet runs Pods it does nothing.
//
// What a Pod may expect is what a kubelet gives it, as far as processes can have
// it: arguments and environment, volumes of Secrets that change with them,
// probes, restarts, and a status that says so. What it listens to at all
// addresses it listens to at an address of the loopback interface that is its
// own. Its process has only the environment that it is told to have, and
// KUBECONFIG when it would have a token. Paths of its volumes in arguments and
// environment are those on this machine. A Pod that wants something else, such
// as an init container, waits, and its status says for what.
//
// Pods are not bound to a node, so the API server forgets a Pod at once when it
// is deleted, and says nothing of the grace period that was asked for: the
// process is told to end, and killed when it still runs after the Pod's
// terminationGracePeriodSeconds. That is so after a deletion by force, too, where
// a kubelet kills after two seconds or so. See Kill for what is not told.
func (c *Cluster) RunPods(ctx context.Context, programs []Program) error {
	if c.level.RealPods() {
		return nil
	}
	return c.pods.start(ctx, c, programs)
}

// podSet are the Pods that run as processes. They may be used by several
// goroutines.
type podSet struct {
	programs   []Program
	kube       kubernetes.Interface
	dir        string
	log        func(namespace, name string) string
	kubeconfig func(ctx context.Context, namespace, serviceAccount string) (string, error)

	mu      sync.Mutex
	stopped bool
	cancel  context.CancelFunc // Nil before the start.
	watch   informers.SharedInformerFactory
	runs    map[types.UID]*podRun // All that ever ran.
	last    netip.Addr
	all     sync.WaitGroup
}

func (s *podSet) start(ctx context.Context, c *Cluster, programs []Program) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.cancel != nil {
		return errors.New("cannot run Pods: they are run already, or the cluster is stopped")
	}
	s.programs, s.kube, s.kubeconfig, s.dir, s.log = slices.Clone(programs), c.kube, c.KubeconfigFor, c.path("sandboxes"), c.podLog
	for _, dir := range []string{s.dir, filepath.Dir(c.podLog("", ""))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return errors.Wrap(err, "cannot make a folder for Pods")
		}
	}
	s.runs, s.last = map[types.UID]*podRun{}, firstPodAddress
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx)) // Their life is the cluster's.
	s.watch = informers.NewSharedInformerFactory(s.kube, 0)
	_, err := s.watch.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { s.seen(ctx, o) },
		UpdateFunc: func(_, o any) { s.seen(ctx, o) },
		DeleteFunc: s.gone,
	})
	if err != nil {
		return errors.Wrap(err, "cannot watch Pods")
	}
	s.watch.Start(ctx.Done())
	return nil
}

// seen begins to run a Pod that is to run and does not yet, and ends one that is
// being deleted.
func (s *podSet) seen(ctx context.Context, o any) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	if pod.DeletionTimestamp != nil {
		s.gone(o)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, runs := s.runs[pod.UID]; runs || s.stopped || !known(pod, s.programs) || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return
	}
	s.last = nextPodAddress(s.last)
	r := newPodRun(s, pod, s.last.String())
	s.runs[pod.UID] = r
	ctx, r.cancel = context.WithCancel(ctx)
	s.all.Go(func() { r.run(ctx) })
}

// gone ends a Pod.
func (s *podSet) gone(o any) {
	if unknown, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = unknown.Obj
	}
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.runs[pod.UID]; ok {
		r.cancel()
	}
}

// kill kills the processes of a Pod, and returns when they are gone. They are
// not started again.
func (s *podSet) kill(uid types.UID) {
	s.mu.Lock()
	r, ok := s.runs[uid]
	s.mu.Unlock()
	if ok {
		r.kill()
	}
}

// stop ends all Pods, and returns when they are gone. It may be called more than
// once.
func (s *podSet) stop() {
	s.mu.Lock()
	s.stopped = true
	cancel, watch := s.cancel, s.watch
	s.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	watch.Shutdown()
	s.all.Wait()
}

// secrets returns those of the named Secrets that exist.
func (s *podSet) secrets(ctx context.Context, namespace string, names []string) (map[string]*corev1.Secret, error) {
	out := map[string]*corev1.Secret{}
	for _, name := range names {
		secret, err := s.kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
		if kerrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, errors.Wrapf(err, "cannot get the Secret %s", name)
		}
		out[name] = secret
	}
	return out, nil
}

// known reports whether a Pod has a container whose program is known.
func known(pod *corev1.Pod, programs []Program) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return programFor(programs, c.Image) != nil })
}

// firstPodAddress is before those of Pods. All of 127.0.0.0/8 is this machine's.
var firstPodAddress = netip.AddrFrom4([4]byte{127, 1, 0, 0})

// nextPodAddress returns the address after another. No cluster has had so many
// Pods that one is used again.
func nextPodAddress(last netip.Addr) netip.Addr {
	next := last.Next()
	for b := next.As4(); b[3] == 0 || b[3] == 255; b = next.As4() {
		next = next.Next()
	}
	return next
}
