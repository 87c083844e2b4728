// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/cluster/node"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
	"github.com/provider-aiven/provider-aiven/test/pages"
)

// stopped has no replica of the provider run.
const stopped = `- target: {kind: DeploymentRuntimeConfig, name: provider-aiven}
  patch: |
    - {op: replace, path: /spec/deploymentTemplate/spec/replicas, value: 0}
`

// removed removes the provider and Crossplane as docs/operations.md says, and leaves
// what they made.
func (s *suite) removed(t *testing.T) {
	t.Helper()
	s.apply(t, withCrossplane+stopped, older)
	s.away(t, node.Namespace)
	if err := s.UninstallCrossplane(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.core = false
	s.run(t, "-n", node.Namespace, "delete", "deployment", "-l", "app.kubernetes.io/name="+name)
	if left, err := s.deployments(t.Context()); err != nil || len(left) > 0 {
		t.Fatalf("%d Deployments of the provider are left: %v", len(left), err)
	}
}

// away waits until no replica of the provider runs.
func (s *suite) away(t *testing.T, namespace string) {
	t.Helper()
	harness.Eventually(t, "the provider is gone", func(ctx context.Context) error {
		pods, err := s.replicas(ctx, namespace)
		if err == nil && len(pods) > 0 {
			err = errors.Errorf("%d pods are left", len(pods))
		}
		return err
	})
}

// A keepsake is what must not change when the provider comes and goes.
type keepsake struct {
	te     *team
	secret map[string][]byte
	users  map[string][]string
}

// keep makes an application with a workload that uses it.
func (s *suite) keep(t *testing.T, namespace string) keepsake {
	t.Helper()
	te := s.team(t, namespace)
	te.create(te.app("orders"), te.workload("orders", "orders-aiven"))
	te.logsIn("orders", 5)
	return keepsake{te: te, secret: te.secret("orders-aiven").Data, users: te.users()}
}

// in returns the same for a subtest.
func (k keepsake) in(t *testing.T) keepsake {
	t.Helper()
	te := *k.te
	te.t = t
	k.te = &te
	return k
}

// kept fails the test if something has changed.
func (k keepsake) kept() {
	k.te.t.Helper()
	k.te.logsIn("orders", 5)
	k.te.same("orders-aiven", k.secret)
	if diff := cmp.Diff(k.users, k.te.users()); diff != "" {
		k.te.t.Errorf("users at Aiven: -want, +got:\n%s", diff)
	}
}

// works fails the test unless the provider looks after the application that it found,
// and makes new ones.
func (k keepsake) works() {
	k.te.t.Helper()
	k.te.change("orders", func(a *v1.AivenApplication) { a.Spec.Valkey[0].Access = v1.AccessRead })
	k.te.ready("orders", 1)
	k.kept()
	k.te.create(k.te.app("parcels"))
	k.te.ready("parcels", 1)
	if err := k.te.kube.Delete(k.te.t.Context(), k.te.app("parcels")); err != nil {
		k.te.t.Fatal(err)
	}
	k.te.eventually("the users are those of before", func() string { return cmp.Diff(k.users, k.te.users()) })
}

// TestReinstall: the provider and Crossplane are removed and installed again, this time
// with Crossplane's default activation policy, and nothing is lost.
func TestReinstall(t *testing.T) {
	s.installed(t, older)
	s.noRefusals(t)
	k := s.keep(t, "reinstall")
	s.removed(t)
	k.kept()

	s.crossplane(t, everything)
	s.apply(t, withCrossplane+withoutActivation, older)
	s.healthy(t, older)
	s.runs(t, node.Namespace, older)
	k.works()
}

// TestStandalone: whoever does without Crossplane goes on with what he has, restores a
// backup without changing a credential, and can remove everything in the end.
func TestStandalone(t *testing.T) {
	s.installed(t, older)
	k := s.keep(t, "standalone")
	s.removed(t)

	s.apply(t, alone, newer)
	s.runs(t, standaloneSystem, newer)
	ok := t.Run("Keep", func(t *testing.T) {
		k := k.in(t)
		s.noRefusals(t)
		k.works()
		if leader, err := s.leader(t.Context(), standaloneSystem); err != nil || !strings.HasPrefix(leader, name) {
			t.Errorf("leader is %s: %v", leader, err)
		}
	})
	ok = ok && t.Run("Restore", func(t *testing.T) {
		s.noRefusals(t)
		s.restore(t, k.in(t))
	})
	s.leaksNothing(t)
	// Without a provider nothing would end.
	_ = ok && t.Run("RemoveEverything", func(t *testing.T) { s.removeEverything(t, node.Namespace) })
}

// restore loses the objects of a team, and brings them back as a tool for backups does.
func (s *suite) restore(t *testing.T, k keepsake) {
	t.Helper()
	s.run(t, "-n", standaloneSystem, "scale", "deployment/"+name, "--replicas=0")
	s.away(t, standaloneSystem)
	var backup []*unstructured.Unstructured
	for _, kind := range []string{"AivenApplication", "KafkaServiceUser", "OpenSearchServiceUser", "ValkeyServiceUser", "Secret"} {
		l := &unstructured.UnstructuredList{}
		switch kind {
		case "Secret":
			l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
		case "AivenApplication":
			l.SetGroupVersionKind(v1.SchemeGroupVersion.WithKind(kind))
		default:
			l.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
		}
		if err := s.kube.List(t.Context(), l, client.InNamespace(k.te.namespace)); err != nil {
			t.Fatal(err)
		}
		for i := range l.Items {
			if l.Items[i].GetDeletionTimestamp() == nil {
				backup = append(backup, backedUp(&l.Items[i]))
			}
			s.lose(t, &l.Items[i])
		}
	}
	// In any order.
	slices.Reverse(backup)
	for _, o := range backup {
		if err := s.kube.Create(t.Context(), o); err != nil {
			t.Fatalf("cannot restore %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
	s.run(t, "-n", standaloneSystem, "scale", "deployment/"+name, "--replicas=2")
	s.runs(t, standaloneSystem, newer)
	k.works()
}

// backedUp returns what such a tool keeps of an object: neither status nor owners.
func backedUp(o *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{}}
	for _, field := range []string{"apiVersion", "kind", "spec", "data", "type"} {
		if v, ok := o.Object[field]; ok {
			out.Object[field] = v
		}
	}
	out.SetNamespace(o.GetNamespace())
	out.SetName(o.GetName())
	out.SetLabels(o.GetLabels())
	out.SetAnnotations(o.GetAnnotations())
	return out
}

// lose deletes an object without anybody noticing.
func (s *suite) lose(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null,"ownerReferences":null}}`))
	// What belongs to what was lost before may be gone with it.
	if err := client.IgnoreNotFound(s.kube.Patch(t.Context(), o, patch)); err != nil {
		t.Fatal(err)
	}
	if err := client.IgnoreNotFound(s.kube.Delete(t.Context(), o)); err != nil {
		t.Fatal(err)
	}
	s.gone(t, o)
}

// removeEverything does what docs/operations.md says for that, with the token in a namespace,
// and looks whether anything is left in the cluster, or at Aiven, of any test.
func (s *suite) removeEverything(t *testing.T, namespace string) {
	t.Helper()
	page := s.page(t, "operations.md", pages.Options{Patience: 3 * kubectlTimeout, Replace: strings.NewReplacer(standaloneSystem, namespace)})
	page.Skip("Uninstall and install again") // test/docs runs it.
	page.Next("delete -k install")
	harness.Eventually(t, "the provider's kinds are gone", func(ctx context.Context) error {
		l := &crdv1.CustomResourceDefinitionList{}
		if err := s.kube.List(ctx, l); err != nil {
			return err
		}
		for _, d := range l.Items {
			if d.Spec.Group == v1alpha1.Group {
				return errors.Errorf("%s is there", d.Name)
			}
		}
		return nil
	})
	for _, service := range s.services {
		for _, u := range s.sim.Users(project, service) {
			if u.Type != "primary" {
				t.Errorf("%s has the user %s", service, u.Username)
			}
		}
	}
}

// TestWithoutCrossplane: on a cluster that has nothing of Crossplane the manifests alone
// make a provider that works. Whoever gets Crossplane later goes on with what he has, and
// can remove everything in the end. Both ways are those of docs/install.md, word for word.
func TestWithoutCrossplane(t *testing.T) {
	if err := s.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	page := s.document(t)
	page.Next("make -C provider-aiven push")
	page.In("Standalone").Next("rollout status")
	s.runs(t, standaloneSystem, older)
	page.In("3. A token").Next("wait clusterproviderconfig/default")
	if out := page.In("4. The first application").Next("describe secret checkout-aiven"); !strings.Contains(out, "KAFKA_BROKERS:") {
		t.Errorf("the first application has no brokers:\n%s", out)
	}
	s.run(t, "delete", "namespace", documentNamespace)
	if users := s.sim.Users(documentProject, documentKafka); slices.ContainsFunc(users, func(u aivensim.User) bool { return u.Type != "primary" }) {
		t.Errorf("users of the first application are left: %+v", users)
	}
	s.run(t, "delete", "clusterproviderconfig", "default")

	s.configured(t, standaloneSystem)
	k := s.keep(t, "alone")
	s.leaksNothing(t)
	s.run(t, "-n", standaloneSystem, "delete", "deployment", name)
	s.away(t, standaloneSystem)

	s.crossplane(t, everything)
	page.Replace = s.inDocument(newer)
	page.In("With Crossplane").Next("wait provider.pkg.crossplane.io/provider-aiven")
	ok := t.Run("Keep", func(t *testing.T) {
		s.noRefusals(t)
		s.healthy(t, newer)
		s.runs(t, node.Namespace, newer)
		k.in(t).works()
		s.lacksNothing(t)
	})
	s.leaksNothing(t)
	_ = ok && t.Run("RemoveEverything", func(t *testing.T) { s.removeEverything(t, standaloneSystem) })
}

// What docs/install.md calls the namespace and the services of its first application.
const (
	documentNamespace = "demo"
	documentProject   = "demo-project"
	documentKafka     = "kafka-demo"
)

// page returns one of docs for somebody who works in the folder of what is built, where
// the kustomization is. Dir, Env and Output of the options are given.
func (s *suite) page(t *testing.T, name string, o pages.Options) *pages.Page {
	t.Helper()
	var terminal bytes.Buffer
	t.Cleanup(func() {
		if found := harness.Scan(s.sim, map[string]string{"the terminal": terminal.String()}); len(found) > 0 {
			t.Errorf("credentials were found where none may be: %v", found)
		}
	})
	o.Dir, o.Output = s.out, &terminal
	o.Env = append(os.Environ(), "PATH="+filepath.Dir(s.kubectl)+":"+os.Getenv("PATH"), "KUBECONFIG="+s.Kubeconfig(),
		"KUBECACHEDIR="+filepath.Join(s.out, "kubectl"), "REGISTRY_USER=us", "REGISTRY_PASSWORD=any")
	return pages.Open(t, filepath.Join(root, "docs", name), o)
}

// document returns docs/install.md with the tests' registry and Aiven.
func (s *suite) document(t *testing.T) *pages.Page {
	t.Helper()
	s.sim.AddProject(documentProject)
	s.sim.AddService(documentProject, aivensim.Service{Name: documentKafka, Type: "kafka"})
	clone := filepath.Join(s.out, "provider-aiven")
	_ = os.Remove(clone) // Of a run before.
	if err := os.Symlink(s.repository(), clone); err != nil {
		t.Fatal(err)
	}
	page := s.page(t, "install.md", pages.Options{
		Input:   token + "\n",
		Replace: s.inDocument(older),
		Amend: func(_, text string) string {
			own := inPackage + "    - {op: add, path: /spec/deploymentTemplate/spec/template/spec/containers/0/args/-, value: --base-url=" + s.url + "}\n"
			if strings.Contains(text, "install/standalone") {
				own = inDeployment + "    - {op: add, path: /spec/template/spec/containers/0/args/-, value: --base-url=" + s.url + "}\n"
			}
			return text + own
		},
	})
	for _, section := range []string{"In chosen namespaces", "In another namespace"} {
		page.Skip(section) // test/docs runs them.
	}
	return page
}

// inDocument puts our registry, and one of the versions in it, where the document has the
// reader's. The machine may know the registry by another name than the cluster; what it pushes
// there replaces neither version.
func (s *suite) inDocument(version string) *strings.Replacer {
	return strings.NewReplacer(
		"REF=registry.example.com/provider-aiven:v0.1.0", "REF="+s.Registry()+"/provider-aiven:document",
		"registry.example.com", s.RegistryInCluster(),
		"v0.1.0", version,
	)
}
