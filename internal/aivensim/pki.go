// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

const (
	// certificateLifetime of a client certificate. Aiven: 820 days.
	certificateLifetime = 820 * 24 * time.Hour
	// renewBefore is how long before its end a certificate is renewed. Aiven: about three months,
	// 90 days in observed data.
	renewBefore = 90 * 24 * time.Hour
	caLifetime  = 10 * 365 * 24 * time.Hour
	caBits      = 3072
	caPoolSize  = 2
	keyPoolSize = 8
)

// A keyPool hands out RSA keys round robin, so that making keys does not dominate what is measured.
// The keys are made in the background from the first use on. Certificates made with them are unique,
// their keys are not.
type keyPool struct {
	bits, size int
	start      sync.Once
	mu         sync.Mutex
	grown      *sync.Cond
	keys       []*pooledKey
	next       int
}

type pooledKey struct {
	private *rsa.PrivateKey
	pem     string // PKCS#8
}

// Pools are shared by all servers of the process, for what they hold costs seconds to make.
var (
	caPool   = newKeyPool(caBits, caPoolSize)
	poolsMu  sync.Mutex
	keyPools = map[int]*keyPool{}
)

func keyPoolOf(bits int) *keyPool {
	poolsMu.Lock()
	defer poolsMu.Unlock()
	if keyPools[bits] == nil {
		keyPools[bits] = newKeyPool(bits, keyPoolSize)
	}
	return keyPools[bits]
}

func newKeyPool(bits, size int) *keyPool {
	p := &keyPool{bits: bits, size: size}
	p.grown = sync.NewCond(&p.mu)
	return p
}

// take returns the next key, never the other one, which may be nil. It waits for keys to be made.
func (p *keyPool) take(other *pooledKey) *pooledKey {
	p.start.Do(func() { go p.fill() })
	p.mu.Lock()
	defer p.mu.Unlock()
	need := 1
	if other != nil {
		need = 2
	}
	for len(p.keys) < need {
		p.grown.Wait()
	}
	k := p.keys[p.next%len(p.keys)]
	p.next++
	if k == other {
		k = p.keys[p.next%len(p.keys)]
		p.next++
	}
	return k
}

func (p *keyPool) fill() {
	for range p.size {
		k := newPooledKey(p.bits)
		p.mu.Lock()
		p.keys = append(p.keys, k)
		p.mu.Unlock()
		p.grown.Broadcast()
	}
}

func newPooledKey(bits int) *pooledKey {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(fmt.Sprintf("cannot generate RSA key: %v", err))
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(fmt.Sprintf("cannot encode RSA key: %v", err))
	}
	return &pooledKey{private: private, pem: encodePEM("PRIVATE KEY", der)}
}

// certificate is an issued client certificate. It does not change.
type certificate struct {
	pem      string
	der      []byte
	key      *pooledKey
	notAfter time.Time
}

// authority is one certificate authority of a project. It does not change.
type authority struct {
	cert *x509.Certificate
	pem  string
	key  *pooledKey
}

// authorities are the CAs of a project, the newest of which signs. The first is made at first use.
type authorities struct {
	mu   sync.Mutex
	list []*authority
}

// newest returns the authority that signs.
func (a *authorities) newest(now time.Time) *authority {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) == 0 {
		a.list = append(a.list, newAuthority(now, nil))
	}
	return a.list[len(a.list)-1]
}

// all returns every authority, oldest first.
func (a *authorities) all(now time.Time) []*authority {
	a.newest(now)
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*authority(nil), a.list...)
}

// rotate appends a new authority with another key.
func (a *authorities) rotate(now time.Time) {
	old := a.newest(now)
	fresh := newAuthority(now, old.key)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, fresh)
}

func newAuthority(now time.Time, otherKey *pooledKey) *authority {
	key := caPool.take(otherKey)
	name := pkix.Name{CommonName: newUUID() + " Project CA"}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               name,
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(caLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SignatureAlgorithm:    x509.SHA384WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.private.PublicKey, key.private)
	if err != nil {
		panic(fmt.Sprintf("cannot create CA certificate: %v", err))
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(fmt.Sprintf("cannot parse CA certificate: %v", err))
	}
	return &authority{cert: cert, pem: encodePEM("CERTIFICATE", der), key: key}
}

// issue signs a client certificate for a username with a key other than the one of the certificate
// before, which may be nil.
func (a *authority) issue(pool *keyPool, username string, before *certificate, now time.Time) *certificate {
	var other *pooledKey
	if before != nil {
		other = before.key
	}
	return a.sign(pool.take(other), leaf(username, x509.ExtKeyUsageClientAuth, now))
}

// issueServer signs the certificate of a server with names or addresses.
func (a *authority) issueServer(pool *keyPool, hosts []string, now time.Time) *certificate {
	template := leaf(hosts[0], x509.ExtKeyUsageServerAuth, now)
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	return a.sign(pool.take(nil), template)
}

// leaf is a certificate to be signed.
func leaf(name string, usage x509.ExtKeyUsage, now time.Time) *x509.Certificate {
	notBefore := now.Truncate(time.Second)
	return &x509.Certificate{
		SerialNumber:       newSerial(),
		Subject:            pkix.Name{CommonName: name},
		NotBefore:          notBefore,
		NotAfter:           notBefore.Add(certificateLifetime),
		KeyUsage:           x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:        []x509.ExtKeyUsage{usage},
		SignatureAlgorithm: x509.SHA384WithRSA,
	}
}

func (a *authority) sign(key *pooledKey, template *x509.Certificate) *certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.private.PublicKey, a.key.private)
	if err != nil {
		panic(fmt.Sprintf("cannot create certificate: %v", err))
	}
	return &certificate{pem: encodePEM("CERTIFICATE", der), der: der, key: key, notAfter: template.NotAfter}
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func newSerial() *big.Int {
	return new(big.Int).SetBytes(randomBytes(16))
}

func newUUID() string {
	b := randomBytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newPassword is unique and looks like Aiven's own.
func newPassword() string {
	return "AVNS_" + base64.RawURLEncoding.EncodeToString(randomBytes(15))
}

// newACLID looks like Aiven's own.
func newACLID() string {
	return fmt.Sprintf("acl%x", randomBytes(6))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}
