// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"cmp"
	"slices"

	sdk "github.com/aiven/aiven-go-client/v2"
)

// AccessControl is what a Valkey user may do. The zero value says nothing.
type AccessControl struct {
	// Categories of commands in order, as "+@read" or "-@all".
	Categories []string
	// Commands in order, as "+get" or "-flushall".
	Commands []string
	// Keys are glob patterns without "~".
	Keys []string
	// Channels are glob patterns without "&".
	Channels []string
}

// IsZero tells whether no list has an entry.
func (a AccessControl) IsZero() bool {
	return len(a.Categories)+len(a.Commands)+len(a.Keys)+len(a.Channels) == 0
}

// Equal tells whether two say the same: nil and empty lists do, and so do keys and channels in another order or named
// twice. Aiven: the order of categories and commands is significant; lists without values are left out of answers.
func (a AccessControl) Equal(b AccessControl) bool {
	return slices.Equal(a.Categories, b.Categories) && slices.Equal(a.Commands, b.Commands) &&
		slices.Equal(sortedSet(a.Keys), sortedSet(b.Keys)) && slices.Equal(sortedSet(a.Channels), sortedSet(b.Channels))
}

func (a AccessControl) clone() AccessControl {
	return AccessControl{
		Categories: slices.Clone(a.Categories), Commands: slices.Clone(a.Commands),
		Keys: slices.Clone(a.Keys), Channels: slices.Clone(a.Channels),
	}
}

// request names all four lists, also the empty ones: what an omitted list means is not documented.
func (a AccessControl) request() *sdk.AccessControl {
	list := func(in []string) []string { return append([]string{}, in...) }
	return &sdk.AccessControl{
		ValkeyACLCategories: list(a.Categories), ValkeyACLCommands: list(a.Commands),
		ValkeyACLKeys: list(a.Keys), ValkeyACLChannels: list(a.Channels),
	}
}

func sortedSet(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// A Rule grants a permission on the indexes of OpenSearch that match a pattern.
type Rule struct {
	// Index is a glob pattern of 1 to 249 characters.
	Index string
	// Permission is "deny", "admin", "read", "readwrite" or "write".
	Permission string
}

// EqualRules tells whether two lists grant the same, in whatever order and however often a rule is named.
func EqualRules(a, b []Rule) bool {
	return slices.Equal(sortedRules(a), sortedRules(b))
}

func sortedRules(in []Rule) []Rule {
	out := slices.Clone(in)
	slices.SortFunc(out, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Permission, b.Permission))
	})
	return slices.Compact(out)
}
