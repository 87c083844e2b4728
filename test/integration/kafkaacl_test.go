// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/username"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// entries returns the entries of both ACLs of a service for a pattern of usernames, as
// "permission resource".
func (te tenant) entries(pattern string) []string {
	var out []string
	for _, e := range h.Sim.KafkaACL(te.project, "kafka") {
		if e.Username == pattern {
			out = append(out, e.Permission+" "+e.Topic)
		}
	}
	for _, e := range h.Sim.SchemaRegistryACL(te.project, "kafka") {
		if e.Username == pattern {
			out = append(out, e.Permission+" "+e.Resource)
		}
	}
	slices.Sort(out)
	return out
}

// entered waits until the entries for a pattern are just these.
func (te tenant) entered(pattern string, want ...string) {
	te.t.Helper()
	slices.Sort(want)
	harness.Eventually(te.t, "the ACLs are as asked for", func(context.Context) error {
		if diff := cmp.Diff(want, te.entries(pattern)); diff != "" {
			return errors.Errorf("-want, +got:\n%s", diff)
		}
		return nil
	})
}

// entryWrites returns the writes of entries.
func (te tenant) entryWrites() []string {
	var out []string
	for _, r := range h.Sim.Requests() {
		if r.Project == te.project && r.Method != http.MethodGet && strings.HasSuffix(r.Operation, "ACL") {
			out = append(out, r.Operation)
		}
	}
	return out
}

// topicsAllowed lets applications ask for topics and subjects.
func (te tenant) topicsAllowed(topics ...string) {
	te.t.Helper()
	te.configure(func(s *v1alpha1.ClusterProviderConfigSpec) {
		s.KafkaPools[0].Topics, s.KafkaPools[0].Subjects = topics, topics
	})
}

func topics(topics ...string) func(a *v1.AivenApplication) {
	return func(a *v1.AivenApplication) {
		a.Spec.Kafka.ACL = nil
		for _, name := range topics {
			a.Spec.Kafka.ACL = append(a.Spec.Kafka.ACL, v1.KafkaTopicAccess{Topic: name, Access: v1.AccessReadWrite})
		}
	}
}

// grants waits until a managed resource of an application has recorded that many
// entries as its own.
func (te tenant) grants(name string, n int) {
	te.t.Helper()
	harness.Eventually(te.t, "the entries are recorded", func(ctx context.Context) error {
		u := &v1alpha1.KafkaServiceUser{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, u); err != nil {
			return err
		}
		got := u.Status.AtProvider.Grants
		if len(got) != n || slices.ContainsFunc(got, func(g v1alpha1.KafkaGrant) bool { return g.ID == "" }) {
			return errors.Errorf("recorded are %+v", got)
		}
		return nil
	})
}

func TestKafkaACL(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "acl")
	ours := te.namespace + ".orders"
	pattern := username.Prefix(te.namespace, "orders") + "*"
	te.create(te.app("orders", kafkaOnly, shortOverlap, topics(ours, "common"), func(a *v1.AivenApplication) {
		a.Spec.Kafka.SchemaRegistry = []v1.KafkaSubjectAccess{{Subject: ours + "-value", Access: v1.AccessWrite}}
	}))
	// Nothing unless the pool says so, not even in part.
	for _, allowed := range [][]string{nil, {"{namespace}.*"}} {
		te.topicsAllowed(allowed...)
		harness.Eventually(t, "the topics are refused", func(context.Context) error {
			what := "Topic " + ours
			if allowed != nil {
				what = "Topic common"
			}
			if m := te.declined("orders", v1.ReasonNotAllowed); !strings.Contains(m, what+" is not within kafkaPools[].topics") {
				return errors.New(m)
			}
			return nil
		})
	}
	u := te.kafkaUser("by-hand", func(u *v1alpha1.KafkaServiceUser) {
		u.Spec.ForProvider.ACL = []v1alpha1.KafkaTopicAccess{{Topic: "*", Permission: "admin"}}
	})
	te.create(u)
	te.refused(u, v1.ReasonNotAllowed)
	if got := writesTo(te.project); len(got) > 0 {
		t.Errorf("topics that were refused led to %v", got)
	}
	te.delete(u)
	gone(t, u)

	te.topicsAllowed("{namespace}.*", "common")
	te.ready("orders")
	te.entered(pattern, "readwrite "+ours, "readwrite common", "schema_registry_write Subject:"+ours+"-value")
	user := string(te.secret("orders-aiven").Data["KAFKA_SCHEMA_REGISTRY_USER"])
	if !h.Sim.MayKafka(te.project, "kafka", user, ours, "write") || !h.Sim.MaySubject(te.project, "kafka", user, ours+"-value", "write") {
		t.Error("the user may not do what was asked for")
	}
	if h.Sim.MayKafka(te.project, "kafka", user, ours, "admin") || h.Sim.MayKafka(te.project, "kafka", user, "other", "read") {
		t.Error("the user may do more than was asked for")
	}
	te.grants("orders-kafka-r1", 3)

	// A rotation changes nothing in the ACLs, and both may do the same. The pod keeps the first.
	written := len(te.entryWrites())
	pod := te.pod("orders", "orders-aiven", time.Now())
	te.owned("orders", te.secret("orders-aiven"))
	te.change("orders", request("one"))
	te.revision("orders", 2, false)
	second := string(te.secret("orders-aiven").Data["KAFKA_SCHEMA_REGISTRY_USER"])
	for _, name := range []string{user, second} {
		if !h.Sim.MayKafka(te.project, "kafka", name, ours, "read") || !h.Sim.MaySubject(te.project, "kafka", name, ours+"-value", "read") {
			t.Errorf("%s may not do what was asked for during the overlap", name)
		}
	}
	te.grants("orders-kafka-r2", 3)

	// A change during the overlap replaces what is ours, for both.
	if got := te.entryWrites(); len(got) != written {
		t.Errorf("a rotation led to %v", got[written:])
	}
	h.Sim.AddKafkaACL(te.project, "kafka", aivensim.KafkaACLEntry{Permission: "read", Topic: "theirs", Username: pattern})
	te.change("orders", topics(ours))
	te.change("orders", func(a *v1.AivenApplication) { a.Spec.Kafka.ACL[0].Access = v1.AccessRead })
	te.ready("orders")
	te.entered(pattern, "read "+ours, "read theirs", "schema_registry_write Subject:"+ours+"-value")
	if h.Sim.MayKafka(te.project, "kafka", user, ours, "write") || !h.Sim.MayKafka(te.project, "kafka", second, ours, "read") {
		t.Error("the users may not do what was asked for after a change")
	}
	te.grants("orders-kafka-r2", 2)

	// The first user goes alone.
	written = len(te.entryWrites())
	te.delete(pod, client.GracePeriodSeconds(0))
	te.revision("orders", 2, true)
	te.entered(pattern, "read "+ours, "read theirs", "schema_registry_write Subject:"+ours+"-value")
	if got := te.entryWrites(); len(got) != written {
		t.Errorf("the end of the overlap led to %v", got[written:])
	}
	te.delete(te.app("orders"))
	te.nobodyLeft()
	te.entered(pattern, "read theirs")
}

// TestKafkaACLOfOthers: what others write is theirs, and what they remove of ours
// comes back.
func TestKafkaACLOfOthers(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "aclothers")
	te.topicsAllowed("*")
	pattern := username.Prefix(te.namespace, "orders") + "*"
	same := h.Sim.AddKafkaACL(te.project, "kafka", aivensim.KafkaACLEntry{Permission: "readwrite", Topic: "same", Username: pattern})
	h.Sim.AddSchemaRegistryACL(te.project, "kafka", aivensim.SchemaRegistryACLEntry{Permission: "schema_registry_read", Resource: "Subject:same", Username: pattern})
	te.create(te.app("orders", kafkaOnly, topics("same", "mine"), func(a *v1.AivenApplication) {
		a.Spec.Kafka.SchemaRegistry = []v1.KafkaSubjectAccess{{Subject: "same", Access: v1.AccessRead}}
	}))
	te.ready("orders")
	te.entered(pattern, "readwrite same", "readwrite mine", "schema_registry_read Subject:same")
	if diff := cmp.Diff([]string{"AddKafkaACL"}, te.entryWrites()); diff != "" {
		t.Errorf("writes of entries: -want, +got:\n%s", diff)
	}

	mine := slices.IndexFunc(h.Sim.KafkaACL(te.project, "kafka"), func(e aivensim.KafkaACLEntry) bool { return e.Topic == "mine" })
	h.Sim.DeleteKafkaACL(te.project, "kafka", h.Sim.KafkaACL(te.project, "kafka")[mine].ID)
	te.entered(pattern, "readwrite same", "readwrite mine", "schema_registry_read Subject:same")
	te.ready("orders")
	te.grants("orders-kafka-r1", 1)

	// Theirs goes, ours takes its place, and is ours.
	h.Sim.DeleteKafkaACL(te.project, "kafka", same.ID)
	te.entered(pattern, "readwrite same", "readwrite mine", "schema_registry_read Subject:same")
	te.grants("orders-kafka-r1", 2)
	again := h.Sim.AddKafkaACL(te.project, "kafka", aivensim.KafkaACLEntry{Permission: "readwrite", Topic: "same", Username: pattern})
	te.change("orders", topics("mine"))
	te.ready("orders")
	te.entered(pattern, "readwrite same", "readwrite mine", "schema_registry_read Subject:same")
	if !slices.Contains(h.Sim.KafkaACL(te.project, "kafka"), again) {
		t.Error("an entry of somebody else was removed instead of ours")
	}

	te.delete(te.app("orders"))
	te.nobodyLeft()
	te.entered(pattern, "readwrite same", "schema_registry_read Subject:same")
}

// TestKafkaACLWhoseAnswerWasLost leads to one entry, which is ours.
func TestKafkaACLWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		faults []aivensim.Fault
	}{
		"ServerError":      {"A 500 after the entry was made.", []aivensim.Fault{{Operation: "AddKafkaACL", Status: 500, After: true, Count: 1}}},
		"ConnectionClosed": {"The connection closes after the entry was made.", []aivensim.Fault{{Operation: "AddKafkaACL", CloseConnection: true, After: true, Count: 2}}},
		"ServerErrorFirst": {"A 503 before anything was done.", []aivensim.Fault{{Operation: "AddKafkaACL", Status: 503, HTML: true, Count: 2}}},
		"Registry":         {"The answer is cut in the middle.", []aivensim.Fault{{Operation: "AddSchemaRegistryACL", CutBody: true, Count: 1}}},
		"Deletions": {"The answers of deletions are lost.", []aivensim.Fault{
			{Operation: "DeleteKafkaACL", Status: 500, After: true, Count: 1}, {Operation: "DeleteSchemaRegistryACL", Status: 503, Count: 1}, {Operation: "DeleteUser", Status: 500, After: true, Count: 1},
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			te := newTenant(t, "acllost")
			te.topicsAllowed("*")
			for _, f := range tc.faults {
				f.Project = te.project
				t.Cleanup(h.Sim.Inject(f))
			}
			pattern := username.Prefix(te.namespace, "orders") + "*"
			te.create(te.app("orders", kafkaOnly, topics("one", "two"), func(a *v1.AivenApplication) {
				a.Spec.Kafka.SchemaRegistry = []v1.KafkaSubjectAccess{{Subject: "one", Access: v1.AccessRead}}
			}))
			te.ready("orders")
			te.entered(pattern, "readwrite one", "readwrite two", "schema_registry_read Subject:one")
			te.grants("orders-kafka-r1", 3)
			te.delete(te.app("orders"))
			te.nobodyLeft()
			te.entered(pattern)
		})
	}
}

// paused pauses a managed resource that was refused an entry, with nothing on record.
// What is under way then cannot put anything on record any more: it has read an
// older version.
func (te tenant) paused(name string) *v1alpha1.KafkaServiceUser {
	te.t.Helper()
	u := &v1alpha1.KafkaServiceUser{}
	harness.Eventually(te.t, name+" is paused with nothing on record", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, u); err != nil {
			return err
		}
		if g := u.Status.AtProvider.Grants; len(g) > 0 {
			return errors.Errorf("recorded are %+v", g)
		}
		meta.AddAnnotations(u, map[string]string{meta.AnnotationKeyReconciliationPaused: "true"})
		return h.Kube.Update(ctx, u)
	})
	harness.Eventually(te.t, name+" is paused", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
			return err
		}
		if c := u.GetCondition(xpv2.TypeSynced); c.Reason != xpv2.ReasonReconcilePaused {
			return errors.Errorf("Synced is %s", c.Reason)
		}
		return nil
	})
	return u
}

// TestKafkaACLRefused: an entry that Aiven refused, and somebody else writes then, is
// theirs.
func TestKafkaACLRefused(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "aclrefused")
	te.topicsAllowed("*")
	remove := h.Sim.Inject(aivensim.Fault{Operation: "AddKafkaACL", Project: te.project, Status: http.StatusForbidden})
	t.Cleanup(remove)
	pattern := username.Prefix(te.namespace, "orders") + "*"
	te.create(te.app("orders", kafkaOnly, topics("one", "two")))
	te.declined("orders", v1.ReasonAccessDenied)
	u := te.paused("orders-kafka-r1")
	for _, topic := range []string{"one", "two"} {
		h.Sim.AddKafkaACL(te.project, "kafka", aivensim.KafkaACLEntry{Permission: "readwrite", Topic: topic, Username: pattern})
	}
	te.looked("kafka")
	harness.Update(t, h.Kube, u, resumed)
	te.ready("orders")
	remove()
	te.delete(te.app("orders"))
	te.nobodyLeft()
	te.entered(pattern, "readwrite one", "readwrite two")
}

// TestKafkaACLNotLeft: what was being written when the application was deleted, or
// the topic was taken back, is not left behind.
func TestKafkaACLNotLeft(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "aclleft")
	te.topicsAllowed("*")
	remove := h.Sim.Inject(aivensim.Fault{Operation: "AddKafkaACL", Project: te.project, Status: 500, After: true})
	t.Cleanup(remove)
	for _, name := range []string{"orders", "changed"} {
		te.create(te.app(name, kafkaOnly, topics("one", "two", "three")))
	}
	patterns := map[string]string{}
	for _, name := range []string{"orders", "changed"} {
		patterns[name] = username.Prefix(te.namespace, name) + "*"
		harness.Eventually(t, "an entry was written", func(context.Context) error {
			if len(te.entries(patterns[name])) == 0 {
				return errors.New("there is none")
			}
			return nil
		})
	}
	te.delete(te.app("orders"))
	te.change("changed", topics("four"))
	te.entered(patterns["orders"])
	remove()
	te.ready("changed")
	te.entered(patterns["changed"], "readwrite four")
	te.delete(te.app("changed"))
	te.nobodyLeft()
	te.entered(patterns["changed"])
}
