// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/connection"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// incompleteAge is how old a snapshot may be while it lacks credentials of a
// user. Aiven: a password may be missing for some seconds after a change.
const incompleteAge = 5 * time.Second

// errVanished is returned for a user that was there and is gone.
var errVanished = errors.New("the user was deleted at Aiven by somebody else")

// errTaken is returned for a user whose generated name belongs to somebody else.
var errTaken = errors.New("a user of that name exists already and was not made for this resource")

// errHidden is returned for a user that is to be inherited while Aiven does not
// tell its password, which says whose it is.
var errHidden = errors.New("Aiven hides the user's password, which would tell whose the user is")

// An external is the client of one managed resource during one reconcile.
type external[T ServiceUser] struct {
	kind     Kind[T]
	access   Access[T]
	aiven    *aiven.Client
	cache    client.Reader
	marks    managed.CriticalAnnotationUpdater
	refusals *refusals
	attempts *attempts
	// granted comes with the user. Zero for one that is being deleted.
	granted providerconfig.Granted
	// via is with whose token Aiven is asked.
	via string

	// ours is whether a user of the managed resource's name would be its own.
	// Known after Observe.
	ours bool
}

// Observe reads the snapshot of the service and returns complete connection
// details. It makes a call to Aiven only when the snapshot is too old.
func (e *external[T]) Observe(ctx context.Context, mg T) (managed.ExternalObservation, error) {
	ctx = aiven.WithUrgency(ctx, urgency(mg))
	e.ours = e.owns(mg)
	ref := providerconfig.UserOf(mg)
	s, err := e.service(ctx, mg, ref)
	if err != nil {
		return managed.ExternalObservation{}, e.unobserved(mg, err, "cannot get service")
	}
	wrongType := s.Type != e.kind.ServiceType
	if wrongType && !meta.WasDeleted(mg) {
		err := errors.Wrapf(aiven.ErrInvalid, "service %s of project %s is of type %s, not %s", s.Ref.Service, s.Ref.Project, s.Type, e.kind.ServiceType)
		return managed.ExternalObservation{}, e.unobserved(mg, err, "cannot use service")
	}
	u, found := s.User(ref.Username)
	e.ours = e.ours || found && proves(mg, u)
	switch {
	case !found:
		return e.absent(ctx, mg, s)
	case wrongType:
		return managed.ExternalObservation{}, nil // A user of another kind of service is not ours.
	case !e.ours && inherits(mg) && u.Password == "" && !taken(mg) && !meta.WasDeleted(mg):
		return managed.ExternalObservation{}, e.unobserved(mg, errHidden, "cannot observe user")
	case !e.ours:
		return managed.ExternalObservation{}, e.refuse(ctx, mg)
	default:
		return e.present(ctx, mg, s, u)
	}
}

// service returns the snapshot, read anew when it lacks credentials of the user,
// or when it may be too old to tell whether a user that is being deleted exists.
func (e *external[T]) service(ctx context.Context, mg T, ref aiven.UserRef) (*aiven.Service, error) {
	s, err := e.aiven.Service(ctx, ref.ServiceRef)
	if meta.WasDeleted(mg) && errors.Is(err, aiven.ErrServiceNotFound) {
		// The user would be given up for gone: that is not believed of one answer.
		s, err = e.aiven.Refresh(ctx, ref.ServiceRef)
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // The caller does.
	}
	u, found := s.User(ref.Username)
	switch {
	case !found && meta.WasDeleted(mg) && !s.ObservedAt.After(meta.GetExternalCreatePending(mg)):
	case !found && meta.WasDeleted(mg) && !s.ObservedAt.After(e.settles(mg)) && !e.unsettled(mg):
	case !found && !meta.WasDeleted(mg) && e.vanished(mg) && mg.GetCondition(xpv2.TypeReady).Reason != v1.ReasonUserVanished:
		// Much follows from that: it is not believed of one answer.
	case found && e.incomplete(s, u) && time.Since(s.ObservedAt) > incompleteAge:
	default:
		return s, nil
	}
	return e.aiven.Refresh(ctx, ref.ServiceRef) //nolint:wrapcheck // The caller does.
}

func (e *external[T]) incomplete(s *aiven.Service, u aiven.User) bool {
	d := e.kind.Details(s, u)
	d[connection.KeyUsername], d[connection.KeyPassword], d[connection.KeyCA] = []byte(u.Username), []byte(u.Password), []byte("-")
	return len(connection.Part{Service: e.kind.Service, Details: d}.Missing()) > 0
}

// absent answers for a user that does not exist.
func (e *external[T]) absent(ctx context.Context, mg T, s *aiven.Service) (managed.ExternalObservation, error) {
	if meta.WasDeleted(mg) {
		return e.deleted(ctx, mg)
	}
	if !s.Operational() {
		err := errors.Wrapf(aiven.ErrServiceNotRunning, "service %s of project %s is in state %s", s.Ref.Service, s.Ref.Project, s.State)
		return managed.ExternalObservation{}, e.unobserved(mg, err, "cannot create user")
	}
	if inherits(mg) && !e.ours {
		return managed.ExternalObservation{}, e.refuse(ctx, mg) // There is nothing to inherit.
	}
	if e.vanished(mg) {
		return managed.ExternalObservation{}, e.unobserved(mg, errors.Wrapf(errVanished, "user %s", meta.GetExternalName(mg)), "cannot observe user")
	}
	if err := e.aiven.Congested(ctx, providerconfig.UserOf(mg)); err != nil {
		// To wait in line here would hold a worker that others need.
		return managed.ExternalObservation{}, e.unobserved(mg, err, "cannot create user")
	}
	mg.SetServiceUserObservation(v1alpha1.ServiceUserObservation{ServiceState: s.State})
	return managed.ExternalObservation{}, nil
}

// saw takes note of a user that was seen.
func (e *external[T]) saw(mg T, o v1alpha1.ServiceUserObservation) {
	o.Via = e.via
	mg.SetServiceUserObservation(o)
}

// vanished tells whether a user was there and is gone, and somebody else is to
// decide what follows: an application gets a new one, under another name. A user
// that nobody but its managed resource asks for is made again.
func (e *external[T]) vanished(mg T) bool {
	return mg.GetLabels()[v1.LabelManagedBy] == v1.ManagedBy && mg.GetServiceUserObservation().Username == meta.GetExternalName(mg)
}

// deleted tells whether everything of a user that is not to be seen has gone.
func (e *external[T]) deleted(ctx context.Context, mg T) (managed.ExternalObservation, error) {
	if e.unsettled(mg) {
		return managed.ExternalObservation{ResourceExists: true}, nil
	}
	done := true
	if e.ours {
		var err error
		if done, err = e.access.Revoked(ctx, e.aiven, mg, providerconfig.UserOf(mg)); err != nil && !errors.Is(err, aiven.ErrServiceNotFound) {
			return managed.ExternalObservation{}, err
		} else if err != nil {
			done = true
		}
	}
	return managed.ExternalObservation{ResourceExists: !done}, nil
}

// present answers for a user that exists and is ours.
func (e *external[T]) present(ctx context.Context, mg T, s *aiven.Service, u aiven.User) (managed.ExternalObservation, error) {
	e.saw(mg, observed(mg.GetServiceUserObservation(), s, u))
	if meta.WasDeleted(mg) {
		shared, err := e.shared(ctx, mg, u)
		return managed.ExternalObservation{ResourceExists: !shared}, err
	}
	details, missing, err := e.details(ctx, s, u)
	if err != nil {
		return managed.ExternalObservation{}, e.unobserved(mg, err, "cannot get project CA")
	}
	access, err := e.access.Observe(ctx, e.aiven, mg, observedUser{ref: providerconfig.UserOf(mg), user: u})
	if err != nil {
		return managed.ExternalObservation{}, e.unobserved(mg, err, "cannot observe access")
	}
	mg.SetConditions(readiness(mg, s, u, missing, access))
	o := managed.ExternalObservation{ResourceExists: true, ResourceUpToDate: access.UpToDate && !acknowledges(mg)}
	if len(missing) == 0 {
		o.ConnectionDetails = managed.ConnectionDetails(details)
	}
	return o, nil
}

// shared tells whether the user is not this managed resource's alone: it is built
// into the service, or another managed resource has it too. Such a user stays.
func (e *external[T]) shared(ctx context.Context, mg T, u aiven.User) (bool, error) {
	if u.Type == aiven.TypePrimary {
		return true, nil
	}
	others, err := e.kind.others(ctx, e.cache, mg, client.MatchingFields{indexUser: userKey(providerconfig.UserOf(mg))})
	return slices.ContainsFunc(others, func(o T) bool {
		// Only what was seen to have the user has it: anybody can name it. In doubt, as
		// about one whose configuration was changed, the user stays.
		return !meta.WasDeleted(o) && (hasUserFor(mg, o) || providerconfig.SeenCentrally(o))
	}), err
}

// details returns all connection details, and the keys that are missing.
func (e *external[T]) details(ctx context.Context, s *aiven.Service, u aiven.User) (connection.Details, []string, error) {
	ca, err := e.aiven.ProjectCA(ctx, s.Ref.Project)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // The caller does.
	}
	d := connection.Details{
		connection.KeyUsername: []byte(u.Username),
		connection.KeyPassword: []byte(u.Password),
		connection.KeyCA:       []byte(ca),
	}
	maps.Copy(d, e.kind.Details(s, u))
	return d, connection.Part{Service: e.kind.Service, Details: d}.Missing(), nil
}

// Create makes the user. A user that exists already is ours only if an earlier
// attempt may have created it, whose answer was lost.
func (e *external[T]) Create(ctx context.Context, mg T) (managed.ExternalCreation, error) {
	ctx = aiven.WithUrgency(ctx, urgency(mg))
	ref := providerconfig.UserOf(mg)
	initial := e.access.Initial(mg)
	u, err := e.aiven.CreateUser(ctx, ref, initial, aiven.WithAtMost(e.granted.AtMost))
	if errors.Is(err, aiven.ErrUserExists) {
		u, err = e.resume(ctx, mg, ref)
	}
	e.attempts.ended(mg, err)
	if err != nil {
		e.refusals.record(mg, notReady(mg, err))
		return managed.ExternalCreation{}, errors.Wrap(err, "cannot create user")
	}
	s, err := e.aiven.Service(ctx, ref.ServiceRef)
	if err != nil {
		return managed.ExternalCreation{}, errors.Wrap(err, "cannot get service")
	}
	e.saw(mg, observation(s, u))
	if initial.IsZero() {
		if err := e.access.Ensure(ctx, e.aiven, mg, ref); err != nil {
			e.refusals.record(mg, notReady(mg, err))
			return managed.ExternalCreation{}, errors.Wrap(err, "cannot grant access")
		}
	}
	details, missing, err := e.details(ctx, s, u)
	if err != nil || len(missing) > 0 {
		// The user exists: what is missing now, Observe gets.
		return managed.ExternalCreation{}, nil //nolint:nilerr // See above.
	}
	return managed.ExternalCreation{ConnectionDetails: managed.ConnectionDetails(details)}, nil
}

// resume finds a user that an earlier reconcile created, or marks the name as
// taken.
func (e *external[T]) resume(ctx context.Context, mg T, ref aiven.UserRef) (aiven.User, error) {
	if !e.ours {
		meta.AddAnnotations(mg, map[string]string{v1.AnnotationUsernameTaken: ref.Username})
		return aiven.User{}, errTaken
	}
	s, err := e.aiven.Refresh(ctx, ref.ServiceRef)
	if err != nil {
		return aiven.User{}, err //nolint:wrapcheck // The caller does.
	}
	u, found := s.User(ref.Username)
	if !found {
		return aiven.User{}, errors.Wrap(aiven.ErrUnavailable, "the user exists but is not visible yet")
	}
	return u, nil
}

// Update grants what the user should be able to do. Credentials are Aiven's to
// change; Observe follows them.
func (e *external[T]) Update(ctx context.Context, mg T) (managed.ExternalUpdate, error) {
	ctx = aiven.WithUrgency(ctx, aiven.Urgency{Class: aiven.ClassEdit, Since: time.Now()})
	if err := e.access.Ensure(ctx, e.aiven, mg, providerconfig.UserOf(mg)); err != nil {
		mg.SetConditions(notReady(mg, err))
		return managed.ExternalUpdate{}, errors.Wrap(err, "cannot grant access")
	}
	if acknowledges(mg) {
		if err := e.aiven.AcknowledgeRenewal(ctx, providerconfig.UserOf(mg)); err != nil {
			return managed.ExternalUpdate{}, errors.Wrap(err, "cannot acknowledge the renewal of the certificate")
		}
		o := mg.GetServiceUserObservation()
		o.ExpiringCertificateNotAfter = nil
		mg.SetServiceUserObservation(o)
	}
	// Say at once that it is done: our own write is no news to anybody.
	if s, err := e.aiven.Service(ctx, providerconfig.UserOf(mg).ServiceRef); err == nil {
		if u, found := s.User(providerconfig.UserOf(mg).Username); found {
			_, err = e.present(ctx, mg, s, u)
			return managed.ExternalUpdate{}, err
		}
	}
	return managed.ExternalUpdate{}, nil
}

// Delete revokes access and deletes the user. A user or service that does not
// exist is as good as deleted.
func (e *external[T]) Delete(ctx context.Context, mg T) (managed.ExternalDelete, error) {
	ctx = aiven.WithUrgency(ctx, urgency(mg))
	if err := e.aiven.Congested(ctx, providerconfig.UserOf(mg)); err != nil {
		return managed.ExternalDelete{}, errors.Wrap(err, "cannot delete user")
	}
	ref := providerconfig.UserOf(mg)
	if err := e.access.Revoke(ctx, e.aiven, mg, ref); err != nil {
		return managed.ExternalDelete{}, errors.Wrap(err, "cannot revoke access")
	}
	s, err := e.aiven.Service(ctx, ref.ServiceRef)
	if err == nil && !e.unsettled(mg) {
		if _, found := s.User(ref.Username); !found {
			return managed.ExternalDelete{}, nil
		}
	}
	return managed.ExternalDelete{}, errors.Wrap(e.aiven.DeleteUser(ctx, ref), "cannot delete user")
}

// Disconnect does nothing: clients are shared.
func (e *external[T]) Disconnect(context.Context) error { return nil }

// owns tells whether a user of the managed resource's name would be its own: a
// person set the name, the user was seen to be ours before, or somebody tried to
// create it for this resource. That a name was reserved is no attempt.
func (e *external[T]) owns(mg T) bool {
	switch {
	case inherits(mg):
		return providerconfig.HasUser(mg) && !taken(mg)
	case !generated(mg):
		return e.granted.Imports || providerconfig.HasUser(mg) || e.attempts.mayHave(mg)
	case taken(mg), e.attempts.isTaken(mg):
		return false
	case providerconfig.HasUser(mg):
		return true
	default:
		return e.attempts.mayHave(mg)
	}
}

// refuse has nothing to do with a user that is somebody else's, but to remember.
func (e *external[T]) refuse(ctx context.Context, mg T) error {
	if meta.WasDeleted(mg) {
		return nil
	}
	mg.SetConditions(notReady(mg, errTaken))
	e.attempts.ended(mg, errTaken)
	if !taken(mg) {
		meta.AddAnnotations(mg, map[string]string{v1.AnnotationUsernameTaken: meta.GetExternalName(mg)})
		if err := e.marks.UpdateCriticalAnnotations(ctx, mg); err != nil {
			return err //nolint:wrapcheck // It says what cannot be recorded.
		}
	}
	return errors.Wrapf(errTaken, "cannot use username %s", meta.GetExternalName(mg))
}

// unobserved returns the error for a user of which nothing is known. A service
// that does not exist has no users: what is being deleted is gone.
func (e *external[T]) unobserved(mg T, err error, doing string) error {
	if meta.WasDeleted(mg) && errors.Is(err, aiven.ErrServiceNotFound) {
		return nil
	}
	mg.SetConditions(notReady(mg, err))
	return errors.Wrap(err, doing)
}

// hasUserFor tells whether another managed resource was seen to have its user, as
// far as that matters for the one that asks: what was seen with a tenant's token
// proves nothing for the central one.
func hasUserFor(mg, other ServiceUser) bool {
	return providerconfig.HasUser(other) && (!providerconfig.AccessOf(mg).IsCentral() || providerconfig.AccessOf(other).IsCentral())
}

// pending tells whether somebody recorded that the user was about to be created.
func pending(mg metav1.Object) bool {
	return mg.GetAnnotations()[meta.AnnotationKeyExternalCreatePending] != ""
}

// generated tells whether the external name was made up by the provider. One
// that a person set is an import.
func generated(mg metav1.Object) bool {
	return mg.GetAnnotations()[v1.AnnotationGeneratedUsername] == meta.GetExternalName(mg)
}

// taken tells whether the external name was found to belong to somebody else.
func taken(mg metav1.Object) bool {
	return mg.GetAnnotations()[v1.AnnotationUsernameTaken] == meta.GetExternalName(mg)
}
