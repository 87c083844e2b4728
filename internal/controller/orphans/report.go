// SPDX-License-Identifier: Apache-2.0

package orphans

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// Reasons of events.
const (
	// eventOrphaned: users that this cluster made are left over.
	eventOrphaned event.Reason = "OrphanedUsers"
	// eventUnclaimed: users are left over, or another cluster's.
	eventUnclaimed event.Reason = "UnclaimedUsers"
	// eventDeleted: users that were left over were deleted.
	eventDeleted event.Reason = "DeletedOrphan"
)

const (
	// named is how many users an event names.
	named = 5
	// sayAgain is how long an event that says the same is not repeated. Kubernetes:
	// events are kept for an hour.
	sayAgain = time.Hour
)

// said is what an event said last, and when.
type said struct {
	message string
	at      time.Time
}

// report says on each configuration which of its users are left over.
func (s *Sweeper) report(found []*finding) {
	proven, unproven := make(map[providerconfig.Ref][]string), make(map[providerconfig.Ref][]string)
	configs := make(map[providerconfig.Ref]config)
	for _, f := range found {
		ref := f.key.config
		configs[ref] = f.config
		proven[ref] = append(proven[ref], f.display(f.Proven)...)
		unproven[ref] = append(unproven[ref], f.display(f.Unproven)...)
	}
	for ref, c := range configs {
		s.sayOf(ref, c, eventOrphaned, proven[ref], func(users []string) event.Event {
			message := "%s at Aiven that this cluster made %s claimed by no managed resource: %s"
			if c.delete {
				message = "%s at Aiven that this cluster made %s claimed by no managed resource, and will be deleted: %s"
			}
			return event.Warning(eventOrphaned, errors.Errorf(message, count(users), are(users), names(users)))
		})
		s.sayOf(ref, c, eventUnclaimed, unproven[ref], func(users []string) event.Event {
			return event.Normal(eventUnclaimed, fmt.Sprintf("%s at Aiven with names like ours %s claimed by no managed resource of this cluster, which cannot prove that it made them: %s",
				count(users), are(users), names(users)))
		})
	}
}

// display returns users as they are named in messages.
func (f *finding) display(users []string) []string {
	out := make([]string, 0, len(users))
	for _, name := range users {
		out = append(out, f.key.service.Project+"/"+f.key.service.Service+"/"+name)
	}
	return out
}

// sayOf records an event about users, unless there are none or it was there lately.
func (s *Sweeper) sayOf(ref providerconfig.Ref, c config, r event.Reason, users []string, of func(users []string) event.Event) {
	key, now := ref.String()+" "+string(r), s.Now()
	if len(users) == 0 {
		delete(s.said, key)
		return
	}
	e := of(slices.Sorted(slices.Values(users)))
	if was := s.said[key]; was.message == e.Message && now.Sub(was.at) < sayAgain {
		return
	}
	s.said[key] = said{message: e.Message, at: now}
	s.record.Event(c.object, e)
}

// measure sets the metrics of all services. Those of a service that could not be
// read stay as they are.
func (s *Sweeper) measure(found []*finding) {
	proven, unproven := make(map[aiven.UserRef]bool), make(map[aiven.UserRef]bool)
	read, known := make(map[aiven.ServiceRef]bool), make(map[aiven.ServiceRef]bool)
	for _, f := range found {
		known[f.key.service] = true
		read[f.key.service] = read[f.key.service] || f.err == nil
		for _, name := range f.Proven {
			proven[f.key.user(name)] = true
		}
		for _, name := range f.Unproven {
			unproven[f.key.user(name)] = true
		}
	}
	type counts struct{ proven, unproven int }
	by := make(map[aiven.ServiceRef]counts)
	for u := range proven {
		c := by[u.ServiceRef]
		c.proven++
		by[u.ServiceRef] = c
	}
	for u := range unproven {
		if proven[u] {
			continue // Made through another configuration of the service.
		}
		c := by[u.ServiceRef]
		c.unproven++
		by[u.ServiceRef] = c
	}
	for service, ok := range read {
		if ok {
			s.Metrics.Orphaned(service.Project, service.Service, by[service].proven, by[service].unproven)
		}
	}
	for service := range s.known {
		if !known[service] {
			s.Metrics.ServiceGone(service.Project, service.Service)
		}
	}
	s.known = known
}

func count(users []string) string {
	if len(users) == 1 {
		return "1 user"
	}
	return fmt.Sprintf("%d users", len(users))
}

func are(users []string) string {
	if len(users) == 1 {
		return "is"
	}
	return "are"
}

// names lists the first users.
func names(users []string) string {
	if more := len(users) - named; more > 0 {
		return strings.Join(users[:named], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(users, ", ")
}

// A teller logs what a person should know once, and again when it changes.
type teller struct {
	log  logging.Logger
	told map[string]string
}

// Tell logs a message about a topic. The error may be nil.
func (t *teller) Tell(topic, message string, err error) {
	text := message
	if err != nil {
		text += ": " + err.Error()
	}
	if t.told[topic] == text {
		return
	}
	t.told[topic] = text
	if err == nil {
		t.log.Info(message)
		return
	}
	t.log.Info(message, "error", err)
}

// Passed takes note that there is nothing to say about a topic any more.
func (t *teller) Passed(topic string) { delete(t.told, topic) }
