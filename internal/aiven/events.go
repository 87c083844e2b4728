// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"cmp"
	"slices"
	"strings"
)

// Subscribe registers fn to be told of each user whose credentials, certificate, access or presence changed as seen by a
// read (not by this client's own writes), of each user of the service whom the Pattern of a KafkaEntry matches that came,
// went or has another ID in that way, and of each user whose pending rules were written or failed. An empty Username
// stands for all users of the service: its state, its endpoints or its project's CA changed, it became readable again, it
// is not any more, or very many patterns have other entries. fn is called concurrently, must not block and must not call
// Close. cancel may be called many times; a call of fn that began before may still be running when it returns.
func (c *Client) Subscribe(fn func(UserRef)) (cancel func()) { return c.subscribers.Subscribe(fn) }

// changes lists what differs between two snapshots of one service.
func changes(old, now *Service) []UserRef {
	if !old.sameEndpoints(now) {
		return []UserRef{{ServiceRef: now.Ref}}
	}
	var out []UserRef
	before, after := old.users.all(), now.users.all()
	for name, u := range after {
		if o, ok := before[name]; !ok || (o != u && !o.same(*u)) {
			out = append(out, UserRef{ServiceRef: now.Ref, Username: name})
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			out = append(out, UserRef{ServiceRef: now.Ref, Username: name})
		}
	}
	names, ok := matching(changedPatterns(old.kafka, now.kafka), after)
	if !ok {
		return []UserRef{{ServiceRef: now.Ref}}
	}
	for _, name := range names {
		out = append(out, UserRef{ServiceRef: now.Ref, Username: name})
	}
	slices.SortFunc(out, func(a, b UserRef) int { return cmp.Compare(a.Username, b.Username) })
	return slices.Compact(out)
}

// matching lists the users whose names a pattern matches, some perhaps more than once. It is false when there are too many
// patterns to find out.
func matching(patterns []string, users map[string]*User) ([]string, bool) {
	var out []string
	globs := 0
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, "*?") {
			if _, ok := users[pattern]; ok {
				out = append(out, pattern)
			}
			continue
		}
		if globs++; globs > maxGlobPatterns {
			return nil, false
		}
		for name := range users {
			if matchGlob(pattern, name) {
				out = append(out, name)
			}
		}
	}
	return out, true
}
