// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// maker returns the name of the token with which the Kafka user of an application was made.
func (te tenant) maker(app string) string {
	te.t.Helper()
	return te.madeBy("kafka", string(te.secret(app + "-aiven").Data["KAFKA_SCHEMA_REGISTRY_USER"]))
}

// TestTokenIsReplaced replaces tokens where they are, while a call is under way, and revokes
// the ones before: nobody restarts or annotates anything.
func TestTokenIsReplaced(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		// gives is what makes the first token, and returns how an application uses it and how it is replaced.
		gives func(te tenant) (use func(a *v1.AivenApplication), replace func(token string))
	}{
		"Cluster": {"The Secret of a ClusterProviderConfig.", func(te tenant) (func(a *v1.AivenApplication), func(string)) {
			te.issued("before")
			te.centralWith(te.namespace+"-live", te.inSecret("before"))
			return func(a *v1.AivenApplication) { a.Spec.ProviderConfigRef = centralRef(te.namespace + "-live") },
				func(token string) { te.edit("before", token) }
		}},
		"Team": {"The Secret of a ProviderConfig.", func(te tenant) (func(a *v1.AivenApplication), func(string)) {
			te.issued("before")
			te.teamWith("default", "before")
			return ofTeam, func(token string) { te.edit("before", token) }
		}},
		"Own": {"The Secret that an application names.", func(te tenant) (func(a *v1.AivenApplication), func(string)) {
			te.issued("before")
			return func(a *v1.AivenApplication) { a.Spec.AuthSecretRef = new(localSecretKey("before", "token")) },
				func(token string) { te.edit("before", token) }
		}},
		"File": {"A file of the provider.", func(te tenant) (func(a *v1.AivenApplication), func(string)) {
			file := filepath.Join(te.t.TempDir(), "token")
			write := func(token string) {
				if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
					te.t.Fatal(err)
				}
			}
			write(te.issue("before"))
			te.centralWith(te.namespace+"-live", v1alpha1.ClusterCredentials{
				Source: xpv2.CredentialsSourceFilesystem, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{Fs: &xpv2.FsSelector{Path: file}},
			})
			return func(a *v1.AivenApplication) { a.Spec.ProviderConfigRef = centralRef(te.namespace + "-live") }, write
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			te := newTenant(t, "live")
			use, replace := tc.gives(te)
			te.create(te.app("first", use))
			te.ready("first")

			entered, release := te.holdCreate()
			te.create(te.app("second", onlyKafka, use))
			<-entered
			after := te.issue("after")
			used := te.uses(after)
			replace(after)
			harness.Eventually(t, "the new token is used", used)
			release()
			te.ready("second")
			if got := te.maker("second"); got != "before" {
				t.Errorf("%s: the call that was under way was made again, with %s", tc.reason, got)
			}
			te.undisturbed("second-kafka-r1")

			// From here on the token before is worth nothing.
			h.Sim.RevokeToken(te.token + "-before")
			te.create(te.app("third", use))
			te.ready("third")
			if got := te.maker("third"); got != "after" {
				t.Errorf("%s: a user was made with %s", tc.reason, got)
			}
			te.change("first", request("2026-01-01T00:00:00Z"))
			te.change("first", shortOverlap)
			te.revision("first", 2, true)
			for _, app := range []string{"first", "second", "third"} {
				te.ready(app)
				te.works(te.secret(app + "-aiven"))
			}
			if err := h.Kube.DeleteAllOf(t.Context(), &v1.AivenApplication{}, client.InNamespace(te.namespace)); err != nil {
				t.Fatal(err)
			}
			te.nobodyLeft()
		})
	}
}

// hold is how long an answer is held back at most: less than the provider waits for one.
const hold = time.Second

// holdCreate holds back the answer to the next creation of a Kafka user. entered is closed
// when it is under way.
func (te tenant) holdCreate() (entered <-chan struct{}, release func()) {
	te.t.Helper()
	began, ctx := make(chan struct{}), te.t.Context()
	done := make(chan struct{})
	te.t.Cleanup(h.Sim.Inject(aivensim.Fault{Operation: "CreateUser", Project: te.project, Service: "kafka", Count: 1, Hook: func(*http.Request) {
		close(began)
		select {
		case <-done:
		case <-time.After(hold):
		case <-ctx.Done():
		}
	}}))
	return began, sync.OnceFunc(func() { close(done) })
}

// uses returns a function that fails until a call about the tenant's project is made with
// the token.
func (te tenant) uses(token string) func(context.Context) error {
	te.t.Helper()
	var seen atomic.Bool
	te.t.Cleanup(h.Sim.Inject(aivensim.Fault{Project: te.project, Hook: func(r *http.Request) {
		if strings.HasSuffix(r.Header.Get("Authorization"), " "+token) {
			seen.Store(true)
		}
	}}))
	return func(context.Context) error {
		if !seen.Load() {
			return errors.New("no call was made with it")
		}
		return nil
	}
}

// undisturbed fails the test when something went wrong with a managed resource.
func (te tenant) undisturbed(name string) {
	te.t.Helper()
	l := &corev1.EventList{}
	if err := h.Kube.List(te.t.Context(), l, client.InNamespace(te.namespace)); err != nil {
		te.t.Fatal(err)
	}
	for _, e := range l.Items {
		if e.InvolvedObject.Name == name && e.Type == corev1.EventTypeWarning {
			te.t.Errorf("%s: %s: %s", name, e.Reason, e.Message)
		}
	}
}

// TestTokenOfManagedResourceIsReplaced: what people write themselves follows its token too, and that of
// others does not change anything for it.
func TestTokenOfManagedResourceIsReplaced(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "livemr")
	te.issued("before")
	u := te.kafkaUser("reports", func(u *v1alpha1.KafkaServiceUser) { u.Spec.AuthSecretRef = new(localSecretKey("before", "token")) })
	te.create(u)
	te.isReady(u)
	after := te.issue("after")
	used := te.uses(after)
	te.edit("before", after)
	harness.Eventually(t, "the new token is used", used)
	h.Sim.RevokeToken(te.token + "-before")
	h.Sim.DeleteUser(te.project, "kafka", u.Status.AtProvider.Username)
	harness.Eventually(t, "the user is made again", func(context.Context) error {
		if got, ok := h.Sim.User(te.project, "kafka", u.Status.AtProvider.Username); !ok || got.CreatedBy != "after" {
			return errors.Errorf("it is there: %t, made with %s", ok, got.CreatedBy)
		}
		return nil
	})
	te.delete(u)
	gone(t, u)
	te.nobodyLeft()
}

// TestBrokenConfigurationHoldsUpNobody: a new application is ready while every call with the token of
// another configuration fails, for many applications that all want to try again.
func TestBrokenConfigurationHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const n = 40
	cases := map[string]struct {
		reason string
		fault  aivensim.Fault
	}{
		"Refused":  {"A token that Aiven refuses.", aivensim.Fault{Status: http.StatusUnauthorized, Message: "Invalid token"}},
		"Storm":    {"A token that is asked to slow down all the time.", aivensim.Fault{Status: http.StatusTooManyRequests, Message: "Rate limit 6000 exceeded - try again in 1s"}},
		"Hang":     {"A token whose calls are never answered.", aivensim.Fault{Hang: true}},
		"NotThere": {"A token that Aiven fails to look up.", aivensim.Fault{Status: http.StatusInternalServerError}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { // One at a time: each keeps the provider busy.
			broken, healthy := newTenant(t, "broken"), newTenant(t, "healthy")
			tc.fault.Project = broken.project
			mend := h.Sim.Inject(tc.fault)
			t.Cleanup(mend)
			for i := range n {
				broken.create(broken.app(fmt.Sprintf("app-%d", i), onlyKafka))
			}
			first := len(h.Sim.Requests())
			harness.Eventually(t, "calls fail", func(context.Context) error { return broken.fails(first) })
			healthy.create(healthy.app("orders"))
			healthy.ready("orders")
			healthy.works(healthy.secret("orders-aiven"))
			if l := broken.users("kafka"); len(l) > 0 {
				t.Fatalf("%s: nothing was broken: %v", tc.reason, l)
			}
			after := len(h.Sim.Requests())
			harness.Eventually(t, "calls still fail", func(context.Context) error { return broken.fails(after) })
			mend()
			for i := range n {
				broken.ready(fmt.Sprintf("app-%d", i))
			}
		})
	}
}

// fails returns nil when a call about the tenant's project was not answered well since the
// supplied number of calls.
func (te tenant) fails(since int) error {
	for _, r := range h.Sim.Requests()[since:] {
		if r.Project == te.project && r.Status != http.StatusOK {
			return nil
		}
	}
	return errors.New("no call failed")
}
