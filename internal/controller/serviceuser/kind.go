// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"net"
	"strconv"

	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// A ServiceUser is what the managed resources of all services have in common.
type ServiceUser interface {
	resource.ModernManaged

	// GetAuthSecretRef returns the token that the managed resource brings, nil for
	// none.
	GetAuthSecretRef() *xpv2.LocalSecretKeySelector
	// GetServiceUserParameters returns the service that the user belongs to.
	GetServiceUserParameters() v1alpha1.ServiceUserParameters
	// GetServiceUserObservation returns what is known of the user.
	GetServiceUserObservation() v1alpha1.ServiceUserObservation
	// SetServiceUserObservation replaces what is known of the user.
	SetServiceUserObservation(o v1alpha1.ServiceUserObservation)
}

// A Kind is what differs between the services whose users we manage. The
// generic external client holds everything else.
type Kind[T ServiceUser] struct {
	// GVK of the managed resource.
	GVK schema.GroupVersionKind
	// New returns an empty managed resource, NewList an empty list of them.
	New     func() T
	NewList func() resource.ManagedList
	// ServiceType is Aiven's code of the service, and Service says which
	// connection details a user of it must have before it is ready.
	ServiceType string
	Service     connection.Service
	// Resources returns the topics and the subjects of the schema registry that
	// access is asked to. nil: the service has none.
	Resources func(mg T) (topics, subjects []string)
	// NewAccess returns what grants and revokes what the user may do. It may keep
	// records with the client.
	NewAccess func(kube client.Client) Access[T]
	// Details returns the connection details that come from the service and the
	// user. Those that every service has are added to them. It must be pure.
	Details func(s *aiven.Service, u aiven.User) connection.Details
}

// List returns an empty list of this kind.
func (k Kind[T]) List() client.ObjectList { return k.NewList() }

// Type returns Aiven's code of the service.
func (k Kind[T]) Type() string { return k.ServiceType }

// Object returns an empty managed resource of this kind.
func (k Kind[T]) Object() client.Object { return k.New() }

// others returns the managed resources that options select, but the one that asks.
func (k Kind[T]) others(ctx context.Context, r client.Reader, mg T, opts ...client.ListOption) ([]T, error) {
	l := k.NewList()
	if err := r.List(ctx, l, opts...); err != nil {
		return nil, errors.Wrap(err, "cannot list managed resources")
	}
	var out []T
	for _, o := range l.GetItems() {
		if other, ok := o.(T); ok && other.GetUID() != mg.GetUID() {
			out = append(out, other)
		}
	}
	return out, nil
}

// Holder returns the namespace of the oldest managed resource that was seen to
// have a user of a service, empty when there is none.
func (k Kind[T]) Holder(ctx context.Context, r client.Reader, s aiven.ServiceRef) (string, error) {
	l := k.NewList()
	// Nothing is changed, and this is asked each time that a user is looked at.
	if err := r.List(ctx, l, client.MatchingFields{indexService: serviceKey(s)}, client.UnsafeDisableDeepCopy); err != nil {
		return "", errors.Wrap(err, "cannot list managed resources of the service")
	}
	var oldest ServiceUser
	for _, o := range l.GetItems() {
		mg, ok := o.(T)
		if !ok || !providerconfig.HasUser(mg) || !providerconfig.AccessOf(mg).IsCentral() {
			continue // What was seen with a tenant's token proves nothing.
		}
		if oldest == nil || mg.GetCreationTimestamp().Time.Before(oldest.GetCreationTimestamp().Time) {
			oldest = mg
		}
	}
	if oldest == nil {
		return "", nil
	}
	return oldest.GetNamespace(), nil
}

// address adds the host, port and URI of a component under the supplied keys,
// of which empty ones are left out. It adds nothing when the service has no such
// component.
func address(d connection.Details, s *aiven.Service, q componentQuery, k addressKeys) {
	c, ok := s.Component(q.name, q.usage, q.auth)
	if !ok {
		return
	}
	port := strconv.Itoa(c.Port)
	for key, value := range map[string]string{k.uri: q.scheme + net.JoinHostPort(c.Host, port), k.host: c.Host, k.port: port} {
		if key != "" {
			d[key] = []byte(value)
		}
	}
}

type componentQuery struct{ name, usage, auth, scheme string }

type addressKeys struct{ uri, host, port string }

// primary are the keys of the address that every service has.
var primary = addressKeys{uri: connection.KeyURI, host: connection.KeyEndpoint, port: connection.KeyPort}
