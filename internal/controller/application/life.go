// SPDX-License-Identifier: Apache-2.0

package application

import (
	"maps"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/revision"
)

// A liveUser is a desired user with its managed resource as it is.
type liveUser struct {
	desiredUser
	mg composed
}

// A life is what one reconcile knows of the credentials of an application. Its
// methods are pure: they read it and return what follows.
type life struct {
	app      *v1.AivenApplication
	access   providerconfig.Access
	settings providerconfig.Settings
	policy   revision.Policy
	sections []section
	// existing managed resources, by key.
	existing map[string]composed
	// secrets that the application wants, as they are. Empty before the first
	// publication; a Secret that does not exist is missing.
	secrets map[string]*corev1.Secret
	// formers are Secrets that were there before the first publication, nil for
	// those that were not.
	formers map[string]*corev1.Secret
}

// credentials returns what was remembered, which is empty before the first
// publication.
func (l *life) credentials() *v1.CredentialsStatus {
	if l.app.Status.Credentials == nil {
		return &v1.CredentialsStatus{}
	}
	return l.app.Status.Credentials
}

// number is the revision that new users join: the published one, or the one that is
// published first. It is never one that had users before.
func (l *life) number() int64 {
	c := l.credentials()
	switch {
	case c.IssuedAt != nil:
		return c.Revision
	case c.Revision > 0:
		return c.Revision + 1
	}
	highest := int64(1)
	for _, mg := range l.existing {
		n := v1.RevisionOf(mg)
		if meta.WasDeleted(mg) {
			n++ // A name that was revoked is not used again.
		}
		highest = max(highest, n)
	}
	return highest
}

// current returns the users that the application has or should have, apart from
// a revision in the making.
func (l *life) current() []desiredUser {
	out := make([]desiredUser, 0, len(l.sections))
	for _, s := range l.sections {
		out = append(out, compose(l.app, l.access, s, l.origin(s), l.existing))
	}
	return out
}

// origin returns the managed resource of a section: the one that is published;
// else the newest there is, such as one that a removed section left; else a new one.
func (l *life) origin(s section) origin {
	c := l.credentials()
	if i := slices.IndexFunc(c.Users, s.is); i >= 0 {
		if mg := l.object(c.Users[i]); mg != nil {
			return origin{revision: v1.RevisionOf(mg), existing: mg}
		}
		return origin{revision: max(c.Users[i].Revision, 1)}
	}
	o := origin{revision: l.number()}
	for _, mg := range l.existing {
		if !s.isOf(mg) || meta.WasDeleted(mg) || c.Next != nil && v1.RevisionOf(mg) >= c.Next.Revision {
			continue
		}
		if o.existing == nil || v1.RevisionOf(mg) > v1.RevisionOf(o.existing) || v1.RevisionOf(mg) == v1.RevisionOf(o.existing) && mg.GetName() < o.existing.GetName() {
			o = origin{revision: v1.RevisionOf(mg), existing: mg}
		}
	}
	return o
}

// next returns the users of the revision in the making.
func (l *life) next(n *v1.NextStatus) []desiredUser {
	if n == nil {
		return nil
	}
	var out []desiredUser
	for _, s := range l.sections {
		if replaces(n, s.id()) {
			out = append(out, compose(l.app, l.access, s, origin{revision: n.Revision}, l.existing))
		}
	}
	return out
}

// replaces tells whether a revision brings a new user of a service.
func replaces(n *v1.NextStatus, service string) bool {
	return n != nil && (len(n.Services) == 0 || slices.Contains(n.Services, service))
}

// replaced tells whether a new user is to take the place of one that is published
// and works: until it does, that stays.
func (l *life) replaced(d desiredUser) bool {
	c := l.credentials()
	return !lost(c.Next, d.id()) && slices.ContainsFunc(c.Users, func(u v1.UserStatus) bool { return u.Service == d.id() })
}

// lost tells whether the user of a service does not work any more and is about
// to be replaced.
func lost(n *v1.NextStatus, service string) bool {
	return n != nil && revision.Urgent(n.Reason) && replaces(n, service)
}

// losses returns the services whose published Secret was deleted, and those
// whose published user is gone.
func (l *life) losses() (deleted, vanished []string) {
	c := l.credentials()
	for _, s := range l.sections {
		i := slices.IndexFunc(c.Users, s.is)
		if i < 0 {
			continue
		}
		mg := l.object(c.Users[i])
		switch {
		case l.secretDeleted(s.secretName):
			deleted = append(deleted, s.id())
		case mg == nil || meta.WasDeleted(mg) || readyOf(mg).Reason == v1.ReasonUserVanished:
			vanished = append(vanished, s.id())
		}
	}
	return deleted, vanished
}

// secretDeleted tells whether a Secret was published and somebody deleted it.
func (l *life) secretDeleted(name string) bool {
	if !l.app.Published(name) {
		return false
	}
	s := l.secrets[name]
	return s == nil || meta.WasDeleted(s)
}

// revoking returns the name of a Secret whose users are still being revoked,
// empty when there is none.
func (l *life) revoking() string {
	for _, name := range slices.Sorted(maps.Keys(l.secrets)) {
		if meta.WasDeleted(l.secrets[name]) {
			return name
		}
	}
	return ""
}

// input returns what decides about the next revision.
func (l *life) input() revision.Input {
	deleted, vanished := l.losses()
	return revision.Input{
		UID: string(l.app.GetUID()), Policy: l.policy, Status: l.app.Status.Credentials,
		Requested: requested(l.app), Certified: l.app.Spec.Kafka != nil,
		Deleted: deleted, Vanished: vanished,
	}
}

// requested tells whether somebody asks for a rotation who was not heard yet.
func requested(app *v1.AivenApplication) bool {
	c := app.Status.Credentials
	if c == nil {
		return false
	}
	a := app.GetAnnotations()[v1.AnnotationRotate]
	return a != "" && a != c.RequestAnnotation || requestedAt(app) != nil && !requestedAt(app).Equal(c.Request)
}

func requestedAt(app *v1.AivenApplication) *metav1.Time {
	if app.Spec.Rotation == nil {
		return nil
	}
	return app.Spec.Rotation.RequestedAt
}

// object returns the managed resource of a user, nil when there is none. A copy that
// somebody made of it is not taken for it.
func (l *life) object(u v1.UserStatus) composed {
	var found composed
	for _, k := range slices.Sorted(maps.Keys(l.existing)) {
		mg := l.existing[k]
		switch {
		case meta.GetExternalName(mg) != u.Username || targetOf(mg) != target{u.Project, u.ServiceName}:
		case isNamedFor(l.app, mg):
			return mg
		case found == nil:
			found = mg
		}
	}
	return found
}

// published returns the users that are published now, as far as they exist, those that a loss
// replaces by their successors.
func (l *life) published(next []liveUser) []liveUser {
	var out []liveUser
	for _, u := range l.credentials().Users {
		if lost(l.credentials().Next, u.Service) {
			i := slices.IndexFunc(next, func(n liveUser) bool { return n.id() == u.Service })
			switch {
			case i < 0:
				continue // The section was removed: nobody misses it.
			case !isReady(next[i].mg):
				return nil
			}
			out = append(out, next[i])
			continue
		}
		mg := l.object(u)
		if mg == nil || meta.WasDeleted(mg) {
			return nil
		}
		out = append(out, liveUser{desiredUser{section: sectionOf(mg), revision: v1.RevisionOf(mg), object: mg}, mg})
	}
	return out
}

// strays returns the managed resources that nobody needs: those that were not
// published, and are not about to be.
func (l *life) strays(wanted ...[]desiredUser) []composed {
	c := l.credentials()
	keep := make(map[string]bool)
	for _, users := range wanted {
		for _, d := range users {
			if !lost(c.Next, d.id()) || d.revision == c.Next.Revision {
				keep[key(d.object)] = true
			}
		}
	}
	for _, u := range c.Users {
		if mg := l.object(u); mg != nil && !lost(c.Next, u.Service) {
			keep[key(mg)] = true
		}
	}
	if c.Previous != nil {
		for _, u := range c.Previous.Users {
			if mg := l.object(u); mg != nil {
				keep[key(mg)] = true
			}
		}
	}
	var out []composed
	for _, k := range slices.Sorted(maps.Keys(l.existing)) {
		if mg := l.existing[k]; !keep[k] && !meta.WasDeleted(mg) {
			out = append(out, mg)
		}
	}
	return out
}

// settle returns what to remember after users were published at the supplied
// time: who is published, who was before and stays for a while, and whether the revision
// in the making is complete.
func (l *life) settle(users []liveUser, at, now time.Time) *v1.CredentialsStatus {
	old := l.credentials()
	c := old.DeepCopy()
	stamp := revision.Stamp(at)
	replacedAt := stamp
	if old.Next == nil {
		// What a section leaves that goes may not have changed any Secret.
		replacedAt = revision.Stamp(now)
	}
	c.Users = usersStatus(users)
	c.NotAfter = firstEnd(users)

	var replaced []v1.UserStatus
	for _, u := range old.Users {
		if !slices.ContainsFunc(c.Users, sameUser(u)) && l.object(u) != nil && !lost(old.Next, u.Service) {
			replaced = append(replaced, u)
		}
	}
	replaced = append(replaced, l.forgotten(old, c.Users)...)
	c.Previous = joinPrevious(old.Previous, replaced, old.Revision, replacedAt, l.policy.Overlap)
	if c.Previous != nil {
		c.Previous.Users = slices.DeleteFunc(c.Previous.Users, func(u v1.UserStatus) bool { return slices.ContainsFunc(c.Users, sameUser(u)) })
	}

	switch {
	case old.IssuedAt == nil:
		c.Revision, c.IssuedAt = l.number(), &stamp
	case old.Next != nil && complete(old.Next, c.Users):
		c.Revision, c.Next = old.Next.Revision, nil
		if !slices.ContainsFunc(c.Users, func(u v1.UserStatus) bool { return u.Revision != c.Revision }) {
			c.IssuedAt = &stamp
		}
	}
	if c.IssuedAt == &stamp && !stamp.Before(new(l.app.GetCreationTimestamp())) {
		heed(c, l.app) // All credentials are new, which is what anybody asks for.
	}
	return c
}

// forgotten returns users that a Secret holds, and so some pod may, although the
// status names them no more: those of an application that was made again, or whose Secret
// was renamed and renamed back.
func (l *life) forgotten(old *v1.CredentialsStatus, users []v1.UserStatus) []v1.UserStatus {
	var out []v1.UserStatus
	for _, k := range slices.Sorted(maps.Keys(l.existing)) {
		mg := l.existing[k]
		s := sectionOf(mg)
		u := v1.UserStatus{Service: s.id(), Project: s.target.project, ServiceName: s.target.service, Username: meta.GetExternalName(mg), Revision: v1.RevisionOf(mg)}
		if meta.WasDeleted(mg) || !isHeld(mg) && !isRestored(mg) || readyOf(mg).Reason == v1.ReasonUserVanished || lost(old.Next, u.Service) ||
			slices.ContainsFunc(users, sameUser(u)) || slices.ContainsFunc(old.Users, sameUser(u)) || old.Previous != nil && slices.ContainsFunc(old.Previous.Users, sameUser(u)) {
			continue
		}
		out = append(out, u)
	}
	return out
}

// heed remembers what was asked for and is done now. What is not asked for any
// more is remembered: to ask again takes another value.
func heed(c *v1.CredentialsStatus, app *v1.AivenApplication) {
	if t := requestedAt(app); t != nil {
		c.Request = t
	}
	if a := app.GetAnnotations()[v1.AnnotationRotate]; a != "" {
		c.RequestAnnotation = a
	}
}

// complete tells whether all users that a revision replaces are among those.
func complete(n *v1.NextStatus, users []v1.UserStatus) bool {
	return !slices.ContainsFunc(users, func(u v1.UserStatus) bool { return replaces(n, u.Service) && u.Revision != n.Revision })
}

// joinPrevious adds replaced users to those that were replaced before.
func joinPrevious(p *v1.PreviousStatus, users []v1.UserStatus, number int64, at metav1.Time, overlap time.Duration) *v1.PreviousStatus {
	if len(users) == 0 {
		return p.DeepCopy()
	}
	out := &v1.PreviousStatus{Revision: number, Since: at, RetireAfter: metav1.NewTime(at.Add(overlap)), Users: users}
	if p != nil {
		out.Users = slices.Concat(p.Users, users)
		out.RetireAfter = metav1.NewTime(laterOf(out.RetireAfter.Time, p.RetireAfter.Time))
	}
	return out
}

func sameUser(u v1.UserStatus) func(v1.UserStatus) bool {
	return func(o v1.UserStatus) bool {
		return o.Username == u.Username && o.Project == u.Project && o.ServiceName == u.ServiceName
	}
}
