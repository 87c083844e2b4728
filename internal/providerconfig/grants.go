// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/grants"
)

// A Use is a user of an Aiven service that somebody asks for.
type Use struct {
	// Namespace of who asks.
	Namespace string
	// Type is Aiven's code of the service, which is Service of Project.
	Type, Project, Service string
	// Topics and Subjects that access is asked to.
	Topics, Subjects []string

	// Username at Aiven. Empty while the provider has yet to make one up, of the
	// names of the Application, or of the managed Resource when it has none.
	Username, Application, Resource string

	// Exists: the user is there already. Rotates: it replaces another one.
	Exists, Rotates bool
	// Inherits: it was made before by others, and may have any name. Whoever sees
	// the user checks the claim.
	Inherits bool
}

// Limits says how many users a service may have.
type Limits struct {
	// Users that Aiven allows, and how many of these are kept for rotations. 0
	// Users: it is not known.
	Users, Headroom int
}

// ForNew returns how many users the service may have with one of a new
// application, 0 for any number.
func (l Limits) ForNew() int { return max(l.Users-l.Headroom, 0) }

// LimitsOf returns the limits of a type of service. Aiven: Kafka and OpenSearch
// have one, others have none.
func (s Settings) LimitsOf(serviceType string) Limits {
	if s.ServiceUsers == nil || serviceType != grants.Kafka && serviceType != grants.OpenSearch {
		return Limits{}
	}
	return Limits{Users: int(s.ServiceUsers.Limit), Headroom: int(s.ServiceUsers.Headroom)}
}

// A Granted says what comes with a user that is granted.
type Granted struct {
	// AtMost is how many users the service may have with it, 0 for any number.
	AtMost int
	// Imports tells whether it may be one that exists already: with a token of
	// one's own, and where the configuration says so.
	Imports bool
}

// Grants know what a configuration lets a namespace do.
type Grants struct {
	// Resolver resolves configurations, and finds the Kafka services of pools.
	Resolver *Resolver
	// Namespaces know the namespaces.
	Namespaces *Namespaces
	// Instances look for the objects of instances that a configuration requires.
	Instances *Instances
	// Holder returns the namespace that has users on a service already, empty when
	// none has.
	Holder func(ctx context.Context, u Use) (string, error)
}

// Allow returns what is granted to the one that asks. grants.ErrRefused: the
// configuration does not grant the user. ErrInstanceNotReady: the instance that it requires is
// not there. What a token of one's own may do is for Aiven to say.
func (g *Grants) Allow(ctx context.Context, a Access, u Use) (Granted, error) {
	s, err := g.Resolver.Settings(ctx, a.Config)
	if a.IsOwn() && errors.Is(err, ErrNoConfig) {
		return Granted{Imports: true}, nil
	}
	if err != nil {
		return Granted{}, err
	}
	limits := s.LimitsOf(u.Type)
	out := Granted{AtMost: limits.ForNew(), Imports: !a.IsCentral() || s.Usernames == v1alpha1.UsernamesAny}
	if u.Rotates {
		out.AtMost = limits.Users
	}
	if a.IsOwn() {
		return out, nil
	}
	if err := g.check(ctx, a, s, u); err != nil {
		return Granted{}, err
	}
	if s.RequireInstance && !u.Exists {
		return out, g.Instances.Ready(ctx, u)
	}
	return out, nil
}

func (g *Grants) check(ctx context.Context, a Access, s Settings, u Use) error {
	r := grants.Rules{
		Config: s.Ref.String(), Cluster: a.IsCentral(),
		ServiceSettings: s.ServiceSettings, AllowedNamespaces: s.AllowedNamespaces, Usernames: s.Usernames,
	}
	if s.AllowedNamespaces != nil {
		labels, err := g.Namespaces.Labels(ctx, u.Namespace)
		if err != nil {
			return err
		}
		if err := r.Namespace(u.Namespace, labels); err != nil {
			return err //nolint:wrapcheck // It says what is refused.
		}
	}
	if u.Username != "" && !u.Inherits {
		if err := r.Username(grants.User{Namespace: u.Namespace, Application: u.Application, Resource: u.Resource, Username: u.Username}); err != nil {
			return err //nolint:wrapcheck // As above.
		}
	}
	var err error
	if r.KafkaPools, err = g.pools(ctx, a, s, u); err != nil {
		return err
	}
	t := grants.Target{Namespace: u.Namespace, Type: u.Type, Project: u.Project, Service: u.Service}
	c, err := g.cluster(ctx, r, u)
	if err != nil {
		return err
	}
	if err := r.Service(t, c); err != nil {
		return err //nolint:wrapcheck // As above.
	}
	if len(u.Topics)+len(u.Subjects) == 0 {
		return nil
	}
	return r.Topics(t, u.Topics, u.Subjects, c) //nolint:wrapcheck // As above.
}

// pools returns the Kafka pools with the services that they are. Those of other
// projects than the one that is asked for do not matter.
func (g *Grants) pools(ctx context.Context, a Access, s Settings, u Use) ([]v1alpha1.KafkaPool, error) {
	out := slices.Clone(s.KafkaPools)
	for i := range out {
		p := &out[i]
		if p.ServiceName != "" || p.GetProject() != u.Project || u.Type != grants.Kafka {
			continue
		}
		c, err := g.Resolver.Connect(ctx, a)
		if err != nil {
			return nil, err
		}
		if p.ServiceName, err = c.KafkaService(ctx, u.Project); err != nil {
			return nil, errors.Wrapf(err, "cannot find the Kafka service of pool %s", p.Name)
		}
	}
	return out, nil
}

// cluster returns what has to be known of others, as far as the rules look at it.
func (g *Grants) cluster(ctx context.Context, r grants.Rules, u Use) (grants.Cluster, error) {
	var c grants.Cluster
	owned := r.OwnsServices(u.Type)
	if !owned && len(u.Topics)+len(u.Subjects) == 0 {
		return c, nil
	}
	var err error
	if c.Namespaces, err = g.Namespaces.Names(ctx); err != nil || !owned {
		return c, err
	}
	c.Holder, err = g.Holder(ctx, u)
	return c, err
}
