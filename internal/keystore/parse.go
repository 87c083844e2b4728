// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"

	"github.com/pkg/errors"
)

const pemCertificate = "CERTIFICATE"

// parse reads the PEM of the supplied input and checks that its parts belong
// together.
func parse(in Input) (material, error) {
	if in.Password == "" {
		return material{}, errors.New("cannot protect key stores without a password")
	}

	chain, err := parseCertificates(in.Certificate)
	if err != nil {
		return material{}, errors.Wrap(err, "cannot parse client certificate")
	}
	key, err := parseKey(in.PrivateKey)
	if err != nil {
		return material{}, errors.Wrap(err, "cannot parse private key")
	}
	cas, err := parseCertificates(in.CA)
	if err != nil {
		return material{}, errors.Wrap(err, "cannot parse CA certificates")
	}
	if !belongs(key, chain[0]) {
		return material{}, errors.New("cannot use private key: it does not belong to the client certificate")
	}

	return material{key: key, chain: chain, cas: cas}, nil
}

// belongs reports whether the supplied key is the certificate's.
func belongs(key crypto.Signer, cert *x509.Certificate) bool {
	pub, ok := key.Public().(interface{ Equal(x crypto.PublicKey) bool })
	return ok && pub.Equal(cert.PublicKey)
}

// parseCertificates returns the certificates of a PEM bundle in its order,
// each once. It refuses PEM blocks of any other type.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemCertificate {
			return nil, errors.New("a PEM block is not a certificate")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("a PEM block holds no valid X.509 certificate")
		}
		if !slices.ContainsFunc(certs, cert.Equal) {
			certs = append(certs, cert)
		}
	}
	if len(certs) == 0 {
		return nil, errors.New("no PEM block found")
	}
	return certs, nil
}

// parseKey returns the private key of a PEM bundle that holds exactly one.
// Blocks that say nothing secret ("EC PARAMETERS", which OpenSSL writes before
// a key) are passed over. The parsers' own errors are dropped: nothing that was
// derived from a key may reach a condition or a log.
func parseKey(data []byte) (crypto.Signer, error) {
	var key crypto.Signer
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "EC PARAMETERS" {
			continue
		}
		if key != nil {
			return nil, errors.New("more than one PEM block found")
		}
		if key = signer(block); key == nil {
			return nil, errors.New("the PEM block is not an unencrypted PKCS#8, PKCS#1 or EC key")
		}
	}
	if key == nil {
		return nil, errors.New("no PEM block found")
	}
	return key, nil
}

// signer returns the private key of the supplied block, or nil.
func signer(block *pem.Block) crypto.Signer {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil
	}
	return s
}
