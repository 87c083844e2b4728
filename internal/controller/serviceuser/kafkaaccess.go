// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"slices"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/pkg/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// kafkaAccess writes entries in the ACLs of a Kafka service and its schema
// registry. Entries are for patterns of usernames, which all users of an application
// share: each of its managed resources asks for the same, and the last one that
// goes takes them with it.
//
// The entry that somebody else wrote looks the same. What is ours is on record in
// the status, before it is written.
type kafkaAccess struct {
	kube client.Client
}

func (kafkaAccess) Initial(*v1alpha1.KafkaServiceUser) aiven.AccessControl {
	return aiven.AccessControl{}
}

// Observe tells whether the entries are there that are asked for, and none of ours
// beside them.
func (a kafkaAccess) Observe(ctx context.Context, c *aiven.Client, mg *v1alpha1.KafkaServiceUser, u observedUser) (AccessState, error) {
	if asksForNothing(mg) {
		return AccessState{UpToDate: true}, nil
	}
	e, err := a.entries(ctx, c, mg, u.ref)
	if err != nil {
		return AccessState{}, err
	}
	mg.Status.AtProvider.Grants = grantsOf(e.ours)
	return AccessState{UpToDate: len(e.missing())+len(e.surplus()) == 0}, nil
}

// Ensure writes what is missing and removes what is ours and not asked for.
func (a kafkaAccess) Ensure(ctx context.Context, c *aiven.Client, mg *v1alpha1.KafkaServiceUser, r aiven.UserRef) error {
	if asksForNothing(mg) {
		return nil
	}
	e, err := a.entries(ctx, c, mg, r)
	if err != nil {
		return err
	}
	missing := e.missing()
	if intended := grantsOf(e.intended(missing)); len(missing) > 0 || !slices.Equal(intended, mg.Status.AtProvider.Grants) {
		if err := a.record(ctx, mg, intended); err != nil {
			return err
		}
	}
	for i, k := range missing {
		if err := c.Congested(ctx, r); err != nil {
			return errors.Wrap(err, "cannot add ACL entry")
		}
		k, added, err := c.AddKafkaEntry(ctx, r.ServiceRef, k)
		if err != nil {
			e.refused(missing[i:], err)
			mg.Status.AtProvider.Grants = grantsOf(e.ours)
			return errors.Wrap(err, "cannot add ACL entry")
		}
		e.wrote(k, added)
		mg.Status.AtProvider.Grants = grantsOf(e.ours)
	}
	return a.remove(ctx, c, mg, &e, e.surplus())
}

// Revoke removes our entries, unless another managed resource needs them.
func (a kafkaAccess) Revoke(ctx context.Context, c *aiven.Client, mg *v1alpha1.KafkaServiceUser, r aiven.UserRef) error {
	if asksForNothing(mg) {
		return nil
	}
	e, err := a.entries(ctx, c, mg, r)
	if err != nil {
		return err
	}
	return a.remove(ctx, c, mg, &e, e.unneeded())
}

// Revoked tells whether none of our entries is left that nothing needs.
func (a kafkaAccess) Revoked(ctx context.Context, c *aiven.Client, mg *v1alpha1.KafkaServiceUser, r aiven.UserRef) (bool, error) {
	if asksForNothing(mg) {
		return true, nil
	}
	e, err := a.entries(ctx, c, mg, r)
	return err == nil && len(e.unneeded()) == 0, err
}

func (kafkaAccess) remove(ctx context.Context, c *aiven.Client, mg *v1alpha1.KafkaServiceUser, e *kafkaEntries, which []aiven.KafkaEntry) error {
	for _, k := range which {
		if err := c.DeleteKafkaEntry(ctx, providerconfig.UserOf(mg).ServiceRef, k); err != nil {
			return errors.Wrap(err, "cannot delete ACL entry")
		}
		e.ours = slices.DeleteFunc(e.ours, func(o aiven.KafkaEntry) bool { return o.ID == k.ID })
		mg.Status.AtProvider.Grants = grantsOf(e.ours)
	}
	return nil
}

// record stores what is about to be written, also when the cache says that it is
// stored: the cache may be older than what was forgotten when Aiven refused an entry.
func (a kafkaAccess) record(ctx context.Context, mg *v1alpha1.KafkaServiceUser, grants []v1alpha1.KafkaGrant) error {
	// A copy, since the answer would replace what the caller set and has not stored.
	stored := mg.DeepCopy()
	stored.Status.AtProvider.Grants = grants
	if err := a.kube.Status().Update(ctx, stored); err != nil {
		return errors.Wrap(err, "cannot record ACL entries")
	}
	mg.Status.AtProvider.Grants = grants
	mg.SetResourceVersion(stored.GetResourceVersion())
	return nil
}

// entries finds what is asked for, what there is, and what of that is ours.
func (a kafkaAccess) entries(ctx context.Context, c *aiven.Client, mg *v1alpha1.KafkaServiceUser, r aiven.UserRef) (kafkaEntries, error) {
	pattern := patternOf(mg)
	s, err := c.Service(ctx, r.ServiceRef)
	if err != nil {
		return kafkaEntries{}, errors.Wrap(err, "cannot get service")
	}
	e := kafkaEntries{have: s.KafkaEntries(pattern), want: wantedEntries(mg, pattern)}
	recorded := recordedEntries(mg, pattern)
	others, err := a.siblings(ctx, mg, r)
	if err != nil {
		return kafkaEntries{}, err
	}
	for _, o := range others {
		recorded = append(recorded, recordedEntries(o, pattern)...)
		if !meta.WasDeleted(o) {
			e.needed = append(e.needed, wantedEntries(o, pattern)...)
		}
	}
	e.recall(recorded)
	return e, nil
}

// siblings are the other managed resources whose users have the same pattern on
// the same service.
func (a kafkaAccess) siblings(ctx context.Context, mg *v1alpha1.KafkaServiceUser, r aiven.UserRef) ([]*v1alpha1.KafkaServiceUser, error) {
	sel := client.MatchingFields{indexUser: userKey(r)}
	if p := username.PrefixOf(r.Username); p != "" {
		sel = client.MatchingFields{namesakes.IndexField: p}
	}
	others, err := Kafka().others(ctx, a.kube, mg, client.InNamespace(mg.GetNamespace()), sel)
	return slices.DeleteFunc(others, func(o *v1alpha1.KafkaServiceUser) bool {
		return providerconfig.UserOf(o).ServiceRef != r.ServiceRef || patternOf(o) != patternOf(mg)
	}), err
}

// asksForNothing tells whether neither the spec nor the record names an entry,
// which is so for all who have something else that writes ACLs.
func asksForNothing(mg *v1alpha1.KafkaServiceUser) bool {
	p := mg.Spec.ForProvider
	return len(p.ACL)+len(p.SchemaRegistry)+len(mg.Status.AtProvider.Grants) == 0
}

// patternOf returns for which usernames entries are written: those of all users
// that are made up for the same application, or one that a person chose.
func patternOf(mg *v1alpha1.KafkaServiceUser) string {
	name := meta.GetExternalName(mg)
	if namesakes.IsMadeUp(mg) {
		return username.PrefixOf(name) + "*"
	}
	return name
}
