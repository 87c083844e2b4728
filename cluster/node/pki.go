// SPDX-License-Identifier: Apache-2.0

package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/pkg/errors"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// validity is how long certificates are valid, which is longer than a cluster
// lives. The clock of what reads them may be a little slow.
const (
	validity  = 7 * 24 * time.Hour
	clockSkew = 5 * time.Minute
)

// A pki issues the certificates of one cluster and keeps them in a folder.
type pki struct {
	dir    string
	server string // The API server's URL.
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
}

// newPKI makes a certificate authority, and the key that signs the tokens of
// service accounts.
func newPKI(dir, server string) (*pki, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errors.Wrap(err, "cannot make the folder of the certificates")
	}
	p := &pki{dir: dir, server: server}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, errors.Wrap(err, "cannot make the authority's key")
	}
	if p.ca, err = cert.NewSelfSignedCACert(cert.Config{CommonName: "provider-aiven-node"}, p.key); err != nil {
		return nil, errors.Wrap(err, "cannot make the authority's certificate")
	}
	if err := p.write("ca.crt", p.caPEM()); err != nil {
		return nil, err
	}
	if _, err := p.writeKey("ca", p.key); err != nil {
		return nil, err
	}
	tokens, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, errors.Wrap(err, "cannot make the key of service accounts")
	}
	_, err = p.writeKey("service-accounts", tokens)
	return p, err
}

func (p *pki) caPEM() []byte {
	b, err := cert.EncodeCertificates(p.ca)
	if err != nil {
		panic(err) // Of a certificate in memory, to memory.
	}
	return b
}

// path returns the path of a file of the folder.
func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) write(name string, b []byte) error {
	return errors.Wrap(os.WriteFile(p.path(name), b, 0o600), "cannot write a certificate or key")
}

func (p *pki) writeKey(name string, key *ecdsa.PrivateKey) ([]byte, error) {
	b, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, errors.Wrap(err, "cannot encode a key")
	}
	return b, p.write(name+".key", b)
}

// An identity is who a certificate is for: a user with groups or, with hosts, a
// server.
type identity struct {
	name   string
	groups []string
	hosts  []string
}

// issue writes a certificate and its key to NAME.crt and NAME.key.
func (p *pki) issue(file string, id identity) (crt, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, errors.Wrap(err, "cannot make a key")
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, errors.Wrap(err, "cannot make a serial number")
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: id.name, Organization: id.groups},
		NotBefore:    now.Add(-clockSkew), NotAfter: now.Add(validity),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, h := range id.hosts {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, private.Public(), p.key)
	if err != nil {
		return nil, nil, errors.Wrap(err, "cannot sign a certificate")
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, errors.Wrap(err, "cannot read a certificate")
	}
	if crt, err = cert.EncodeCertificates(parsed); err != nil {
		return nil, nil, errors.Wrap(err, "cannot encode a certificate")
	}
	if key, err = p.writeKey(file, private); err != nil {
		return nil, nil, err
	}
	return crt, key, p.write(file+".crt", crt)
}

// userKubeconfig writes a kubeconfig file for a user with a certificate.
func (p *pki) userKubeconfig(path string, id identity) error {
	crt, key, err := p.issue(filepath.Base(path), id)
	if err != nil {
		return err
	}
	return p.kubeconfig(path, clientcmdapi.AuthInfo{ClientCertificateData: crt, ClientKeyData: key})
}

// kubeconfig writes a kubeconfig file for a user.
func (p *pki) kubeconfig(path string, who clientcmdapi.AuthInfo) error {
	const name = "provider-aiven-node"
	return writeKubeconfig(path, clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: p.server, CertificateAuthorityData: p.caPEM()}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: &who},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	})
}

// writeKubeconfig writes a kubeconfig file, which only this user may read. One
// that is there is replaced at once: a program may just be reading it.
func writeKubeconfig(path string, cfg clientcmdapi.Config) error {
	b, err := clientcmd.Write(cfg)
	if err != nil {
		return errors.Wrap(err, "cannot encode a kubeconfig file")
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".kubeconfig-")
	if err != nil {
		return errors.Wrap(err, "cannot make a kubeconfig file")
	}
	_, err = f.Write(b)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return errors.Wrap(err, "cannot write a kubeconfig file")
}
