// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"time"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

// rulesPatience is how long Create waits for access rules to be written, which
// at rest takes two calls. It saves a status that says no more than "soon".
const rulesPatience = 200 * time.Millisecond

// maxRefusals is how often Aiven is asked to take out rules that it refuses to.
const maxRefusals = 3

// An AccessState is what is known of what a user may do.
type AccessState struct {
	// UpToDate: the user may do what is asked for, or will when Pending ends.
	UpToDate bool
	// Pending: a change is being written; an event follows when it is.
	Pending bool
	// Note tells a person something about the access that is not an error.
	Note string
}

// Access is how users of a service are granted what they may do.
type Access[T ServiceUser] interface {
	// Initial returns the access control to send when the user is created, which
	// is then all that is needed. The zero value sends none.
	Initial(mg T) aiven.AccessControl
	// Observe tells whether the user may do what is asked for.
	Observe(ctx context.Context, c *aiven.Client, mg T, u observedUser) (AccessState, error)
	// Ensure grants what is asked for, or begins to.
	Ensure(ctx context.Context, c *aiven.Client, mg T, r aiven.UserRef) error
	// Revoke removes what Ensure granted and the user's end does not remove, or
	// begins to.
	Revoke(ctx context.Context, c *aiven.Client, mg T, r aiven.UserRef) error
	// Revoked tells whether nothing is left to revoke.
	Revoked(ctx context.Context, c *aiven.Client, mg T, r aiven.UserRef) (bool, error)
}

type observedUser struct {
	ref  aiven.UserRef
	user aiven.User
}

// userAccess is for services whose users carry their access control.
type userAccess[T ServiceUser] struct {
	control func(mg T) aiven.AccessControl
}

func (a userAccess[T]) Initial(mg T) aiven.AccessControl { return a.control(mg) }

func (a userAccess[T]) Observe(_ context.Context, _ *aiven.Client, mg T, u observedUser) (AccessState, error) {
	want := a.control(mg)
	if want.IsZero() {
		// Nothing is asked for: what Aiven made of it is right.
		return AccessState{UpToDate: true}, nil
	}
	return AccessState{UpToDate: want.Equal(u.user.AccessControl)}, nil
}

func (a userAccess[T]) Ensure(ctx context.Context, c *aiven.Client, mg T, r aiven.UserRef) error {
	want := a.control(mg)
	if want.IsZero() {
		return nil
	}
	return c.SetAccessControl(ctx, r, want) //nolint:wrapcheck // The caller does.
}

func (userAccess[T]) Revoke(context.Context, *aiven.Client, T, aiven.UserRef) error { return nil }

func (userAccess[T]) Revoked(context.Context, *aiven.Client, T, aiven.UserRef) (bool, error) {
	return true, nil
}

// ruleAccess is for services with one access control list for all users. They
// are written by the client's one writer for the service, in the background.
type ruleAccess[T ServiceUser] struct {
	rules func(mg T) []aiven.Rule
}

func (ruleAccess[T]) Initial(T) aiven.AccessControl { return aiven.AccessControl{} }

func (a ruleAccess[T]) Observe(ctx context.Context, c *aiven.Client, mg T, u observedUser) (AccessState, error) {
	want := a.rules(mg)
	if len(want) == 0 {
		return AccessState{UpToDate: true}, nil
	}
	s, err := c.Rules(ctx, u.ref)
	if err != nil {
		return AccessState{}, errors.Wrap(err, "cannot get access rules")
	}
	if s.Err != nil {
		return AccessState{}, errors.Wrap(s.Err, "cannot write access rules")
	}
	if s.Pending {
		return AccessState{UpToDate: true, Pending: true}, nil
	}
	if !s.Known {
		// Changes for other users go first; the next poll knows.
		return AccessState{UpToDate: true}, nil
	}
	st := AccessState{UpToDate: aiven.EqualRules(want, s.Rules)}
	if !s.Enabled {
		st.Note = "Access control is disabled on this service: every user of it may do everything. Enable it at Aiven for the rules to have an effect."
	}
	return st, nil
}

func (a ruleAccess[T]) Ensure(ctx context.Context, c *aiven.Client, mg T, r aiven.UserRef) error {
	want := a.rules(mg)
	if len(want) == 0 {
		return nil
	}
	c.SubmitRules(ctx, r, want)
	wait, cancel := context.WithTimeout(ctx, rulesPatience)
	defer cancel()
	// Not being done yet is no error: Observe tells, and an event follows.
	_ = c.WaitRules(wait, r)
	return nil
}

func (a ruleAccess[T]) Revoke(ctx context.Context, c *aiven.Client, mg T, r aiven.UserRef) error {
	done, err := a.Revoked(ctx, c, mg, r)
	if err != nil || done {
		return err
	}
	c.SubmitRules(ctx, r, nil)
	return nil
}

func (a ruleAccess[T]) Revoked(ctx context.Context, c *aiven.Client, mg T, r aiven.UserRef) (bool, error) {
	if len(a.rules(mg)) == 0 {
		return true, nil
	}
	s, err := c.Rules(ctx, r)
	if err != nil {
		return false, errors.Wrap(err, "cannot get access rules")
	}
	switch {
	case errors.Is(s.Err, aiven.ErrACLUnmanageable), errors.Is(s.Err, aiven.ErrInvalid) && s.Refusals >= maxRefusals:
		// Aiven will not take the row out, however often it is asked. It names a
		// user that does not exist.
		return true, nil
	case errors.Is(s.Err, aiven.ErrInvalid), errors.Is(s.Err, aiven.ErrServiceNotFound):
		c.SubmitRules(ctx, r, nil)
		return false, nil
	}
	return s.Known && !s.Pending && len(s.Rules) == 0, nil
}
