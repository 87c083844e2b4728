// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// Clients returns the Aiven client for a token.
type Clients interface {
	Connect(ctx context.Context, a providerconfig.Access) (*aiven.Client, error)
	ConnectForDeletion(ctx context.Context, a providerconfig.Access) (*aiven.Client, error)
}

// Grants know what a managed resource may have.
type Grants interface {
	// Allow returns what is granted, or why the user is refused.
	Allow(ctx context.Context, a providerconfig.Access, u providerconfig.Use) (providerconfig.Granted, error)
}

// Names know whose usernames are.
type Names interface {
	// Check fails when a pattern of usernames is not the owner's.
	Check(ctx context.Context, owner types.NamespacedName, pattern string) error
}

// A Tracker records which configuration a managed resource uses.
type Tracker interface {
	Track(ctx context.Context, mg resource.ModernManaged) error
}

type connector[T ServiceUser] struct {
	kind     Kind[T]
	access   Access[T]
	clients  Clients
	grants   Grants
	names    Names
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
	if mg.GetProviderConfigReference() == nil {
		mg.SetConditions(notReady(mg, providerconfig.ErrNoConfig))
		return nil, errors.New("cannot connect: spec.providerConfigRef is not set")
	}
	if meta.WasDeleted(mg) && !earned(mg) && !c.attempts.created(mg) {
		return nothing[T]{}, nil
	}
	e, err := c.connect(ctx, mg)
	if err != nil {
		mg.SetConditions(notReady(mg, err))
		return nil, err
	}
	return e, nil
}

// connect returns the client of a managed resource that may have its user, or of
// one that is being deleted and had it.
func (c *connector[T]) connect(ctx context.Context, mg T) (*external[T], error) {
	access := providerconfig.AccessOf(mg)
	connect := c.clients.ConnectForDeletion
	var granted providerconfig.Granted
	if !meta.WasDeleted(mg) {
		connect = c.clients.Connect
		var err error
		if granted, err = c.allowed(ctx, mg, access); err != nil {
			return nil, err
		}
	}
	if err := c.track(ctx, mg); err != nil {
		return nil, err
	}
	cl, err := connect(ctx, access)
	if err != nil {
		return nil, err //nolint:wrapcheck // It says what cannot be got, and the reconciler that connecting failed.
	}
	return &external[T]{
		kind: c.kind, access: c.access, aiven: cl, cache: c.cache, marks: c.marks, refusals: c.refusals, attempts: c.attempts,
		granted: granted, via: access.String(),
	}, nil
}

// allowed tells whether the managed resource may have its user, and what comes
// with it.
func (c *connector[T]) allowed(ctx context.Context, mg T, a providerconfig.Access) (providerconfig.Granted, error) {
	p := mg.GetServiceUserParameters()
	use := providerconfig.Use{
		Namespace: mg.GetNamespace(), Type: c.kind.ServiceType, Project: p.Project, Service: p.ServiceName,
		Application: v1.ApplicationOf(mg), Resource: mg.GetName(), Username: meta.GetExternalName(mg),
		Exists: providerconfig.HasUser(mg), Inherits: inherits(mg),
	}
	if c.kind.Resources != nil {
		use.Topics, use.Subjects = c.kind.Resources(mg)
	}
	var err error
	if use.Rotates, err = c.replaces(ctx, mg); err != nil {
		return providerconfig.Granted{}, err
	}
	granted, err := c.grants.Allow(ctx, a, use)
	if err != nil {
		return granted, err //nolint:wrapcheck // It says what is refused.
	}
	return granted, c.names.Check(ctx, namesakes.OwnerOf(mg), username.PrefixOf(use.Username)) //nolint:wrapcheck // As above.
}

// replaces tells whether the user is to replace another one of the same
// application on the same service, which is there: only that may use the room for rotations.
func (c *connector[T]) replaces(ctx context.Context, mg T) (bool, error) {
	pattern := username.PrefixOf(meta.GetExternalName(mg))
	if !rotates(mg) || pattern == "" {
		return false, nil
	}
	others, err := c.kind.others(ctx, c.cache, mg, client.InNamespace(mg.GetNamespace()), client.MatchingFields{namesakes.IndexField: pattern})
	return slices.ContainsFunc(others, func(o T) bool {
		return providerconfig.UserOf(o).ServiceRef == providerconfig.UserOf(mg).ServiceRef && hasUserFor(mg, o)
	}), err
}

// rotates tells whether the user replaces another one of an application.
func rotates(mg metav1.Object) bool { return v1.RevisionOf(mg) > 1 }

// earned tells whether a user is the managed resource's to delete, whatever is
// granted now: it was seen to have it, or it recorded that it was about to create one of
// a name that is made up for it.
func earned(mg ServiceUser) bool {
	return providerconfig.HasUser(mg) || pending(mg) && namesakes.IsMadeUp(mg)
}

// track records the use of the configuration. What is being deleted needs no new
// record; in a namespace that is being deleted none can be made, and to insist
// would keep the managed resource, and with it the namespace, for ever.
func (c *connector[T]) track(ctx context.Context, mg T) error {
	if meta.WasDeleted(mg) {
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

// forgets drops what is known of managed resources that are gone, however they went.
func (c *connector[T]) forgets() handler.EventHandler {
	return handler.Funcs{DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		c.tracked.Delete(e.Object.GetUID())
		c.attempts.forget(e.Object)
		c.refusals.forget(e.Object)
	}}
}
