// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"
)

func TestEncode(t *testing.T) {
	ca, other := newAuthority(t, "one"), newAuthority(t, "two")
	ec := newECKey(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaCert, ecCert, edCert := ca.issue(t, "rsa", rsaKey().Public()), ca.issue(t, "ec", ec.Public()), ca.issue(t, "ed", ed.Public())

	type want struct {
		key     crypto.Signer
		chain   []*x509.Certificate
		cas     []*x509.Certificate
		aliases []string
	}
	cases := map[string]struct {
		reason string
		in     Input
		want   want
	}{
		"PKCS8": {
			reason: "Aiven hands out PKCS#8 RSA keys.",
			in:     Input{Certificate: certPEM(rsaCert), PrivateKey: pkcs8PEM(t, rsaKey()), CA: certPEM(ca.cert), Password: "changeme"},
			want:   want{key: rsaKey(), chain: []*x509.Certificate{rsaCert}, cas: []*x509.Certificate{ca.cert}, aliases: []string{"ca"}},
		},
		"PKCS1": {
			reason: "A PKCS#1 key should be accepted.",
			in:     Input{Certificate: certPEM(rsaCert), PrivateKey: pkcs1PEM(rsaKey()), CA: certPEM(ca.cert), Password: "p"},
			want:   want{key: rsaKey(), chain: []*x509.Certificate{rsaCert}, cas: []*x509.Certificate{ca.cert}, aliases: []string{"ca"}},
		},
		"SEC1AfterParameters": {
			reason: "An EC key as OpenSSL writes it, behind its parameters, should be accepted.",
			in: Input{
				Certificate: certPEM(ecCert),
				PrivateKey:  append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}), sec1PEM(t, ec)...),
				CA:          certPEM(ca.cert),
				Password:    "changeme",
			},
			want: want{key: ec, chain: []*x509.Certificate{ecCert}, cas: []*x509.Certificate{ca.cert}, aliases: []string{"ca"}},
		},
		"Ed25519": {
			reason: "Any key that PKCS#8 can carry should be accepted.",
			in:     Input{Certificate: certPEM(edCert), PrivateKey: pkcs8PEM(t, ed), CA: certPEM(ca.cert), Password: "changeme"},
			want:   want{key: ed, chain: []*x509.Certificate{edCert}, cas: []*x509.Certificate{ca.cert}, aliases: []string{"ca"}},
		},
		"Chain": {
			reason: "Certificates behind the client's should go along in the key store.",
			in:     Input{Certificate: certPEM(ecCert, ca.cert), PrivateKey: sec1PEM(t, ec), CA: certPEM(ca.cert), Password: "changeme"},
			want:   want{key: ec, chain: []*x509.Certificate{ecCert, ca.cert}, cas: []*x509.Certificate{ca.cert}, aliases: []string{"ca"}},
		},
		"Bundle": {
			reason: "Each certificate of a bundle should be trusted once, under an alias of its own.",
			in:     Input{Certificate: certPEM(ecCert), PrivateKey: pkcs8PEM(t, ec), CA: certPEM(ca.cert, other.cert, ca.cert), Password: "ÆØÅ-changeme"},
			want:   want{key: ec, chain: []*x509.Certificate{ecCert}, cas: []*x509.Certificate{ca.cert, other.cert}, aliases: []string{"ca", "ca-2"}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Encode(tc.in)
			if err != nil {
				t.Fatalf("\n%s\nEncode(...): %v", tc.reason, err)
			}

			key, leaf, rest, err := pkcs12.DecodeChain(got.KeyStore, tc.in.Password)
			if err != nil {
				t.Fatalf("\n%s\nDecodeChain(...): %v", tc.reason, err)
			}
			if !tc.want.key.(interface{ Equal(crypto.PrivateKey) bool }).Equal(key) {
				t.Errorf("\n%s\nEncode(...): the key store holds another key", tc.reason)
			}
			if diff := cmp.Diff(tc.want.chain, append([]*x509.Certificate{leaf}, rest...)); diff != "" {
				t.Errorf("\n%s\nEncode(...): -want chain, +got chain:\n%s", tc.reason, diff)
			}

			cas, err := pkcs12.DecodeTrustStore(got.TrustStore, tc.in.Password)
			if err != nil {
				t.Fatalf("\n%s\nDecodeTrustStore(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want.cas, cas); diff != "" {
				t.Errorf("\n%s\nEncode(...): -want trusted, +got trusted:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want.aliases, aliases(t, got.TrustStore, tc.in.Password)); diff != "" {
				t.Errorf("\n%s\nEncode(...): -want aliases, +got aliases:\n%s", tc.reason, diff)
			}

			if _, _, _, err := pkcs12.DecodeChain(got.KeyStore, tc.in.Password+"x"); err == nil {
				t.Errorf("\n%s\nEncode(...): the key store opens with a wrong password", tc.reason)
			}
			if _, err := pkcs12.DecodeTrustStore(got.TrustStore, tc.in.Password+"x"); err == nil {
				t.Errorf("\n%s\nEncode(...): the trust store opens with a wrong password", tc.reason)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	ca := newAuthority(t, "one")
	key := newECKey(t)
	cert := ca.issue(t, "client", key.Public())
	good := Input{Certificate: certPEM(cert), PrivateKey: pkcs8PEM(t, key), CA: certPEM(ca.cert), Password: "changeme"}

	cases := map[string]struct {
		reason string
		change func(*Input)
		want   string
	}{
		"NoPassword": {
			reason: "Java does not open a store without a password.",
			change: func(in *Input) { in.Password = "" },
			want:   "cannot protect key stores without a password",
		},
		"PasswordOutsideBasicPlane": {
			reason: "PKCS#12 has no encoding for such a password.",
			change: func(in *Input) { in.Password = "🔑" },
			want:   "cannot encode key store",
		},
		"NoCertificate": {
			reason: "An empty certificate should be refused.",
			change: func(in *Input) { in.Certificate = nil },
			want:   "cannot parse client certificate: no PEM block found",
		},
		"RedactedCertificate": {
			reason: "A placeholder should be refused.",
			change: func(in *Input) { in.Certificate = []byte("<redacted>") },
			want:   "cannot parse client certificate: no PEM block found",
		},
		"KeyAsCertificate": {
			reason: "A key in the certificate's place should be refused.",
			change: func(in *Input) { in.Certificate = in.PrivateKey },
			want:   "cannot parse client certificate: a PEM block is not a certificate",
		},
		"CorruptCertificate": {
			reason: "PEM around something else should be refused.",
			change: func(in *Input) {
				in.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no")})
			},
			want: "cannot parse client certificate: a PEM block holds no valid X.509 certificate",
		},
		"NoKey": {
			reason: "An empty key should be refused.",
			change: func(in *Input) { in.PrivateKey = nil },
			want:   "cannot parse private key: no PEM block found",
		},
		"CorruptKey": {
			reason: "PEM around something else should be refused.",
			change: func(in *Input) {
				in.PrivateKey = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("no")})
			},
			want: "cannot parse private key: the PEM block is not an unencrypted PKCS#8, PKCS#1 or EC key",
		},
		"EncryptedKey": {
			reason: "An encrypted key cannot be read.",
			change: func(in *Input) {
				in.PrivateKey = pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("no")})
			},
			want: "cannot parse private key: the PEM block is not an unencrypted PKCS#8, PKCS#1 or EC key",
		},
		"TwoKeys": {
			reason: "Of two keys none is the right one.",
			change: func(in *Input) { in.PrivateKey = append(bytes.Clone(in.PrivateKey), in.PrivateKey...) },
			want:   "cannot parse private key: more than one PEM block found",
		},
		"NoCA": {
			reason: "An empty CA should be refused.",
			change: func(in *Input) { in.CA = []byte("\n") },
			want:   "cannot parse CA certificates: no PEM block found",
		},
		"MismatchedKey": {
			reason: "A key of another certificate should be refused.",
			change: func(in *Input) { in.PrivateKey = pkcs8PEM(t, newECKey(t)) },
			want:   "cannot use private key: it does not belong to the client certificate",
		},
		"MismatchedKind": {
			reason: "A key of another kind should be refused.",
			change: func(in *Input) { in.PrivateKey = pkcs1PEM(rsaKey()) },
			want:   "cannot use private key: it does not belong to the client certificate",
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := good
			tc.change(&in)
			got, err := Encode(in)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Fatalf("\n%s\nEncode(...): want error %q, got %v", tc.reason, tc.want, err)
			}
			if in.Password != "" && strings.Contains(err.Error(), in.Password) {
				t.Errorf("\n%s\nEncode(...): the error quotes the password", tc.reason)
			}
			for line := range strings.Lines(string(in.PrivateKey)) {
				if line = strings.TrimSpace(line); line != "" && strings.Contains(err.Error(), line) {
					t.Errorf("\n%s\nEncode(...): the error quotes the key", tc.reason)
				}
			}
			if diff := cmp.Diff(Stores{}, got); diff != "" {
				t.Errorf("\n%s\nEncode(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestEncodeIsDeterministic(t *testing.T) {
	ca := newAuthority(t, "one")
	cert := ca.issue(t, "client", rsaKey().Public())
	in := Input{Certificate: certPEM(cert), PrivateKey: pkcs8PEM(t, rsaKey()), CA: certPEM(ca.cert), Password: "changeme"}
	want, err := Encode(in)
	if err != nil {
		t.Fatal(err)
	}

	crlf := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }
	cases := map[string]struct {
		reason string
		in     Input
		times  int
	}{
		"Same": {
			reason: "The same input should give the same bytes, however often and from however many goroutines.",
			in:     in,
			times:  100,
		},
		"LineEnds": {
			reason: "Line ends are no part of a certificate or key.",
			in:     Input{Certificate: crlf(in.Certificate), PrivateKey: crlf(in.PrivateKey), CA: crlf(in.CA), Password: in.Password},
			times:  1,
		},
		"Comments": {
			reason: "Text around the blocks is no part of a certificate or key.",
			in: Input{
				Certificate: append([]byte("subject=client\n"), in.Certificate...),
				PrivateKey:  append(bytes.Clone(in.PrivateKey), "\n\n"...),
				CA:          append(append([]byte("# ours\n"), in.CA...), in.CA...),
				Password:    in.Password,
			},
			times: 1,
		},
		"KeyEncoding": {
			reason: "The same key in another encoding is the same key.",
			in:     Input{Certificate: in.Certificate, PrivateKey: pkcs1PEM(rsaKey()), CA: in.CA, Password: in.Password},
			times:  1,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for range tc.times {
				wg.Go(func() {
					got, err := Encode(tc.in)
					if err != nil {
						t.Errorf("\n%s\nEncode(...): %v", tc.reason, err)
					}
					if !bytes.Equal(want.KeyStore, got.KeyStore) || !bytes.Equal(want.TrustStore, got.TrustStore) {
						t.Errorf("\n%s\nEncode(...): got other bytes", tc.reason)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestEncodeDependsOnEveryInput(t *testing.T) {
	ca, other := newAuthority(t, "one"), newAuthority(t, "two")
	key, key2 := newECKey(t), newECKey(t)
	cert := ca.issue(t, "client", key.Public())
	base := Input{Certificate: certPEM(cert), PrivateKey: pkcs8PEM(t, key), CA: certPEM(ca.cert), Password: "changeme"}

	cases := map[string]struct {
		reason string
		from   func(*Input) // nil: the base itself
		change func(*Input)
	}{
		"Password": {
			reason: "Stores of another password should draw other salts.",
			change: func(in *Input) { in.Password = "another" },
		},
		"Certificate": {
			reason: "Stores of another certificate of the same key should draw other salts.",
			change: func(in *Input) { in.Certificate = certPEM(ca.issue(t, "renewed", key.Public())) },
		},
		"Key": {
			reason: "Stores of another key should draw other salts.",
			change: func(in *Input) {
				in.Certificate, in.PrivateKey = certPEM(ca.issue(t, "client", key2.Public())), pkcs8PEM(t, key2)
			},
		},
		"CA": {
			reason: "Stores of another CA should draw other salts.",
			change: func(in *Input) { in.CA = certPEM(other.cert) },
		},
		"Boundary": {
			reason: "A certificate in the chain is not the same as one in the bundle.",
			from:   func(in *Input) { in.CA = certPEM(ca.cert, other.cert) },
			change: func(in *Input) { in.Certificate, in.CA = certPEM(cert, ca.cert), certPEM(other.cert) },
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			from, in := base, base
			if tc.from != nil {
				tc.from(&from)
			}
			tc.change(&in)
			want, err := Encode(from)
			if err != nil {
				t.Fatalf("\n%s\nEncode(...): %v", tc.reason, err)
			}
			got, err := Encode(in)
			if err != nil {
				t.Fatalf("\n%s\nEncode(...): %v", tc.reason, err)
			}
			for what, salts := range map[string][2][]byte{
				"key store":   {macSalt(t, want.KeyStore), macSalt(t, got.KeyStore)},
				"trust store": {macSalt(t, want.TrustStore), macSalt(t, got.TrustStore)},
				"both stores": {macSalt(t, got.KeyStore), macSalt(t, got.TrustStore)},
			} {
				if bytes.Equal(salts[0], salts[1]) {
					t.Errorf("\n%s\nEncode(...): %s: same salt", tc.reason, what)
				}
			}
		})
	}
}

func TestStreamDoesNotRepeat(t *testing.T) {
	s := seed{prk: bytes.Repeat([]byte{1}, 32)}
	seen := map[string]bool{}
	for _, r := range []*stream{s.stream("a"), s.stream("b")} {
		for range 10 {
			p := make([]byte, 16)
			if n, err := r.Read(p); n != len(p) || err != nil {
				t.Fatalf("Read(...): want %d bytes, got %d, %v", len(p), n, err)
			}
			if seen[string(p)] {
				t.Error("Read(...): the stream repeats itself")
			}
			seen[string(p)] = true
		}
	}
	if n, err := s.stream("a").Read(make([]byte, 1<<14)); err == nil {
		t.Errorf("Read(...): want an error for more than HKDF gives, got %d bytes", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	ca := newAuthority(b, "one")
	cert := ca.issue(b, "client", rsaKey().Public())
	in := Input{Certificate: certPEM(cert), PrivateKey: pkcs8PEM(b, rsaKey()), CA: certPEM(ca.cert), Password: "changeme"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Encode(in); err != nil {
			b.Fatal(err)
		}
	}
}
