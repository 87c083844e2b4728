// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/plugin"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

var (
	// h is shared by all tests of the package: each has a namespace, a project and
	// a configuration of its own.
	h *harness.Harness
	// kubeconfig leads to its control plane.
	kubeconfig string
	// terminal is everything that was written to one, by all tests.
	terminal = &harness.Buffer{}
)

func TestMain(m *testing.M) {
	flag.Parse()
	harness.Exit(run(m))
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "plugin")
	if err != nil {
		return 1, errors.Wrap(err, "cannot make a folder")
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if h, err = harness.New(context.Background()); err != nil {
		return 1, err
	}
	h.LogLibraries()
	kubeconfig = filepath.Join(dir, "kubeconfig")
	code = 1
	if err = prepare(); err == nil {
		code = m.Run()
	}
	return h.End(code, map[string]string{"the terminal": terminal.String()}), err
}

// prepare writes the kubeconfig and starts the provider as it runs in a cluster, so that
// there is a lease, and lacking a right.
func prepare() error {
	if err := h.WriteKubeconfig(kubeconfig); err != nil {
		return err
	}
	reduced, err := h.Reduced(context.Background())
	if err != nil {
		return err
	}
	h.StartProvider(func(p *harness.Process) {
		p.LeaderElection, p.LeaderElectionNamespace, p.Config = true, "default", reduced
	})
	return nil
}

// A result is what a command wrote, and its exit code.
type result struct {
	out, err string
	code     int
}

// kubectl runs kubectl aivenapp. What is completed has to be the last argument.
func kubectl(t *testing.T, args ...string) result {
	t.Helper()
	out, errs := &harness.Buffer{}, &harness.Buffer{}
	if args[0] != cobra.ShellCompRequestCmd {
		args = append(args, "--kubeconfig", kubeconfig)
	}
	code := plugin.Run(t.Context(), args, plugin.Streams{Out: out, Err: errs})
	fmt.Fprintln(terminal, out.String(), errs.String())
	return result{out: out.String(), err: errs.String(), code: code}
}

// want fails the test unless a command ended with the exit code.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code is %d, not %d. It said:\n%s%s", r.code, code, r.out, r.err)
	}
	return r
}

// A tenant is a namespace with a project and a token of its own.
type tenant struct {
	t                         *testing.T
	namespace, project, token string
}

func newTenant(t *testing.T) tenant {
	t.Helper()
	ns := h.Namespace(t, "person")
	te := tenant{t: t, namespace: ns, project: "project-" + ns, token: harness.Token + "-" + ns}
	h.Sim.AddToken(aivensim.Token{Token: te.token, Permissions: "admin"})
	h.Sim.AddProject(te.project)
	h.Sim.AddService(te.project, aivensim.Service{Name: "kafka", Type: "kafka"})
	h.Sim.AddService(te.project, aivensim.Service{Name: te.valkey(), Type: "valkey"})
	te.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token", Namespace: ns}, Data: map[string][]byte{"token": []byte(te.token)}})
	te.create(&v1alpha1.ProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: ns},
		Spec: v1alpha1.ProviderConfigSpec{
			Credentials: v1alpha1.LocalCredentials{Source: xpv2.CredentialsSourceSecret, SecretRef: xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "token"}, Key: "token"}},
			ServiceSettings: v1alpha1.ServiceSettings{
				BaseURL: h.URL, Project: te.project,
				KafkaPools: []v1alpha1.KafkaPool{{Name: "pool", Project: te.project, ServiceName: "kafka"}},
			},
		},
	})
	te.create(&v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: ns},
		Spec: v1.AivenApplicationSpec{
			Kafka:    &v1.KafkaSpec{Pool: "pool"},
			Valkey:   []v1.ValkeySpec{{Instance: "cache", Access: v1.AccessReadWrite}},
			Rotation: &v1.RotationSpec{Overlap: &metav1.Duration{}},
		},
	})
	harness.Eventually(t, "the application is ready", func(ctx context.Context) error {
		a := &v1.AivenApplication{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: ns, Name: "orders"}, a); err != nil {
			return err
		}
		if c := a.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionTrue {
			return errors.Errorf("it is not: %s: %s", c.Reason, c.Message)
		}
		return nil
	})
	return te
}

func (te tenant) valkey() string { return "valkey-" + te.namespace + "-cache" }

func (te tenant) create(o client.Object) {
	te.t.Helper()
	if err := h.Kube.Create(te.t.Context(), o); err != nil {
		te.t.Fatalf("cannot create %T: %v", o, err)
	}
}

// setToken changes what the tenant's Secret holds.
func (te tenant) setToken(token string) {
	te.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token", Namespace: te.namespace}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"stringData":{"token":"`+token+`"}}`))
	if err := h.Kube.Patch(te.t.Context(), s, patch); err != nil {
		te.t.Fatalf("cannot change the token: %v", err)
	}
}
