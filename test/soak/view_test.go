// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/provider"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// A managedUser is a managed resource of any service.
type managedUser interface {
	resource.ModernManaged
	GetServiceUserParameters() v1alpha1.ServiceUserParameters
}

// A view is the cluster as its watches tell, in every version that there was.
// What it shows is for the goroutine of the test, and not to be changed.
type view struct {
	apps    map[types.NamespacedName]*v1.AivenApplication
	users   map[string]managedUser
	secrets map[types.NamespacedName]*corev1.Secret

	mu      sync.Mutex
	queue   []change
	version map[string]uint64
}

// A change is one event of a watch.
type change struct {
	object  client.Object
	deleted bool
}

func newView(t *testing.T) *view {
	t.Helper()
	v := &view{
		apps: make(map[types.NamespacedName]*v1.AivenApplication), users: make(map[string]managedUser),
		secrets: make(map[types.NamespacedName]*corev1.Secret), version: make(map[string]uint64),
	}
	scheme, err := provider.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.New(h.Config(), cache.Options{
		Scheme: scheme, DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {Label: labels.SelectorFromSet(labels.Set{v1.LabelManagedBy: v1.ManagedBy})}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []client.Object{
		&v1.AivenApplication{}, &corev1.Secret{}, &v1alpha1.KafkaServiceUser{}, &v1alpha1.OpenSearchServiceUser{}, &v1alpha1.ValkeyServiceUser{},
	} {
		inf, err := c.GetInformer(t.Context(), o, cache.BlockUntilSynced(false))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := inf.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { v.add(o, false) },
			UpdateFunc: func(_, o any) { v.add(o, false) },
			DeleteFunc: func(o any) { v.add(o, true) },
		}); err != nil {
			t.Fatal(err)
		}
	}
	go func() { _ = c.Start(t.Context()) }()
	if !c.WaitForCacheSync(t.Context()) {
		t.Fatal("cannot watch the cluster")
	}
	return v
}

func (v *view) add(event any, deleted bool) {
	if d, ok := event.(toolscache.DeletedFinalStateUnknown); ok {
		event = d.Obj
	}
	o, ok := event.(client.Object)
	if !ok {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.queue = append(v.queue, change{o, deleted})
	kind := kindOf(o)
	v.version[kind] = max(v.version[kind], versionOf(o))
}

// reached returns an error until the view has seen a version of a kind.
func (v *view) reached(kind string, version uint64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.version[kind] < version {
		return errors.Errorf("%s is at %d, not at %d", kind, v.version[kind], version)
	}
	return nil
}

// catchUp waits until the view shows the applications and Secrets that there are.
func (w *world) catchUp() {
	w.t.Helper()
	harness.Within(w.t, patience, "the watches have caught up", func(ctx context.Context) error {
		apps, secrets := &v1.AivenApplicationList{}, &corev1.SecretList{}
		if err := h.Kube.List(ctx, apps); err != nil {
			return err
		}
		if err := h.Kube.List(ctx, secrets, client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy}); err != nil {
			return err
		}
		w.view.drain(w)
		if err := behind(apps, w.view.apps); err != nil {
			return err
		}
		return behind(secrets, w.view.secrets)
	})
}

// behind returns an error while something in the list is not shown or only in an older
// version, or something is shown that is not in the list.
func behind[T client.Object](list client.ObjectList, shown map[types.NamespacedName]T) error {
	left := len(shown)
	err := apimeta.EachListItem(list, func(i runtime.Object) error {
		o, ok := i.(client.Object)
		if !ok {
			return errors.Errorf("%T is not an object", i)
		}
		key := client.ObjectKeyFromObject(o)
		if s, ok := shown[key]; !ok || versionOf(s) < versionOf(o) {
			return errors.Errorf("%s is not shown as it is", key)
		}
		left--
		return nil
	})
	if err == nil && left > 0 {
		return errors.Errorf("%d are gone and still shown", left)
	}
	return err
}

// drain has the world look at all changes since the last time.
func (v *view) drain(w *world) {
	v.mu.Lock()
	queue := v.queue
	v.queue = nil
	v.mu.Unlock()
	for _, c := range queue {
		key := client.ObjectKeyFromObject(c.object)
		switch o := c.object.(type) {
		case *v1.AivenApplication:
			w.sawApplication(o)
			put(v.apps, key, o, c.deleted)
		case *corev1.Secret:
			w.sawSecret(o, c.deleted)
			put(v.secrets, key, o, c.deleted)
		case managedUser:
			put(v.users, kindOf(o)+"/"+key.String(), o, c.deleted)
		}
	}
}

func put[K comparable, V any](m map[K]V, key K, value V, deleted bool) {
	if deleted {
		delete(m, key)
		return
	}
	m[key] = value
}

func kindOf(o client.Object) string { return reflect.TypeOf(o).Elem().Name() }

func versionOf(o client.Object) uint64 {
	n, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("resource version of %s: %v", kindOf(o), err))
	}
	return n
}
