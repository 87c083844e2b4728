// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// published is what the docs have people install.
	published = "registry.example.com/provider-aiven:v0.1.0"

	// role is bound where the provider works.
	role = "provider-aiven-namespaces"
)

// blocks returns the blocks of YAML in a page of the docs that begin with the
// supplied text.
func blocks(t *testing.T, page, begin string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, rest := range strings.Split(string(b), "\n```yaml\n")[1:] {
		if block, _, _ := strings.Cut(rest, "```\n"); strings.HasPrefix(block, begin) {
			out = append(out, block)
		}
	}
	return out
}

// written returns the objects of a kustomization that a person wrote beside a
// clone of the repository.
func written(t *testing.T, kustomization string) []client.Object {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(root, filepath.Join(dir, "provider-aiven")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "install"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "install", "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	return render(t, filepath.Join(dir, "install"))
}

// imageOf returns what is installed, and the Secrets by which it is pulled.
func imageOf(t *testing.T, objects []client.Object) (image string, pull []string) {
	t.Helper()
	for _, o := range objects {
		switch p := o.(type) {
		case *pkgv1.Provider:
			for _, s := range p.Spec.PackagePullSecrets {
				pull = append(pull, s.Name)
			}
			return p.Spec.Package, pull
		case *appsv1.Deployment:
			for _, s := range p.Spec.Template.Spec.ImagePullSecrets {
				pull = append(pull, s.Name)
			}
			return p.Spec.Template.Spec.Containers[0].Image, pull
		}
	}
	t.Fatal("nothing is installed")
	return "", nil
}

// TestWritten: the kustomizations of docs/install.md install the provider.
func TestWritten(t *testing.T) {
	cases := map[string]struct {
		reason     string
		title      string // What follows the name of the file in the first line.
		change     func(kustomization string) string
		namespace  string
		pull       []string
		args       []string
		chosen     bool // Whether the role is bound nowhere.
		standalone bool
	}{
		"Crossplane": {
			reason: "Crossplane pulls the package from a private registry.",
			title:  "with Crossplane", namespace: "crossplane-system", pull: []string{"registry"},
		},
		"CrossplaneElsewhere": {
			reason: "A namespace moves all that is in one.",
			title:  "with Crossplane", namespace: "aiven", pull: []string{"registry"},
			change: func(k string) string { return k + "namespace: aiven\n" },
		},
		"Standalone": {
			reason: "The kubelet pulls the image from a private registry.",
			title:  "standalone", namespace: ownNamespace, pull: []string{"registry"}, standalone: true,
		},
		"Chosen": {
			reason: "The provider looks at the namespaces that are listed, and the role is bound in no others.",
			title:  "standalone, in chosen namespaces", namespace: ownNamespace,
			args: []string{"--watch-namespaces=team-a,team-b"}, chosen: true, standalone: true,
		},
		"Elsewhere": {
			reason: "A namespace moves all that is in one, but for the right to write events in the namespace default.",
			title:  "standalone, in another namespace", namespace: "aiven", standalone: true,
		},
		"ChosenElsewhere": {
			reason: "The two go together.",
			title:  "standalone, in another namespace", namespace: "aiven", chosen: true, standalone: true,
			change: func(k string) string {
				return k + "components: [../provider-aiven/cluster/install/standalone/chosen-namespaces]\n"
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found := blocks(t, "install.md", "# install/kustomization.yaml, "+tc.title+"\n")
			if len(found) != 1 {
				t.Fatalf("there are %d kustomizations %q in docs/install.md", len(found), tc.title)
			}
			if tc.change != nil {
				found[0] = tc.change(found[0])
			}
			objects := written(t, found[0])
			agrees(t, objects, tc.namespace)
			if image, pull := imageOf(t, objects); image != published || !slices.Equal(pull, tc.pull) {
				t.Errorf("\n%s\nit installs %s with %v, want %s with %v", tc.reason, image, pull, published, tc.pull)
			}
			for _, a := range tc.args {
				if have := deploymentOf(t, objects).Template.Spec.Containers[0].Args; !slices.Contains(have, a) {
					t.Errorf("\n%s\nthe provider is started with %v, want %s", tc.reason, have, a)
				}
			}
			want := map[string]int{role: 1, "provider-aiven-namespace-labels": 1}
			if tc.chosen {
				want = map[string]int{}
			}
			if diff := cmp.Diff(want, everywhere(objects, role, "provider-aiven-namespace-labels")); diff != "" {
				t.Errorf("\n%s\nbindings for all namespaces: -want, +got:\n%s", tc.reason, diff)
			}
			if tc.standalone && !slices.ContainsFunc(grants(objects), func(g grant) bool {
				return g.String() == "provider-aiven-events: create events" && slices.Equal(g.namespaces, []string{"default"})
			}) {
				t.Errorf("\n%s\nit grants no events in the namespace default", tc.reason)
			}
		})
	}
}

// everywhere counts which of some roles are bound for all namespaces.
func everywhere(objects []client.Object, roles ...string) map[string]int {
	out := map[string]int{}
	for _, o := range objects {
		if b, ok := o.(*rbacv1.ClusterRoleBinding); ok && slices.Contains(roles, b.RoleRef.Name) {
			out[b.RoleRef.Name]++
		}
	}
	return out
}

// TestPatches: the patches of docs/operations.md change what they are to change.
func TestPatches(t *testing.T) {
	patches := blocks(t, "operations.md", "- target: ")
	if len(patches) == 0 {
		t.Fatal("there are no patches in docs/operations.md")
	}
	for _, patch := range patches {
		title := "standalone"
		if strings.HasPrefix(patch, "- target: {kind: DeploymentRuntimeConfig,") {
			title = "with Crossplane"
		}
		before := blocks(t, "install.md", "# install/kustomization.yaml, "+title+"\n")[0]
		was, is := deploymentOf(t, written(t, before)), deploymentOf(t, written(t, before+patch))
		diff := cmp.Diff(was, is)
		for _, flag := range []string{"--janitor-dry-run", "replicas"} {
			if strings.Contains(patch, flag) && !strings.Contains(strings.ToLower(diff), flag) {
				t.Errorf("%s: the patch\n%s\nchanges: %s", title, patch, diff)
			}
		}
		if diff == "" {
			t.Errorf("%s: the patch\n%s\nchanges nothing", title, patch)
		}
	}
}
