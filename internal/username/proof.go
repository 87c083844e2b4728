// SPDX-License-Identifier: Apache-2.0

package username

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Proof returns a text that only who knows the password of a user can write for an
// object, and from which nobody learns the password: Aiven's have some 140 bits. It is
// empty for an empty password, and proves nothing then.
func Proof(namespace, object, user, password string) string {
	if password == "" {
		return ""
	}
	h := hmac.New(sha256.New, []byte(password))
	h.Write([]byte(namespace + "/" + object + "/" + user)) // Names hold no slash.
	return hex.EncodeToString(h.Sum(nil))
}

// Proves tells whether a text is the Proof. An empty one is not.
func Proves(proof, namespace, object, user, password string) bool {
	return proof != "" && hmac.Equal([]byte(proof), []byte(Proof(namespace, object, user, password)))
}
