// SPDX-License-Identifier: Apache-2.0

// Package keystore encodes a client certificate, its private key and the
// certificate authorities to trust as PKCS#12 key stores for Java clients.
// It is pure: the same input always gives the same bytes.
package keystore

import (
	"crypto"
	"crypto/x509"
	"fmt"

	"github.com/pkg/errors"
	"software.sslmate.com/src/go-pkcs12"
)

// trustAlias is the alias of the first entry of a trust store, as aivenator
// named its only one. The following entries are ca-2, ca-3 and so on.
const trustAlias = "ca"

// Input is what both key stores are made of. All fields are required.
type Input struct {
	// Certificate is the client certificate in PEM, first, and optionally the
	// intermediate certificates that lead to its issuer.
	Certificate []byte

	// PrivateKey is the key of the client certificate in PEM: PKCS#8, PKCS#1
	// (RSA) or SEC 1 (EC), not encrypted.
	PrivateKey []byte

	// CA holds the certificates to trust in PEM: one, or a bundle of several.
	CA []byte

	// Password protects both stores. Characters outside the Unicode basic
	// plane cannot be used.
	Password string
}

// Stores holds both key stores, in DER.
type Stores struct {
	// KeyStore is the PKCS#12 store of the private key and its certificate
	// chain. Its entry has no friendly name; Java calls it "1".
	KeyStore []byte

	// TrustStore is the PKCS#12 store of the trusted certificates, marked as
	// such for Java, with the aliases ca, ca-2, ca-3 and so on in the order of
	// the bundle, each certificate once.
	TrustStore []byte
}

// Encode returns the key stores of the supplied input. It compares
// certificates and keys, not their text: line ends, comments between the
// blocks, and the encoding of the key (PKCS#1 or PKCS#8) do not change a byte
// of the result.
//
// The stores are encrypted with AES-256 and authenticated with HMAC-SHA-256
// (the library's Modern2023), which Java reads from 8u301, 11.0.12 and 12 on,
// and OpenSSL from 1.1.1 on. aivenator used RC2 with 40 bits and 3DES, which
// OpenSSL 3 does not read by default.
//
// Encode returns an error when a field is empty or is not what it should be,
// or when the key is not the certificate's. An error never quotes its input.
func Encode(in Input) (Stores, error) {
	m, err := parse(in)
	if err != nil {
		return Stores{}, err
	}
	seed, err := newSeed(m, in.Password)
	if err != nil {
		return Stores{}, err
	}

	enc := pkcs12.Modern2023.WithRand(seed.stream("key store"))
	ks, err := enc.Encode(m.key, m.chain[0], m.chain[1:], in.Password)
	if err != nil {
		return Stores{}, errors.Wrap(err, "cannot encode key store")
	}

	enc = pkcs12.Modern2023.WithRand(seed.stream("trust store"))
	ts, err := enc.EncodeTrustStoreEntries(trustEntries(m.cas), in.Password)
	if err != nil {
		return Stores{}, errors.Wrap(err, "cannot encode trust store")
	}

	return Stores{KeyStore: ks, TrustStore: ts}, nil
}

// trustEntries names the supplied certificates. Java takes entries of one
// alias for one entry, so each gets its own.
func trustEntries(cas []*x509.Certificate) []pkcs12.TrustStoreEntry {
	entries := make([]pkcs12.TrustStoreEntry, 0, len(cas))
	for i, ca := range cas {
		alias := trustAlias
		if i > 0 {
			alias = fmt.Sprintf("%s-%d", trustAlias, i+1)
		}
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: ca, FriendlyName: alias})
	}
	return entries
}

// material is a parsed Input.
type material struct {
	key   crypto.Signer
	chain []*x509.Certificate // the client certificate first
	cas   []*x509.Certificate // each once
}
