// SPDX-License-Identifier: Apache-2.0

package node

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// A server with an issued certificate knows a client by the kubeconfig file of
// its user.
func TestPKI(t *testing.T) {
	dir := t.TempDir()
	p, err := newPKI(filepath.Join(dir, "pki"), "")
	if err != nil {
		t.Fatalf("newPKI(...): %v", err)
	}
	crt, key, err := p.issue("server", identity{name: "server", hosts: []string{"127.0.0.1", "kubernetes"}})
	if err != nil {
		t.Fatalf("issue(...): %v", err)
	}
	pair, err := tls.X509KeyPair(crt, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.ca)
	var got []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		subject := r.TLS.PeerCertificates[0].Subject
		got = append([]string{subject.CommonName}, subject.Organization...)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)

	p.server = server.URL
	path := filepath.Join(dir, "kubeconfig")
	if err := p.userKubeconfig(path, identity{name: "system:node:node", groups: []string{"system:nodes"}}); err != nil {
		t.Fatalf("userKubeconfig(...): %v", err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	rsp, err := client.Get(cfg.Host)
	if err != nil {
		t.Fatalf("a request: %v", err)
	}
	_ = rsp.Body.Close()
	if diff := cmp.Diff([]string{"system:node:node", "system:nodes"}, got); diff != "" {
		t.Errorf("who the server sees: -want, +got:\n%s", diff)
	}
}
