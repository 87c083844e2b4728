// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"

	"github.com/pkg/errors"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootsModule is where the root certificates are from: Mozilla's, as the Go
// project publishes them.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

// rootCertificates returns a bundle in PEM. Roots that are trusted only for
// what was issued before some day are left out: a file cannot say that.
func rootCertificates() ([]byte, error) {
	var buf bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, errors.Wrap(err, "cannot parse a root certificate")
		}
		buf.WriteString("# " + cert.Subject.String() + "\n")
		if err := pem.Encode(&buf, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, errors.Wrap(err, "cannot encode a root certificate")
		}
	}
	return buf.Bytes(), nil
}
