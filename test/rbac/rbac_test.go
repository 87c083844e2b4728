// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// exempt are rights that the scenario need not use, and why they are given.
var exempt = map[string]string{
	"provider-aiven-namespaces: get namespaces":                           "in chosen namespaces; all others are watched",
	"provider-aiven: get configmaps":                                      "of a record that somebody else changed meanwhile",
	"provider-aiven-namespaces: get kafkaserviceusers.aiven.nais.io":      "of one that exists although the cache does not show it",
	"provider-aiven-namespaces: get opensearchserviceusers.aiven.nais.io": "of one that exists although the cache does not show it",
	"provider-aiven-namespaces: get valkeyserviceusers.aiven.nais.io":     "of one that exists although the cache does not show it",

	"provider-aiven: patch events":            "of one that happens again",
	"provider-aiven-events: patch events":     "of one that happens again",
	"provider-aiven-namespaces: patch events": "of one that happens again",

	"provider-aiven-namespaces: update aivenapplications.aiven.nais.io/finalizers":      byAdmission,
	"provider-aiven-namespaces: update kafkaserviceusers.aiven.nais.io/finalizers":      byAdmission,
	"provider-aiven-namespaces: update opensearchserviceusers.aiven.nais.io/finalizers": byAdmission,
	"provider-aiven-namespaces: update valkeyserviceusers.aiven.nais.io/finalizers":     byAdmission,
}

// byAdmission is why rights are given that no request uses.
const byAdmission = "asked for by the admission plugin OwnerReferencesPermissionEnforcement when an owner is named"

// start runs a provider with the rights of the supplied manifests, and with no others but those of settled.
func start(t *testing.T, namespaces ...string) *recorder {
	t.Helper()
	// Who comes first makes the lease.
	if err := h.Kube.DeleteAllOf(t.Context(), &coordinationv1.Lease{}, client.InNamespace(ownNamespace)); err != nil {
		t.Fatal(err)
	}
	settled(t)
	r := &recorder{used: make(map[use]bool), since: len(h.Log.String())}
	h.StartProvider(func(p *harness.Process) {
		p.Namespace, p.WatchNamespaces = ownNamespace, namespaces
		p.LeaderElection, p.LeaderElectionNamespace = true, ownNamespace
		p.Config, p.RecheckInterval = r.impersonate, recheck
	})
	t.Cleanup(func() {
		if err := h.StopProvider(); err != nil {
			t.Errorf("the provider failed: %v", err)
		}
	})
	return r
}

func TestClusterWide(t *testing.T) {
	prepare(t)
	objects := load(t, filepath.Join(manifests, "cluster-wide"))
	apply(t, "", objects)
	te := newTenant(t, "wide")
	r := start(t)
	te.scenario()
	r.check(t, grants(objects))
}

func TestChosenNamespaces(t *testing.T) {
	prepare(t)
	// Somebody else works in the other namespace, such as this provider before.
	other := newTenant(t, "other")
	h.StartProvider(func(p *harness.Process) { p.Namespace = ownNamespace })
	theirs := other.app("theirs", v1alpha1.ClusterProviderConfigKind, central)
	other.create(theirs)
	other.ready(theirs)
	mg := other.user("alone", central)
	other.create(mg)
	other.ready(mg)
	other.recorded(mg, central)
	if err := h.StopProvider(); err != nil {
		t.Fatal(err)
	}
	before := other.users()
	untouched := other.app("untouched", v1alpha1.ClusterProviderConfigKind, central)
	other.create(untouched)
	theirs = harness.Update(other.T, h.Kube, theirs, func(a *v1.AivenApplication) { metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1.AnnotationRotate, "one") })

	objects := load(t, filepath.Join(manifests, "base"))
	te, second := newTenant(t, "chosen"), newTenant(t, "second")
	apply(t, "", objects)
	for _, n := range []string{te.namespace, second.namespace} {
		binding := load(t, filepath.Join(manifests, "chosen-namespaces"))
		apply(t, n, binding)
		objects = append(objects, binding...)
	}
	r := start(t, te.namespace, second.namespace)
	te.scenario()
	app := second.app("orders", v1alpha1.ClusterProviderConfigKind, central)
	second.create(app)
	second.ready(app)
	second.works("orders-aiven")

	// By now there were many sweeps.
	if now := other.users(); slices.ContainsFunc(before, func(u string) bool { return !slices.Contains(now, u) }) {
		t.Errorf("users of a namespace that is not watched: got %v, want at least %v", now, before)
	}
	for _, a := range []*v1.AivenApplication{untouched, theirs} {
		want := a.GetResourceVersion()
		if err := h.Kube.Get(t.Context(), client.ObjectKeyFromObject(a), a); err != nil || a.GetResourceVersion() != want {
			t.Errorf("application %s in a namespace that is not watched was changed: %v", a.GetName(), err)
		}
	}
	r.check(t, grants(objects))
}

// scenario has the provider do everything that it does.
func (te tenant) scenario() {
	te.Helper()
	before := te.users()
	app := te.app("orders", v1alpha1.ClusterProviderConfigKind, central)
	te.create(app)
	te.ready(app)
	te.works("orders-aiven")

	harness.Update(te.T, h.Kube, app, func(a *v1.AivenApplication) { metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1.AnnotationRotate, "one") })
	te.ready(app, func() error {
		if c := app.Status.Credentials; c == nil || c.Revision != 2 || c.Next != nil || c.Previous != nil {
			return errors.Errorf("credentials are %+v", c)
		}
		return nil
	})
	te.works("orders-aiven")

	harness.Update(te.T, h.Kube, app, func(a *v1.AivenApplication) { a.Spec.SecretName = "orders-renamed" })
	te.gone(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-aiven", Namespace: te.namespace}})
	te.works("orders-renamed")

	te.teamsToken()
	te.passwords()
	te.configurations()
	te.strictly()

	te.delete(app)
	te.gone(app)
	te.gone(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-renamed", Namespace: te.namespace}})
	te.left(before)
}

// teamsToken uses a ProviderConfig with a token of its own.
func (te tenant) teamsToken() {
	te.Helper()
	token := harness.Token + "-" + te.namespace
	h.Sim.AddToken(aivensim.Token{Token: token, Permissions: "admin"})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "own", Namespace: te.namespace}, Data: map[string][]byte{"token": []byte(token)}}
	te.create(secret)
	pc := &v1alpha1.ProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "own", Namespace: te.namespace}}
	pc.Spec.ServiceSettings = settings()
	pc.Spec.Credentials.SecretRef = xpv2.LocalSecretKeySelector{LocalSecretReference: xpv2.LocalSecretReference{Name: "own"}, Key: "token"}
	te.create(pc)
	app := te.app("invoices", v1alpha1.ProviderConfigKind, "own")
	te.create(app)
	te.ready(app)
	te.works("invoices-aiven")
	te.delete(app)
	te.gone(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "invoices-aiven", Namespace: te.namespace}})
	te.delete(pc)
	te.gone(pc)
}

// passwords changes credentials at Aiven and in the cluster: that of a user, and the
// token of the platform team.
func (te tenant) passwords() {
	te.Helper()
	mg := te.user("changing", central)
	te.create(mg)
	te.ready(mg)
	user := mg.GetAnnotations()[v1.AnnotationGeneratedUsername]
	h.Sim.SetPassword(project, te.valkey(), user, "another-password-of-aiven")
	conn := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "changing-conn", Namespace: te.namespace}}
	te.ready(mg, func() error {
		if err := h.Kube.Get(te.Context(), client.ObjectKeyFromObject(conn), conn); err != nil {
			return err
		}
		if got := string(conn.Data["password"]); got != "another-password-of-aiven" {
			return errors.New("the new password is not published")
		}
		return nil
	})

	token := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "aiven-token", Namespace: ownNamespace}}
	next := harness.Token + "-next-" + te.namespace
	h.Sim.AddToken(aivensim.Token{Token: next, Permissions: "admin"})
	harness.Update(te.T, h.Kube, token, func(s *corev1.Secret) { s.Finalizers, s.Data["token"] = nil, []byte(next) })
	harness.Eventually(te.T, "the token is kept again", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(token), token); err != nil {
			return err
		}
		if len(token.GetFinalizers()) == 0 {
			return errors.New("it has no finalizer")
		}
		return nil
	})
	te.delete(mg)
	te.gone(mg)
}

// configurations moves a managed resource between configurations and removes it
// by force, so that a record proves whose user that was.
func (te tenant) configurations() {
	te.Helper()
	pc := clusterConfig("moved-" + te.namespace)
	te.create(pc)
	mg := te.user("moving", central)
	te.create(mg)
	te.ready(mg)
	te.recorded(mg, central)
	harness.Update(te.T, h.Kube, mg, func(mg *v1alpha1.ValkeyServiceUser) { mg.Spec.ProviderConfigReference.Name = pc.GetName() })
	te.recorded(mg, pc.GetName())

	// One that nothing controls is of nobody.
	stray := &v1alpha1.ProviderConfigUsage{ObjectMeta: metav1.ObjectMeta{
		Name: "stray", Namespace: te.namespace,
		Labels: map[string]string{xpv2.LabelKeyProviderName: pc.GetName(), xpv2.LabelKeyProviderKind: v1alpha1.ClusterProviderConfigKind},
	}}
	stray.ProviderConfigReference = xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigKind, Name: pc.GetName()}
	stray.ResourceReference = xpv2.TypedReference{APIVersion: "aiven.nais.io/v1alpha1", Kind: "ValkeyServiceUser", Name: "stray"}
	te.create(stray)
	te.gone(stray)

	mend := h.Sim.Inject(aivensim.Fault{Operation: "DeleteUser", Project: project, Status: 500})
	te.Cleanup(mend)
	te.delete(mg)
	te.force(mg)
	mend()
	harness.Eventually(te.T, "the user that was left is deleted", func(context.Context) error {
		if _, ok := h.Sim.User(project, te.valkey(), meta.GetExternalName(mg)); ok {
			return errors.New("it is still there")
		}
		return nil
	})
	te.delete(pc)
	te.gone(pc)
}

// strictly uses a configuration that is for this namespace alone, by its label, and
// that wants instances to exist.
func (te tenant) strictly() {
	te.Helper()
	for _, i := range []client.Object{instance("OpenSearch", te.namespace, te.openSearch()), instance("Valkey", te.namespace, te.valkey())} {
		harness.Eventually(te.T, "instance "+i.GetName()+" is made", func(ctx context.Context) error { return client.IgnoreAlreadyExists(h.Kube.Create(ctx, i)) })
	}
	pc := clusterConfig("strict-" + te.namespace)
	pc.Spec.RequireInstance = true
	pc.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: te.namespace}}}
	te.create(pc)
	app := te.app("reports", v1alpha1.ClusterProviderConfigKind, pc.GetName())
	te.create(app)
	te.ready(app)
	te.works("reports-aiven")
	te.delete(app)
	te.gone(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "reports-aiven", Namespace: te.namespace}})
	te.delete(pc)
	te.gone(pc)
}

// force removes the finalizers of an object.
func (te tenant) force(o client.Object) {
	te.Helper()
	if err := h.Kube.Patch(te.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
		te.Fatal(err)
	}
	te.gone(o)
}
