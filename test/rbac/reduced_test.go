// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// byCore is what the RBAC manager of Crossplane 2.4 grants a provider of this
// package: no more, and some of it more than the provider uses.
func byCore() []client.Object {
	own := []string{"create", "get", "list", "patch", "update", "watch"}
	kinds := []string{"aivenapplications", "clusterproviderconfigs", "kafkaserviceusers", "opensearchserviceusers", "providerconfigs", "providerconfigusages", "valkeyserviceusers"}
	var status, finalizers []string
	for _, k := range kinds {
		status, finalizers = append(status, k+"/status"), append(finalizers, k+"/finalizers")
	}
	return []client.Object{
		&rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: "crossplane:provider:provider-aiven-0123456789ab:system"},
			Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{"aiven.nais.io"}, Resources: slices.Concat(kinds, status), Verbs: own},
				{APIGroups: []string{"aiven.nais.io"}, Resources: finalizers, Verbs: []string{"update"}},
				{APIGroups: []string{"", "coordination.k8s.io"}, Resources: []string{"secrets", "configmaps", "events", "leases"}, Verbs: []string{"*"}},
				{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: []string{"get", "list", "watch"}},
			},
		},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "crossplane:provider:provider-aiven-0123456789ab:system"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "crossplane:provider:provider-aiven-0123456789ab:system"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ownNamespace, Name: "provider-aiven"}},
		},
	}
}

// TestCoreAlone: with what Crossplane grants, and nothing else, applications get
// and keep credentials; what does not work says so, and does when the rights that
// the package cannot carry are there.
func TestCoreAlone(t *testing.T) {
	prepare(t)
	apply(t, "", byCore())
	te := newTenant(t, "core")
	start(t)
	before := te.users()

	plain := te.plain("plain")
	te.create(plain)
	te.ready(plain)
	named := te.app("named", v1alpha1.ClusterProviderConfigKind, central)
	te.create(named)
	te.notReady(named, v1.ReasonMissingRight)

	harness.Update(te.T, h.Kube, plain, func(a *v1.AivenApplication) { metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1.AnnotationRotate, "one") })
	te.ready(plain, func() error {
		c := plain.GetCondition(v1.TypeRotated)
		if s := plain.Status.Credentials; s == nil || s.Revision != 2 || c.Reason != v1.ReasonMissingRight || !strings.Contains(c.Message, "cannot delete") {
			return errors.Errorf("credentials are %+v, and Rotated is %s: %s", s, c.Reason, c.Message)
		}
		return nil
	})
	te.delete(plain)
	te.spared("plain-aiven", "JanitorSpared")
	for _, feature := range []string{"deletion", "namespaces", "workloads", "usages", "instances"} {
		if !missing(t, feature) {
			t.Errorf("no metric tells of missing rights for %s", feature)
		}
	}

	apply(t, "", load(t, filepath.Join(manifests, "cluster-wide")))
	te.ready(named)
	te.works("named-aiven")
	te.gone(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "plain-aiven", Namespace: te.namespace}})
	te.delete(named)
	te.gone(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "named-aiven", Namespace: te.namespace}})
	te.left(before)
	if got := missingRights(t); len(got) > 0 {
		t.Errorf("metric tells of rights that are there: %v", got)
	}
}

// TestWithout: the provider begins without any one group of rights, tells that it
// is missing, does what it can, and all when the rights are there.
func TestWithout(t *testing.T) {
	own := func(r right, resources ...string) bool {
		return slices.Contains(resources, strings.TrimSuffix(r.Resource, ".aiven.nais.io")) || slices.Contains(resources, strings.Replace(r.Resource, ".aiven.nais.io/", "/", 1))
	}
	reads := func(r right) bool { return slices.Contains([]string{"get", "list", "watch"}, r.Verb) }
	users := []string{"kafkaserviceusers", "opensearchserviceusers", "valkeyserviceusers"}
	cases := map[string]struct {
		reason  string
		feature string
		without func(r right) bool
		// waits: nothing is done for an application.
		waits bool
		// says is the reason of Ready of an application, empty when it is True.
		says xpv2.ConditionReason
	}{
		"Configurations": {
			reason: "Without configurations there is no token.", feature: "configurations", waits: true,
			without: func(r right) bool {
				return own(r, "clusterproviderconfigs", "providerconfigs", "providerconfigusages") && reads(r)
			},
		},
		"Applications": {
			reason: "Who cannot see some applications cannot tell whose names are.", feature: "applications", waits: true,
			without: func(r right) bool { return own(r, "aivenapplications") },
		},
		"Users": {
			reason: "Who cannot see some users must not decide about others.", feature: "users", waits: true,
			without: func(r right) bool { return own(r, users...) && reads(r) },
		},
		"Secrets": {
			reason: "There is nothing to publish in.", feature: "secrets", waits: true,
			without: func(r right) bool { return r.Resource == "secrets" && reads(r) },
		},
		"Leases": {
			reason: "Two that work at once would be worse than none.", feature: "leader-election", waits: true,
			without: func(r right) bool { return r.Resource == "leases.coordination.k8s.io" },
		},
		"SecretsWrite": {
			reason: "The application says why its Secret is not written.", feature: "secrets", says: v1.ReasonCreating,
			without: func(r right) bool { return r.Resource == "secrets" && r.Verb == "create" },
		},
		"UsersWrite": {
			reason: "The application says why it has no user.", feature: "users", says: v1.ReasonMissingRight,
			without: func(r right) bool { return own(r, users...) && r.Verb == "create" },
		},
		"Status": {
			reason: "Nobody can be told by a condition.", feature: "status", waits: true,
			without: func(r right) bool { return own(r, "aivenapplications/status") },
		},
		"Deletion": {
			reason: "It matters later.", feature: "deletion",
			without: func(r right) bool { return own(r, users...) && r.Verb == "delete" },
		},
		"Usages": {
			reason: "It matters later.", feature: "usages",
			without: func(r right) bool { return own(r, "providerconfigusages") && r.Verb == "delete" },
		},
		"Owners": {
			reason: "It matters with an admission plugin only.", feature: "owners",
			without: func(r right) bool { return strings.HasSuffix(r.Resource, "/finalizers") },
		},
		"Pods":      {reason: "It matters later.", feature: "workloads", without: func(r right) bool { return r.Resource == "pods" }},
		"Workloads": {reason: "It matters later.", feature: "workloads", without: func(r right) bool { return r.Resource == "cronjobs.batch" }},
		"Namespaces": {
			reason: "It matters to those whose grants go by names.", feature: "namespaces",
			without: func(r right) bool { return r.Resource == "namespaces" },
		},
		"Records": {reason: "No orphan is deleted.", feature: "records", without: func(r right) bool { return r.Resource == "configmaps" }},
		"Events":  {reason: "Nobody is told by events.", feature: "events", without: func(r right) bool { return r.Resource == "events" }},
		"Instances": {
			reason: "It matters with requireInstance only.", feature: "instances",
			without: func(r right) bool { return strings.HasSuffix(r.Resource, ".aiven.io") },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			objects := load(t, filepath.Join(manifests, "cluster-wide"))
			back := withhold(t, objects, tc.without)
			te := newTenant(t, "without")
			before := len(h.Log.String())
			start(t)
			app := te.plain("plain")
			te.create(app)
			harness.Eventually(t, "the missing rights are told", func(context.Context) error {
				if !missing(t, tc.feature) {
					return errors.New("no metric tells it")
				}
				return nil
			})
			switch {
			case tc.waits:
			case tc.says != "":
				te.notReady(app, tc.says)
			default:
				te.ready(app)
				te.logsIn("plain-aiven")
			}
			back()
			te.ready(app)
			te.logsIn("plain-aiven")
			te.delete(app)
			te.gone(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "plain-aiven", Namespace: te.namespace}})
			te.left(nil)
			told := func(line string) bool {
				return strings.Contains(line, "The provider lacks a right") && strings.Contains(line, strconv.Quote(tc.feature))
			}
			if !slices.ContainsFunc(strings.Split(h.Log.String()[before:], "\n"), told) {
				t.Errorf("\n%s\nthe log does not tell it", tc.reason)
			}
		})
	}
}

// withhold makes objects without some of the rights in them, and returns what
// gives these.
func withhold(t *testing.T, objects []client.Object, without func(r right) bool) func() {
	t.Helper()
	full := make([]client.Object, 0, len(objects))
	for _, o := range objects {
		full = append(full, o.DeepCopyObject().(client.Object))
		switch r := o.(type) {
		case *rbacv1.ClusterRole:
			r.Rules = reduce(r.Rules, without)
		case *rbacv1.Role:
			r.Rules = reduce(r.Rules, without)
		}
	}
	apply(t, "", objects)
	return func() {
		t.Helper()
		for _, o := range full {
			if key, _ := rulesOf(o); key == "" {
				continue
			}
			if err := h.Kube.Update(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// reduce returns rules for all rights but some, one rule for each.
func reduce(rules []rbacv1.PolicyRule, without func(r right) bool) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for _, rule := range rules {
		for _, g := range rule.APIGroups {
			for _, resource := range rule.Resources {
				one := rbacv1.PolicyRule{APIGroups: []string{g}, Resources: []string{resource}, ResourceNames: rule.ResourceNames}
				for _, v := range rule.Verbs {
					if !without(right{Verb: v, Resource: resourceName(g, resource)}) {
						one.Verbs = append(one.Verbs, v)
					}
				}
				if len(one.Verbs) > 0 {
					out = append(out, one)
				}
			}
		}
	}
	return out
}

// plain returns an application that needs nobody to know which namespaces there are.
func (te tenant) plain(name string) *v1.AivenApplication {
	app := te.app(name, v1alpha1.ClusterProviderConfigKind, central)
	app.Spec.Kafka.ACL, app.Spec.OpenSearch, app.Spec.Valkey = nil, nil, nil
	return app
}

// logsIn waits until a Secret's certificate logs in.
func (te tenant) logsIn(name string) {
	te.Helper()
	harness.Eventually(te.T, "Secret "+name+" logs in", func(ctx context.Context) error {
		s := &corev1.Secret{}
		if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, s); err != nil {
			return err
		}
		if !h.Sim.LoginCertificate(project, kafka, s.Data["KAFKA_CERTIFICATE"], s.Data["KAFKA_PRIVATE_KEY"]) {
			return errors.New("the Kafka certificate is not accepted")
		}
		return nil
	})
}

// notReady waits until an application is not ready for a reason.
func (te tenant) notReady(app *v1.AivenApplication, reason xpv2.ConditionReason) {
	te.Helper()
	harness.Eventually(te.T, app.GetName()+" is not ready", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
			return err
		}
		if c := app.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionFalse || c.Reason != reason {
			return errors.Errorf("Ready is %s, %s: %s", c.Status, c.Reason, c.Message)
		}
		return nil
	})
}

// spared waits until an event tells of a Secret, which stays.
func (te tenant) spared(name, reason string) {
	te.Helper()
	harness.Eventually(te.T, "the Secret is spared", func(ctx context.Context) error {
		l := &corev1.EventList{}
		if err := h.Kube.List(ctx, l, client.InNamespace(te.namespace)); err != nil {
			return err
		}
		if !slices.ContainsFunc(l.Items, func(e corev1.Event) bool {
			return e.InvolvedObject.Name == name && e.Reason == reason && strings.Contains(e.Message, "may not see")
		}) {
			return errors.New("no event tells it")
		}
		return h.Kube.Get(ctx, client.ObjectKey{Namespace: te.namespace, Name: name}, &corev1.Secret{})
	})
}

// missing tells whether a metric tells of missing rights for something.
func missing(t *testing.T, feature string) bool {
	t.Helper()
	return slices.ContainsFunc(missingRights(t), func(s string) bool { return strings.HasPrefix(s, feature+":") })
}

// missingRights returns the rights that the metric tells of.
func missingRights(t *testing.T) []string {
	t.Helper()
	families, err := h.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		if f.GetName() != "provider_aiven_missing_rights" {
			continue
		}
		for _, m := range f.GetMetric() {
			l := map[string]string{}
			for _, p := range m.GetLabel() {
				l[p.GetName()] = p.GetValue()
			}
			out = append(out, l["feature"]+": "+l["verb"]+" "+l["resource"])
		}
	}
	return out
}

// recheck is how soon a provider notices rights that it lacked.
const recheck = 100 * time.Millisecond
