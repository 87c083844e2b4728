// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	sdk "github.com/aiven/aiven-go-client/v2"
	"github.com/pkg/errors"
)

const (
	// subjectPrefix stands before the subject in a resource of the Schema Registry's ACL. Aiven: the other kind of resource
	// is "Config:".
	subjectPrefix = "Subject:"

	// maxGlobPatterns is of how many changed patterns at one time it is found out whose names they match.
	maxGlobPatterns = 100
)

// A KafkaEntry is an entry of the ACL of a Kafka service, or of its Schema Registry. Aiven: entries are never changed, and
// there may be several that differ in nothing but their ID.
type KafkaEntry struct {
	// ID is Aiven's. It is not used again after the entry was deleted.
	ID string
	// Registry is true for an entry of the Schema Registry's ACL.
	Registry bool
	// Pattern is a username, in which * stands for any characters and ? for one. Such users need not exist.
	Pattern string
	// Resource is a topic, or for the registry a subject (without "Subject:"); * and ? are as in Pattern.
	Resource string
	// Permission is admin, read, readwrite or write; for the registry schema_registry_read or schema_registry_write.
	Permission string
}

// grants tells whether two entries say the same, whatever their IDs.
func (k KafkaEntry) grants(o KafkaEntry) bool {
	o.ID = k.ID
	return k == o
}

// is tells whether two values are about one entry at Aiven.
func (k KafkaEntry) is(o KafkaEntry) bool {
	return k.ID == o.ID && k.Registry == o.Registry
}

// KafkaEntries returns the entries for exactly that pattern, those of Kafka first, in Aiven's order and with all own writes.
// The result is shared and must not be modified.
func (s *Service) KafkaEntries(pattern string) []KafkaEntry {
	return s.kafka[pattern]
}

// AddKafkaEntry adds an entry unless there is one that grants the same, and returns it with its ID, and whether it may be
// taken for added by this call, rather than having been seen before. One write of entries
// is made at a time per service; who comes next sees what the one before has done. An entry that the snapshot has is
// returned without a call, whoever made it. Nothing is tried again in line. ErrUnavailable leaves open whether the entry
// exists now; the next Service, and so the next AddKafkaEntry, reads again. ErrServiceNotRunning is returned without a
// call when the service's state says so.
func (c *Client) AddKafkaEntry(ctx context.Context, ref ServiceRef, k KafkaEntry) (entry KafkaEntry, added bool, err error) {
	cl := newCall(opAddKafkaACL, "add Kafka ACL entry", ref.Project, ref.Service, k.Pattern, k.Resource)
	if k.Registry {
		cl = newCall(opAddSchemaRegistryACL, "add Schema Registry ACL entry", ref.Project, ref.Service, k.Pattern, k.Resource)
	}
	if err := cl.check(); err != nil {
		return KafkaEntry{}, false, err
	}
	e := c.entry(ref)
	if err := e.takeTurn(ctx, cl); err != nil {
		return KafkaEntry{}, false, err
	}
	defer e.endTurn()
	svc, err := c.Service(ctx, ref)
	if err != nil {
		return KafkaEntry{}, false, err
	}
	if known, ok := svc.kafka.find(k); ok {
		return known, false, nil
	}
	if !svc.Operational() {
		return KafkaEntry{}, false, cl.failed(ErrServiceNotRunning, "the service is in state "+cut(svc.State, 32))
	}
	entry, err = do(ctx, c, cl, func(ctx context.Context) (KafkaEntry, error) { return c.createKafkaEntry(ctx, ref, k) })
	switch {
	case identical(err), err == nil && entry.ID == "":
		known, err := c.existingKafkaEntry(ctx, e, cl, k, err)
		return known, err == nil, err
	case err != nil:
		return KafkaEntry{}, false, e.writeFailed(err)
	}
	e.wroteKafka(kafkaWrite{entry: entry})
	return entry, true, nil
}

// createKafkaEntry makes one call. The library returns the last entry of Aiven's answer that matches. Aiven: the answer is
// the whole list.
func (c *Client) createKafkaEntry(ctx context.Context, ref ServiceRef, k KafkaEntry) (KafkaEntry, error) {
	if k.Registry {
		a, err := c.sdk.KafkaSchemaRegistryACLs.Create(ctx, ref.Project, ref.Service, sdk.CreateKafkaSchemaRegistryACLRequest{
			Permission: k.Permission, Resource: subjectPrefix + k.Resource, Username: k.Pattern,
		})
		if err == nil {
			k.ID = a.ID
		}
		return k, err
	}
	a, err := c.sdk.KafkaACLs.Create(ctx, ref.Project, ref.Service, sdk.CreateKafkaACLRequest{
		Permission: k.Permission, Topic: k.Resource, Username: k.Pattern,
	})
	if err == nil {
		k.ID = a.ID
	}
	return k, err
}

// identical tells whether Aiven refused an entry because there is one like it. Aiven: whether it does so is not documented,
// nor how it says it.
func identical(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusConflict && (errors.Is(err, ErrUserExists) || errors.Is(err, ErrInvalid))
}

// existingKafkaEntry reads the service for an entry that Aiven has, and did not show. why is the error that told so, if any.
func (c *Client) existingKafkaEntry(ctx context.Context, e *entry, cl call, k KafkaEntry, why error) (KafkaEntry, error) {
	e.doubt()
	svc, err := c.Refresh(ctx, e.ref)
	if err != nil {
		return KafkaEntry{}, err
	}
	if known, ok := svc.kafka.find(k); ok {
		return known, nil
	}
	e.doubt()
	if errors.Is(why, ErrInvalid) {
		return KafkaEntry{}, why // It was another conflict.
	}
	return KafkaEntry{}, cl.failed(ErrUnavailable, "Aiven has such an entry, but does not list it")
}

// DeleteKafkaEntry deletes an entry, as a snapshot or AddKafkaEntry had it, by its ID. That there is no such entry, or no
// such service, is success. It waits for its turn as AddKafkaEntry does, and is never tried again in line.
func (c *Client) DeleteKafkaEntry(ctx context.Context, ref ServiceRef, k KafkaEntry) error {
	cl := newCall(opDeleteKafkaACL, "delete Kafka ACL entry", ref.Project, ref.Service, k.Pattern, k.ID)
	remove := c.sdk.KafkaACLs.Delete
	if k.Registry {
		cl = newCall(opDeleteSchemaRegistryACL, "delete Schema Registry ACL entry", ref.Project, ref.Service, k.Pattern, k.ID)
		remove = c.sdk.KafkaSchemaRegistryACLs.Delete
	}
	if err := cl.check(); err != nil {
		return err
	}
	e := c.entry(ref)
	if err := e.takeTurn(ctx, cl); err != nil {
		return err
	}
	defer e.endTurn()
	_, err := do(ctx, c, cl, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, remove(ctx, ref.Project, ref.Service, k.ID)
	})
	switch {
	case err == nil:
	case errors.Is(err, ErrServiceNotFound), errors.Is(err, ErrUserNotFound): // Which of them is missing does not matter.
		e.doubt()
	default:
		return e.writeFailed(err)
	}
	e.wroteKafka(kafkaWrite{entry: k, deleted: true})
	return nil
}

// takeTurn waits until no other write of entries to the service is under way.
func (e *entry) takeTurn(ctx context.Context, cl call) error {
	if ctx.Err() != nil {
		return cl.ended(ctx)
	}
	select {
	case e.kafkaTurn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return cl.ended(ctx)
	}
}

func (e *entry) endTurn() { <-e.kafkaTurn }

// wroteKafka records an own write and puts it into the snapshot.
func (e *entry) wroteKafka(w kafkaWrite) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.at = e.c.opts.Now()
	e.kafkaJournal = append(e.kafkaJournal, w)
	if e.view != nil {
		e.view = e.view.withKafka(w)
	}
}

// A kafkaWrite is something this client did to an entry.
type kafkaWrite struct {
	entry   KafkaEntry
	deleted bool
	at      time.Time // when Aiven had confirmed it
}

// A kafkaJournal remembers own writes of entries, in their order, until no read can miss them any more.
type kafkaJournal []kafkaWrite

// settle forgets the writes that a read must show, as journal does.
func (j *kafkaJournal) settle(began time.Time, settleTime time.Duration) {
	*j = slices.DeleteFunc(*j, func(w kafkaWrite) bool { return !began.Before(w.at.Add(settleTime)) })
}

// overlay applies the writes to the entries of a read.
func (j *kafkaJournal) overlay(s kafkaSet) {
	for _, w := range *j {
		s.apply(w)
	}
}

// A kafkaSet has the entries of a service by their patterns. The lists are not modified once they are here.
type kafkaSet map[string][]KafkaEntry

// newKafkaSet translates the entries of an answer. Those for resources other than subjects are left out.
func newKafkaSet(in *sdk.Service) kafkaSet {
	s := kafkaSet{}
	for _, a := range in.ACL {
		if a != nil {
			s[a.Username] = append(s[a.Username], KafkaEntry{ID: a.ID, Pattern: a.Username, Resource: a.Topic, Permission: a.Permission})
		}
	}
	for _, a := range in.SchemaRegistryACL {
		if a == nil {
			continue
		}
		if subject, ok := strings.CutPrefix(a.Resource, subjectPrefix); ok {
			s[a.Username] = append(s[a.Username], KafkaEntry{
				ID: a.ID, Registry: true, Pattern: a.Username, Resource: subject, Permission: a.Permission,
			})
		}
	}
	return s
}

// find returns the first entry that grants the same.
func (s kafkaSet) find(k KafkaEntry) (KafkaEntry, bool) {
	list := s[k.Pattern]
	if i := slices.IndexFunc(list, k.grants); i >= 0 {
		return list[i], true
	}
	return KafkaEntry{}, false
}

// apply changes the set as a write did, if it does not show it yet.
func (s kafkaSet) apply(w kafkaWrite) {
	list := s[w.entry.Pattern]
	i := slices.IndexFunc(list, w.entry.is)
	switch {
	case !w.deleted && i < 0:
		at := slices.IndexFunc(list, func(k KafkaEntry) bool { return k.Registry })
		if w.entry.Registry || at < 0 {
			at = len(list)
		}
		s[w.entry.Pattern] = slices.Insert(slices.Clone(list), at, w.entry)
	case w.deleted && len(list) == 1 && i == 0:
		delete(s, w.entry.Pattern)
	case w.deleted && i >= 0:
		s[w.entry.Pattern] = slices.Delete(slices.Clone(list), i, i+1)
	}
}

// withKafka returns the snapshot after an own write of an entry.
func (s *Service) withKafka(w kafkaWrite) *Service {
	n := *s
	n.kafka = maps.Clone(s.kafka)
	n.kafka.apply(w)
	return &n
}

// changedPatterns lists the patterns for which two sets have other entries. Their order does not matter.
func changedPatterns(old, now kafkaSet) []string {
	var out []string
	for pattern, list := range now {
		if !sameEntries(old[pattern], list) {
			out = append(out, pattern)
		}
	}
	for pattern := range old {
		if _, ok := now[pattern]; !ok {
			out = append(out, pattern)
		}
	}
	return out
}

func sameEntries(a, b []KafkaEntry) bool {
	if len(a) != len(b) || slices.Equal(a, b) {
		return len(a) == len(b)
	}
	byID := func(a, b KafkaEntry) int { return cmp.Compare(a.ID, b.ID) }
	return slices.Equal(slices.SortedStableFunc(slices.Values(a), byID), slices.SortedStableFunc(slices.Values(b), byID))
}

// matchGlob tells whether a pattern in which * stands for any characters and ? for one matches all of a name. Aiven:
// the names of users are ASCII. The time it takes is bounded by the product of both lengths.
func matchGlob(pattern, name string) bool {
	p, n := 0, 0
	star, resume := -1, 0 // where the last * was, and which part of the name it does not stand for yet
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
