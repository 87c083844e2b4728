// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func TestRootCertificates(t *testing.T) {
	data, err := rootCertificates()
	if err != nil {
		t.Fatal(err)
	}
	var all, trusted int
	for root := range bundle.Roots() {
		all++
		if root.Constraint == nil {
			trusted++
		}
	}
	if trusted == all || trusted < 50 {
		t.Errorf("%d of %d published roots are trusted without a condition", trusted, all)
	}
	var got int
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if !cert.IsCA {
			t.Errorf("%s is no authority", cert.Subject)
		}
		got++
	}
	if got != trusted {
		t.Errorf("the bundle has %d roots, want all %d that are trusted without a condition", got, trusted)
	}
}
