// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"slices"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// Names know whose usernames are.
type Names interface {
	// Check fails when a pattern of usernames is not the owner's.
	Check(ctx context.Context, owner types.NamespacedName, pattern string) error
}

// allow fails when something is asked for that the application may not have, or
// that there is no room for. What it has stays as it is.
func (r *Reconciler) allow(ctx context.Context, l *life) error {
	owner := client.ObjectKeyFromObject(l.app)
	if err := r.names.Check(ctx, owner, username.Prefix(owner.Namespace, owner.Name)); err != nil {
		return err //nolint:wrapcheck // It says whose they are.
	}
	for _, s := range l.sections {
		u := providerconfig.Use{
			Namespace: l.app.GetNamespace(), Type: s.label(), Project: s.target.project, Service: s.target.service,
			Application: l.app.GetName(), Exists: l.has(s),
		}
		if k := l.app.Spec.Kafka; k != nil && s.label() == kafkaLabel {
			u.Topics, u.Subjects = resourcesOf(k)
		}
		granted, err := r.grants.Allow(ctx, l.access, u)
		if err != nil {
			return err //nolint:wrapcheck // It says what is refused.
		}
		if granted.AtMost > 0 && !u.Exists {
			if err := r.room(ctx, l, s, granted.AtMost); err != nil {
				return err
			}
		}
	}
	return nil
}

func resourcesOf(k *v1.KafkaSpec) (topics, subjects []string) {
	for _, a := range k.ACL {
		topics = append(topics, a.Topic)
	}
	for _, a := range k.SchemaRegistry {
		subjects = append(subjects, a.Subject)
	}
	return topics, subjects
}

// has tells whether there is a managed resource of the section, so that nobody
// has to make room for a new user.
func (l *life) has(s section) bool {
	for _, mg := range l.existing {
		if s.isOf(mg) && !meta.WasDeleted(mg) {
			return true
		}
	}
	return false
}

// room fails when a service has no room for another user. Those that are about to
// be made are counted when it comes to it.
func (r *Reconciler) room(ctx context.Context, l *life, s section, atMost int) error {
	c, err := r.configs.Connect(ctx, l.access)
	if err != nil {
		return err //nolint:wrapcheck // It says what cannot be got.
	}
	svc, err := c.Service(ctx, aiven.ServiceRef{Project: s.target.project, Service: s.target.service})
	if err != nil || svc.UserCount() < atMost {
		return nil //nolint:nilerr // The managed resource says what is wrong with the service.
	}
	limits := l.settings.LimitsOf(s.label())
	return reasoned(v1.ReasonQuotaExceeded, "%s: service %s of project %s has %d users of at most %d, %d of which are kept for rotations. Remove some, or have Aiven raise the limit and state it in serviceUsers.limit of %s; it goes on by itself then.",
		s.id(), s.target.service, s.target.project, svc.UserCount(), limits.Users, limits.Headroom, l.access.Config)
}

// quotaCondition says whether there is room, as far as an outcome tells. nil
// leaves the condition as it is.
func quotaCondition(l *life, o outcome) *xpv2.Condition {
	c := v1.Quota(v1.ReasonNoLimit, "")
	limited := slices.ContainsFunc(l.sections, func(s section) bool { return l.settings.LimitsOf(s.label()).Users > 0 })
	switch {
	case o.reason == v1.ReasonQuotaExceeded:
		c = v1.Quota(o.reason, o.message)
	case o.rotated != nil && o.rotated.Reason == v1.ReasonQuotaExceeded:
		c = v1.Quota(o.rotated.Reason, o.rotated.Message)
	case o.err != nil:
		return nil
	case limited:
		c = v1.Quota(v1.ReasonWithinLimit, "")
	}
	return &c
}
