// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"slices"
)

const pemCertificate = "CERTIFICATE"

// Authorities returns the fingerprints, SHA-256 in hex, of the certificates in
// the supplied PEM, in their order, each once. What is no certificate is skipped.
func Authorities(ca []byte) []string {
	var out []string
	seen := make(map[string]bool)
	for _, b := range certificates(ca) {
		if f := fingerprint(b); !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	return out
}

// Extend returns a CA with those certificates of another appended, that it does not have
// and whose fingerprints are to be kept. It returns the CA as it is when there
// are none.
func Extend(ca, other []byte, keep map[string]bool) []byte {
	have := make(map[string]bool)
	for _, f := range Authorities(ca) {
		have[f] = true
	}
	out := ca
	for _, b := range certificates(other) {
		if f := fingerprint(b); keep[f] && !have[f] {
			have[f] = true
			out = join(out, pem.EncodeToMemory(b))
		}
	}
	return out
}

// join returns the certificates of all texts, each once. Texts that hold none
// are kept as they are.
func join(texts ...[]byte) []byte {
	var out []byte
	seen := make(map[string]bool)
	for _, t := range texts {
		blocks := certificates(t)
		if len(blocks) == 0 {
			out = appendLine(out, t)
		}
		for _, b := range blocks {
			if f := fingerprint(b); !seen[f] {
				seen[f] = true
				out = appendLine(out, pem.EncodeToMemory(b))
			}
		}
	}
	return out
}

func appendLine(out, text []byte) []byte {
	if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	// Never into the caller's memory.
	return append(slices.Clip(out), text...)
}

func certificates(ca []byte) []*pem.Block {
	var out []*pem.Block
	for {
		var b *pem.Block
		if b, ca = pem.Decode(ca); b == nil {
			return out
		}
		if b.Type == pemCertificate {
			out = append(out, &pem.Block{Type: b.Type, Bytes: b.Bytes})
		}
	}
}

func fingerprint(b *pem.Block) string {
	sum := sha256.Sum256(b.Bytes)
	return hex.EncodeToString(sum[:])
}
