// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"crypto/rand"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1alpha1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1alpha1"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
	pkgv1beta1 "github.com/crossplane/crossplane/apis/v2/pkg/v1beta1"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

const (
	manifests = "../../cluster/install/rbac"

	// ownNamespace is the provider's.
	ownNamespace = "provider-aiven-system"
)

// known are all kinds that are shipped.
var known = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, apiextensionsv1.AddToScheme, pkgv1.AddToScheme, pkgv1beta1.AddToScheme, apiextensionsv1alpha1.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}()

// load returns the objects of a kustomization, which may do nothing but name what
// it consists of.
func load(t *testing.T, dir string) []client.Object {
	t.Helper()
	var out []client.Object
	file := filepath.Join(dir, "kustomization.yaml")
	if _, err := os.Stat(file); err != nil {
		file = filepath.Join(dir, "Kustomization")
	}
	for _, k := range documents(t, file) {
		delete(k, "apiVersion")
		delete(k, "kind")
		resources, _, _ := unstructured.NestedStringSlice(k, "resources")
		delete(k, "resources")
		if len(k) > 0 {
			t.Fatalf("the kustomization in %s does more than name resources: %v", dir, k)
		}
		for _, r := range resources {
			path := filepath.Join(dir, r)
			if filepath.Ext(path) != ".yaml" {
				out = append(out, load(t, path)...)
				continue
			}
			for _, doc := range documents(t, path) {
				out = append(out, typed(t, path, doc))
			}
		}
	}
	return out
}

func documents(t *testing.T, path string) []map[string]any {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]any
	for d := yaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		var doc map[string]any
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, doc)
	}
}

func typed(t *testing.T, path string, doc map[string]any) client.Object {
	t.Helper()
	u := &unstructured.Unstructured{Object: doc}
	o, err := known.New(u.GroupVersionKind())
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(doc, o, true); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return o.(client.Object)
}

// apply makes the objects, those without a namespace that need one in the
// supplied namespace, and removes them when the test ends.
func apply(t *testing.T, namespace string, objects []client.Object) {
	t.Helper()
	for _, o := range objects {
		if needsNamespace(o) && o.GetNamespace() == "" {
			o.SetNamespace(namespace)
		}
		if err := h.Kube.Create(t.Context(), o); err != nil {
			t.Fatalf("cannot create %T %s: %v", o, o.GetName(), err)
		}
		t.Cleanup(func() { _ = h.Kube.Delete(context.Background(), o) })
	}
}

func needsNamespace(o client.Object) bool {
	m, err := h.Kube.RESTMapper().RESTMapping(o.GetObjectKind().GroupVersionKind().GroupKind())
	return err == nil && m.Scope.Name() == apimeta.RESTScopeNameNamespace
}

// settled waits until the API server goes by the roles and bindings that there are. It
// follows each of these kinds in order, so who has its last object has all before.
func settled(t *testing.T) {
	t.Helper()
	all, own := "mark-"+strings.ToLower(rand.Text()), "mark-"+strings.ToLower(rand.Text())
	get := func(resource string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{{APIGroups: []string{v1.Group}, Resources: []string{resource}, Verbs: []string{"get"}}}
	}
	provider := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: account}}
	apply(t, "", []client.Object{
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: all}, Rules: get(all)},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: all}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: all}, Subjects: provider},
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: own, Namespace: ownNamespace}, Rules: get(own)},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: own, Namespace: ownNamespace}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: own}, Subjects: provider},
	})
	harness.Eventually(t, "roles and bindings are known", func(ctx context.Context) error {
		for _, resource := range []string{all, own} {
			if allowed, err := may(ctx, account, ownNamespace, "get", resource); err != nil || !allowed {
				return errors.Errorf("the last of them are not: %v", err)
			}
		}
		return nil
	})
}

// may tells whether a user has a right on one of our resources.
func may(ctx context.Context, user, namespace, verb, resource string) (bool, error) {
	r := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: verb, Group: v1.Group, Resource: resource,
	}}}
	err := h.Kube.Create(ctx, r)
	return r.Status.Allowed, err
}

// A right is one verb on one resource.
type right struct {
	Verb     string
	Resource string // with its group, as kubectl knows it: jobs.batch
}

// A grant is what a role gives, and where.
type grant struct {
	right
	role string
	// namespaces in which the role is bound, none when it is bound for all and for
	// what has no namespace.
	namespaces []string
}

// String names the right and the role: "provider-aiven: get secrets".
func (g grant) String() string { return g.role + ": " + g.Verb + " " + g.Resource }

// grants returns what the roles among the objects give as they are bound there.
func grants(objects []client.Object) []grant {
	bound, everywhere := map[string][]string{}, map[string]bool{}
	for _, o := range objects {
		switch b := o.(type) {
		case *rbacv1.RoleBinding:
			bound[b.RoleRef.Kind+"/"+b.RoleRef.Name] = append(bound[b.RoleRef.Kind+"/"+b.RoleRef.Name], b.GetNamespace())
		case *rbacv1.ClusterRoleBinding:
			everywhere[b.RoleRef.Kind+"/"+b.RoleRef.Name] = true
		}
	}
	var out []grant
	for _, o := range objects {
		key, rules := rulesOf(o)
		if !everywhere[key] && len(bound[key]) == 0 {
			continue
		}
		g := grant{role: o.GetName()}
		if !everywhere[key] {
			g.namespaces = bound[key]
		}
		for _, r := range rights(rules) {
			g.right = r
			out = append(out, g)
		}
	}
	return out
}

func rulesOf(o client.Object) (key string, rules []rbacv1.PolicyRule) {
	switch r := o.(type) {
	case *rbacv1.ClusterRole:
		return "ClusterRole/" + r.GetName(), r.Rules
	case *rbacv1.Role:
		return "Role/" + r.GetName(), r.Rules
	default:
		return "", nil
	}
}

func rights(rules []rbacv1.PolicyRule) []right {
	var out []right
	for _, rule := range rules {
		for _, g := range rule.APIGroups {
			for _, r := range rule.Resources {
				for _, v := range rule.Verbs {
					out = append(out, right{Verb: v, Resource: resourceName(g, r)})
				}
			}
		}
	}
	return out
}

// resourceName returns how kubectl names a resource.
func resourceName(group, resource string) string {
	if group == "" {
		return resource
	}
	name, sub, ok := strings.Cut(resource, "/")
	if ok {
		return name + "." + group + "/" + sub
	}
	return name + "." + group
}

// TestManifests looks at what is shipped without a control plane.
func TestManifests(t *testing.T) {
	var named []string
	granted := map[string]bool{}
	for _, dir := range []string{"roles", "base", "cluster-wide", "chosen-namespaces", "users"} {
		for _, k := range documents(t, filepath.Join(manifests, dir, "kustomization.yaml")) {
			resources, _, _ := unstructured.NestedStringSlice(k, "resources")
			for _, r := range resources {
				named = append(named, filepath.Join(manifests, dir, r))
			}
		}
		for _, o := range load(t, filepath.Join(manifests, dir)) {
			_, rules := rulesOf(o)
			for _, r := range rules {
				if len(r.NonResourceURLs) > 0 {
					t.Errorf("%s grants what is no resource: %v", o.GetName(), r.NonResourceURLs)
				}
			}
			for _, r := range rights(rules) {
				granted[grant{right: r, role: o.GetName()}.String()] = true
				if strings.Contains(r.Verb+r.Resource, "*") || slices.Contains([]string{"escalate", "bind", "impersonate"}, r.Verb) {
					t.Errorf("%s grants %s on %s", o.GetName(), r.Verb, r.Resource)
				}
			}
		}
	}
	for e := range exempt {
		if !granted[e] {
			t.Errorf("exempt from being used, and not granted: %s", e)
		}
	}
	files, err := filepath.Glob(filepath.Join(manifests, "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Base(f) != "kustomization.yaml" && !slices.Contains(named, f) {
			t.Errorf("no kustomization names %s", f)
		}
	}
}

// row is a line of the table of rights: role, resources, verbs, and what for.
var row = regexp.MustCompile("(?m)^\\| ([a-z-]*) ?\\| (`[^|]*`) \\| ([a-z, ]+) \\| [^|]+ \\| [^|]+ \\|$")

// TestDocumented: the table of docs/rbac.md lists the provider's rights, all and
// no others.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/rbac.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	role := ""
	for _, m := range row.FindAllStringSubmatch(string(doc), -1) {
		if m[1] != "" {
			role = m[1]
		}
		for r := range strings.SplitSeq(m[2], ", ") {
			for v := range strings.SplitSeq(m[3], ", ") {
				documented[grant{right: right{v, strings.Trim(r, "`")}, role: role}.String()] = true
			}
		}
	}
	granted := map[string]bool{}
	for _, o := range load(t, filepath.Join(manifests, "cluster-wide")) {
		_, rules := rulesOf(o)
		for _, r := range rights(rules) {
			granted[grant{right: r, role: o.GetName()}.String()] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(granted)), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("rights: -granted, +documented:\n%s", diff)
	}
}

// ensure makes an object unless it exists.
func ensure(t *testing.T, o client.Object) {
	t.Helper()
	if err := h.Kube.Create(t.Context(), o); err != nil && !kerrors.IsAlreadyExists(err) {
		t.Fatalf("cannot create %T %s: %v", o, o.GetName(), err)
	}
}
