// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
)

const (
	// late is how long after their time things may be done that nothing but time
	// brings: the provider looks every few minutes.
	late = 6 * time.Minute
	// trusted is how long after a project got another CA all Secrets hold it: it is
	// read every hour.
	trusted = time.Hour + late
	// swept is the same for Secrets that nobody uses.
	swept = grace + 12*time.Minute
	// shown is how many problems are told.
	shown = 8
)

// unmet returns what is not as it should be, some of it when it is much. It is
// empty when the world is settled.
func (w *world) unmet() []string {
	var out []string
	for _, key := range w.keys() {
		if p := w.unmetOf(w.apps[key]); p != "" {
			out = append(out, key.String()+": "+p)
		}
		if len(out) >= shown {
			return out
		}
	}
	return slices.Concat(out, w.unmetUsers(), w.unmetSecrets(), w.unmetAtAiven())
}

// unmetOf returns what is not as it should be with one application.
func (w *world) unmetOf(app *application) string {
	a := w.view.apps[client.ObjectKeyFromObject(app.want)]
	switch {
	case a == nil || a.GetUID() != app.want.GetUID() || a.GetGeneration() < app.want.GetGeneration():
		return "it is not there yet"
	case app.want.Expired(clock.Now()):
		return w.unmetExpiry(a)
	}
	for _, t := range []xpv2.ConditionType{xpv2.TypeReady, xpv2.TypeSynced} {
		if c := a.GetCondition(t); c.Status != corev1.ConditionTrue || c.ObservedGeneration != a.GetGeneration() {
			return fmt.Sprintf("%s is %s for generation %d of %d: %s: %s", t, c.Status, c.ObservedGeneration, a.GetGeneration(), c.Reason, c.Message)
		}
	}
	for _, f := range []func(*v1.AivenApplication) string{w.unmetRotation, w.unmetPrevious, w.unmetCredentials, w.unmetPublication, w.unmetAccess} {
		if p := f(a); p != "" {
			return p
		}
	}
	return ""
}

func (w *world) unmetExpiry(a *v1.AivenApplication) string {
	c := a.GetCondition(xpv2.TypeReady)
	switch {
	case c.Status != corev1.ConditionFalse || c.Reason != v1.ReasonExpired || c.ObservedGeneration != a.GetGeneration():
		return fmt.Sprintf("it has expired, and Ready is %s: %s", c.Status, c.Reason)
	case len(a.Status.Secrets) > 0 || a.Status.Credentials != nil && len(a.Status.Credentials.Users) > 0:
		return "it has expired, and its status names Secrets or users"
	case len(w.usersOf(a)) > 0:
		return "it has expired, and it has users: " + w.usersOf(a)[0].GetName()
	}
	for key, s := range w.view.secrets {
		if key.Namespace == a.GetNamespace() && v1.ApplicationOf(s) == a.GetName() {
			return "it has expired, and there is Secret " + key.Name
		}
	}
	return ""
}

// unmetRotation: nothing is due, unless the overlap has to be waited for.
func (w *world) unmetRotation(a *v1.AivenApplication) string {
	c, now := a.Status.Credentials, clock.Now()
	switch {
	case c == nil || c.IssuedAt == nil:
		return "nothing was issued"
	case c.Next != nil:
		return fmt.Sprintf("revision %d is being made: %s", c.Next.Revision, c.Next.Reason)
	}
	waits := c.Previous != nil && c.Previous.RetireAfter.After(now)
	r := a.GetCondition(v1.TypeRotated)
	interval := intervalOf(a)
	switch {
	case r.Status != corev1.ConditionTrue && (!waits || r.Reason != v1.ReasonWaitingForOverlap):
		return fmt.Sprintf("Rotated is %s: %s: %s", r.Status, r.Reason, r.Message)
	case !waits && requests(a) && !acted(a, c):
		return "a rotation was requested"
	case !waits && c.RotateAt != nil && !c.RotateAt.After(now):
		return "a rotation is due"
	case (interval == 0) != (c.RotateAt == nil):
		return fmt.Sprintf("rotateAt is %v with interval %s", c.RotateAt, interval)
	case interval > 0 && c.RotateAt.After(c.IssuedAt.Add(interval)) && (!requests(a) || acted(a, c)):
		return fmt.Sprintf("rotateAt is %s, which is more than %s after %s", c.RotateAt, interval, c.IssuedAt)
	}
	return ""
}

// unmetPrevious: what was replaced goes when its time has come.
func (w *world) unmetPrevious(a *v1.AivenApplication) string {
	p, now := a.Status.Credentials.Previous, clock.Now()
	if p == nil || p.RetireAfter.Add(late).After(now) || w.quiet[a.GetNamespace()].Add(late).After(now) {
		return ""
	}
	for _, pod := range w.pods {
		if pod.app == client.ObjectKeyFromObject(a) && !pod.started.After(p.Since.Add(15*second)) {
			return ""
		}
	}
	return fmt.Sprintf("the users before are valid beyond %s, and no pod holds them", p.RetireAfter)
}

// unmetCredentials: each section has one user, of its own, at Aiven and in the cluster.
func (w *world) unmetCredentials(a *v1.AivenApplication) string {
	want, c := sections(a), a.Status.Credentials
	if len(want) != len(c.Users) {
		return fmt.Sprintf("%d users for %d sections", len(c.Users), len(want))
	}
	var first time.Time
	for _, s := range want {
		i := slices.IndexFunc(c.Users, func(u v1.UserStatus) bool { return u.Service == s.id && u.ServiceName == s.service })
		if i < 0 {
			return "no user for " + s.id
		}
		u, ok := h.Sim.User(project, s.service, c.Users[i].Username)
		if !ok {
			return fmt.Sprintf("user %s of %s does not exist", c.Users[i].Username, s.id)
		}
		mg := w.claim(s.service, u.Username)
		if mg == nil || meta.WasDeleted(mg) || !metav1.IsControlledBy(mg, a) {
			return fmt.Sprintf("user %s of %s has no managed resource", u.Username, s.id)
		}
		if !u.CertNotAfter.IsZero() && (first.IsZero() || u.CertNotAfter.Before(first)) {
			first = u.CertNotAfter
		}
	}
	if c.NotAfter == nil != first.IsZero() || c.NotAfter != nil && !c.NotAfter.Time.Equal(first) {
		return fmt.Sprintf("notAfter is %v, the first certificate ends at %s", c.NotAfter, first)
	}
	return ""
}

// unmetPublication: every Secret that is wanted is published, complete, and works.
func (w *world) unmetPublication(a *v1.AivenApplication) string {
	bySecret := make(map[string][]section)
	for _, s := range sections(a) {
		bySecret[s.secret] = append(bySecret[s.secret], s)
	}
	names := slices.Sorted(maps.Keys(bySecret))
	var published []string
	for _, s := range a.Status.Secrets {
		published = append(published, s.Name)
	}
	if !slices.Equal(names, published) {
		return fmt.Sprintf("Secrets %v are published, not %v", published, names)
	}
	for _, st := range a.Status.Secrets {
		s := w.view.secrets[types.NamespacedName{Namespace: a.GetNamespace(), Name: st.Name}]
		if s == nil || s.GetDeletionTimestamp() != nil || v1.ApplicationOf(s) != a.GetName() || s.GetAnnotations()[v1.AnnotationContentHash] != st.ContentHash {
			return "Secret " + st.Name + " is not as the status says"
		}
		if p := w.unmetSecret(a, s, bySecret[st.Name]); p != "" {
			return "Secret " + st.Name + ": " + p
		}
	}
	return ""
}

func (w *world) unmetSecret(a *v1.AivenApplication, s *corev1.Secret, want []section) string {
	for _, k := range keysOf(want) {
		if len(s.Data[k]) == 0 {
			return "it lacks " + k
		}
	}
	has := credentialsIn(s)
	if len(has) != len(want) {
		return fmt.Sprintf("it holds credentials of %d services, not %d", len(has), len(want))
	}
	for _, c := range has {
		if err := c.works(); err != nil {
			return err.Error()
		}
		i := slices.IndexFunc(a.Status.Credentials.Users, func(u v1.UserStatus) bool { return u.Service == c.id && u.Username == c.username })
		if i < 0 {
			return c.id + " has another user than the status says"
		}
		if u, _ := h.Sim.User(project, a.Status.Credentials.Users[i].ServiceName, c.username); c.id == "kafka" && u.AccessCert != string(c.certificate) {
			return "it holds a certificate that was renewed"
		}
	}
	for _, k := range []string{connection.SecretCA, connection.SecretKafkaCA} {
		if n := len(w.authorities); n > 0 && w.authorities[n-1].Add(trusted).After(clock.Now()) {
			break
		}
		if ca, ok := s.Data[k]; ok && authoritiesMissing(ca) {
			return k + " lacks a certificate of the project"
		}
	}
	if protected := s.GetAnnotations()[v1.AnnotationProtected] == "true"; protected != a.Spec.Protected {
		return "it is not marked as its application says"
	}
	return ""
}

// unmetAccess: the present users and those before may do what the
// application says.
func (w *world) unmetAccess(a *v1.AivenApplication) string {
	users := a.Status.Credentials.Users
	if p := a.Status.Credentials.Previous; p != nil {
		users = slices.Concat(users, p.Users)
	}
	for _, s := range sections(a) {
		for _, u := range users {
			if u.Service == s.id && u.ServiceName == s.service && !w.vanished[u.Username] {
				if got := accessOf(s, u.Username); got != s.access {
					return fmt.Sprintf("user %s of %s may %s, not %s", u.Username, s.id, got, s.access)
				}
			}
		}
	}
	return ""
}

// accessOf returns what a user may do at Aiven.
func accessOf(s section, username string) v1.Access {
	switch s.id {
	case "kafka":
		return s.access
	case "opensearch":
		for _, row := range h.Sim.OpenSearchACL(project, s.service).ACLs {
			if row.Username == username && len(row.Rules) == 2 && row.Rules[0].Permission == row.Rules[1].Permission {
				return v1.Access(row.Rules[0].Permission)
			}
		}
		return "nothing"
	}
	u, _ := h.Sim.User(project, s.service, username)
	may := func(c string) bool { return slices.Contains(u.AccessControl.Categories, "+@"+c) }
	switch {
	case may("admin") && may("write") && may("read"):
		return v1.AccessAdmin
	case may("write") && may("read"):
		return v1.AccessReadWrite
	case may("write"):
		return v1.AccessWrite
	case may("read"):
		return v1.AccessRead
	}
	return "nothing"
}

// usersOf returns the managed resources that an application controls.
func (w *world) usersOf(a *v1.AivenApplication) []managedUser {
	var out []managedUser
	for _, k := range slices.Sorted(maps.Keys(w.view.users)) {
		if metav1.IsControlledBy(w.view.users[k], a) {
			out = append(out, w.view.users[k])
		}
	}
	return out
}

// claim returns the managed resource of a user, nil when there is none.
func (w *world) claim(service, username string) managedUser {
	for _, mg := range w.view.users {
		if mg.GetServiceUserParameters().ServiceName == service && meta.GetExternalName(mg) == username {
			return mg
		}
	}
	return nil
}

// wanted tells whether an application names a Secret.
func (w *world) wanted(s *corev1.Secret) bool {
	app := w.apps[types.NamespacedName{Namespace: s.GetNamespace(), Name: v1.ApplicationOf(s)}]
	return app != nil && !app.want.Expired(clock.Now()) && slices.Contains(app.want.SecretNames(), s.GetName())
}
