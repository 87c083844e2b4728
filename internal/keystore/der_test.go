// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/asn1"
	"testing"
	"unicode/utf16"
)

// A second reader of PKCS#12 (RFC 7292), as far as the tests need to see what
// the library's decoder does not return: salts and aliases. It understands
// PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC only, so it also fails when a
// store is encrypted with anything else.

type algorithm struct {
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
}

type pfx struct {
	Version  int
	AuthSafe contentInfo
	MacData  struct {
		Mac struct {
			Algorithm algorithm
			Digest    []byte
		}
		Salt       []byte
		Iterations int
	}
}

type encryptedData struct {
	Version int
	Info    struct {
		Type      asn1.ObjectIdentifier
		Algorithm struct {
			Algorithm asn1.ObjectIdentifier
			PBES2     struct {
				KDF struct {
					Algorithm asn1.ObjectIdentifier
					PBKDF2    struct {
						Salt       []byte
						Iterations int
						PRF        algorithm
					}
				}
				Scheme struct {
					Algorithm asn1.ObjectIdentifier
					IV        []byte
				}
			}
		}
		Content []byte `asn1:"tag:0,optional"`
	}
}

func unmarshal(t *testing.T, der []byte, out any) {
	t.Helper()
	rest, err := asn1.Unmarshal(der, out)
	if err != nil || len(rest) != 0 {
		t.Fatalf("cannot parse store: %v, %d bytes left", err, len(rest))
	}
}

// macSalt returns the salt of a store's integrity check.
func macSalt(t *testing.T, store []byte) []byte {
	t.Helper()
	var p pfx
	unmarshal(t, store, &p)
	return p.MacData.Salt
}

// decryptTrustStore returns the plain contents of the one safe of a trust
// store.
func decryptTrustStore(t *testing.T, store []byte, password string) []byte {
	t.Helper()
	var p pfx
	var octets []byte
	var safes []contentInfo
	var enc encryptedData
	unmarshal(t, store, &p)
	unmarshal(t, p.AuthSafe.Content.Bytes, &octets)
	unmarshal(t, octets, &safes)
	if len(safes) != 1 {
		t.Fatalf("want one safe, got %d", len(safes))
	}
	unmarshal(t, safes[0].Content.Bytes, &enc)

	pbes2 := enc.Info.Algorithm.PBES2
	if want := (asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}); !pbes2.Scheme.Algorithm.Equal(want) {
		t.Fatalf("want AES-256-CBC, got %s", pbes2.Scheme.Algorithm)
	}
	key, err := pbkdf2.Key(sha256.New, password, pbes2.KDF.PBKDF2.Salt, pbes2.KDF.PBKDF2.Iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, len(enc.Info.Content))
	cipher.NewCBCDecrypter(block, pbes2.Scheme.IV).CryptBlocks(plain, enc.Info.Content)
	return plain
}

// aliases returns the friendly names of a trust store in their order.
func aliases(t *testing.T, store []byte, password string) []string {
	t.Helper()
	plain := decryptTrustStore(t, store, password)
	friendlyName, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20})
	if err != nil {
		t.Fatal(err)
	}

	var out []string
	for {
		_, after, found := bytes.Cut(plain, friendlyName)
		if !found {
			return out
		}
		var set, bmp asn1.RawValue
		if plain, err = asn1.Unmarshal(after, &set); err != nil {
			t.Fatal(err)
		}
		unmarshal(t, set.Bytes, &bmp)
		var units []uint16
		for i := 0; i+1 < len(bmp.Bytes); i += 2 {
			units = append(units, uint16(bmp.Bytes[i])<<8|uint16(bmp.Bytes[i+1]))
		}
		out = append(out, string(utf16.Decode(units)))
	}
}
