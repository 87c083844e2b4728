// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"maps"
	"slices"

	sdk "github.com/aiven/aiven-go-client/v2"
)

// Limits of an OpenSearch access control document. Aiven: its API schema.
const (
	maxACLUsers = 512
	maxACLRules = 256
)

// A merged is the outcome of putting changes into a document.
type merged struct {
	doc     sdk.OpenSearchACLConfig
	changed bool
	// refused are the changes that do not fit, by user.
	refused map[string]refusal
}

type refusal struct {
	kind   error
	detail string
}

// mergeRules puts each user's rules in the place of what the document says about that user; no rules remove the user. All
// other rows, their order, and the document's other fields stay as they are. The document given is not modified.
func mergeRules(doc sdk.OpenSearchACLConfig, wanted map[string][]Rule) merged {
	out := merged{doc: doc, refused: map[string]refusal{}}
	out.doc.ACLs = make([]sdk.OpenSearchACL, 0, len(doc.ACLs)+len(wanted)) // Never null: Aiven refuses that.
	done := map[string]bool{}
	for _, row := range doc.ACLs {
		rules, ours := wanted[row.Username]
		switch {
		case !ours || len(rules) > maxACLRules:
			out.doc.ACLs = append(out.doc.ACLs, row)
		case done[row.Username] || len(rules) == 0:
			out.changed = true // A second row of the user, or one to remove.
		case EqualRules(rulesOf(row), rules):
			out.doc.ACLs = append(out.doc.ACLs, row)
		default:
			out.doc.ACLs = append(out.doc.ACLs, newRow(row.Username, rules))
			out.changed = true
		}
		done[row.Username] = true
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		rules := wanted[name]
		switch {
		case len(rules) > maxACLRules:
			out.refused[name] = refusal{ErrInvalid, "a user may have at most 256 rules"}
		case done[name] || len(rules) == 0:
		case len(out.doc.ACLs) >= maxACLUsers:
			out.refused[name] = refusal{ErrQuota, "the service has access rules for as many users as it may have"}
		default:
			out.doc.ACLs = append(out.doc.ACLs, newRow(name, rules))
			out.changed = true
		}
	}
	return out
}

// shows tells whether a document says exactly that about a user.
func shows(doc sdk.OpenSearchACLConfig, name string, rules []Rule) bool {
	rows := 0
	for _, row := range doc.ACLs {
		if row.Username != name {
			continue
		}
		if rows++; !EqualRules(rulesOf(row), rules) {
			return false
		}
	}
	return rows == min(1, len(rules))
}

// rulesIn returns what a document says about a user, nil when nothing.
func rulesIn(doc sdk.OpenSearchACLConfig, name string) []Rule {
	var out []Rule
	for _, row := range doc.ACLs {
		if row.Username == name {
			out = append(out, rulesOf(row)...)
		}
	}
	return out
}

// changedRows lists the users of whom two documents differ, all of them when the document was switched on or off.
func changedRows(old, now sdk.OpenSearchACLConfig) []string {
	before, after := rowsByUser(old), rowsByUser(now)
	names := map[string]bool{}
	for name, rules := range after {
		if o, ok := before[name]; !ok || old.Enabled != now.Enabled || !EqualRules(o, rules) {
			names[name] = true
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func rowsByUser(doc sdk.OpenSearchACLConfig) map[string][]Rule {
	out := make(map[string][]Rule, len(doc.ACLs))
	for _, row := range doc.ACLs {
		out[row.Username] = append(out[row.Username], rulesOf(row)...)
	}
	return out
}

func rulesOf(row sdk.OpenSearchACL) []Rule {
	out := make([]Rule, 0, len(row.Rules))
	for _, r := range row.Rules {
		out = append(out, Rule{Index: r.Index, Permission: r.Permission})
	}
	return out
}

func newRow(name string, rules []Rule) sdk.OpenSearchACL {
	row := sdk.OpenSearchACL{Username: name, Rules: make([]sdk.OpenSearchACLRule, 0, len(rules))}
	for _, r := range rules {
		row.Rules = append(row.Rules, sdk.OpenSearchACLRule{Index: r.Index, Permission: r.Permission})
	}
	return row
}
