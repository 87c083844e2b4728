// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

const day = 24 * time.Hour

func parse(t *testing.T, text string) []*x509.Certificate {
	t.Helper()
	var out []*x509.Certificate
	rest := []byte(text)
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return out
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
}

func (r rig) accepts(u aivensim.User) bool {
	return r.LoginCertificate("p", "k", []byte(u.AccessCert), []byte(u.AccessKey))
}

func (r rig) mustUser(t *testing.T, service, name string) aivensim.User {
	t.Helper()
	u, ok := r.User("p", service, name)
	if !ok {
		t.Fatalf("no user %q", name)
	}
	return u
}

func TestCertificate(t *testing.T) {
	r := newRig(t, aivensim.WithKeySize(2048))
	ca := parse(t, r.ProjectCA("p"))[0]
	name := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} Project CA$`)
	if !name.MatchString(ca.Subject.CommonName) || ca.SignatureAlgorithm != x509.SHA384WithRSA || !ca.IsCA {
		t.Errorf("CA: %v, %v", ca.Subject, ca.SignatureAlgorithm)
	}
	u := r.AddUser("p", "k", "app")
	cert := parse(t, u.AccessCert)[0]
	if cert.Subject.CommonName != "app" || cert.SignatureAlgorithm != x509.SHA384WithRSA || !cert.NotAfter.Equal(start.Add(820*day)) {
		t.Errorf("certificate: %v, %v, %v", cert.Subject, cert.SignatureAlgorithm, cert.NotAfter)
	}
	block, _ := pem.Decode([]byte(u.AccessKey))
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		t.Errorf("key: %v", err)
	}
	r.RenewCertificate("p", "k", "app")
	next := r.mustUser(t, "k", "app")
	r.AddService("q", aivensim.Service{Name: "k", Type: "kafka", Users: []string{"app"}})
	stranger, _ := r.User("q", "k", "app")
	for name, tc := range map[string]struct {
		reason string
		cert   string
		key    string
		want   bool
	}{
		"Own":          {"The pair of the user works.", u.AccessCert, u.AccessKey, true},
		"OtherKey":     {"A key of another certificate does not.", u.AccessCert, next.AccessKey, false},
		"OtherProject": {"A certificate of another project does not.", stranger.AccessCert, stranger.AccessKey, false},
		"Garbage":      {"Neither does garbage.", "x", "y", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.LoginCertificate("p", "k", []byte(tc.cert), []byte(tc.key)); got != tc.want {
				t.Error(tc.reason)
			}
		})
	}
	r.Advance(820*day + time.Second)
	if r.accepts(u) {
		t.Error("an expired certificate works")
	}
}

func TestRenewal(t *testing.T) {
	r := newRig(t)
	old := r.AddUser("p", "k", "app")
	r.Advance(729 * day)
	r.do(t, "GET", kafkaPath, "")
	if got := r.mustUser(t, "k", "app"); got.AccessCert != old.AccessCert {
		t.Error("renewed more than 90 days before the end")
	}
	r.Advance(day)
	u := userOf(r.do(t, "GET", kafkaPath, ""), "app")
	fresh := r.mustUser(t, "k", "app")
	if fresh.AccessCert == old.AccessCert || fresh.AccessKey == old.AccessKey || fresh.Password != old.Password {
		t.Error("a renewal replaces certificate and key, and nothing else")
	}
	if u["access_cert_not_valid_after_time"] != start.Add((730+820)*day).Format(time.RFC3339) ||
		u["expiring_cert_not_valid_after_time"] != old.CertNotAfter.Format(time.RFC3339) {
		t.Errorf("times: %v, %v", u["access_cert_not_valid_after_time"], u["expiring_cert_not_valid_after_time"])
	}
	if !r.accepts(old) || !r.accepts(fresh) {
		t.Error("both pairs work while they overlap")
	}
	acknowledge := `{"operation":"acknowledge-renewal"}`
	if u := userOf(r.do(t, "PUT", kafkaPath+"/user/app", acknowledge), "app"); u["expiring_cert_not_valid_after_time"] != nil {
		t.Errorf("acknowledged: %v", u)
	}
	if !r.accepts(old) {
		t.Error("an acknowledgement ends nothing")
	}
	r.UpdatePolicy(func(p *aivensim.Policy) { p.AcknowledgeStatus = 409 })
	if got := r.do(t, "PUT", kafkaPath+"/user/app", acknowledge); got.status != 409 {
		t.Errorf("acknowledged twice: %s", got.raw)
	}
	r.Advance(91 * day)
	if r.accepts(old) || !r.accepts(fresh) {
		t.Error("after the overlap the new pair alone works")
	}
}

func TestRenewCertificate(t *testing.T) {
	r := newRig(t)
	old := r.AddUser("p", "k", "app")
	r.RenewCertificate("p", "k", "app")
	fresh := r.mustUser(t, "k", "app")
	if fresh.AccessKey == old.AccessKey || !fresh.ExpiringCertNotAfter.Equal(old.CertNotAfter) || !r.accepts(old) || !r.accepts(fresh) {
		t.Errorf("renewed: %v", fresh.ExpiringCertNotAfter)
	}
	r.Advance(820 * day)
	r.UpdatePolicy(func(p *aivensim.Policy) { p.AutoRenew = false })
	if u := userOf(r.do(t, "GET", kafkaPath, ""), "app"); u["expiring_cert_not_valid_after_time"] != nil {
		t.Errorf("the end of the old pair is not told once it passed: %v", u)
	}
}

func TestResetPolicies(t *testing.T) {
	for name, tc := range map[string]struct {
		reason           string
		change           func(*aivensim.Policy)
		path, body       string
		rotates, oldWork bool
	}{
		"Reset":       {"A reset issues a new pair.", func(*aivensim.Policy) {}, "/credentials/reset", "", true, false},
		"NewPassword": {"A given password leaves the pair.", func(*aivensim.Policy) {}, "", `{"operation":"reset-credentials","new_password":"12345678"}`, false, true},
		"PasswordOnly": {
			"By policy a reset is of the password alone.",
			func(p *aivensim.Policy) { p.ResetRotatesCertificate = false }, "", `{"operation":"reset-credentials"}`, false, true,
		},
		"Lax": {
			"By policy the old pair goes on working.",
			func(p *aivensim.Policy) { p.StrictCertificates = false }, "", `{"operation":"reset-credentials"}`, true, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.UpdatePolicy(tc.change)
			old := r.AddUser("p", "k", "app")
			if got := r.do(t, "PUT", kafkaPath+"/user/app"+tc.path, tc.body); got.status != 200 {
				t.Fatal(got.raw)
			}
			fresh := r.mustUser(t, "k", "app")
			if rotated := fresh.AccessCert != old.AccessCert; rotated != tc.rotates || r.accepts(old) != tc.oldWork || !r.accepts(fresh) {
				t.Error(tc.reason)
			}
			if fresh.Password == old.Password || r.Login("p", "k", "app", old.Password) {
				t.Errorf("%s In any case the password is new.", tc.reason)
			}
		})
	}
}

func TestRotateProjectCA(t *testing.T) {
	r := newRig(t)
	old := r.AddUser("p", "k", "old")
	before := r.ProjectCA("p")
	r.RotateProjectCA("p")
	bundle := r.ProjectCA("p")
	certs := parse(t, bundle)
	if len(certs) != 2 || !strings.HasPrefix(bundle, before) || certs[0].Subject.CommonName == certs[1].Subject.CommonName {
		t.Fatalf("bundle of %d", len(certs))
	}
	fresh := r.AddUser("p", "k", "fresh")
	if err := parse(t, fresh.AccessCert)[0].CheckSignatureFrom(certs[1]); err != nil {
		t.Errorf("the new authority signs: %v", err)
	}
	if !r.accepts(old) || !r.accepts(fresh) {
		t.Error("certificates of both authorities work")
	}
	if got := r.do(t, "GET", "/v1/project/p/kms/ca", ""); at(got.json, "certificate") != bundle {
		t.Errorf("CA: %s", got.raw)
	}
	r.UpdatePolicy(func(p *aivensim.Policy) { p.CANeedsAdmin = true })
	if got := r.as(t, "t-users", "GET", "/v1/project/p/kms/ca", ""); got.status != 403 {
		t.Errorf("CA for another: %s", got.raw)
	}
}

func TestSizeOfKafkaUser(t *testing.T) {
	r := newRig(t, aivensim.WithKeySize(2048))
	r.do(t, "GET", kafkaPath, "")
	r.createUser(t, kafkaPath, "team_app_0a1b2c3d_abc")
	r.do(t, "GET", kafkaPath, "")
	log := r.Requests()
	if grown := log[2].BytesOut - log[0].BytesOut; grown < 3000 || grown > 4600 {
		t.Errorf("a user adds %d bytes", grown)
	}
}
