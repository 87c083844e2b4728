// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestParseHost(t *testing.T) {
	cases := map[string]struct {
		reason string
		host   string
		want   string
		err    string
	}{
		"Address":  {reason: "The registry has its usual port.", host: "172.18.0.1", want: "172.18.0.1:5000"},
		"Port":     {reason: "The registry can have another port.", host: "10.0.0.1:5001", want: "10.0.0.1:5001"},
		"FreePort": {reason: "A container runtime cannot be told of a port that nobody knows.", host: "10.0.0.1:0", err: `cannot use the host "10.0.0.1:0": the container runtime has to know the port`},
		"Public":   {reason: "Crossplane would speak TLS to it.", host: "192.0.2.1", err: `cannot use the host "192.0.2.1": it is no private IPv4 address, and Crossplane speaks plain HTTP to no other registry`},
		"Loopback": {reason: "Pods reach themselves there.", host: "127.0.0.1", err: `cannot use the host "127.0.0.1": it is no private IPv4 address, and Crossplane speaks plain HTTP to no other registry`},
		"IPv6":     {reason: "Crossplane would speak TLS to it.", host: "[fd00::1]:5000", err: `cannot use the host "[fd00::1]:5000": it is no private IPv4 address, and Crossplane speaks plain HTTP to no other registry`},
		"Name":     {reason: "Nobody can listen at a name.", host: "registry.example.org:5000", err: `cannot use the host "registry.example.org:5000": it is no IP address with or without a port`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parseHost(tc.host)
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Errorf("\n%s\nparseHost(%q): -want error, +got error:\n%s", tc.reason, tc.host, diff)
			}
			if tc.err == "" && got.String() != tc.want {
				t.Errorf("\n%s\nparseHost(%q): got %s, want %s", tc.reason, tc.host, got, tc.want)
			}
		})
	}
}

// twoContexts is a kubeconfig file whose current context is the second.
const twoContexts = `apiVersion: v1
kind: Config
current-context: test
clusters:
- {name: production, cluster: {server: "https://production.example.org"}}
- {name: test, cluster: {server: "https://test.example.org", certificate-authority: ca.crt}}
contexts:
- {name: production, context: {cluster: production, user: production}}
- {name: test, context: {cluster: test, user: test, namespace: mine}}
users:
- {name: production, user: {token: of-production}}
- {name: test, user: {token: of-test}}
`

// writeFiles writes files into a folder of the test, and returns the folder.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What is kept of a kubeconfig file can be used in another folder, by others, and
// knows no other cluster.
func TestCurrent(t *testing.T) {
	dir := writeFiles(t, map[string]string{"config": twoContexts, "ca.crt": "certificate", "other": "current-context: production\n"})
	wrong := writeFiles(t, map[string]string{"none": strings.Replace(twoContexts, "current-context: test\n", "", 1)})
	cases := map[string]struct {
		reason string
		files  []string
		err    string
	}{
		"File":      {reason: "A file is read.", files: []string{filepath.Join(dir, "config")}},
		"List":      {reason: "A list is read, where the first wins and those that are not there do not matter.", files: []string{filepath.Join(dir, "absent"), filepath.Join(dir, "config"), filepath.Join(dir, "other")}},
		"Absent":    {reason: "A single file has to be there.", files: []string{filepath.Join(dir, "absent")}, err: "cannot read the kubeconfig file: "},
		"NoContext": {reason: "It has to say which cluster it names.", files: []string{filepath.Join(wrong, "none")}, err: "cannot use the current context of "},
	}
	want := clientcmdapi.Config{
		CurrentContext: "test",
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: "https://test.example.org", CertificateAuthorityData: []byte("certificate")}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test"}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"test": {Token: "of-test"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := current(strings.Join(tc.files, string(filepath.ListSeparator)))
			if tc.err != "" {
				if !strings.HasPrefix(text(err), tc.err) {
					t.Errorf("\n%s\ncurrent(...): got error %v, want %s", tc.reason, err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatalf("\n%s\ncurrent(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(reread(t, want), reread(t, got)); diff != "" {
				t.Errorf("\n%s\ncurrent(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// reread returns what a written file says, without where it was read from.
func reread(t *testing.T, cfg clientcmdapi.Config) *clientcmdapi.Config {
	t.Helper()
	b, err := clientcmd.Write(cfg)
	if err != nil {
		t.Fatal(err)
	}
	out, err := clientcmd.Load(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestChooseForeign(t *testing.T) {
	file := filepath.Join(writeFiles(t, map[string]string{"config": twoContexts, "ca.crt": "certificate"}), "config")
	const incomplete = "cannot use a cluster that somebody else runs: it takes a kubeconfig file that names it, and the address at which its Pods reach this machine"
	cases := map[string]struct {
		reason string
		os     string
		o      Options
		err    string
	}{
		"Named":      {reason: "Who names a cluster gets it.", o: Options{Kubeconfig: file, Host: "10.0.0.1"}},
		"Asked":      {reason: "Its level may be named, too.", o: Options{Level: LevelCluster, Kubeconfig: file, Host: "10.0.0.1"}},
		"OtherLevel": {reason: "It is no node of ours.", o: Options{Level: LevelNode, Kubeconfig: file, Host: "10.0.0.1"}, err: "cannot start a cluster of level node: the options name one that runs"},
		"NoHost":     {reason: "Its Pods have to reach this machine.", o: Options{Kubeconfig: file}, err: incomplete},
		"NoFile":     {reason: "Without a name there is no cluster.", o: Options{Host: "10.0.0.1"}, err: incomplete},
		"OnlyLevel":  {reason: "The level alone does not say which.", o: Options{Level: LevelCluster}, err: incomplete},
		"NotLinux":   {reason: "Programs of another system would not run in its containers.", os: "darwin", o: Options{Kubeconfig: file, Host: "10.0.0.1"}, err: "cannot use a cluster that somebody else runs: its images are made of programs of this machine, which have to be of Linux"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			said := &strings.Builder{}
			c := &Cluster{level: tc.o.Level, machine: capable(), progress: newProgress(said)}
			if tc.os != "" {
				c.machine.os = tc.os
			}
			if diff := cmp.Diff(tc.err, text(c.choose(tc.o))); diff != "" {
				t.Errorf("\n%s\nchoose(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			if tc.err != "" {
				return
			}
			if c.Level() != LevelCluster || c.HostAddress() != "10.0.0.1" || !strings.Contains(said.String(), "level cluster: a cluster that somebody else runs, at https://test.example.org") {
				t.Errorf("\n%s\nchoose(...): level %s, host %s; it said %s", tc.reason, c.Level(), c.HostAddress(), said)
			}
		})
	}
}

// serveGroups serves what an API server answers to who asks for groups of resources and
// for namespaces, and what a Pod answers at a path.
func serveGroups(t *testing.T, group string, namespaces ...string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, body)
		})
	}
	answer("GET /api", `{"kind": "APIVersions", "versions": ["v1"]}`)
	answer("GET /apis", `{"kind": "APIGroupList", "groups": [{"name": "`+group+`", "versions": [{"groupVersion": "`+group+`/v1", "version": "v1"}]}]}`)
	answer("GET /api/v1/namespaces/default/serviceaccounts/default", `{"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default"}}`)
	answer("GET /api/v1/namespaces/team/pods/http:app:8080/proxy/counts", "counted")
	for _, n := range namespaces {
		answer("GET /api/v1/namespaces/"+n, `{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "`+n+`"}}`)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// foreignCluster returns a cluster that is not yet started.
func foreignCluster(t *testing.T, server string) *Cluster {
	t.Helper()
	free, err := freePorts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{level: LevelCluster, progress: newProgress(t.Output()), foreign: foreign{
		host: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(free[0])),
		config: clientcmdapi.Config{
			CurrentContext: "test",
			Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: server}},
			Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test"}},
			AuthInfos:      map[string]*clientcmdapi.AuthInfo{"test": {Token: "of-test"}},
		},
	}}
}

// A cluster that somebody else runs is connected to and left, with a registry where it
// was told, and nothing of that stays on this machine.
func TestForeignCluster(t *testing.T) {
	ctx, parent := t.Context(), t.TempDir()
	c := foreignCluster(t, serveGroups(t, "apps").URL)
	t.Cleanup(func() { _ = c.Stop() })
	if err := c.start(ctx, parent); err != nil {
		t.Fatalf("start(...): %v", err)
	}
	if got := c.RegistryInCluster(); got != c.foreign.host.String() {
		t.Errorf("RegistryInCluster(): got %s, want %s", got, c.foreign.host)
	}
	if err := c.RunPods(ctx, nil); err != nil {
		t.Errorf("RunPods(...): %v", err)
	}
	if b, err := c.PodGet(ctx, "team", "app", 8080, "/counts"); string(b) != "counted" || err != nil {
		t.Errorf("PodGet(...): got %s, %v", b, err)
	}
	for program, restart := range map[string]func(context.Context) error{kubelet: c.RestartKubelet, apiServer: c.RestartAPIServer} {
		if diff := cmp.Diff("cannot restart "+program+": somebody else runs it", text(restart(ctx))); diff != "" {
			t.Errorf("restart of %s: -want error, +got error:\n%s", program, diff)
		}
	}
	if err := c.Stop(); err != nil {
		t.Errorf("Stop(): %v", err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("Stop(): left %v, %v", left, err)
	}
}

// Nobody loses what he has: what the cluster had before would be taken for ours.
func TestForeignCrossplane(t *testing.T) {
	cases := map[string]struct {
		reason     string
		group      string
		namespaces []string
		want       string
	}{
		"Packages":  {reason: "A cluster with Crossplane is somebody's.", group: "pkg." + crossplaneGroup, want: "it has Crossplane, or had; use a new one"},
		"Group":     {reason: "Any kind of Crossplane's is.", group: "ops." + crossplaneGroup, want: "it has Crossplane, or had; use a new one"},
		"Namespace": {reason: "So is its namespace, whatever is in it.", group: "apps", namespaces: []string{Namespace}, want: "it has the namespace crossplane-system; use a new one"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := foreignCluster(t, serveGroups(t, tc.group, tc.namespaces...).URL)
			t.Cleanup(func() { _ = c.Stop() })
			want := "cannot use the cluster at " + c.foreign.server() + ": " + tc.want
			if diff := cmp.Diff(want, text(c.start(t.Context(), t.TempDir()))); diff != "" {
				t.Errorf("\n%s\nstart(...): -want error, +got error:\n%s", tc.reason, diff)
			}
		})
	}
}

// A service account's file knows the cluster and no other user.
func TestForeignKubeconfig(t *testing.T) {
	c := foreignCluster(t, "https://test.example.org")
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := c.foreign.kubeconfig(path, clientcmdapi.AuthInfo{Token: "of-account"}); err != nil {
		t.Fatalf("kubeconfig(...): %v", err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Host != "https://test.example.org" || cfg.BearerToken != "of-account" {
		t.Errorf("kubeconfig(...): got %s with %s", cfg.Host, cfg.BearerToken)
	}
	if b, err := os.ReadFile(path); err != nil || strings.Contains(string(b), "of-test") {
		t.Errorf("kubeconfig(...): it has the credentials of another: %v", err)
	}
}
