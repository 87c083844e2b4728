// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"

	"github.com/pkg/errors"
)

// A seed replaces the random source of the encoder, so that the same input
// gives the same bytes.
//
// The encoder draws salts and initialisation vectors, never keys: the
// encryption keys come from the password, as PKCS#12 has it. Salts and vectors
// must be unpredictable to who does not know the input, and must differ
// between inputs that share a password. Both hold as they are derived by
// HKDF-SHA-256 from everything that goes into the stores, the private key
// included, which is secret and has full entropy. That is also why the trust
// store, which holds nothing secret, draws from the same seed: a salt derived
// from public certificates and the password alone would let anybody who reads
// it test guesses of the password at the price of one hash.
type seed struct {
	prk []byte
}

// newSeed derives a seed from the supplied material and password.
func newSeed(m material, password string) (seed, error) {
	der, err := x509.MarshalPKCS8PrivateKey(m.key)
	if err != nil {
		return seed{}, errors.New("cannot encode private key")
	}

	fields := [][]byte{der, []byte(password)}
	for _, cert := range m.chain {
		fields = append(fields, cert.Raw)
	}
	// An empty field ends the chain: no certificate is empty.
	fields = append(fields, nil)
	for _, ca := range m.cas {
		fields = append(fields, ca.Raw)
	}

	var secret []byte
	for _, f := range fields {
		secret = binary.BigEndian.AppendUint64(secret, uint64(len(f)))
		secret = append(secret, f...)
	}
	prk, err := hkdf.Extract(sha256.New, secret, []byte("aiven.nais.io/keystore/v1"))
	if err != nil {
		return seed{}, errors.Wrap(err, "cannot derive seed")
	}
	return seed{prk: prk}, nil
}

// stream returns a reader of the bytes of this seed for the supplied purpose.
func (s seed) stream(purpose string) *stream {
	return &stream{seed: s, purpose: purpose}
}

// A stream is an endless sequence of bytes. Each Read is an HKDF expansion of
// its own, told apart by its number. A stream is not safe for concurrent use.
type stream struct {
	seed    seed
	purpose string
	reads   int
}

// Read fills p, or returns an error. One Read gives at most 8,160 bytes, the
// most HKDF-SHA-256 expands to.
func (s *stream) Read(p []byte) (int, error) {
	s.reads++
	out, err := hkdf.Expand(sha256.New, s.seed.prk, fmt.Sprintf("%s/%d", s.purpose, s.reads), len(p))
	if err != nil {
		return 0, errors.Wrap(err, "cannot expand seed")
	}
	return copy(p, out), nil
}
