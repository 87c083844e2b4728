// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/username"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// kafkaOnly leaves an application nothing but Kafka.
func kafkaOnly(a *v1.AivenApplication) { a.Spec.OpenSearch, a.Spec.Valkey = nil, nil }

// kafkaUser returns a managed resource as a person would write it.
func (te tenant) kafkaUser(name string, with ...func(*v1alpha1.KafkaServiceUser)) *v1alpha1.KafkaServiceUser {
	u := &v1alpha1.KafkaServiceUser{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace}}
	u.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: te.config}
	u.Spec.WriteConnectionSecretToReference = &xpv2.LocalSecretReference{Name: "conn-" + strings.ReplaceAll(v1.Shorten(name, 40), ".", "-")}
	u.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: te.project, ServiceName: "kafka"}
	for _, w := range with {
		w(u)
	}
	return u
}

// refused waits until a managed resource is not ready for the supplied reason, as
// it is specified now, and returns what Synced says.
func (te tenant) refused(mg resource.ModernManaged, reason xpv2.ConditionReason) string {
	te.t.Helper()
	harness.Eventually(te.t, mg.GetName()+" is refused: "+string(reason), func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(mg), mg); err != nil {
			return err
		}
		c := mg.GetCondition(xpv2.TypeReady)
		if c.Status != corev1.ConditionFalse || c.Reason != reason || c.ObservedGeneration != mg.GetGeneration() {
			return errors.Errorf("Ready is %s: %s: %s", c.Status, c.Reason, c.Message)
		}
		return nil
	})
	return mg.GetCondition(xpv2.TypeSynced).Message
}

// beside returns the same tenant in another namespace, which it makes.
func (te tenant) beside(namespace string) tenant {
	te.t.Helper()
	te.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	te.namespace = namespace
	return te
}

// forged returns the names of two applications, of a namespace and of another,
// whose usernames have one pattern. Who can choose names can find such: NAIS' rules cut names at 30 characters, so
// that what follows decides nothing but the checksum.
func forged(t *testing.T, a, b string, seed int) (inA, inB string) {
	t.Helper()
	stem, random := fmt.Sprintf("forged-%023d", seed), rand.New(rand.NewPCG(0, uint64(seed)))
	// A checksum is linear: short tails, or such as differ in few bits, may never meet.
	tail := func() string { return fmt.Sprintf("%016x", random.Uint64()) }
	seen := make(map[uint32]string)
	for range 1 << 16 {
		name := stem + tail()
		seen[crc32.ChecksumIEEE([]byte(a+name))] = name
	}
	for range 1 << 20 {
		name := stem + tail()
		if other, ok := seen[crc32.ChecksumIEEE([]byte(b+name))]; ok {
			if username.Prefix(a, other) != username.Prefix(b, name) {
				t.Fatalf("%s/%s and %s/%s do not have one pattern", a, other, b, name)
			}
			return other, name
		}
	}
	t.Fatal("found no names of one pattern")
	return "", ""
}

// newNamesakes returns two tenants whose namespaces have one team.
func newNamesakes(t *testing.T, prefix string) (a, b tenant) {
	t.Helper()
	a = newTenant(t, prefix)
	return a, a.beside("team-" + a.namespace)
}

// created returns the names of users of a pattern that were ever created.
func (te tenant) created(pattern string) []string {
	var out []string
	for _, r := range h.Sim.Requests() {
		if r.Operation == "CreateUser" && r.Project == te.project && r.Status == http.StatusOK && strings.HasPrefix(r.User, pattern) {
			out = append(out, r.User)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestNameOfAnother: an application whose usernames have the pattern of another's
// gets none as long as there are users of the other, which it does not disturb.
func TestNameOfAnother(t *testing.T) {
	t.Parallel()
	victim, forger := newNamesakes(t, "name")
	held, forgery := forged(t, victim.namespace, forger.namespace, 0)
	pattern := username.Prefix(victim.namespace, held)
	victim.create(victim.app(held, kafkaOnly, shortOverlap))
	victim.ready(held)
	secret := victim.ready(held).Status.Secrets[0].Name

	forger.create(forger.app(forgery, kafkaOnly))
	if c := forger.notReady(forgery, v1.ReasonNameConflict); !strings.Contains(c.Message, pattern) || strings.Contains(c.Message, victim.namespace+"/") {
		t.Errorf("the message does not name the pattern, or names its holder: %s", c.Message)
	}
	// What people write themselves has no other rights: by an application that it says to be of, by a username,
	// by its own name.
	hands := []*v1alpha1.KafkaServiceUser{
		forger.kafkaUser("says-so", func(u *v1alpha1.KafkaServiceUser) {
			meta.AddAnnotations(u, map[string]string{v1.AnnotationApplication: forgery})
			meta.SetExternalName(u, pattern+"abc")
		}),
		forger.kafkaUser("pending", func(u *v1alpha1.KafkaServiceUser) {
			meta.AddAnnotations(u, map[string]string{v1.AnnotationApplication: forgery, meta.AnnotationKeyExternalCreatePending: "2020-01-01T00:00:00Z"})
			meta.SetExternalName(u, victim.created(pattern)[0])
		}),
		forger.kafkaUser(forgery),
	}
	for _, u := range hands {
		forger.create(u)
		forger.refused(u, v1.ReasonNameConflict)
	}
	if diff := cmp.Diff(1, len(victim.created(pattern))); diff != "" {
		t.Errorf("users that were created: -want, +got:\n%s", diff)
	}

	// The holder goes on as ever.
	victim.change(held, request("one"))
	victim.revision(held, 2, true)
	victim.works(victim.secret(secret))
	users := victim.users("kafka")
	for _, u := range hands {
		forger.delete(u)
		gone(t, u)
	}
	if diff := cmp.Diff(users, victim.users("kafka")); diff != "" {
		t.Errorf("users after those that were refused are gone: -want, +got:\n%s", diff)
	}
	victim.works(victim.secret(secret))
	if l := forger.managed(t.Context()); len(l) > 0 {
		t.Errorf("the one who waits has %d managed resources", len(l))
	}

	// The pattern is free when the users are gone, not before.
	t.Cleanup(h.Sim.Inject(aivensim.Fault{Operation: "DeleteUser", Project: victim.project, Status: http.StatusServiceUnavailable, Count: 2}))
	victim.delete(victim.app(held))
	forger.ready(forgery)
	if got := victim.users("kafka"); len(got) != 1 || got[0] == users[0] {
		t.Errorf("users: want one new one, got %v instead of %v", got, users)
	}
}

// TestNameIsNotKept: what was refused, or is of another service, keeps nobody from
// a name.
func TestNameIsNotKept(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "squat")
	evil := te.beside("evil-" + te.namespace)
	pattern := username.Prefix(te.namespace, "orders")
	u := evil.kafkaUser("squatter", func(u *v1alpha1.KafkaServiceUser) { meta.SetExternalName(u, pattern+"abc") })
	evil.create(u)
	evil.refused(u, v1.ReasonNotAllowed)

	te.create(te.app("orders", kafkaOnly))
	te.ready("orders")
}

// TestNameBySomebodyFirst: a managed resource that was there first has the names
// that are made up for it, and an application that would share them waits.
func TestNameBySomebodyFirst(t *testing.T) {
	t.Parallel()
	a, b := newNamesakes(t, "first")
	held, forgery := forged(t, a.namespace, b.namespace, 0)
	u := a.kafkaUser(held)
	a.create(u)
	harness.Eventually(t, "the managed resource is ready", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
			return err
		}
		if c := u.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionTrue {
			return errors.Errorf("%s: %s", c.Reason, c.Message)
		}
		return nil
	})
	b.create(b.app(forgery, kafkaOnly))
	b.notReady(forgery, v1.ReasonNameConflict)
	a.delete(u)
	b.ready(forgery)
}

// TestNameRace makes both at the same time, many times over: never do both get
// users.
func TestNameRace(t *testing.T) {
	t.Parallel()
	const n = 12
	a, b := newNamesakes(t, "race")
	type pair struct{ a, b string }
	pairs := make([]pair, n)
	for i := range pairs {
		pairs[i].a, pairs[i].b = forged(t, a.namespace, b.namespace, i)
	}
	var wg sync.WaitGroup
	for i, p := range pairs {
		objects := []client.Object{a.app(p.a, kafkaOnly), b.app(p.b, kafkaOnly)}
		if i%2 == 1 {
			slices.Reverse(objects)
		}
		if i%4 > 1 {
			objects = append(objects, b.kafkaUser(p.b), a.kafkaUser(p.a)) // Also of people.
		}
		for _, o := range objects {
			wg.Go(func() {
				if err := h.Kube.Create(t.Context(), o); err != nil {
					t.Errorf("cannot create %T: %v", o, err)
				}
			})
		}
	}
	wg.Wait()
	won := 0
	for _, p := range pairs {
		harness.Eventually(t, "of both one is ready and one is refused", func(ctx context.Context) error {
			var states []string
			for _, key := range []client.ObjectKey{{Namespace: a.namespace, Name: p.a}, {Namespace: b.namespace, Name: p.b}} {
				app := &v1.AivenApplication{}
				if err := h.Kube.Get(ctx, key, app); err != nil {
					return err
				}
				states = append(states, string(app.GetCondition(xpv2.TypeReady).Reason))
			}
			slices.Sort(states)
			if !slices.Equal(states, []string{string(v1.ReasonAvailable), string(v1.ReasonNameConflict)}) {
				return errors.Errorf("they are %v", states)
			}
			return nil
		})
		got := a.created(username.Prefix(a.namespace, p.a))
		holders := map[string]bool{}
		for _, te := range []tenant{a, b} {
			for _, mg := range te.managed(t.Context()) {
				if slices.Contains(got, meta.GetExternalName(mg)) {
					holders[te.namespace] = true
				}
			}
		}
		if len(holders) != 1 {
			t.Errorf("users %v of %d namespaces were created for one pattern", got, len(holders))
		}
		if holders[a.namespace] {
			won++
		}
	}
	t.Logf("of %d pairs the first namespace won %d", n, won)
}
