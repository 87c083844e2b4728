// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
	"github.com/provider-aiven/provider-aiven/test/pages"
)

// follow are the pages with commands that are run.
var follow = map[string]func(p *page){
	"first-application.md": firstApplication,
	"install.md":           install,
	"kubectl-aivenapp.md":  plugin,
	"metrics.md":           metrics,
	"migration.md":         migration,
	"operations.md":        operations,
	"rbac.md":              rights,
	"rotation.md":          rotation,
	"runbook.md":           runbook,
	"testing.md":           simulator,
	"tokens.md":            tokens,
}

// A page is followed by somebody who has a folder of their own.
type page struct {
	*pages.Page

	t    *testing.T
	name string
}

// open opens a page of docs for somebody whose folder has what a clone of this repository
// has at its top, and the clone itself, as provider-aiven.
func open(t *testing.T, name string) *page {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{"provider-aiven": ".", "cluster": "cluster", "examples": "examples"} {
		if err := os.Symlink(filepath.Join(tree, to), filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	p := pages.Open(t, filepath.Join(root, "docs", name), pages.Options{Dir: dir, Env: environment, Output: terminal})
	return &page{Page: p, t: t, name: name}
}

// first are the pages of a cluster that has seen no provider, which go before the others.
var first = []string{"rbac.md", "migration.md"}

// TestPages runs the pages.
func TestPages(t *testing.T) {
	order := slices.Sorted(maps.Keys(follow))
	order = append(slices.Clone(first), slices.DeleteFunc(order, func(name string) bool { return slices.Contains(first, name) })...)
	for _, service := range []aivensim.Service{
		{Name: "opensearch-team-a-logs", Type: "opensearch", ACLEnabled: true}, {Name: "valkey-team-a-cache", Type: "valkey"},
	} {
		h.Sim.AddService(project, service)
	}
	for _, name := range order {
		t.Run(name, func(t *testing.T) { follow[name](open(t, name)) })
		if err := h.StopProvider(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAllRun: what is marked is run.
func TestAllRun(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sections, broken := pages.Marked(string(b))
		if len(sections) > 0 {
			got = append(got, filepath.Base(f))
		}
		if broken != 0 {
			t.Errorf("%s: %d comments have no block below them", f, broken)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(follow)), got); diff != "" {
		t.Errorf("pages with marked blocks: -run, +marked:\n%s", diff)
	}
}

const project = "demo-project"

// orders is the application that pages speak of.
const orders = `kubectl apply -f - <<'END'
apiVersion: aiven.nais.io/v1
kind: AivenApplication
metadata: {name: orders, namespace: team-a}
spec:
  kafka: {pool: demo-pool}
  openSearch: {instance: logs, access: readwrite}
  valkey: [{instance: cache}]
END
`

// provide starts a provider as it runs in a cluster.
func provide(with ...func(p *harness.Process)) {
	h.StartProvider(append([]func(p *harness.Process){func(p *harness.Process) {
		p.BaseURLs.Default = h.URL
		p.Namespace, p.LeaderElection, p.LeaderElectionNamespace = "provider-aiven-system", true, "crossplane-system"
	}}, with...)...)
}

// ready waits until all applications of a namespace are.
func (p *page) ready(namespace string) {
	p.t.Helper()
	p.Run("kubectl -n " + namespace + " wait --for=condition=Ready aivenapp --all --timeout=5m")
}

// eventually waits until a command writes something.
func (p *page) eventually(want, script string) {
	p.t.Helper()
	harness.Eventually(p.t, script, func(context.Context) error {
		if out, err := p.Try(script); err != nil || !strings.Contains(out, want) {
			return errors.Errorf("want %q, got %v: %s", want, err, out)
		}
		return nil
	})
}

// says fails the test unless all of it is in what a block wrote.
func (p *page) says(out string, want ...string) {
	p.t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			p.t.Errorf("%s: it should say %q:\n%s", p.name, w, out)
		}
	}
}

// gone fails the test if a command still finds something.
func (p *page) gone(script string) {
	p.t.Helper()
	if out := strings.TrimSpace(p.Run(script)); out != "" {
		p.t.Errorf("%s: nothing should be left: %s", p.name, out)
	}
}

// secretsIn asks whether the provider may list Secrets, as which ServiceAccount of
// which namespace.
func secretsIn(namespace, as string) string {
	return "kubectl auth can-i list secrets -n " + namespace + " --as=system:serviceaccount:" + as + ":provider-aiven || true"
}

// rights is run by somebody with no provider: test/rbac runs one under these rights.
func rights(p *page) {
	list := secretsIn("team-a", "provider-aiven-system")
	p.Run(`for n in demo payments team-a team-b crossplane-system; do kubectl create namespace $n; done`)
	p.Next("create namespace provider-aiven-system")
	p.Next("rbac/cluster-wide")
	p.eventually("yes", list)
	p.Run("kubectl delete clusterrolebinding provider-aiven-namespaces provider-aiven-namespace-labels")
	p.eventually("no", list)
	p.Next("rbac/chosen-namespaces")
	p.eventually("yes", list)
	p.Next("rbac/users")
	p.says(p.Next("can-i --list"), "kafkaserviceusers.aiven.nais.io")
	p.says(p.Next("can-i list secrets -A"), "no")
	p.Run("kubectl -n team-a delete rolebinding provider-aiven; kubectl apply -f $TREE/examples/clusterproviderconfig.yaml")
}

// install is what is left of the page: test/e2e runs the others in a cluster with nodes.
func install(p *page) {
	for _, section := range []string{"1. The package", "With Crossplane", "Standalone", "3. A token", "4. The first application"} {
		p.Skip(section)
	}
	for _, namespace := range []string{"team-a", "team-b", "demo"} {
		p.eventually("no", secretsIn(namespace, "provider-aiven-system"))
	}
	p.In("In chosen namespaces").Next("-n team-b apply")
	p.says(p.Run("kubectl -n provider-aiven-system get deployment provider-aiven -o jsonpath='{.spec.template.spec.containers[0]}'"), "--watch-namespaces=team-a,team-b", `"image":"registry.example.com/provider-aiven:v0.1.0"`)
	p.eventually("yes", secretsIn("team-a", "provider-aiven-system"))
	p.eventually("yes", secretsIn("team-b", "provider-aiven-system"))
	p.eventually("no", secretsIn("demo", "provider-aiven-system"))

	p.Next("apply --server-side -k install")
	p.says(p.Run("kubectl -n aiven get deployment provider-aiven -o jsonpath='{.spec.template.spec.serviceAccountName}'"), "provider-aiven")
	p.eventually("yes", secretsIn("demo", "aiven"))
	p.Run("kubectl delete clusterrolebinding provider-aiven-namespaces; kubectl -n team-a delete rolebinding provider-aiven")
	p.eventually("no", secretsIn("team-a", "aiven"))
	p.Next("create rolebinding")
	p.eventually("yes", secretsIn("team-a", "aiven"))
}

// metrics stands for the Prometheus operator.
func metrics(p *page) {
	for kind, plural := range map[string]string{"PodMonitor": "podmonitors", "PrometheusRule": "prometheusrules"} {
		p.Run(`kubectl apply -f - <<'END'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ` + plural + `.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: ` + kind + `, plural: ` + plural + `}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
END
kubectl wait --for=condition=Established crd/` + plural + `.monitoring.coreos.com`)
	}
	p.Next("-k cluster/install/monitoring")
	p.Run("kubectl -n crossplane-system get podmonitor,prometheusrule provider-aiven && kubectl -n crossplane-system get configmap provider-aiven-dashboard")
}

func migration(p *page) {
	p.Run("kubectl create namespace aivenator; kubectl -n aivenator create deployment aivenator --image=registry.example.com/aivenator:1")
	p.Run(orders)
	users := p.ofAivenator()
	p.Next("get aivenapplications")
	p.Next("fingerprints()")
	p.Next("scale deployment aivenator")
	provide(func(p *harness.Process) { p.JanitorDryRun = true })
	p.ready("team-a")
	p.says(p.Next("fingerprints | diff"), "nothing changed")
	for service, user := range users {
		got := slices.DeleteFunc(h.Sim.Users(project, service), func(u aivensim.User) bool { return u.Type == "primary" })
		if len(got) != 1 || got[0].Username != user {
			p.t.Errorf("%s should have the user %s and no other: %+v", service, user, got)
		}
	}
	if err := h.StopProvider(); err != nil {
		p.t.Fatal(err)
	}
	p.Next("managed-by=provider-aiven")
	p.gone(`kubectl -n team-a get secret orders-aiven -o jsonpath='{.metadata.finalizers}'`)
	p.says(p.Next("managed-by!=provider-aiven"), "old-secret")
	p.Next("delete secret old-secret")
	p.gone("kubectl -n team-a get secret old-secret --ignore-not-found")
}

// ofAivenator makes what aivenator leaves: a Secret that the application uses, one
// that nothing does, and users at Aiven, which it returns by service.
func (p *page) ofAivenator() map[string]string {
	p.t.Helper()
	k := h.Sim.AddUser(project, "kafka-demo", "team-a_orders_1a2b3c4d_old")
	o := h.Sim.AddUser(project, "opensearch-team-a-logs", "team-a-rw-9b1c2d")
	v := h.Sim.AddUser(project, "valkey-team-a-cache", "orders-cache-r-2026-04")
	for name, data := range map[string]map[string]string{
		"orders-aiven": {
			"KAFKA_SCHEMA_REGISTRY_USER": k.Username, "KAFKA_SCHEMA_REGISTRY_PASSWORD": k.Password, "KAFKA_CERTIFICATE": k.AccessCert, "KAFKA_PRIVATE_KEY": k.AccessKey,
			"OPEN_SEARCH_USERNAME": o.Username, "OPEN_SEARCH_PASSWORD": o.Password,
			"VALKEY_USERNAME_CACHE": v.Username, "VALKEY_PASSWORD_CACHE": v.Password, "REDIS_USERNAME_CACHE": v.Username, "REDIS_PASSWORD_CACHE": v.Password,
		},
		"old-secret": {"VALKEY_PASSWORD_CACHE": "of-another-deployment"},
	} {
		s := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "team-a", Name: name, Finalizers: []string{v1.FinalizerAivenator},
				Labels: map[string]string{v1.LabelApp: "orders", v1.LabelTeam: "team-a", v1.LabelType: v1.SecretType},
			},
			StringData: data,
		}
		if err := h.Kube.Create(p.t.Context(), s); err != nil {
			p.t.Fatal(err)
		}
	}
	return map[string]string{"kafka-demo": k.Username, "opensearch-team-a-logs": o.Username, "valkey-team-a-cache": v.Username}
}

// revision has the revision of an application written.
func revision(namespace, name string) string {
	return "kubectl -n " + namespace + " get aivenapp " + name + " -o jsonpath='revision {.status.credentials.revision}'"
}

func rotation(p *page) {
	provide()
	p.Run(orders)
	p.ready("team-a")
	p.says(p.Next("get aivenapp"), "ROTATES", "orders-aiven")
	p.Next("patch aivenapp orders")
	p.eventually("revision 2", revision("team-a", "orders"))
	users := h.Sim.Users(project, "valkey-team-a-cache")
	p.Next("delete secret orders-aiven")
	for _, u := range users {
		if _, ok := h.Sim.User(project, "valkey-team-a-cache", u.Username); ok && u.Type != "primary" {
			p.t.Errorf("the user %s should be gone", u.Username)
		}
	}
	p.eventually("revision 3", revision("team-a", "orders"))
	p.ready("team-a")
}

func runbook(p *page) {
	provide()
	p.Run(orders)
	p.ready("team-a")
	p.says(p.Next("describe aivenapp orders"), "Available", "orders-valkey-cache-r", "aiven.nais.io/revoke")

	token := func(token string) {
		p.Run(`kubectl -n provider-aiven-system patch secret aiven-token -p '{"stringData":{"token":"` + token + `"}}'`)
	}
	token("dead-for-good")
	p.eventually("TokenRejected", "kubectl get clusterproviderconfig default -o jsonpath='{.status.conditions}'")
	p.Run("kubectl -n team-a delete aivenapp orders; kubectl -n team-a delete secret orders-aiven --wait=false")
	p.eventually("CannotRevoke", "kubectl -n team-a events --for secret/orders-aiven")
	p.Next("xargs")
	p.Run("kubectl -n team-a wait --for=delete secret/orders-aiven --timeout=5m")
	p.gone("kubectl -n team-a get managed -o name")
	p.says(p.Next("events --for secret/orders-aiven"), "CannotRevoke")
	token("demo-token")
	p.says(p.Next("crossplane-system get pods"), "holderIdentity")
}

func tokens(p *page) {
	provide()
	p.Run("cd $TREE/examples/tokens; kubectl apply -f team.yaml -f application.yaml -f managed-resource.yaml")
	p.ready("payments")
	p.Run("kubectl -n payments wait --for=condition=Ready managed --all --timeout=5m")
	health := "kubectl get clusterproviderconfig default -o jsonpath='{.status.conditions[?(@.type==\"Healthy\")].reason}'"
	p.Run(`kubectl -n provider-aiven-system patch secret aiven-token -p '{"stringData":{"token":"another-one"}}'`)
	p.eventually("TokenRejected", health)
	p.Next("sed s/provider-aiven-system/")
	p.eventually("TokenAccepted", health)
	p.says(p.Run("kubectl get clusterproviderconfig default -o jsonpath='{.spec.credentials.secretRef.namespace}'"), "crossplane-system")
	p.eventually(project, "kubectl get clusterproviderconfig default -o jsonpath='{.status.token}'")
	p.says(p.Next("get clusterproviderconfigs"), "payments", project)
	p.Next("delete aivenapp,managed")
	p.gone("kubectl -n payments get aivenapp,managed -o name")
}

func firstApplication(p *page) {
	provide()
	p.says(p.Next("apply -f checkout.yaml"), "KAFKA_BROKERS", "VALKEY_URI_SESSIONS")
	p.Next("annotate aivenapp checkout")
	p.Run("kubectl apply --dry-run=server -f deployment.yaml")
	p.eventually("revision 2", revision("demo", "checkout"))
	p.Run("kubectl -n demo delete aivenapp checkout")
}

func plugin(p *page) {
	provide()
	p.Run(`kubectl apply $(printf ' -f %s' $TREE/examples/*.yaml)
		kubectl apply -k $TREE/cluster/install/rbac/users
		kubectl -n demo create serviceaccount viewer
		kubectl -n demo create rolebinding viewer --clusterrole=view --serviceaccount=demo:viewer`)
	p.ready("demo")
	p.ready("payments")
	p.says(p.Next("status orders"), "AivenApplication demo/orders  Ready", "Nothing is wrong.")
	p.Run(`kubectl -n payments patch secret aiven-token -p '{"stringData":{"token":"not-a-token"}}'
		printf '{apiVersion: aiven.nais.io/v1, kind: AivenApplication, metadata: {name: refunds, namespace: payments}, spec: {valkey: [{instance: sessions}]}}' | kubectl apply -f -`)
	p.eventually("TokenRejected", "kubectl -n payments get aivenapp refunds")
	p.says(p.Next("status refunds"), "problem (TokenRejected)")
	p.says(p.Next("rotate orders"), "Done: revision 2 is published in orders-aiven.")
	p.says(p.Next("--timeout 3s"), "WaitingForOverlap")
	p.says(p.Next("credentials orders"), "Done: your own access to the services of orders", "credentials.env")
	p.says(p.Next("--revoke"), "there are no users of yours left")
	p.says(p.Next("doctor -A"), "problem (TokenRejected) ProviderConfig/payments/default")
	p.says(p.Next("doctor -n demo"), "No problem was found in what you may see.", "you may not list secrets in namespace demo")
	p.Run(`kubectl apply -f - <<'END'
apiVersion: v1
kind: Pod
metadata: {name: orders, namespace: demo}
spec: {containers: [{name: orders, image: registry.example.com/orders:1, envFrom: [{secretRef: {name: orders-aiven}}]}]}
END
		kubectl -n demo delete aivenapp orders`)
	p.says(p.Next("janitor"), "Used by pod/orders", "An application names it", "Nothing was removed.")
}
