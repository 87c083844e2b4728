// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"time"

	sdk "github.com/aiven/aiven-go-client/v2"
	"github.com/pkg/errors"
)

// operationAcknowledgeRenewal has no constant in the library. Aiven: operations of a modification of a user.
const operationAcknowledgeRenewal = "acknowledge-renewal"

// quotaTTLs is how many times Options.ErrorTTL an exhausted quota is remembered.
const quotaTTLs = 3

// A quotaMemory keeps a service that is full from being asked for each user that waits.
type quotaMemory struct {
	until time.Time // zero: nothing is remembered
	count int       // users in the snapshot when it was full; -1 when there was none
}

// seen forgets the quota when a read brings another number of users.
func (q *quotaMemory) seen(count int) {
	if count != q.count {
		*q = quotaMemory{}
	}
}

// A CreateOption says more about a user that is to be created.
type CreateOption func(*createOptions)

type createOptions struct{ most int }

// WithAtMost refuses the user with ErrQuota, without a call, when the service
// has that many users already, the built-in ones and those that are just being created included. 0 means no limit.
func WithAtMost(users int) CreateOption {
	return func(o *createOptions) { o.most = users }
}

// CreateUser creates a service user and returns its credentials. It is never tried again in line; ErrUnavailable leaves
// open whether the user exists now, ErrUserExists may be the trace of an earlier attempt, and the next Service reads
// again in both cases. A zero AccessControl is not sent. When Aiven's answer lacks credentials the service is read once
// and what is known then is returned, if need be without a password. ErrQuota is remembered for a while, until a user of
// the service is deleted or the number of users changes. ErrServiceNotRunning is returned without a call when the
// service's state says so.
func (c *Client) CreateUser(ctx context.Context, ref UserRef, ac AccessControl, opts ...CreateOption) (User, error) {
	cl := userCall(opCreateUser, "create user", ref)
	if err := cl.check(); err != nil {
		return User{}, err
	}
	var o createOptions
	for _, opt := range opts {
		opt(&o)
	}
	if o.most > 0 {
		// The limit is compared with what is known of the service.
		if _, err := c.Service(ctx, ref.ServiceRef); err != nil {
			return User{}, err
		}
	}
	e := c.entry(ref.ServiceRef)
	if e.full(c.opts.Now()) {
		return User{}, cl.failed(ErrQuota, "the service has as many users as its plan allows")
	}
	if err := c.gate(ctx, e, cl); err != nil {
		return User{}, err
	}
	if !e.begin(o.most) {
		return User{}, cl.failed(ErrQuota, "the service has as many users as the configured limit allows")
	}
	defer e.end()
	req := sdk.CreateServiceUserRequest{Username: ref.Username}
	if !ac.IsZero() {
		req.AccessControl = ac.request()
	}
	created, err := do(ctx, c, cl, func(ctx context.Context) (*sdk.ServiceUser, error) {
		return c.sdk.ServiceUsers.Create(ctx, ref.Project, ref.Service, req)
	})
	if err != nil {
		return User{}, c.limited(ctx, ref, e.writeFailed(err))
	}
	u := User{Username: ref.Username, AccessControl: ac.clone()}
	if created != nil && created.Username == ref.Username {
		u = newUser(created)
	}
	e.wrote(write{kind: userCreated, user: u})
	if u.Password != "" {
		return u, nil
	}
	svc, err := c.Refresh(ctx, ref.ServiceRef)
	if err != nil {
		e.doubt()
		return u, nil // The user is there; that its password is not known is told by its absence.
	}
	if known, ok := svc.User(ref.Username); ok {
		return known, nil
	}
	return u, nil
}

// SetAccessControl replaces all four lists of a user's access control. It is never tried again in line.
func (c *Client) SetAccessControl(ctx context.Context, ref UserRef, ac AccessControl) error {
	cl := userCall(opUpdateUser, "set access control of user", ref)
	if err := cl.check(); err != nil {
		return err
	}
	e := c.entry(ref.ServiceRef)
	if err := c.gate(ctx, e, cl); err != nil {
		return err
	}
	req := sdk.ModifyServiceUserRequest{AccessControl: ac.request()}
	err := c.modifyUser(ctx, cl, ref, sdk.UpdateOperationSetAccessControl, req)
	if err != nil {
		return e.writeFailed(err)
	}
	e.wrote(write{kind: accessControlSet, user: User{Username: ref.Username, AccessControl: ac.clone()}})
	return nil
}

// AcknowledgeRenewal tells Aiven that nothing uses the certificate any more that a user had before Aiven renewed it. Aiven
// stops reminding people then; no certificate ends by it. That there is nothing to acknowledge, or no such user, is success.
// It is never tried again in line. Snapshots do not show it before the next read.
func (c *Client) AcknowledgeRenewal(ctx context.Context, ref UserRef) error {
	cl := userCall(opUpdateUser, "acknowledge certificate renewal of user", ref)
	if err := cl.check(); err != nil {
		return err
	}
	e := c.entry(ref.ServiceRef)
	if err := c.gate(ctx, e, cl); err != nil {
		return err
	}
	err := c.modifyUser(ctx, cl, ref, operationAcknowledgeRenewal, sdk.ModifyServiceUserRequest{})
	if err == nil || nothingToAcknowledge(err) {
		return nil
	}
	if err = e.writeFailed(err); errors.Is(err, ErrUserNotFound) {
		return nil
	}
	return err
}

// nothingToAcknowledge tells a conflict with the user's state from one with the service's, which has a kind of its own.
func nothingToAcknowledge(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusConflict && errors.Is(err, ErrInvalid)
}

// modifyUser makes one modification of a user. It takes the operation apart from the request so that there is always one:
// without it the library resets the credentials.
func (c *Client) modifyUser(ctx context.Context, cl call, ref UserRef, operation string, req sdk.ModifyServiceUserRequest) error {
	req.Operation = &operation
	_, err := do(ctx, c, cl, func(ctx context.Context) (struct{}, error) {
		_, err := c.sdk.ServiceUsers.Update(ctx, ref.Project, ref.Service, ref.Username, req)
		if err != nil && err.Error() == "user not found" {
			err = nil // The library's own: a good answer whose list of users lags behind.
		}
		return struct{}{}, err
	})
	return err
}

// DeleteUser deletes a service user. That there is no such user, or no such service, is success. It is never tried again
// in line.
func (c *Client) DeleteUser(ctx context.Context, ref UserRef) error {
	cl := userCall(opDeleteUser, "delete user", ref)
	if err := cl.check(); err != nil {
		return err
	}
	e := c.entry(ref.ServiceRef)
	_, err := do(ctx, c, cl, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.sdk.ServiceUsers.Delete(ctx, ref.Project, ref.Service, ref.Username)
	})
	switch {
	case err == nil || errors.Is(err, ErrUserNotFound):
	case errors.Is(err, ErrServiceNotFound):
		e.doubt() // The next read tells whether the service is gone, and its users with it.
		return nil
	default:
		return c.limited(ctx, ref, e.writeFailed(err))
	}
	e.wrote(write{kind: userDeleted, user: User{Username: ref.Username}})
	e.mu.Lock()
	e.quota = quotaMemory{}
	e.mu.Unlock()
	return nil
}

// gate refuses a write to a service that is known not to run. Its state is read again when that is longer ago than a few
// seconds. Aiven: what it answers itself in that case is not documented, and may be a plain 503.
func (c *Client) gate(ctx context.Context, e *entry, cl call) error {
	e.mu.Lock()
	view := e.view
	e.mu.Unlock()
	if view == nil || view.Operational() {
		return nil
	}
	now, err := c.Service(ctx, e.ref)
	if err != nil {
		return err
	}
	if !now.Operational() {
		return cl.failed(ErrServiceNotRunning, "the service is in state "+cut(now.State, 32))
	}
	return nil
}

// begin takes note of a user that is being created, unless there are too many. 0 means no limit.
func (e *entry) begin(most int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if most > 0 && e.view != nil && e.view.UserCount()+e.creating >= most {
		return false
	}
	e.creating++
	return true
}

// end takes note that the user is in the snapshot, or was not created.
func (e *entry) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.creating--
}

// full tells whether the service's quota is known to be exhausted.
func (e *entry) full(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return now.Before(e.quota.until)
}

// writeFailed learns from a write's error and returns it.
func (e *entry) writeFailed(err error) error {
	switch {
	case errors.Is(err, ErrQuota):
		e.mu.Lock()
		defer e.mu.Unlock()
		e.quota = quotaMemory{until: e.c.opts.Now().Add(quotaTTLs * e.c.opts.ErrorTTL), count: -1}
		if e.view != nil {
			e.quota.count = e.view.UserCount()
		}
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrUserExists), errors.Is(err, ErrUserNotFound),
		errors.Is(err, ErrServiceNotFound), errors.Is(err, ErrServiceNotRunning):
		e.doubt()
	}
	return err
}
