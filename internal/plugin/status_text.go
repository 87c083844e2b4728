// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"time"

	"github.com/provider-aiven/provider-aiven/internal/usage"
)

// status writes an application as a tree, and what is wrong below it.
func (p printer) status(st *Status, now time.Time) {
	root := node{cells: []cell{bold.as("AivenApplication %s/%s", st.Namespace, st.Name), readiness(st.Ready, st.Reason)}}
	root.children = append(root.children, credentials(st, now))
	if len(st.Users) > 0 {
		users := leaf(bold.as("Users at Aiven"))
		for _, u := range st.Users {
			users.children = append(users.children, u.node(now))
		}
		root.children = append(root.children, users)
	}
	for _, s := range st.Secrets {
		root.children = append(root.children, s.node(now))
	}
	p.tree(root)
	p.printf("\n")
	p.findings(st.Findings)
	p.notSeen(st.NotSeen)
}

func readiness(ready bool, reason string) cell {
	switch {
	case ready:
		return good.as("Ready")
	case reason == "":
		return poor.as("not seen by the provider yet")
	default:
		return bad.as("not ready: %s", reason)
	}
}

func credentials(st *Status, now time.Time) node {
	n := leaf(bold.as("Credentials"))
	for _, r := range st.Revisions {
		n.children = append(n.children, r.node(now))
	}
	if len(st.Revisions) == 0 {
		n.children = append(n.children, leaf(say("none yet")))
	}
	switch {
	case st.RotateAt != nil:
		n.children = append(n.children, leaf(say("next rotation"), say("%s", moment(st.RotateAt, now))))
	case len(st.Revisions) > 0:
		n.children = append(n.children, leaf(say("next rotation"), say("not by time")))
	}
	n.children = append(n.children, leaf(say("access ends"), say("%s", moment(st.ExpiresAt, now))))
	return n
}

func (r Revision) node(now time.Time) node {
	what := say("revision %d", r.Number)
	switch r.State {
	case stateNext:
		return leaf(what, poor.as("being made since %s: %s", moment(r.Since, now), r.Reason))
	case statePrevious:
		text := fmt.Sprintf("previous, valid at least until %s", moment(r.Until, now))
		if len(r.HeldBy) > 0 {
			text += "; held by " + first(prefixed("pod/", r.HeldBy))
		}
		return leaf(what, faint.as("%s", text))
	default:
		return leaf(what, say("current, issued %s", moment(r.Since, now)))
	}
}

func (u User) node(now time.Time) node {
	state := good.as("ready")
	switch {
	case u.DeletedAt != nil:
		state = poor.as("being deleted since %s", moment(u.DeletedAt, now))
	case !u.Ready:
		state = bad.as("not ready: %s", orElse(u.Reason, "being made"))
	}
	if u.State != stateCurrent {
		state.text = u.State + ", " + state.text
	}
	return leaf(say("%s", u.Service), say("%s", u.Username), say("%s/%s", u.Project, u.ServiceName), faint.as("%s/%s", u.Kind, u.Name), state)
}

func (s Secret) node(now time.Time) node {
	about := ""
	add := func(format string, args ...any) {
		if about != "" {
			about += ", "
		}
		about += fmt.Sprintf(format, args...)
	}
	switch {
	case s.Exists == nil:
		add("you may not read it")
	case !*s.Exists:
		add("not there")
	case s.Foreign:
		add("there, and not this application's")
	default:
		add("%s", count(*s.Keys, "key"))
	}
	if s.PublishedAt != nil {
		add("changed %s", distance(s.PublishedAt.Time, now))
	}
	if s.ContentHash != "" {
		add("content %s", s.ContentHash[:min(len(s.ContentHash), hashShown)])
	}
	if s.Protected {
		add("protected")
	}
	if s.UnusedSince != "" {
		add("unused since %s", s.UnusedSince)
	}
	n := leaf(bold.as("Secret %s", s.Name), say("%s", about))
	kept := 0
	for _, u := range s.UsedBy {
		if u.Kind == string(usage.ReplicaSet) {
			kept++
			continue
		}
		n.children = append(n.children, u.node(now))
	}
	if kept > 0 {
		n.children = append(n.children, leaf(faint.as("%s, also of earlier rollouts", count(kept, "replicaset"))))
	}
	if len(s.UsedBy) == 0 && s.Exists != nil && *s.Exists && !s.Foreign {
		n.children = append(n.children, leaf(faint.as("used by nothing that can be seen")))
	}
	return n
}

// hashShown is how much of a hash is shown: enough to see that it changed.
const hashShown = 12

func (u Use) node(now time.Time) node {
	n := leaf(say("%s/%s", u.Kind, u.Name))
	if u.StartedAt == nil {
		return n
	}
	n.cells = append(n.cells, say("started %s", distance(u.StartedAt.Time, now)))
	if u.BeforeContent {
		n.cells = append(n.cells, poor.as("before the content changed"))
	}
	return n
}

// findings writes what is wrong and what to do.
func (p printer) findings(fs []Finding) {
	if worst(fs) != Problem && worst(fs) != Warning {
		p.printf("%s\n", good.as("Nothing is wrong."))
	}
	for _, severity := range []string{Problem, Warning, Note} {
		for _, f := range fs {
			if f.Severity == severity {
				p.finding("", f)
			}
		}
	}
}

func (p printer) finding(indent string, f Finding) {
	style := map[string]style{Problem: bad, Warning: poor, Note: faint}[f.Severity]
	p.printf(indent+"%s", style.as("%s", f.Severity))
	if f.Reason != "" {
		p.printf(" (%s)", f.Reason)
	}
	if len(f.Objects) > 0 {
		p.printf(" %s", first(f.Objects))
	}
	p.printf(": %s\n", f.Message)
	if f.Advice != "" {
		p.printf(indent+"  what to do: %s\n", f.Advice)
	}
}

// notSeen says what the person may not see.
func (p printer) notSeen(what []string) {
	if len(what) == 0 {
		return
	}
	p.printf("\nThis is not all, because of your rights in the cluster:\n")
	for _, w := range what {
		p.printf("- %s\n", w)
	}
}
