// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// Clients returns the Aiven client of a configuration.
type Clients interface {
	Connect(ctx context.Context, ref providerconfig.Ref) (*aiven.Client, error)
	ConnectForDeletion(ctx context.Context, ref providerconfig.Ref) (*aiven.Client, error)
}

// A Tracker records which configuration a managed resource uses.
type Tracker interface {
	Track(ctx context.Context, mg resource.ModernManaged) error
}

type connector[T ServiceUser] struct {
	kind     Kind[T]
	clients  Clients
	usage    Tracker
	cache    client.Reader
	marks    managed.CriticalAnnotationUpdater
	refusals *refusals
	attempts *attempts
	tracked  sync.Map // use by the UID of the managed resource
}

// A use of a configuration that was recorded.
type use struct {
	ref xpv2.ProviderConfigReference
	at  time.Time
}

// trackAgain is how long a recorded use is taken for granted. The cache may not
// show it yet when a new managed resource is looked at a second time.
const trackAgain = time.Minute

// Connect returns an external client that uses the token of the managed
// resource's configuration. Clients are shared: it makes no call to Aiven.
func (c *connector[T]) Connect(ctx context.Context, mg T) (managed.TypedExternalClient[T], error) {
	ref := mg.GetProviderConfigReference()
	if ref == nil {
		mg.SetConditions(notReady(mg, providerconfig.ErrNoConfig))
		return nil, errors.New("cannot connect: spec.providerConfigRef is not set")
	}
	if err := c.track(ctx, mg); err != nil {
		mg.SetConditions(notReady(mg, err))
		return nil, err
	}
	connect := c.clients.Connect
	if meta.WasDeleted(mg) {
		connect = c.clients.ConnectForDeletion
	}
	cl, err := connect(ctx, providerconfig.RefOf(*ref, mg.GetNamespace()))
	if err != nil {
		mg.SetConditions(notReady(mg, err))
		return nil, err //nolint:wrapcheck // It says what cannot be got, and the reconciler that connecting failed.
	}
	return &external[T]{kind: c.kind, aiven: cl, cache: c.cache, marks: c.marks, refusals: c.refusals, attempts: c.attempts}, nil
}

// track records the use of the configuration. What is being deleted needs no new
// record; in a namespace that is being deleted none can be made, and to insist
// would keep the managed resource, and with it the namespace, for ever.
func (c *connector[T]) track(ctx context.Context, mg T) error {
	if meta.WasDeleted(mg) {
		c.tracked.Delete(mg.GetUID())
		return nil
	}
	ref := mg.GetProviderConfigReference()
	if u, ok := c.tracked.Load(mg.GetUID()); ok && u.(use).ref == *ref && time.Since(u.(use).at) < trackAgain { //nolint:forcetypeassert // Nothing else is stored.
		return nil
	}
	err := c.usage.Track(ctx, mg)
	if err == nil {
		c.tracked.Store(mg.GetUID(), use{ref: *ref, at: time.Now()})
	}
	if err != nil && kerrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return errors.Wrap(err, "cannot track the use of the configuration")
}
