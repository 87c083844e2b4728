// SPDX-License-Identifier: Apache-2.0

// Package failover runs several replicas of the provider against one API server:
// how they take turns, and how they begin when kinds are yet to come.
package failover

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/provider"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const (
	project = "project"
	kafka   = "kafka"
	valkey  = "valkey"

	leases = "default"
)

// h is shared by the tests of the package, which run one after the other.
var h *harness.Harness

func TestMain(m *testing.M) { harness.Exit(run(m)) }

func run(m *testing.M) (code int, err error) {
	if h, err = harness.New(context.Background()); err != nil {
		return 1, err
	}
	code = 1
	if err = prepare(context.Background()); err == nil {
		code = m.Run()
	}
	return h.End(code, nil), err
}

// prepare makes services and a configuration that lets everybody use them.
func prepare(ctx context.Context) error {
	h.Sim.AddProject(project)
	h.Sim.AddService(project, aivensim.Service{Name: kafka, Type: "kafka", UserLimit: 500})
	h.Sim.AddService(project, aivensim.Service{Name: valkey, Type: "valkey"})
	token := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "aiven-token", Namespace: leases}, Data: map[string][]byte{"token": []byte(harness.Token)}}
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	pc.Spec.BaseURL, pc.Spec.Project = h.URL, project
	pc.Spec.KafkaPools = []v1alpha1.KafkaPool{{Name: "pool", Project: project, ServiceName: kafka}}
	pc.Spec.InstanceNames.Valkey = "{instance}"
	pc.Spec.Services = []v1alpha1.ServicePattern{{Project: project}}
	pc.Spec.Credentials = v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
		SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: leases, Name: token.GetName()}, Key: "token"},
	}}
	for _, o := range []client.Object{token, pc} {
		if err := h.Kube.Create(ctx, o); err != nil {
			return errors.Wrapf(err, "cannot create %s", o.GetName())
		}
	}
	return nil
}

// A replica is one provider process, so to speak.
type replica struct {
	gate   *harness.Gate
	health string
	cancel context.CancelFunc
	done   chan struct{}
}

// start starts a replica.
func start(t *testing.T, adjust ...func(o *provider.Options)) *replica {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &replica{gate: harness.NewGate(), health: harness.FreeAddress(t), cancel: cancel, done: make(chan struct{})}
	o := provider.Options{
		LeaderElection: true, LeaderElectionNamespace: leases, HealthAddress: r.health, RecheckInterval: 100 * time.Millisecond,
		PollInterval: 2 * time.Second, JanitorGrace: time.Second, UserAgent: "failover",
		BaseURLs: providerconfig.BaseURLs{Allowed: []string{h.URL}}, Logger: logging.NewLogrLogger(zap.New(zap.WriteTo(h.Log), zap.Level(harness.MostVerbose))),
	}
	for _, a := range adjust {
		a(&o)
	}
	go r.run(ctx, o)
	t.Cleanup(r.stop)
	return r
}

// run runs the provider, and again when it ends because of a failure, such as a
// lease that a busy machine did not renew in time. Nothing is left of a process that ended.
func (r *replica) run(ctx context.Context, o provider.Options) {
	defer close(r.done)
	for gate := r.gate; ; gate = harness.NewGate() {
		cfg := h.Config()
		cfg.Wrap(gate.Wrap)
		o.Aiven = func(a *aiven.Options) {
			a.Transport, a.ErrorTTL, a.SettleTime, a.CallTimeout = gate.Wrap(http.DefaultTransport), 200*time.Millisecond, time.Second, 10*time.Second
		}
		o.Registry = prometheus.NewRegistry()
		err := provider.Run(ctx, cfg, o)
		if gate.IsShut() || ctx.Err() != nil {
			return
		}
		fmt.Fprintln(h.Log, "A replica ended:", err)
		gate.Shut()
	}
}

// stop ends a replica as Kubernetes would.
func (r *replica) stop() {
	r.cancel()
	<-r.done
}

// kill ends a replica as a kill would: nothing that it does has an effect any more.
func (r *replica) kill() {
	r.gate.Shut()
	r.cancel()
}

// probe asks a replica how it is.
func (r *replica) probe(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.health+path, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.Errorf("%s says %s", path, resp.Status)
	}
	return nil
}

func (r *replica) ready(t *testing.T) {
	t.Helper()
	harness.Eventually(t, "a replica is ready", func(ctx context.Context) error {
		if err := r.probe(ctx, "/readyz"); err != nil {
			return err
		}
		return r.probe(ctx, "/healthz")
	})
}

// user returns a managed resource of a Valkey user.
func user(namespace string, i int) *v1alpha1.ValkeyServiceUser {
	u := &v1alpha1.ValkeyServiceUser{ObjectMeta: metav1.ObjectMeta{Name: "user-" + strconv.Itoa(i), Namespace: namespace}}
	u.Spec.ForProvider.ServiceUserParameters = v1alpha1.ServiceUserParameters{Project: project, ServiceName: valkey}
	return u
}

// app returns an application with a Kafka user, and a Valkey user for each instance.
func app(namespace, name string, instances ...string) *v1.AivenApplication {
	a := &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	a.Spec.Kafka = &v1.KafkaSpec{Pool: "pool"}
	for _, i := range instances {
		a.Spec.Valkey = append(a.Spec.Valkey, v1.ValkeySpec{Instance: i})
	}
	return a
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	harness.Eventually(t, o.GetName()+" is made", func(ctx context.Context) error { return client.IgnoreAlreadyExists(h.Kube.Create(ctx, o)) })
}

// conditioned are applications and managed resources.
type conditioned interface {
	client.Object
	GetCondition(t xpv2.ConditionType) xpv2.Condition
}

// condition waits until Ready of an object has a reason.
func condition(t *testing.T, o conditioned, reason xpv2.ConditionReason) {
	t.Helper()
	harness.Eventually(t, o.GetName()+" is "+string(reason), func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		if c := o.GetCondition(xpv2.TypeReady); c.Reason != reason {
			return errors.Errorf("Ready is %s, %s: %s", c.Status, c.Reason, c.Message)
		}
		return nil
	})
}

// deleteAll deletes objects and waits until they are gone.
func deleteAll(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := client.IgnoreNotFound(h.Kube.Delete(t.Context(), o)); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range objects {
		harness.Eventually(t, o.GetName()+" is gone", func(ctx context.Context) error {
			if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(o), o); client.IgnoreNotFound(err) != nil || err == nil {
				return errors.Errorf("it is there: %v", err)
			}
			return nil
		})
	}
}

// usernames returns the users of a service that were made for a namespace.
func usernames(service, namespace string) []string {
	var out []string
	for _, u := range h.Sim.Users(project, service) {
		if len(u.Username) > len(namespace) && u.Username[:len(namespace)] == namespace {
			out = append(out, u.Username)
		}
	}
	slices.Sort(out)
	return out
}
