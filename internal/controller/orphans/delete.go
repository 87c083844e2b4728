// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/grants"
)

// rulesPatience is how long the removal of access rules may take.
const rulesPatience = time.Minute

// delete deletes what was decided to delete, after a last look past the cache at
// who claims what. The findings no longer list what is gone.
func (s *Sweeper) delete(ctx context.Context, found []*finding) {
	if !slices.ContainsFunc(found, func(f *finding) bool { return len(f.Delete) > 0 }) {
		return
	}
	claimed, err := s.liveNames(ctx)
	if err != nil {
		s.log.Tell("live", "Cannot make sure that nothing claims orphaned users, so none is deleted", err)
		return
	}
	s.log.Passed("live")
	for _, f := range found {
		f.Proven = slices.DeleteFunc(f.Proven, func(name string) bool { return claimed[name] })
		f.Delete = slices.DeleteFunc(f.Delete, func(name string) bool { return claimed[name] })
		if len(f.Delete) == 0 {
			continue
		}
		done, err := f.deleteUsers(ctx)
		if err != nil {
			s.log.Tell("delete "+f.key.String(), "Cannot delete orphaned users", err)
		} else {
			s.log.Passed("delete " + f.key.String())
		}
		if len(done) == 0 {
			continue
		}
		f.Proven = slices.DeleteFunc(f.Proven, func(name string) bool { return slices.Contains(done, name) })
		for range done {
			s.Metrics.OrphanDeleted(f.key.service.Project, f.key.service.Service)
		}
		users := f.display(done)
		s.record.Event(f.config.object, event.Normal(eventDeleted, fmt.Sprintf("Deleted %s at Aiven that this cluster made and that %s claimed by no managed resource: %s", count(users), are(users), names(users))))
	}
}

// deleteUsers deletes the users that it can, and returns these. Access rules go
// before their users: of a user that is gone nobody would know that it left some.
//
// Entries in the ACLs of Kafka and its schema registry stay. They are for patterns of
// usernames, which the users of an application share that are left; and which of them the provider
// wrote was on record in managed resources that are gone, so that they cannot be told from
// those that somebody else wrote.
func (f *finding) deleteUsers(ctx context.Context) (done []string, err error) {
	users := f.Delete
	if f.service.Type == grants.OpenSearch {
		users, err = f.removeRules(ctx)
	}
	for _, name := range users {
		if failure := f.client.DeleteUser(ctx, f.key.user(name)); failure != nil {
			err = failure
			continue
		}
		done = append(done, name)
	}
	return done, errors.Wrap(err, "cannot delete user")
}

// removeRules removes the access rules of the users to be deleted, together, and
// returns those that have none any more.
func (f *finding) removeRules(ctx context.Context) (users []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, rulesPatience)
	defer cancel()
	for _, name := range f.Delete {
		f.client.SubmitRules(ctx, f.key.user(name), nil)
	}
	for _, name := range f.Delete {
		failure := f.client.WaitRules(ctx, f.key.user(name))
		// Rules that Aiven will not take out have no effect.
		if failure != nil && !errors.Is(failure, aiven.ErrACLUnmanageable) && !errors.Is(failure, aiven.ErrInvalid) {
			err = failure
			continue
		}
		users = append(users, name)
	}
	return users, errors.Wrap(err, "cannot remove access rules")
}
