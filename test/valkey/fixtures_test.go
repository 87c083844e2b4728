// SPDX-License-Identifier: Apache-2.0

package valkey

import (
	"context"
	"crypto/x509"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	"github.com/redis/go-redis/v9"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
	"github.com/provider-aiven/provider-aiven/test/valkey/server"
)

// A tenant is a namespace with a project of its own at Aiven, and one Valkey instance, "cache", that is real.
type tenant struct {
	t         *testing.T
	namespace string
	project   string
	server    *server.Server
}

func newTenant(t *testing.T, prefix string) tenant {
	t.Helper()
	needServer(t)
	ns := h.Namespace(t, prefix)
	te := tenant{t: t, namespace: ns, project: "project-" + ns}
	h.Sim.AddProject(te.project)
	var err error
	if te.server, err = server.Start(interrupted, h.Sim, te.project); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(te.cleanUp)
	h.Sim.AddService(te.project, aivensim.Service{Name: te.service(), Type: "valkey", Components: te.server.Components(), Backend: te.server})
	te.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token", Namespace: ns}, Data: map[string][]byte{"token": []byte(harness.Token)}})
	te.create(&v1alpha1.ClusterProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		Spec: v1alpha1.ClusterProviderConfigSpec{
			Credentials: v1alpha1.ClusterCredentials{Source: xpv2.CredentialsSourceSecret, CommonCredentialSelectors: xpv2.CommonCredentialSelectors{
				SecretRef: &xpv2.SecretKeySelector{SecretReference: xpv2.SecretReference{Namespace: ns, Name: "token"}, Key: "token"},
			}},
			ServiceSettings: v1alpha1.ServiceSettings{BaseURL: h.URL, Project: te.project},
		},
	})
	return te
}

// needServer skips the test where there is no server, or fails it where there must be one.
func needServer(t *testing.T) {
	t.Helper()
	if missing == nil {
		return
	}
	if os.Getenv(requireAll) == "1" {
		t.Fatalf("%v, and %s=1", missing, requireAll)
	}
	t.Skipf("nothing can log in at a real server: %v", missing)
}

// cleanUp fails the test when the server could not follow the simulator.
func (te tenant) cleanUp() {
	for _, o := range []client.Object{&v1.AivenApplication{}, &v1alpha1.ValkeyServiceUser{}} {
		if err := h.Kube.DeleteAllOf(context.Background(), o, client.InNamespace(te.namespace)); err != nil {
			te.t.Errorf("cannot delete what is left: %v", err)
		}
	}
	if err := te.server.Err(); err != nil {
		te.t.Error(err)
	}
	if err := te.server.Stop(); err != nil {
		te.t.Error(err)
	}
}

func (te tenant) service() string { return "valkey-" + te.namespace + "-cache" }

// config is the reference to the tenant's configuration.
func (te tenant) config() *xpv2.ProviderConfigReference {
	return &xpv2.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: te.namespace}
}

func (te tenant) create(o client.Object) {
	te.t.Helper()
	if err := h.Kube.Create(te.t.Context(), o); err != nil {
		te.t.Fatalf("cannot create %T: %v", o, err)
	}
}

func (te tenant) delete(o client.Object, opts ...client.DeleteOption) {
	te.t.Helper()
	if err := h.Kube.Delete(te.t.Context(), o, opts...); err != nil {
		te.t.Fatalf("cannot delete %T: %v", o, err)
	}
}

// gone waits until an object is not there any more.
func (te tenant) gone(o client.Object) {
	te.t.Helper()
	harness.Eventually(te.t, o.GetName()+" is gone", func(ctx context.Context) error {
		err := h.Kube.Get(ctx, client.ObjectKeyFromObject(o), o)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Errorf("it is there: %v", err)
	})
}

// app returns an application whose replaced users go soon.
func (te tenant) app(name string, access v1.Access) *v1.AivenApplication {
	return &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace},
		Spec: v1.AivenApplicationSpec{
			Valkey:            []v1.ValkeySpec{{Instance: "cache", Access: access}},
			Rotation:          &v1.RotationSpec{Overlap: &metav1.Duration{Duration: time.Second}},
			ProviderConfigRef: te.config(),
		},
	}
}

// change changes an application, as a person with an editor would.
func (te tenant) change(name string, fn func(a *v1.AivenApplication)) {
	te.t.Helper()
	harness.Update(te.t, h.Kube, &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: te.namespace, Name: name}}, fn)
}

// published waits until the application is ready as it is specified now, at a revision, and with nothing left of the
// one before if that is asked for.
func (te tenant) published(name string, revision int64, alone bool) *corev1.Secret {
	te.t.Helper()
	harness.Eventually(te.t, "application "+name+" is ready", func(ctx context.Context) error {
		a := &v1.AivenApplication{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, a); err != nil {
			return err
		}
		ready, c := a.GetCondition(xpv2.TypeReady), a.Status.Credentials
		switch {
		case ready.Status != corev1.ConditionTrue || ready.ObservedGeneration != a.GetGeneration():
			return errors.Errorf("Ready is %s for generation %d of %d: %s: %s", ready.Status, ready.ObservedGeneration, a.GetGeneration(), ready.Reason, ready.Message)
		case c == nil || c.Revision != revision || c.Next != nil || alone && c.Previous != nil:
			return errors.Errorf("credentials are %+v", c)
		}
		return nil
	})
	return te.secret(name + "-aiven")
}

func (te tenant) secret(name string) *corev1.Secret {
	te.t.Helper()
	s := &corev1.Secret{}
	if err := h.Kube.Get(te.t.Context(), client.ObjectKey{Namespace: te.namespace, Name: name}, s); err != nil {
		te.t.Fatalf("cannot get Secret: %v", err)
	}
	return s
}

// pod starts a pod that refers to a Secret, as far as anybody can see.
func (te tenant) pod(name, secret string) *corev1.Pod {
	te.t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: te.namespace}, Spec: podSpec(secret)}
	harness.Eventually(te.t, "pod "+name+" is made", func(ctx context.Context) error { return client.IgnoreAlreadyExists(h.Kube.Create(ctx, p)) })
	p.Status.Phase, p.Status.StartTime = corev1.PodRunning, new(metav1.Now())
	if err := h.Kube.Status().Update(te.t.Context(), p); err != nil {
		te.t.Fatalf("cannot start pod: %v", err)
	}
	return p
}

func podSpec(secret string) corev1.PodSpec {
	return corev1.PodSpec{
		AutomountServiceAccountToken: new(bool),
		Containers: []corev1.Container{{
			Name: "app", Image: "app",
			EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}}},
		}},
	}
}

// owned waits until the managed resources belong to a Secret too, which keeps them when their application goes.
func (te tenant) owned(s *corev1.Secret) {
	te.t.Helper()
	harness.Eventually(te.t, "the users belong to the Secret", func(ctx context.Context) error {
		l := &v1alpha1.ValkeyServiceUserList{}
		if err := h.Kube.List(ctx, l, client.InNamespace(te.namespace)); err != nil {
			return err
		}
		for _, mg := range l.Items {
			if !slices.ContainsFunc(mg.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == s.GetUID() }) {
				return errors.Errorf("%s does not", mg.GetName())
			}
		}
		return nil
	})
}

// options of a client are made from nothing but a Secret. It does not try again: what goes wrong is told.
func options(s *corev1.Secret) (*redis.Options, error) {
	o, err := redis.ParseURL(string(s.Data["REDIS_URI_CACHE"]))
	if err != nil {
		return nil, err
	}
	o.Username, o.Password = string(s.Data["VALKEY_USERNAME_CACHE"]), string(s.Data["VALKEY_PASSWORD_CACHE"])
	o.TLSConfig.RootCAs = x509.NewCertPool()
	o.TLSConfig.RootCAs.AppendCertsFromPEM(s.Data["AIVEN_CA"])
	o.MaxRetries = -1
	o.DialTimeout, o.ReadTimeout = server.CommandTimeout, server.CommandTimeout
	return o, nil
}

// connect makes a client from a Secret. It has no connection yet.
func connect(s *corev1.Secret) (*redis.Client, error) {
	o, err := options(s)
	if err != nil {
		return nil, err
	}
	return redis.NewClient(o), nil
}

// client logs in with a Secret.
func (te tenant) client(s *corev1.Secret) *redis.Client {
	te.t.Helper()
	c, err := connect(s)
	if err != nil {
		te.t.Fatalf("cannot connect: %v", err)
	}
	te.t.Cleanup(func() { _ = c.Close() })
	if err := c.Ping(te.t.Context()).Err(); err != nil {
		te.t.Fatalf("cannot log in: %v", err)
	}
	return c
}

// retired waits until the user of a Secret cannot log in any more.
func (te tenant) retired(s *corev1.Secret) {
	te.t.Helper()
	harness.Eventually(te.t, "the user cannot log in", func(ctx context.Context) error {
		c, err := connect(s)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		if err := c.Ping(ctx).Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGPASS") {
			return errors.Errorf("logging in: %v", err)
		}
		return nil
	})
}

// connection logs in with a Secret, and keeps the one connection.
func (te tenant) connection(s *corev1.Secret) *redis.Conn {
	te.t.Helper()
	c := te.client(s).Conn()
	te.t.Cleanup(func() { _ = c.Close() })
	if err := c.Ping(te.t.Context()).Err(); err != nil {
		te.t.Fatalf("cannot log in: %v", err)
	}
	return c
}

// ended fails the test unless the server closed a connection.
func (te tenant) ended(c *redis.Conn) {
	te.t.Helper()
	err := c.Ping(te.t.Context()).Err()
	var answered redis.Error
	if err == nil || errors.As(err, &answered) {
		te.t.Errorf("the connection of a retired user is open: %v", err)
	}
}

// onlyUsers fails the test unless the server has the users of the Secrets, and no others but its own.
func (te tenant) onlyUsers(secrets ...*corev1.Secret) {
	te.t.Helper()
	want := []string{"default"}
	for _, s := range secrets {
		want = append(want, string(s.Data["VALKEY_USERNAME_CACHE"]))
	}
	got, err := te.server.Users(te.t.Context())
	if err != nil {
		te.t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		te.t.Errorf("users of the server: -want, +got:\n%s", diff)
	}
}
