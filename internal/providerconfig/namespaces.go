// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"
	"sync"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// labelsFor is how long the labels of a namespace are believed that is not
// watched.
const labelsFor = 15 * time.Second

// ErrNamespacesUnknown says that the provider may not see which namespaces there
// are, and so not tell whose a service or topic is that is named after one.
var ErrNamespacesUnknown = errors.New("cannot tell whose this is, because the provider may not list namespaces")

// Namespaces know the namespaces of the cluster, as far as the provider may see
// them. Safe for concurrent use.
type Namespaces struct {
	// cached is a cache of all namespaces. nil: only the chosen ones may be seen, or
	// none, and each is read from the API server when its labels matter.
	cached client.Reader
	live   client.Reader
	chosen []string

	mu     sync.Mutex
	labels map[string]seenLabels
}

type seenLabels struct {
	labels map[string]string
	at     time.Time
}

// AllNamespaces returns the namespaces that a cache has.
func AllNamespaces(cached client.Reader) *Namespaces { return &Namespaces{cached: cached} }

// ChosenNamespaces returns the namespaces of these names, whose labels are read from live.
func ChosenNamespaces(live client.Reader, names []string) *Namespaces {
	return &Namespaces{live: live, chosen: names, labels: make(map[string]seenLabels)}
}

// UnknownNamespaces returns namespaces of which nobody can tell which there are.
// Their labels are read from live.
func UnknownNamespaces(live client.Reader) *Namespaces { return ChosenNamespaces(live, nil) }

// Metadata returns an empty namespace as it is cached: nothing but metadata is.
func Metadata() *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return o
}

// Labels returns the labels of a namespace, none when it does not exist.
func (n *Namespaces) Labels(ctx context.Context, name string) (map[string]string, error) {
	if n.cached != nil {
		return labelsOf(ctx, n.cached, name)
	}
	n.mu.Lock()
	seen, ok := n.labels[name]
	n.mu.Unlock()
	if ok && time.Since(seen.at) < labelsFor {
		return seen.labels, nil
	}
	labels, err := labelsOf(ctx, n.live, name)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.labels[name] = seenLabels{labels: labels, at: time.Now()}
	n.mu.Unlock()
	return labels, nil
}

func labelsOf(ctx context.Context, r client.Reader, name string) (map[string]string, error) {
	o := Metadata()
	err := r.Get(ctx, types.NamespacedName{Name: name}, o)
	if kerrors.IsNotFound(err) {
		return nil, nil
	}
	return o.GetLabels(), errors.Wrapf(err, "cannot get namespace %s", name)
}

// Names returns the names of all namespaces. The list must not be changed. The
// error is ErrNamespacesUnknown when the provider may not see them.
func (n *Namespaces) Names(ctx context.Context) ([]string, error) {
	if n.cached == nil && len(n.chosen) == 0 {
		return nil, ErrNamespacesUnknown
	}
	if n.cached == nil {
		return n.chosen, nil
	}
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := n.cached.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
		return nil, errors.Wrap(err, "cannot list namespaces")
	}
	out := make([]string, 0, len(l.Items))
	for i := range l.Items {
		out = append(out, l.Items[i].GetName())
	}
	return out, nil
}
