// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"strconv"
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
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	// Allow returns how many users the service may have with the new one, 0 for
	// any number, or why the user is refused.
	Allow(ctx context.Context, a providerconfig.Access, u providerconfig.Use) (atMost int, err error)
	// Imports tells whether users may be imported that exist already.
	Imports(ctx context.Context, a providerconfig.Access) (bool, error)
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
	access := providerconfig.AccessOf(mg)
	var atMost int
	var imports bool
	if meta.WasDeleted(mg) {
		if !earned(mg) && !c.attempts.unsettled(mg) {
			return nothing[T]{}, nil
		}
		imports = providerconfig.HasUser(mg)
	} else {
		var err error
		if atMost, err = c.allowed(ctx, mg, access); err == nil {
			imports, err = c.grants.Imports(ctx, access)
		}
		if err != nil {
			mg.SetConditions(notReady(mg, err))
			return nil, err
		}
	}
	if err := c.track(ctx, mg); err != nil {
		mg.SetConditions(notReady(mg, err))
		return nil, err
	}
	connect := c.clients.Connect
	if meta.WasDeleted(mg) {
		connect = c.clients.ConnectForDeletion
	}
	cl, err := connect(ctx, access)
	if err != nil {
		mg.SetConditions(notReady(mg, err))
		return nil, err //nolint:wrapcheck // It says what cannot be got, and the reconciler that connecting failed.
	}
	return &external[T]{
		kind: c.kind, access: c.access, aiven: cl, cache: c.cache, marks: c.marks, refusals: c.refusals, attempts: c.attempts, atMost: atMost,
		via: access.String(), imports: imports,
	}, nil
}

// allowed tells whether the managed resource may have its user, and how many users
// its service may have with it.
func (c *connector[T]) allowed(ctx context.Context, mg T, a providerconfig.Access) (int, error) {
	p := mg.GetServiceUserParameters()
	use := providerconfig.Use{
		Namespace: mg.GetNamespace(), Type: c.kind.ServiceType, Project: p.Project, Service: p.ServiceName,
		Application: v1.ApplicationOf(mg), Resource: mg.GetName(), Username: meta.GetExternalName(mg),
		Exists: providerconfig.HasUser(mg),
	}
	if c.kind.Resources != nil {
		use.Topics, use.Subjects = c.kind.Resources(mg)
	}
	var err error
	if use.Rotates, err = c.replaces(ctx, mg); err != nil {
		return 0, err
	}
	atMost, err := c.grants.Allow(ctx, a, use)
	if err != nil {
		return 0, err //nolint:wrapcheck // It says what is refused.
	}
	return atMost, c.names.Check(ctx, namesakes.OwnerOf(mg), username.PrefixOf(use.Username)) //nolint:wrapcheck // As above.
}

// replaces tells whether the user is to replace another one of the same
// application on the same service, which is there: only that may use the room for rotations.
func (c *connector[T]) replaces(ctx context.Context, mg T) (bool, error) {
	pattern := username.PrefixOf(meta.GetExternalName(mg))
	if !rotates(mg) || pattern == "" {
		return false, nil
	}
	l := c.kind.NewList()
	if err := c.cache.List(ctx, l, client.InNamespace(mg.GetNamespace()), client.MatchingFields{namesakes.IndexField: pattern}); err != nil {
		return false, errors.Wrap(err, "cannot list managed resources of the application")
	}
	for _, o := range l.GetItems() {
		other, ok := o.(T)
		if ok && other.GetUID() != mg.GetUID() && userRef(other).ServiceRef == userRef(mg).ServiceRef && providerconfig.HasUser(other) {
			return true, nil
		}
	}
	return false, nil
}

// rotates tells whether the user replaces another one of an application.
func rotates(mg metav1.Object) bool {
	n, err := strconv.Atoi(mg.GetAnnotations()[v1.AnnotationRevision])
	return err == nil && n > 1
}

// earned tells whether a user is the managed resource's to delete, whatever is
// granted now: it was seen to have it, or it recorded that it was about to create one of
// a name that is made up for it.
func earned(mg ServiceUser) bool {
	name, owner := meta.GetExternalName(mg), namesakes.OwnerOf(mg)
	return providerconfig.HasUser(mg) || pending(mg) && username.PrefixOf(name) == username.Prefix(owner.Namespace, owner.Name)
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
