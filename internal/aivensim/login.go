// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"regexp"
	"slices"
	"strings"
)

// accessAdmin includes all other access to a topic.
const accessAdmin = "admin"

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

// MayKafka tells whether a user that exists may do something with a topic now, by Aiven's own Kafka ACL:
// "read", "write" or "admin", which includes both. Native entries are left out. A service in POWEROFF
// allows nothing.
func (s *Server) MayKafka(project, name, username, topic, access string) bool {
	return s.may(project, name, username, func(svc *service) bool {
		return slices.ContainsFunc(svc.kafkaACL, func(e KafkaACLEntry) bool {
			granted := e.Permission == accessAdmin || e.Permission == access || e.Permission == "readwrite" && access != accessAdmin
			return granted && globMatches(e.Username, username) && globMatches(e.Topic, topic)
		})
	})
}

// MaySubject tells whether a user that exists may "read" or "write" a subject of the Schema Registry now,
// as MayKafka does for topics. Who may write may read.
func (s *Server) MaySubject(project, name, username, subject, access string) bool {
	return s.may(project, name, username, func(svc *service) bool {
		return slices.ContainsFunc(svc.schemaACL, func(e SchemaRegistryACLEntry) bool {
			granted := e.Permission == "schema_registry_write" || e.Permission == "schema_registry_"+access
			return granted && globMatches(e.Username, username) && globMatches(e.Resource, "Subject:"+subject)
		})
	})
}

// may asks about a user that exists, unless the service is off.
func (s *Server) may(project, name, username string, granted func(*service) bool) bool {
	ok := false
	s.look(project, name, func(svc *service) {
		ok = svc.state != statePowerOff && svc.users[username] != nil && granted(svc)
	})
	return ok
}

// globMatches tells whether a pattern, in which * stands for any characters and ? for one, matches all of
// a name.
func globMatches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(regexp.QuoteMeta(part), `\?`, ".")
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(name)
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
