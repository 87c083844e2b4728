// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const (
	ledgerPrefix = "aiven-users-"

	// Annotations of a ledger: whose it is.
	annotationProject     = "aiven.nais.io/project"
	annotationServiceName = "aiven.nais.io/service-name"
	annotationConfig      = "aiven.nais.io/provider-config"
	annotationConfigUID   = "aiven.nais.io/provider-config-uid"

	// maxEntries of a ledger keep it well below the 1 MiB that an object may
	// have: a name has at most 64 characters, a time 20.
	maxEntries = 8000

	writeAttempts = 5
)

// A ledgerKey names a service as used through one configuration. Each has a
// ledger of its own: what was made with one token is no reason to delete with
// another.
type ledgerKey struct {
	config  providerconfig.Ref
	service aiven.ServiceRef
}

func (k ledgerKey) name() string {
	return ledgerPrefix + v1.Digest(providerconfig.IndexValue(k.config)+" "+k.service.Project+"/"+k.service.Service)
}

func compareKeys(a, b ledgerKey) int {
	return strings.Compare(a.String(), b.String())
}

// String is how the service is named in messages.
func (k ledgerKey) String() string {
	return k.config.String() + " " + k.service.Project + "/" + k.service.Service
}

func (k ledgerKey) user(name string) aiven.UserRef {
	return aiven.UserRef{ServiceRef: k.service, Username: name}
}

// ledgers are the records of the users that this cluster made: a ConfigMap for
// each ledgerKey, whose keys are usernames and whose values say when the managed
// resource was made. A ledger is worth something only together with the
// configuration of the same UID: one that was copied to another cluster proves
// nothing, and one whose configuration is gone is removed.
//
// Which namespaces are watched is part of a ledger's name: what was recorded while
// others were watched is claimed by managed resources that nobody here sees now.
type ledgers struct {
	kube      client.Client
	live      client.Reader
	namespace string
	watched   []string // namespaces, empty for all
	log       *teller

	books map[ledgerKey]*corev1.ConfigMap // nil: not loaded
	off   bool                            // there can be none
}

// load reads all ledgers of the supplied configurations.
func (l *ledgers) load(ctx context.Context, configs map[providerconfig.Ref]config) error {
	if l.namespace == "" {
		l.log.Tell("read", "The provider's namespace is not known: it is not recorded which users this cluster made, so no orphaned user is deleted", nil)
		l.books, l.off = nil, true
		return nil
	}
	list := &corev1.ConfigMapList{}
	err := l.live.List(ctx, list, client.InNamespace(l.namespace), client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy})
	if kerrors.IsForbidden(err) {
		l.log.Tell("read", "ConfigMaps may not be read: it is not known which users this cluster made, so no orphaned user is deleted", err)
		l.books, l.off = nil, true
		return nil
	}
	if err != nil {
		return errors.Wrap(err, "cannot list ledgers")
	}
	l.log.Passed("read")
	l.off = false
	books := make(map[ledgerKey]*corev1.ConfigMap, len(list.Items))
	for i := range list.Items {
		cm := &list.Items[i]
		k, ok := l.keyOf(cm)
		if !ok {
			continue
		}
		if configs[k.config].uid == types.UID(cm.GetAnnotations()[annotationConfigUID]) {
			books[k] = cm
			continue
		}
		if err := l.remove(ctx, cm); err != nil {
			l.log.Tell("stale "+cm.GetName(), "Cannot remove a ledger that nothing needs any more", err)
		}
	}
	l.books = books
	return nil
}

// name returns the name of a ledger.
func (l *ledgers) name(k ledgerKey) string {
	if len(l.watched) == 0 {
		return k.name()
	}
	return k.name() + "-" + v1.Digest(strings.Join(slices.Compact(slices.Sorted(slices.Values(l.watched))), ","))
}

// keyOf tells what a ConfigMap is the ledger of, if it is one.
func (l *ledgers) keyOf(cm *corev1.ConfigMap) (ledgerKey, bool) {
	a := cm.GetAnnotations()
	parts := strings.Split(a[annotationConfig], "/")
	if len(parts) != 3 {
		return ledgerKey{}, false
	}
	k := ledgerKey{
		config:  providerconfig.Ref{Kind: parts[0], Namespace: parts[1], Name: parts[2]},
		service: aiven.ServiceRef{Project: a[annotationProject], Service: a[annotationServiceName]},
	}
	return k, l.name(k) == cm.GetName()
}

// made returns the users that are recorded, which must not be changed.
func (l *ledgers) made(k ledgerKey) map[string]string {
	if cm := l.books[k]; cm != nil {
		return cm.Data
	}
	return nil
}

// change adds users to a ledger and removes others. It writes only what is not
// recorded yet, and nothing where no records can be kept.
func (l *ledgers) change(ctx context.Context, k ledgerKey, uid types.UID, add map[string]string, remove []string) error {
	if l.off {
		return nil
	}
	for attempt := 1; ; attempt++ {
		err := l.write(ctx, k, uid, add, remove)
		if !kerrors.IsConflict(err) && !kerrors.IsAlreadyExists(err) && !kerrors.IsNotFound(err) || attempt == writeAttempts {
			return errors.Wrapf(err, "cannot write ledger of %s", k)
		}
		if err := l.reload(ctx, k, uid); err != nil {
			return errors.Wrapf(err, "cannot write ledger of %s", k)
		}
	}
}

func (l *ledgers) write(ctx context.Context, k ledgerKey, uid types.UID, add map[string]string, remove []string) error {
	have := l.books[k]
	data := maps.Clone(l.made(k))
	if data == nil {
		data = make(map[string]string, len(add))
	}
	for _, name := range remove {
		delete(data, name)
	}
	l.fill(k, data, add)
	if have != nil && maps.Equal(have.Data, data) || have == nil && len(data) == 0 {
		return nil
	}
	if have == nil {
		cm := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Name: l.name(k), Namespace: l.namespace, Labels: map[string]string{v1.LabelManagedBy: v1.ManagedBy},
				Annotations: map[string]string{
					annotationProject: k.service.Project, annotationServiceName: k.service.Service,
					annotationConfig: providerconfig.IndexValue(k.config), annotationConfigUID: string(uid),
				},
			},
			Data: data,
		}
		if err := l.kube.Create(ctx, cm); err != nil {
			return err //nolint:wrapcheck // The caller does.
		}
		l.books[k] = cm
		return nil
	}
	next := have.DeepCopy()
	next.Data = data
	if err := l.kube.Patch(ctx, next, client.MergeFromWithOptions(have, client.MergeFromWithOptimisticLock{})); err != nil {
		return err //nolint:wrapcheck // The caller does.
	}
	l.books[k] = next
	return nil
}

// fill adds to the data of a ledger as long as there is room.
func (l *ledgers) fill(k ledgerKey, data, add map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(add)) {
		if _, ok := data[name]; ok {
			continue
		}
		if len(data) >= maxEntries {
			l.log.Tell("full "+k.String(), "The ledger of "+k.String()+" is full: further users are not recorded as made by this cluster, and so never deleted as orphans", nil)
			return
		}
		data[name] = add[name]
	}
}

// reload reads a ledger that somebody else changed.
func (l *ledgers) reload(ctx context.Context, k ledgerKey, uid types.UID) error {
	cm := &corev1.ConfigMap{}
	err := l.live.Get(ctx, types.NamespacedName{Namespace: l.namespace, Name: l.name(k)}, cm)
	if kerrors.IsNotFound(err) {
		delete(l.books, k)
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // The caller does.
	}
	if is, ok := l.keyOf(cm); !ok || is != k || cm.GetLabels()[v1.LabelManagedBy] != v1.ManagedBy {
		return errors.Errorf("ConfigMap %s exists and is not this ledger", cm.GetName())
	}
	if cm.GetAnnotations()[annotationConfigUID] != string(uid) {
		delete(l.books, k)
		return l.remove(ctx, cm)
	}
	l.books[k] = cm
	return nil
}

// close removes a ledger that holds nothing.
func (l *ledgers) close(ctx context.Context, k ledgerKey) error {
	cm := l.books[k]
	if cm == nil || len(cm.Data) > 0 {
		return nil
	}
	delete(l.books, k)
	return l.remove(ctx, cm)
}

// remove deletes a ledger as it was seen.
func (l *ledgers) remove(ctx context.Context, cm *corev1.ConfigMap) error {
	seen := client.Preconditions{UID: &cm.UID, ResourceVersion: &cm.ResourceVersion}
	err := client.IgnoreNotFound(l.kube.Delete(ctx, cm, seen))
	return errors.Wrapf(err, "cannot delete ledger %s", cm.GetName())
}
