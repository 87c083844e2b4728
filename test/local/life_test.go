// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package local

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// healSecret damages a Secret in three ways, one of which is legitimate.
func healSecret(t *testing.T) {
	before := getSecret(t, "demo", "orders-aiven")
	changed := before.DeepCopy()
	changed.Data["KAFKA_BROKERS"] = []byte("somewhere:else")
	delete(changed.Data, "OPEN_SEARCH_PASSWORD")
	changed.Data["OF_OTHERS"] = []byte("stays")
	if err := e.Kube.Patch(t.Context(), changed, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}

	want := before.DeepCopy().Data
	want["OF_OTHERS"] = []byte("stays")
	harness.Eventually(t, "the Secret holds again what it held", func(ctx context.Context) error {
		s := &corev1.Secret{}
		if err := e.Kube.Get(ctx, client.ObjectKeyFromObject(before), s); err != nil {
			return err
		}
		if !cmp.Equal(want, s.Data) {
			return errors.Errorf("KAFKA_BROKERS is %q, OPEN_SEARCH_PASSWORD has %d bytes, OF_OTHERS is %q", s.Data["KAFKA_BROKERS"], len(s.Data["OPEN_SEARCH_PASSWORD"]), s.Data["OF_OTHERS"])
		}
		return nil
	})
}

// replaceVanishedUser deletes a user behind the provider's back.
func replaceVanishedUser(t *testing.T) {
	a := getApplication(t, "payments", "invoices")
	parts := expected(a)["invoices-aiven"]
	before, _ := parts[0].credentials(getSecret(t, "payments", "invoices-aiven"))
	e.Sim.DeleteUser(parts[0].project, parts[0].name, before)
	harness.Eventually(t, "the Secret holds credentials that work", func(ctx context.Context) error {
		s := &corev1.Secret{}
		if err := e.Kube.Get(ctx, client.ObjectKey{Namespace: "payments", Name: "invoices-aiven"}, s); err != nil {
			return err
		}
		return parts[0].accepted(s)
	})
}

// rotate asks for other credentials. Those before go on to work.
func rotate(t *testing.T) {
	before := getSecret(t, "demo", "orders-aiven")
	a := getApplication(t, "demo", "orders")
	asked := a.DeepCopy()
	meta.AddAnnotations(asked, map[string]string{v1.AnnotationRotate: "once"})
	if err := e.Kube.Patch(t.Context(), asked, client.MergeFrom(a)); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "other credentials are published", func(ctx context.Context) error {
		now := &v1.AivenApplication{}
		if err := e.Kube.Get(ctx, client.ObjectKeyFromObject(a), now); err != nil {
			return err
		}
		if c := now.Status.Credentials; c.Revision != a.Status.Credentials.Revision+1 || c.Previous == nil {
			return errors.Errorf("revision %d is published", c.Revision)
		}
		return nil
	})
	after := getSecret(t, "demo", "orders-aiven")
	for _, p := range expected(a)["orders-aiven"] {
		was, _ := p.credentials(before)
		if is, _ := p.credentials(after); is == was {
			t.Errorf("%s: the user is the same", p.name)
		}
		for what, s := range map[string]*corev1.Secret{"before": before, "after": after} {
			if err := p.accepted(s); err != nil {
				t.Errorf("credentials %s the rotation: %v", what, err)
			}
		}
	}
}

// restartSilently kills the provider. The next one writes nothing: not at Aiven,
// and not to the Secrets.
func restartSilently(t *testing.T) {
	ctx := t.Context()
	o := objects(t)
	versions := make(map[string]string)
	for _, s := range o.Secrets {
		versions[s.GetNamespace()+"/"+s.GetName()] = s.GetResourceVersion()
	}
	if err := e.KillProvider(); err != nil {
		t.Fatal(err)
	}
	e.Sim.ResetRequests()
	if err := e.StartProvider(ctx); err != nil {
		t.Fatal(err)
	}
	looks := map[string]int{"aivenapplication": len(o.Applications)}
	for _, mg := range o.Managed {
		looks["managed/"+strings.ToLower(mg.Kind)+".aiven.nais.io"]++
	}
	for name, want := range looks {
		harness.Eventually(t, "the new provider has looked at everything: "+name, func(ctx context.Context) error {
			got, err := reconciles(ctx, name)
			if err == nil && got < want {
				err = errors.Errorf("%d of %d looks", got, want)
			}
			return err
		})
	}

	for _, r := range e.Sim.Requests() {
		if r.Method != http.MethodGet {
			t.Errorf("the new provider called Aiven to write: %s %s", r.Method, r.Operation)
		}
	}
	for _, s := range objects(t).Secrets {
		if name := s.GetNamespace() + "/" + s.GetName(); versions[name] != s.GetResourceVersion() {
			t.Errorf("the new provider wrote Secret %s", name)
		}
	}
}

// reconciles returns how often a controller of the running provider succeeded.
func reconciles(ctx context.Context, controller string) (int, error) {
	text, err := metrics(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, `controller_runtime_reconcile_total{controller="`+controller+`",result=`) || strings.Contains(line, `result="error"`) {
			continue
		}
		n, err := strconv.Atoi(line[strings.LastIndex(line, " ")+1 : len(line)-1])
		if err != nil {
			return 0, errors.Wrap(err, "cannot read metric")
		}
		total += n
	}
	return total, nil
}

func metrics(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.MetricsURL, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

// deleteApplication deletes an application. Its users and its Secret go, and
// nothing of its neighbours.
func deleteApplication(t *testing.T) {
	others := made("demo_checkout_")
	if len(made("demo_orders_")) == 0 || len(others) == 0 {
		t.Fatal("there are no users to begin with")
	}
	remove(t, application("demo", "orders"))
	gone(t, "demo", "orders-aiven")
	harness.Eventually(t, "no user of the application is left", func(context.Context) error { return none(made("demo_orders_")) })
	harness.Eventually(t, "no managed resource of the application is left", func(ctx context.Context) error {
		o, err := e.Objects(ctx)
		if err != nil {
			return err
		}
		var left []string
		for _, mg := range o.Managed {
			if strings.HasPrefix(mg.GetName(), "orders-") {
				left = append(left, mg.GetName())
			}
		}
		return none(left)
	})
	if diff := cmp.Diff(others, made("demo_checkout_")); diff != "" {
		t.Errorf("users of another application: -before, +after:\n%s", diff)
	}
	harness.Eventually(t, "no connection Secret of the application is left", func(ctx context.Context) error {
		return noSecrets(ctx, "demo", "orders-")
	})
}

// keepProtected deletes a protected application: its credentials work until
// somebody deletes the Secret.
func keepProtected(t *testing.T) {
	parts := expected(getApplication(t, "demo", "connector"))["connector-credentials"]
	uid := getSecret(t, "demo", "connector-credentials").GetUID()
	remove(t, application("demo", "connector"))
	harness.Eventually(t, "the application is gone", func(ctx context.Context) error {
		return notFound(e.Kube.Get(ctx, client.ObjectKey{Namespace: "demo", Name: "connector"}, application("", "")))
	})
	// What would be collected by mistake is collected about as fast as this.
	marker := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "marker", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "Secret", Name: "no-such-owner", UID: types.UID("00000000-0000-0000-0000-000000000000")},
	}}}
	if err := e.Kube.Create(t.Context(), marker); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the garbage collector has worked", func(ctx context.Context) error {
		return notFound(e.Kube.Get(ctx, client.ObjectKeyFromObject(marker), &corev1.ConfigMap{}))
	})
	s := getSecret(t, "demo", "connector-credentials")
	if s.GetUID() != uid {
		t.Error("the Secret is another one than before")
	}
	if err := parts[0].accepted(s); err != nil {
		t.Error(err)
	}

	remove(t, s)
	gone(t, "demo", "connector-credentials")
	harness.Eventually(t, "no user of the application is left", func(context.Context) error { return none(made("demo_connector_")) })
}

// deleteNamespace deletes a namespace with everything in it: an application, and
// the configuration and token that it needs to the last.
func deleteNamespace(t *testing.T) {
	if len(made("payments_")) == 0 {
		t.Fatal("there are no users to begin with")
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "payments"}}
	remove(t, ns)
	harness.Eventually(t, "the namespace is gone", func(ctx context.Context) error {
		left := &corev1.Namespace{}
		err := e.Kube.Get(ctx, client.ObjectKeyFromObject(ns), left)
		if err == nil {
			err = errors.Errorf("it is there: %v", left.Status)
			return err
		}
		return notFound(err)
	})
	if err := none(made("payments_")); err != nil {
		t.Errorf("users of the namespace: %v", err)
	}
}

// leakNothing looks for credentials where people read.
func leakNothing(t *testing.T) {
	log, err := e.Log()
	if err != nil {
		t.Fatal(err)
	}
	text, err := metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	issued := e.Sim.Issued()
	if len(issued) == 0 || log == "" || text == "" {
		t.Fatalf("there is nothing to look for, or nowhere to look: %d credentials, %d bytes of log, %d of metrics", len(issued), len(log), len(text))
	}
	for _, secret := range issued {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds a credential of %d characters", len(secret))
		}
		if strings.Contains(text, secret) {
			t.Errorf("the metrics hold a credential of %d characters", len(secret))
		}
	}
}

// gone waits until a Secret does not exist.
func gone(t *testing.T, namespace, name string) {
	t.Helper()
	harness.Eventually(t, "Secret "+name+" is gone", func(ctx context.Context) error {
		return notFound(e.Kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.Secret{}))
	})
}

// notFound returns nil when the error says that the object does not exist.
func notFound(err error) error {
	switch {
	case err == nil:
		return errors.New("it exists")
	case kerrors.IsNotFound(err):
		return nil
	default:
		return err
	}
}

// none returns an error that names what is left, if something is.
func none(left []string) error {
	if len(left) > 0 {
		return errors.Errorf("left: %s", strings.Join(left, ", "))
	}
	return nil
}

func noSecrets(ctx context.Context, namespace, prefix string) error {
	l := &corev1.SecretList{}
	if err := e.Kube.List(ctx, l, client.InNamespace(namespace)); err != nil {
		return err
	}
	var left []string
	for i := range l.Items {
		if n := l.Items[i].GetName(); strings.HasPrefix(n, prefix) {
			left = append(left, n)
		}
	}
	return none(left)
}
