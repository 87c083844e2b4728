// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/provider-aiven/provider-aiven/internal/listeners"
)

// syncTimeout is how long a first read waits for the watch before it asks the
// API server directly.
const syncTimeout = 2 * time.Second

// Secrets reads single Secrets and watches just these, each with a watch of its
// own: the provider needs to see a few Secrets with tokens, not all Secrets of
// the cluster. Safe for concurrent use.
type Secrets struct {
	core corev1client.CoreV1Interface

	changed listeners.Listeners[types.NamespacedName]

	mu      sync.Mutex
	watched map[types.NamespacedName]*watchedSecret
	ctx     context.Context //nolint:containedctx // The lifetime of the watches, not of a call.
}

type watchedSecret struct {
	store  cache.Store
	synced cache.InformerSynced
	stop   context.CancelFunc
}

// NewSecrets returns a reader whose watches end with the supplied context.
func NewSecrets(ctx context.Context, core corev1client.CoreV1Interface) *Secrets {
	return &Secrets{core: core, ctx: ctx, watched: make(map[types.NamespacedName]*watchedSecret)}
}

// Get returns the data of a Secret, and begins to watch it. The data must not
// be changed. kerrors.IsNotFound tells that the Secret does not exist.
func (s *Secrets) Get(ctx context.Context, n types.NamespacedName) (map[string][]byte, error) {
	w := s.watch(n) //nolint:contextcheck // The watch outlives the call.
	if !w.synced() {
		wait, cancel := context.WithTimeout(ctx, syncTimeout)
		defer cancel()
		if !cache.WaitForCacheSync(wait.Done(), w.synced) {
			// Watching may be forbidden where reading is allowed.
			live, err := s.core.Secrets(n.Namespace).Get(ctx, n.Name, metav1.GetOptions{})
			if err != nil {
				return nil, err //nolint:wrapcheck // The caller branches on it.
			}
			return live.Data, nil
		}
	}
	obj, ok, err := w.store.GetByKey(n.String())
	if err != nil || !ok {
		return nil, kerrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, n.Name)
	}
	return obj.(*corev1.Secret).Data, nil //nolint:forcetypeassert // The store holds Secrets only.
}

// Subscribe calls fn whenever a watched Secret appears, changes or goes. fn must
// not block.
func (s *Secrets) Subscribe(fn func(types.NamespacedName)) (cancel func()) {
	return s.changed.Subscribe(fn)
}

// Forget ends the watch of a Secret that nothing needs any more. To get it again
// begins another.
func (s *Secrets) Forget(n types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.watched[n]; w != nil {
		w.stop()
		delete(s.watched, n)
	}
}

func (s *Secrets) watch(n types.NamespacedName) *watchedSecret {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.watched[n]; w != nil {
		return w
	}
	lw := cache.NewListWatchFromClient(s.core.RESTClient(), "secrets", n.Namespace, fields.OneTermEqualSelector(metav1.ObjectNameField, n.Name))
	notify := func(any) { s.changed.Tell(n) }
	store, ctl := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: lw,
		ObjectType:    &corev1.Secret{},
		Handler:       cache.ResourceEventHandlerFuncs{AddFunc: notify, UpdateFunc: func(_, o any) { notify(o) }, DeleteFunc: notify},
	})
	ctx, stop := context.WithCancel(s.ctx)
	go ctl.RunWithContext(ctx)
	w := &watchedSecret{store: store, synced: ctl.HasSynced, stop: stop}
	s.watched[n] = w
	return w
}
