// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

// A Status is the answer of kubectl aivenapp status. Its JSON is API.
type Status struct {
	Header `json:",inline"`

	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Ready is the condition of that name, for the present generation.
	Ready   bool   `json:"ready"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// RotateAt is when the next rotation is due by time.
	RotateAt *metav1.Time `json:"rotateAt,omitempty"`
	// ExpiresAt is when access ends.
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	Revisions []Revision   `json:"revisions"`
	Users     []User       `json:"users"`
	Secrets   []Secret     `json:"secrets"`
	Findings  []Finding    `json:"findings"`
	// NotSeen is what the person may not see.
	NotSeen []string `json:"notSeen,omitempty"`
}

// States of a revision and its users.
const (
	stateCurrent  = "current"
	stateNext     = "next"
	statePrevious = "previous"
	// stateOther is that of users that no revision names.
	stateOther = "other"
)

// A Revision is a set of users that are valid, or about to be.
type Revision struct {
	// State is current, next (being made) or previous.
	State  string `json:"state"`
	Number int64  `json:"number"`
	// Since is when it was issued, begun or replaced.
	Since *metav1.Time `json:"since,omitempty"`
	// Reason why it is being made.
	Reason string `json:"reason,omitempty"`
	// Until is how long a previous revision stays at least.
	Until *metav1.Time `json:"until,omitempty"`
	// HeldBy are the pods that keep it longer.
	HeldBy []string `json:"heldBy,omitempty"`
}

// A User is a user at Aiven.
type User struct {
	// Service is kafka, opensearch or valkey/<instance>.
	Service string `json:"service"`
	// State is that of its revision: current, next, previous, or other.
	State       string `json:"state"`
	Revision    int64  `json:"revision"`
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	Username    string `json:"username,omitempty"`
	Project     string `json:"project"`
	ServiceName string `json:"serviceName"`
	Ready       bool   `json:"ready"`
	Reason      string `json:"reason,omitempty"`
	Message     string `json:"message,omitempty"`
	// SyncError is the error of the condition Synced.
	SyncError string `json:"syncError,omitempty"`
	// DeletedAt is when somebody asked for its deletion.
	DeletedAt           *metav1.Time `json:"deletedAt,omitempty"`
	CertificateNotAfter *metav1.Time `json:"certificateNotAfter,omitempty"`
}

// A Secret holds published credentials.
type Secret struct {
	Name string `json:"name"`
	// Exists is false when it is gone, and absent when the person may not see it.
	Exists *bool `json:"exists,omitempty"`
	// Foreign is true of one that is there and is not this application's.
	Foreign bool `json:"foreign,omitempty"`
	// Keys is how many there are. Absent when the person may not see it.
	Keys        *int         `json:"keys,omitempty"`
	ContentHash string       `json:"contentHash,omitempty"`
	PublishedAt *metav1.Time `json:"publishedAt,omitempty"`
	Protected   bool         `json:"protected"`
	// Current is false for one that the application does not name any more.
	Current     bool         `json:"current"`
	UnusedSince string       `json:"unusedSince,omitempty"`
	DeletedAt   *metav1.Time `json:"deletedAt,omitempty"`
	UsedBy      []Use        `json:"usedBy"`
}

// A Use is a workload that refers to a Secret.
type Use struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// StartedAt is when a pod started.
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// BeforeContent is true of a pod that started before the Secret's content last
	// changed.
	BeforeContent bool `json:"beforeContent,omitempty"`
}

func newStatus(s *session) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "status NAME",
		Short: "Show an application, its users, Secrets and who uses them, and what is wrong",
		Long: `Show an application: its revisions, its users at Aiven, its Secrets and the
workloads that use them, when its credentials are next rotated, when its access
ends, and what is wrong and what to do about it.
` + exitCodes + `
Here 1 means that there is a problem.`,
		Example:           example("kubectl aivenapp status orders -n team-a", "kubectl aivenapp status orders -o json | jq .secrets"),
		Args:              requireOne,
		ValidArgsFunction: s.completeApplications,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			st, err := s.status(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			now := s.now()
			if err := s.write(format, st, func(p printer) { p.status(st, now) }); err != nil {
				return err
			}
			if worst(st.Findings) == Problem {
				return errWrong
			}
			return nil
		},
	}
	bindFormat(cmd, &format)
	return cmd
}

// Facts are what is known of one application.
type facts struct {
	app     *v1.AivenApplication
	kindOf  func(mg managed) string
	managed []managed
	// secrets that were published for it, by name. nil: it is gone.
	secrets map[string]*corev1.Secret
	// unread are Secrets that the person may not read, and foreign those that belong
	// to somebody else.
	unread, foreign map[string]bool
	uses            uses
	now             time.Time
}

func (s *session) status(ctx context.Context, name string) (*Status, error) {
	c, err := s.access.connect()
	if err != nil {
		return nil, err
	}
	app, err := c.application(ctx, name)
	if err != nil {
		return nil, err
	}
	v := newView(c.kube, c.namespace)
	f := facts{app: app, now: s.now(), kindOf: func(mg managed) string { return v.kindOf(mg) }}
	all, err := v.managed(ctx)
	if err != nil {
		return nil, err
	}
	for _, mg := range all {
		if v1.ApplicationOf(mg) == name {
			f.managed = append(f.managed, mg)
		}
	}
	if err = v.secretsOf(ctx, &f); err != nil {
		return nil, err
	}
	if f.uses, err = v.uses(ctx); err != nil {
		return nil, err
	}
	out := f.status()
	out.NotSeen = v.notSeen()
	return out, nil
}

// secretsOf finds the Secrets that the application names, and those that were
// published for it and still exist.
func (v *view) secretsOf(ctx context.Context, f *facts) error {
	app := f.app
	names := append(app.SecretNames(), app.PublishedNames()...)
	all, err := v.published(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		if v1.ApplicationOf(&all[i]) == app.GetName() {
			names = append(names, all[i].GetName())
		}
	}
	slices.Sort(names)
	f.secrets, f.unread, f.foreign = make(map[string]*corev1.Secret), make(map[string]bool), make(map[string]bool)
	for _, n := range slices.Compact(names) {
		secret := &corev1.Secret{}
		err := v.kube.Get(ctx, client.ObjectKey{Namespace: app.GetNamespace(), Name: n}, secret)
		switch {
		case kerrors.IsForbidden(err):
			f.unread[n], f.secrets[n] = true, nil
		case kerrors.IsNotFound(err):
			f.secrets[n] = nil
		case err != nil:
			return errors.Wrap(err, "cannot get Secret")
		case v1.ApplicationOf(secret) != app.GetName() && app.GetCondition(xpv2.TypeReady).Reason == v1.ReasonSecretConflict:
			f.foreign[n], f.secrets[n] = true, nil // Else it is one that is being taken over.
		default:
			f.secrets[n] = secret
		}
	}
	return nil
}

// status returns what there is to say. Pure.
func (f facts) status() *Status {
	ready := f.app.GetCondition(xpv2.TypeReady)
	out := &Status{
		Header: header("ApplicationStatus"), Namespace: f.app.GetNamespace(), Name: f.app.GetName(),
		Ready:  ready.Status == corev1.ConditionTrue && ready.ObservedGeneration == f.app.GetGeneration(),
		Reason: string(ready.Reason), Message: ready.Message, ExpiresAt: f.app.Spec.ExpiresAt,
		Revisions: revisions(f.app), Users: []User{}, Secrets: []Secret{}, Findings: []Finding{},
	}
	if c := f.app.Status.Credentials; c != nil {
		out.RotateAt = c.RotateAt
	}
	for _, mg := range f.managed {
		out.Users = append(out.Users, f.user(mg))
	}
	slices.SortFunc(out.Users, func(a, b User) int {
		return cmp.Or(cmp.Compare(order(a.State), order(b.State)), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name))
	})
	for name := range f.secrets {
		out.Secrets = append(out.Secrets, f.secret(name))
	}
	slices.SortFunc(out.Secrets, func(a, b Secret) int { return cmp.Compare(a.Name, b.Name) })
	out.Findings = append(out.Findings, f.findings(out)...)
	return out
}

func order(state string) int {
	return slices.Index([]string{stateCurrent, stateNext, statePrevious, stateOther}, state)
}

// revisions returns those that are valid or about to be, the present one first.
func revisions(app *v1.AivenApplication) []Revision {
	out := []Revision{}
	c := app.Status.Credentials
	if c == nil {
		return out
	}
	if c.IssuedAt != nil {
		out = append(out, Revision{State: stateCurrent, Number: c.Revision, Since: c.IssuedAt})
	}
	if n := c.Next; n != nil {
		out = append(out, Revision{State: stateNext, Number: n.Revision, Since: &n.Since, Reason: string(n.Reason)})
	}
	if p := c.Previous; p != nil {
		out = append(out, Revision{State: statePrevious, Number: p.Revision, Since: &p.Since, Until: &p.RetireAfter, HeldBy: p.HeldBy})
	}
	return out
}

func (f facts) user(mg managed) User {
	ready, synced := mg.GetCondition(xpv2.TypeReady), mg.GetCondition(xpv2.TypeSynced)
	at, seen := mg.GetServiceUserParameters(), mg.GetServiceUserObservation()
	u := User{
		Service: mg.GetLabels()[v1.LabelService], Revision: v1.RevisionOf(mg), Kind: f.kindOf(mg), Name: mg.GetName(),
		Username: meta.GetExternalName(mg), Project: at.Project, ServiceName: at.ServiceName,
		Ready: ready.Status == corev1.ConditionTrue, Reason: string(ready.Reason), Message: ready.Message,
		DeletedAt: mg.GetDeletionTimestamp(), CertificateNotAfter: seen.CertificateNotAfter,
	}
	if synced.Status == corev1.ConditionFalse {
		u.SyncError = synced.Message
	}
	if i := mg.GetAnnotations()[v1.AnnotationInstance]; i != "" {
		u.Service += "/" + i
	}
	u.State = stateOf(f.app.Status.Credentials, u)
	return u
}

// stateOf returns which revision a user belongs to.
func stateOf(c *v1.CredentialsStatus, u User) string {
	is := func(o v1.UserStatus) bool {
		return o.Username == u.Username && o.Project == u.Project && o.ServiceName == u.ServiceName
	}
	switch {
	case c == nil, c.IssuedAt == nil:
		return stateNext
	case slices.ContainsFunc(c.Users, is):
		return stateCurrent
	case c.Previous != nil && slices.ContainsFunc(c.Previous.Users, is):
		return statePrevious
	case u.DeletedAt == nil && (c.Next != nil && u.Revision == c.Next.Revision || u.Revision == c.Revision):
		return stateNext
	default:
		return stateOther
	}
}

func (f facts) secret(name string) Secret {
	out := Secret{Name: name, Current: slices.Contains(f.app.SecretNames(), name), Protected: f.app.Spec.Protected, UsedBy: []Use{}}
	for _, st := range f.app.Status.Secrets {
		if st.Name == name {
			out.ContentHash, out.PublishedAt = st.ContentHash, st.PublishedAt
		}
	}
	if !f.unread[name] {
		out.Foreign = f.foreign[name]
		out.Exists = new(f.secrets[name] != nil || out.Foreign)
	}
	if s := f.secrets[name]; s != nil {
		a := s.GetAnnotations()
		out.Keys, out.DeletedAt, out.UnusedSince = new(len(s.Data)), s.GetDeletionTimestamp(), a[v1.AnnotationUnusedSince]
		out.Protected = janitor.StateOf(s, f.app, f.now).Protected
		out.ContentHash = cmp.Or(a[v1.AnnotationContentHash], out.ContentHash)
	}
	for _, u := range f.uses.of(f.app.GetNamespace(), name) {
		use := Use{Kind: u.Kind, Name: u.Name}
		if !u.Started.IsZero() {
			use.StartedAt = &metav1.Time{Time: u.Started}
			use.BeforeContent = out.PublishedAt != nil && u.Started.Before(out.PublishedAt.Time)
		}
		out.UsedBy = append(out.UsedBy, use)
	}
	slices.SortFunc(out.UsedBy, func(a, b Use) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return out
}
