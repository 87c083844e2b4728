// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
)

// Login tells whether the service would accept a password now. A service in POWEROFF accepts nobody.
func (s *Server) Login(project, name, username, password string) bool {
	ok := false
	s.look(project, name, func(svc *service) {
		u := svc.users[username]
		ok = svc.state != statePowerOff && u != nil && password != "" && u.effective == password
	})
	return ok
}

// LoginCertificate tells whether the service would accept a client certificate and its key, both PEM,
// now: the key belongs to the certificate, the project's CA signed it, it is valid by the server's
// clock, and it is the current or a still overlapping one of a user that exists.
func (s *Server) LoginCertificate(project, name string, certPEM, keyPEM []byte) bool {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return false
	}
	if _, ok := pair.PrivateKey.(*rsa.PrivateKey); !ok {
		return false
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return false
	}
	s.mu.RLock()
	p := s.projects[project]
	s.mu.RUnlock()
	now := s.Now()
	if p == nil {
		return false
	}
	roots := x509.NewCertPool()
	for _, a := range p.ca.all(now) {
		roots.AddCert(a.cert)
	}
	if _, err := cert.Verify(x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: now,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return false
	}
	accepted := false
	s.look(project, name, func(svc *service) {
		u := svc.users[cert.Subject.CommonName]
		accepted = svc.state != statePowerOff && u != nil && u.holds(cert.Raw)
	})
	return accepted
}

// holds tells whether a certificate is a current or still overlapping one of a user.
func (u *user) holds(der []byte) bool {
	if u.cert != nil && bytes.Equal(u.cert.der, der) {
		return true
	}
	for _, c := range u.old {
		if bytes.Equal(c.der, der) {
			return true
		}
	}
	return false
}
