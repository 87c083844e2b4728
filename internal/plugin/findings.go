// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/usage"
)

// stuck is how long a deletion may take before it is worth a word.
const stuck = 10 * time.Minute

func isStuck(deletedAt *metav1.Time, now time.Time) bool {
	return deletedAt != nil && now.Sub(deletedAt.Time) >= stuck
}

// findings returns what a person should know about an application, the worst
// first as far as what is below follows from what is above.
func (f facts) findings(st *Status) []Finding {
	out := applicationFindings(f.app)
	for _, u := range st.Users {
		out = append(out, f.userFindings(st, u)...)
	}
	for _, s := range st.Secrets {
		out = append(out, f.secretFindings(s)...)
	}
	if p := f.previous(); p != nil && len(p.HeldBy) > 0 {
		out = append(out, Finding{
			Severity: Note, Objects: prefixed("pod/", p.HeldBy),
			Message: fmt.Sprintf("They started before revision %d was published, and may still use the users before", f.app.Status.Credentials.Revision),
			Advice:  "Restart them (kubectl rollout restart) before the next rotation: the users before go then, whoever holds them.",
		})
	}
	if pods := f.lockedOut(st); len(pods) > 0 {
		out = append(out, Finding{
			Severity: Warning, Objects: prefixed("pod/", pods),
			Message: fmt.Sprintf("They started before revision %d was published, and the users before are gone", f.app.Status.Credentials.Revision),
			Advice:  "Restart them (kubectl rollout restart), unless they read the Secret's files anew.",
		})
	}
	return out
}

// lockedOut returns the pods that started with credentials all of which were
// replaced and do not work any more.
func (f facts) lockedOut(st *Status) []string {
	c := f.app.Status.Credentials
	if c == nil || c.IssuedAt == nil || c.Revision < 2 || c.Previous != nil {
		return nil // Before the first revision a pod waits for its Secret.
	}
	if slices.ContainsFunc(c.Users, func(u v1.UserStatus) bool { return u.Revision != c.Revision }) {
		return nil // Some users are older: a pod may need no other.
	}
	var out []string
	for _, s := range st.Secrets {
		for _, u := range s.UsedBy {
			if s.Current && !s.Foreign && u.Kind == string(usage.Pod) && u.StartedAt != nil && u.StartedAt.Before(c.IssuedAt) && !slices.Contains(out, u.Name) {
				out = append(out, u.Name)
			}
		}
	}
	return out
}

func (f facts) previous() *v1.PreviousStatus {
	if f.app.Status.Credentials == nil {
		return nil
	}
	return f.app.Status.Credentials.Previous
}

// applicationFindings returns what the conditions of an application say.
func applicationFindings(app *v1.AivenApplication) []Finding {
	var out []Finding
	add := func(severity string, c xpv2.Condition, advice string) {
		out = append(out, Finding{Severity: severity, Reason: string(c.Reason), Message: orElse(c.Message, fmt.Sprintf("%s is %s", c.Type, c.Status)), Advice: advice})
	}
	ready := app.GetCondition(xpv2.TypeReady)
	switch {
	case ready.Status == corev1.ConditionUnknown:
		out = append(out, Finding{Severity: Problem, Message: "The provider has not looked at this application yet", Advice: adviceProvider})
		return out
	case ready.ObservedGeneration != app.GetGeneration():
		out = append(out, Finding{Severity: Problem, Message: "The provider has not looked at the last change of this application yet", Advice: adviceProvider})
	case ready.Status == corev1.ConditionFalse && ready.Reason == v1.ReasonCreating:
		add(Warning, ready, adviceOn(ready.Reason))
	case ready.Status == corev1.ConditionFalse:
		add(Problem, ready, adviceOn(ready.Reason))
	case ready.Message != "":
		add(Note, ready, "")
	}
	// While Ready is False, it is of the same attempt and has the same cause in other words.
	if c := app.GetCondition(xpv2.TypeSynced); c.Status == corev1.ConditionFalse && ready.Status != corev1.ConditionFalse {
		add(Problem, c, adviceWait)
	}
	switch c := app.GetCondition(v1.TypeRotated); {
	case c.Status != corev1.ConditionFalse, c.Reason == ready.Reason, c.Reason == v1.ReasonCreating:
	case c.Reason == v1.ReasonRotating, c.Reason == v1.ReasonWaitingForOverlap:
		add(Note, c, adviceOn(c.Reason))
	default:
		add(Problem, c, adviceOn(c.Reason))
	}
	if c := app.GetCondition(v1.TypeQuotaAvailable); c.Status == corev1.ConditionFalse && ready.Reason != c.Reason {
		add(Warning, c, adviceOn(c.Reason))
	}
	if c := app.GetCondition(v1.TypeExpiring); c.Status == corev1.ConditionTrue && c.Reason != ready.Reason {
		add(Warning, c, expiringAdvice[c.Reason])
	}
	return out
}

// userFindings leaves out what the application has said already.
func (f facts) userFindings(st *Status, u User) []Finding {
	object := []string{u.Kind + "/" + u.Name}
	switch {
	case isStuck(u.DeletedAt, f.now):
		return []Finding{{
			Severity: Problem, Objects: object, Reason: u.Reason, Advice: "Mend what the message says: the token, its rights, or Aiven. See \"A Secret that hangs in deletion\" in docs/runbook.md.",
			Message: "It has been waiting to be deleted since " + moment(u.DeletedAt, f.now) + tail(u.SyncError),
		}}
	case u.DeletedAt != nil, u.Ready, u.Reason == st.Reason && strings.Contains(st.Message, u.Message):
		return nil
	case u.Reason == string(v1.ReasonCreating), u.Reason == "" && u.SyncError == "":
		return []Finding{{Severity: Note, Objects: object, Reason: u.Reason, Message: orElse(u.Message, "It is being made"), Advice: adviceOn(v1.ReasonCreating)}}
	default:
		return []Finding{{Severity: Problem, Objects: object, Reason: u.Reason, Message: orElse(u.Message, u.SyncError), Advice: adviceOn(xpv2.ConditionReason(u.Reason))}}
	}
}

func (f facts) secretFindings(s Secret) []Finding {
	object := []string{"secret/" + s.Name}
	switch {
	case s.Foreign:
		return nil // The condition Ready says so.
	case isStuck(s.DeletedAt, f.now):
		return []Finding{{
			Severity: Problem, Objects: object, Message: "It has been waiting to be deleted since " + moment(s.DeletedAt, f.now),
			Advice: "Its users have to go from Aiven first. See \"A Secret that hangs in deletion\" in docs/runbook.md.",
		}}
	case s.DeletedAt != nil:
		return []Finding{{Severity: Warning, Objects: object, Message: "Somebody deleted it: its users are being deleted at Aiven", Advice: adviceWait}}
	case f.app.Published(s.Name) && s.Exists != nil && !*s.Exists:
		return []Finding{{Severity: Problem, Objects: object, Message: "It was published and is gone", Advice: adviceProvider}}
	case len(s.UsedBy) > 0 || len(f.uses.unknown) > 0 || s.Exists != nil && !*s.Exists:
		return nil
	case !s.Current && s.Protected:
		return []Finding{{Severity: Note, Objects: object, Message: "The application does not name it any more, and it is protected", Advice: "Delete it when nobody needs it; that revokes what it holds."}}
	case !s.Current:
		return []Finding{{Severity: Note, Objects: object, Message: "The application does not name it any more and nothing uses it: the janitor removes it"}}
	default:
		return []Finding{{Severity: Note, Objects: object, Message: "No workload uses it"}}
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// tail returns a text to append to a sentence, if there is one.
func tail(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}
