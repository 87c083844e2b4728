// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/orphans"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const (
	// maxDeletions of one sweep for one configuration. When something went so
	// wrong that many users look like orphans, whoever sees the events has time
	// to step in.
	maxDeletions = 10

	// readers is how many services are read at a time, and readTimeout how long
	// one may take.
	readers     = 8
	readTimeout = time.Minute
)

// A config is a configuration that users may be looked for with.
type config struct {
	object client.Object
	uid    types.UID
	// delete: orphans that this cluster made are deleted.
	delete bool
}

// A finding is what is known of a service during one sweep.
type finding struct {
	key     ledgerKey
	config  config
	client  *aiven.Client
	service *aiven.Service // nil: there is no such service
	err     error

	orphans.Decision
}

// Record notes which users this cluster made, as the managed resources tell. An
// entry that was lost, as when the provider was killed, comes back by that.
func (s *Sweeper) Record(ctx context.Context) error {
	configs, err := s.configs(ctx)
	if err != nil {
		return err
	}
	if s.ledgers.books == nil && !s.ledgers.off {
		if err := s.ledgers.load(ctx, configs); err != nil {
			return err
		}
	}
	c, err := s.claims(ctx)
	if err != nil {
		return err
	}
	s.note(ctx, configs, c)
	return nil
}

// Sweep looks for orphaned users once, on all services of all configurations,
// reports them and deletes what may be deleted.
func (s *Sweeper) Sweep(ctx context.Context) error {
	configs, err := s.configs(ctx)
	if err != nil {
		return err
	}
	if err := s.ledgers.load(ctx, configs); err != nil {
		return err
	}
	claimed, err := s.claims(ctx)
	if err != nil {
		return err
	}
	noted := s.note(ctx, configs, claimed)
	found := s.look(ctx, configs, claimed)
	// Users that came since have claims that came since.
	since, err := s.claims(ctx)
	if err != nil {
		return err
	}
	claimed.merge(since)

	s.decide(found, claimed, noted)
	s.delete(ctx, found)
	s.tidy(ctx, found, claimed)
	s.report(found)
	s.measure(found)
	return nil
}

// configs lists all configurations, from the cache.
func (s *Sweeper) configs(ctx context.Context) (map[providerconfig.Ref]config, error) {
	out := make(map[providerconfig.Ref]config)
	cluster := &v1alpha1.ClusterProviderConfigList{}
	if err := s.kube.List(ctx, cluster); err != nil {
		return nil, errors.Wrap(err, "cannot list ClusterProviderConfigs")
	}
	for i := range cluster.Items {
		pc := &cluster.Items[i]
		ref := providerconfig.Ref{Kind: v1alpha1.ClusterProviderConfigKind, Name: pc.GetName()}
		out[ref] = config{object: pc, uid: pc.GetUID(), delete: pc.Spec.Orphans == v1alpha1.OrphansDelete}
	}
	local := &v1alpha1.ProviderConfigList{}
	if err := s.kube.List(ctx, local); err != nil {
		return nil, errors.Wrap(err, "cannot list ProviderConfigs")
	}
	for i := range local.Items {
		pc := &local.Items[i]
		// Its writer is a tenant, who shares services with others.
		out[providerconfig.Ref{Kind: v1alpha1.ProviderConfigKind, Namespace: pc.GetNamespace(), Name: pc.GetName()}] = config{object: pc, uid: pc.GetUID()}
	}
	return out, nil
}

// note brings the ledgers up to date, and tells whether they are.
func (s *Sweeper) note(ctx context.Context, configs map[providerconfig.Ref]config, c claims) bool {
	gone := s.spared.all()
	kept := maps.Clone(gone)
	maps.Copy(kept, c.spared)
	home := make(map[aiven.UserRef]bool)
	keys := make(map[ledgerKey]bool)
	for k, made := range c.made {
		keys[k] = true
		for name := range made {
			home[k.user(name)] = true
		}
	}
	for k := range s.ledgers.books {
		keys[k] = true
	}
	var failure error
	for _, k := range slices.SortedFunc(maps.Keys(keys), compareKeys) {
		cfg, ok := configs[k.config]
		if !ok {
			continue
		}
		add := maps.Clone(c.made[k])
		maps.DeleteFunc(add, func(name, _ string) bool { return kept[k.user(name)] })
		var remove []string
		for name := range s.ledgers.made(k) {
			// One that moved to another configuration is recorded there.
			if _, here := c.made[k][name]; kept[k.user(name)] || !here && home[k.user(name)] {
				remove = append(remove, name)
			}
		}
		if err := s.ledgers.change(ctx, k, cfg.uid, add, remove); err != nil {
			failure = err
		}
	}
	if failure != nil {
		s.log.Tell("write", "Cannot record which users this cluster made: as long as this lasts, no orphaned user is deleted", failure)
		return false
	}
	s.log.Passed("write")
	s.spared.done(gone)
	return true
}

// look reads all services that are, or were, used through a configuration. A
// service that is polled anyway costs no call.
func (s *Sweeper) look(ctx context.Context, configs map[providerconfig.Ref]config, c claims) []*finding {
	keys := maps.Clone(c.services)
	for k := range s.ledgers.books {
		keys[k] = true
	}
	var out []*finding
	var g errgroup.Group
	g.SetLimit(readers)
	for _, k := range slices.SortedFunc(maps.Keys(keys), compareKeys) {
		cfg, ok := configs[k.config]
		if !ok {
			continue
		}
		f := &finding{key: k, config: cfg}
		out = append(out, f)
		g.Go(func() error {
			f.read(ctx, s.Configs)
			return nil
		})
	}
	_ = g.Wait()
	return out
}

func (f *finding) read(ctx context.Context, configs Configurations) {
	ctx, cancel := context.WithTimeout(aiven.WithUrgency(ctx, aiven.Urgency{Class: aiven.ClassBackground}), readTimeout)
	defer cancel()
	if f.client, f.err = configs.Connect(ctx, providerconfig.Access{Config: f.key.config}); f.err != nil {
		return
	}
	if f.service, f.err = f.client.Service(ctx, f.key.service); errors.Is(f.err, aiven.ErrServiceNotFound) {
		f.service, f.err = nil, nil
	}
}

func (f *finding) users() iter.Seq[orphans.User] {
	return func(yield func(orphans.User) bool) {
		if f.service == nil {
			return
		}
		for u := range f.service.Users() {
			if !yield(orphans.User{Name: u.Username, BuiltIn: u.Type == aiven.TypePrimary}) {
				return
			}
		}
	}
}

// decide decides what to do about each service that could be read.
func (s *Sweeper) decide(found []*finding, c claims, noted bool) {
	before := make(map[ledgerKey]map[string]bool, len(found))
	left := make(map[providerconfig.Ref]int)
	for _, f := range found {
		if f.err != nil {
			continue
		}
		ref := f.key.config
		if _, ok := left[ref]; !ok {
			left[ref] = maxDeletions
		}
		f.Decision = orphans.Decide(orphans.Input{
			Users:   f.users(),
			Claimed: func(name string) bool { return c.users[f.key.user(name)] },
			Made:    s.ledgers.made(f.key), Before: s.before[f.key],
			Delete: f.config.delete && noted, Limit: left[ref],
		})
		left[ref] -= len(f.Delete)
		before[f.key] = f.Orphans()
	}
	s.before = before
}

// tidy forgets users that are gone, and ledgers that hold nothing and belong to
// a service that nothing uses.
func (s *Sweeper) tidy(ctx context.Context, found []*finding, c claims) {
	for _, f := range found {
		if f.err != nil {
			continue
		}
		err := s.ledgers.change(ctx, f.key, f.config.uid, nil, f.Forget)
		if err == nil && !c.services[f.key] {
			err = s.ledgers.close(ctx, f.key)
		}
		if err != nil {
			s.log.Tell("tidy", "Cannot forget users that are gone", err)
		}
	}
}
