// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// pageSize of live lists.
const pageSize = 500

// A serviceUser is a managed resource.
type serviceUser interface {
	resource.ModernManaged

	GetServiceUserParameters() v1alpha1.ServiceUserParameters
	GetServiceUserObservation() v1alpha1.ServiceUserObservation
	GetAuthSecretRef() *xpv2.LocalSecretKeySelector
}

// claims are what the managed resources say about users. Those that are being
// deleted, and those that a person imported, claim their users like others.
type claims struct {
	// users that are claimed.
	users map[aiven.UserRef]bool
	// services that are used through each configuration.
	services map[ledgerKey]bool
	// made are the users that this cluster made, and when their managed resources
	// were made.
	made map[ledgerKey]map[string]string
	// spared are users that would not be deleted with the managed resources that they
	// are of.
	spared map[aiven.UserRef]bool
}

// claims lists all managed resources, from the cache.
func (s *Sweeper) claims(ctx context.Context) (claims, error) {
	c := claims{
		users: make(map[aiven.UserRef]bool), services: make(map[ledgerKey]bool),
		made: make(map[ledgerKey]map[string]string), spared: make(map[aiven.UserRef]bool),
	}
	for _, empty := range s.Lists {
		l := empty.DeepCopyObject().(client.ObjectList) //nolint:forcetypeassert // A copy of one.
		// Nothing is changed, and copying thousands of objects every minute is not free.
		if err := s.kube.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
			return claims{}, errors.Wrap(err, "cannot list managed resources")
		}
		err := apimeta.EachListItem(l, func(o runtime.Object) error {
			mg, ok := o.(serviceUser)
			if !ok {
				return errors.Errorf("%T is no managed resource", o)
			}
			c.add(mg)
			return nil
		})
		if err != nil {
			return claims{}, errors.Wrap(err, "cannot list managed resources")
		}
	}
	return c, nil
}

func (c *claims) add(mg serviceUser) {
	u := providerconfig.UserOf(mg)
	// The token of a configuration may not reach the services of one that the
	// managed resource brings.
	if ref := mg.GetProviderConfigReference(); ref != nil && mg.GetAuthSecretRef() == nil {
		k := ledgerKey{config: providerconfig.RefOf(*ref, mg.GetNamespace()), service: u.ServiceRef}
		c.services[k] = true
		if ours(mg) {
			if c.made[k] == nil {
				c.made[k] = make(map[string]string)
			}
			c.made[k][u.Username] = mg.GetCreationTimestamp().UTC().Format(time.RFC3339)
		}
	}
	if u.Username == "" {
		return
	}
	c.users[u] = true
	if spares(mg) {
		c.spared[u] = true
	}
}

// merge adds who claims users, seen at another time.
func (c *claims) merge(o claims) {
	maps.Copy(c.users, o.users)
	maps.Copy(c.services, o.services)
}

// ours tells whether the managed resource has a user that was made for it: one
// of a generated name that it was seen to have.
func ours(mg serviceUser) bool {
	u, o, a := meta.GetExternalName(mg), mg.GetServiceUserObservation(), mg.GetAnnotations()
	return username.IsGenerated(u) && a[v1.AnnotationGeneratedUsername] == u && a[v1.AnnotationUsernameTaken] != u &&
		o.Username == u && o.Type != aiven.TypePrimary
}

// spares tells whether the managed resource has a user that is to stay when it
// goes. Anybody can name a user, and with a token of one's own anybody can have it seen: only
// a name that is made up for the managed resource makes the user its own then.
func spares(mg serviceUser) bool {
	has := providerconfig.HasUser(mg) && providerconfig.AccessOf(mg).IsCentral()
	return !deletes(mg) && (has || namesakes.IsMadeUp(mg))
}

// deletes tells whether the user is to go when the managed resource goes.
func deletes(mg resource.Managed) bool {
	p := mg.GetManagementPolicies()
	return slices.Contains(p, xpv2.ManagementActionAll) || slices.Contains(p, xpv2.ManagementActionDelete)
}

// liveNames returns the external names of all managed resources, from the API
// server. A name counts whatever service it is on: this is the last look before
// a deletion.
func (s *Sweeper) liveNames(ctx context.Context) (map[string]bool, error) {
	namespaces := s.WatchNamespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	out := make(map[string]bool)
	for _, l := range s.Lists {
		gvk, err := apiutil.GVKForObject(l, s.kube.Scheme())
		if err != nil {
			return nil, errors.Wrap(err, "cannot list managed resources")
		}
		for _, n := range namespaces {
			if err := s.addLiveNames(ctx, gvk, n, out); err != nil {
				return nil, errors.Wrap(err, "cannot list managed resources")
			}
		}
	}
	return out, nil
}

func (s *Sweeper) addLiveNames(ctx context.Context, gvk schema.GroupVersionKind, namespace string, out map[string]bool) error {
	page := &metav1.PartialObjectMetadataList{}
	for first := true; first || page.GetContinue() != ""; first = false {
		next := page.GetContinue()
		page = &metav1.PartialObjectMetadataList{}
		page.SetGroupVersionKind(gvk)
		if err := s.live.List(ctx, page, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(next)); err != nil {
			return err
		}
		for i := range page.Items {
			out[meta.GetExternalName(&page.Items[i])] = true
		}
	}
	return nil
}

// spared collects users whose managed resources would not delete them, from
// events. Safe for concurrent use.
type spared struct {
	mu    sync.Mutex
	users map[aiven.UserRef]bool
}

func newSpared() *spared { return &spared{users: make(map[aiven.UserRef]bool)} }

// add tells whether the user is new.
func (s *spared) add(u aiven.UserRef) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	had := s.users[u]
	s.users[u] = true
	return !had
}

func (s *spared) all() map[aiven.UserRef]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.users)
}

// done forgets those that were dealt with.
func (s *spared) done(users map[aiven.UserRef]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for u := range users {
		delete(s.users, u)
	}
}
