// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const (
	project = "soak"
	grace   = 10 * time.Minute

	// tick is how often a world is looked at, and second what passes in it until
	// the next look.
	tick   = 25 * time.Millisecond
	second = time.Second
	// patience is how long a world may take to settle, by the machine's clock.
	patience = 5 * time.Minute
)

// A world is a cluster with teams and applications, Aiven beside it, and what
// people did to both. Only the goroutine of its test uses it.
type world struct {
	t    *testing.T
	rng  *rand.Rand
	view *view
	// gate of the running provider, nil while none runs.
	gate *harness.Gate

	namespaces []string
	apps       map[types.NamespacedName]*application
	pods       map[types.NamespacedName]*pod

	// revoked are the Secrets that a person deleted, vanished the users that
	// somebody deleted at Aiven, and authorities the times at which the project
	// got another CA.
	revoked     map[types.UID]bool
	vanished    map[string]bool
	authorities []time.Time
	// quiet is since when no pod of a namespace went.
	quiet map[string]time.Time
	// unused is since when nobody needs a Secret.
	unused map[types.UID]time.Time
	// ended are the applications that expired, ever.
	ended map[types.NamespacedName]bool
	// lifts take away the faults of Aiven that there are.
	lifts []func()
	// down is for how many steps the provider stays down.
	down int
	// most is how many applications there are at most, and deleted which were.
	most    int
	deleted []types.NamespacedName

	notes  []string
	errors []string
	count  map[string]int
}

// An application is what a person wants, as it was last written.
type application struct {
	want *v1.AivenApplication
	// begun are the revisions that the provider began, in order.
	begun []v1.NextStatus
	// lost are the Secrets of the application that a person deleted.
	lost bool
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 0)),
		apps: make(map[types.NamespacedName]*application), pods: make(map[types.NamespacedName]*pod),
		revoked: make(map[types.UID]bool), vanished: make(map[string]bool), quiet: make(map[string]time.Time),
		unused: make(map[types.UID]time.Time), ended: make(map[types.NamespacedName]bool), count: make(map[string]int),
	}
	w.view = newView(t)
	t.Cleanup(w.clear)
	for _, pool := range pools {
		h.Sim.AddService(project, aivensim.Service{Name: "kafka-" + pool, Type: "kafka", UserLimit: -1})
	}
	w.configure()
	return w
}

// configure makes the configuration that all applications use.
func (w *world) configure() {
	w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "soak-token", Namespace: "default"}, Data: map[string][]byte{"token": []byte(harness.Token)}})
	pc := &v1alpha1.ClusterProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec: v1alpha1.ClusterProviderConfigSpec{
			Credentials: v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
				SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: "default", Name: "soak-token"}, Key: "token"},
			}},
			ServiceSettings: v1alpha1.ServiceSettings{BaseURL: h.URL, Project: project},
		},
	}
	for _, pool := range pools {
		pc.Spec.KafkaPools = append(pc.Spec.KafkaPools, v1alpha1.KafkaPool{Name: pool, Project: project, ServiceName: "kafka-" + pool})
	}
	w.create(pc)
}

// clear takes away the provider, and the configuration, for the next test.
func (w *world) clear() {
	w.kill()
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	release := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	for _, err := range []error{
		h.Kube.Patch(context.Background(), pc, release),
		h.Kube.Delete(context.Background(), pc),
		h.Kube.Delete(context.Background(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "soak-token", Namespace: "default"}}),
	} {
		if client.IgnoreNotFound(err) != nil {
			w.t.Errorf("cannot remove the configuration: %v", err)
		}
	}
}

// namespace makes a namespace with services of its own.
func (w *world) namespace(prefix string) string {
	w.t.Helper()
	ns := h.Namespace(w.t, prefix)
	for _, i := range searches {
		h.Sim.AddService(project, aivensim.Service{Name: openSearchName(ns, i), Type: "opensearch", UserLimit: -1, ACLEnabled: true})
	}
	for _, i := range stores {
		h.Sim.AddService(project, aivensim.Service{Name: valkeyName(ns, i), Type: "valkey", UserLimit: -1, Replica: i == withReplica})
	}
	w.namespaces = append(w.namespaces, ns)
	return ns
}

// start starts a provider.
func (w *world) start() {
	w.gate = harness.NewGate()
	zl := zap.New(zap.WriteTo(h.Log), zap.Level(harness.MostVerbose))
	h.StartProvider(func(p *harness.Process) {
		p.Clock, p.Gate = clock, w.gate
		p.JanitorGrace = grace
		p.Logger = logging.NewLogrLogger(zl)
		adjust := p.Aiven
		p.Aiven = func(o *aiven.Options) {
			adjust(o)
			o.PollInterval, o.CallTimeout, o.ErrorTTL = 10*time.Second, 3*time.Second, time.Second
		}
	})
}

// kill kills the provider, if it has not been already.
func (w *world) kill() {
	if w.gate != nil {
		h.KillProvider()
		w.gate = nil
	}
}

// killed tells whether the provider was killed at a write.
func (w *world) killed() bool {
	return w.gate != nil && w.gate.IsShut()
}

// settle lets time pass in small steps until all is as it should be, or a
// provider was killed, and tells whether it is the former.
func (w *world) settle() bool {
	w.t.Helper()
	end := time.Now().Add(patience * time.Duration(1+len(w.apps)/50))
	every := time.NewTicker(tick)
	defer every.Stop()
	for n := 1; ; n++ {
		w.look()
		if w.killed() {
			return false
		}
		left := w.unmet()
		if len(left) == 0 {
			return true
		}
		if n%100 == 0 {
			w.notef("not settled yet: %s", left[0])
		}
		if time.Now().After(end) {
			w.fail("the world did not settle", left...)
		}
		<-every.C
		d := second
		if !w.rotates() {
			d = stride(n, len(w.apps))
		}
		clock.Step(d)
	}
}

// rotates tells whether a rotation is due or under way. However long that takes the
// provider by the machine's clock, the next one must not be due before it is over.
func (w *world) rotates() bool {
	for key, app := range w.apps {
		if a := w.view.apps[key]; a != nil && !app.want.Expired(clock.Now()) && w.unmetRotation(a) != "" {
			return true
		}
	}
	return false
}

// stride returns how long the nth small step is: seconds matter at first, then
// only minutes are waited for. Many applications take longer by the machine's
// clock, in which those that rotate each hour must not become due again and again.
func stride(n, applications int) time.Duration {
	many := 1 + applications/20
	switch {
	case n <= 60*many:
		return second
	case n <= 120*many || many > 3:
		return 5 * second
	default:
		return 20 * second
	}
}

// pass lets a number of small steps pass, whatever comes of them.
func (w *world) pass(n int) {
	w.t.Helper()
	every := time.NewTicker(tick)
	defer every.Stop()
	for range n {
		w.look()
		if w.killed() {
			return
		}
		<-every.C
		clock.Step(second)
	}
}

// look takes note of what happened, and fails the test when something did that
// never may.
func (w *world) look() {
	w.t.Helper()
	w.view.drain(w)
	w.watchPods()
	if len(w.errors) > 0 {
		w.fail("what must never happen has happened", w.errors...)
	}
}

// notef puts an action on record.
func (w *world) notef(format string, args ...any) {
	n := fmt.Sprintf("%s  ", clock.Now().Format(time.DateTime)) + fmt.Sprintf(format, args...)
	w.notes = append(w.notes, n)
	if *verbose {
		w.t.Log(n)
	}
}

// violatedf puts on record what must never happen.
func (w *world) violatedf(key types.NamespacedName, format string, args ...any) {
	w.errors = append(w.errors, key.String()+": "+fmt.Sprintf(format, args...))
}

func (w *world) create(o client.Object) {
	w.t.Helper()
	err := h.Kube.Create(w.t.Context(), o)
	for kerrors.IsForbidden(err) { // A namespace gets its service account a little later.
		w.pass(1)
		err = h.Kube.Create(w.t.Context(), o)
	}
	if err != nil {
		w.t.Fatalf("cannot create %T: %v", o, err)
	}
}

func (w *world) delete(o client.Object, opts ...client.DeleteOption) {
	w.t.Helper()
	if err := h.Kube.Delete(w.t.Context(), o, opts...); client.IgnoreNotFound(err) != nil {
		w.t.Fatalf("cannot delete %T: %v", o, err)
	}
}

// edit changes an application as a person would.
func (w *world) edit(key types.NamespacedName, fn func(a *v1.AivenApplication)) {
	w.t.Helper()
	named := &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	w.apps[key].want = harness.Update(w.t, h.Kube, named, fn)
	w.seen("AivenApplication", w.apps[key].want)
}

// seen waits until the view shows what was written.
func (w *world) seen(kind string, o client.Object) {
	w.t.Helper()
	version := versionOf(o)
	harness.Within(w.t, patience, "the view shows what was written", func(context.Context) error {
		return w.view.reached(kind, version)
	})
	w.look()
}

// keys returns the applications that there are, in order.
func (w *world) keys() []types.NamespacedName {
	out := make([]types.NamespacedName, 0, len(w.apps))
	for k := range w.apps {
		out = append(out, k)
	}
	slices.SortFunc(out, compareKeys)
	return out
}

func compareKeys(a, b types.NamespacedName) int {
	if a.Namespace != b.Namespace {
		if a.Namespace < b.Namespace {
			return -1
		}
		return 1
	}
	if a.Name < b.Name {
		return -1
	}
	return 1
}
