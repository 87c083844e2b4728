// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/keystore"
)

// DefaultKeyStorePassword protects the key stores unless another password is
// configured. It is aivenator's. It keeps nothing secret: the private key lies
// beside the stores in the same Secret, as does the password.
const DefaultKeyStorePassword = "changeme"

// Options of Render. The zero value is ready to use.
type Options struct {
	// KeyStorePassword protects the key stores of Kafka users. Empty means
	// DefaultKeyStorePassword.
	KeyStorePassword string
}

// Render returns the data of the Secret that publishes the supplied parts, less
// the time stamps that Stamp sets. The order of the parts does not matter. The
// values may share memory with the parts; neither is to be changed.
//
// AIVEN_CA holds the CA of each part's project, in the order Kafka, OpenSearch,
// Valkey by instance, each once: services of one Secret may belong to different
// projects.
//
// Render returns an error and no data when there is no part, when a part is
// incomplete (see Part.Missing), when a service or an instance's name is not
// valid, when the key stores cannot be encoded, and when two parts want the
// same key with different values: two users of one service, or two Valkey
// instances of the same Suffix. Errors name services, instances and keys,
// never a value.
func Render(parts []Part, o Options) (map[string][]byte, error) {
	if len(parts) == 0 {
		return nil, errors.New("cannot render Secret without credentials")
	}
	if o.KeyStorePassword == "" {
		o.KeyStorePassword = DefaultKeyStorePassword
	}

	sorted := slices.Clone(parts)
	slices.SortFunc(sorted, compareParts)

	data := make(map[string][]byte)
	owner := make(map[string]Part)
	for _, p := range sorted {
		rendered, err := renderPart(p, o)
		if err != nil {
			return nil, errors.Wrapf(err, "cannot render credentials of %s", p)
		}
		// In order of the keys, so that the error is the same every time.
		for _, key := range slices.Sorted(maps.Keys(rendered)) {
			if old, ok := data[key]; ok && !bytes.Equal(old, rendered[key]) {
				return nil, errors.Errorf("cannot publish %s and %s in one Secret: both need the key %s", owner[key], p, key)
			}
			data[key], owner[key] = rendered[key], p
		}
	}
	data[SecretCA] = bundle(sorted)

	return data, nil
}

// String returns what the part is called in messages.
func (p Part) String() string {
	if p.Service == Valkey {
		return fmt.Sprintf("Valkey instance %q", p.Instance)
	}
	return string(p.Service)
}

// compareParts orders parts by service and instance, and what is left by all
// that could make a difference to the result or the error.
func compareParts(a, b Part) int {
	return cmp.Or(
		cmp.Compare(slices.Index(Services(), a.Service), slices.Index(Services(), b.Service)),
		cmp.Compare(a.Instance, b.Instance),
		bytes.Compare(a.Details[KeyUsername], b.Details[KeyUsername]),
		bytes.Compare(a.Details[KeyCA], b.Details[KeyCA]),
	)
}

// renderPart returns the keys of one part.
func renderPart(p Part, o Options) (map[string][]byte, error) {
	if entries(p.Service) == nil {
		return nil, errors.New("service is not known")
	}
	if p.Service == Valkey && p.Instance == "" {
		return nil, errors.New("instance has no name")
	}
	if missing := p.Missing(); len(missing) > 0 {
		return nil, errors.Errorf("connection details are incomplete: missing %s", strings.Join(missing, ", "))
	}

	data := make(map[string][]byte)
	for _, e := range entries(p.Service) {
		if e.from == "" || !p.publishes(e) {
			continue
		}
		value := p.Details[e.from]
		if e.redis {
			rest, ok := bytes.CutPrefix(value, []byte(schemeValkey))
			if !ok {
				return nil, errors.Errorf("connection detail %s does not start with %s", e.from, schemeValkey)
			}
			value = append([]byte(schemeRedis), rest...)
		}
		data[secretKey(p.Service, e.Name, p.Instance)] = value
	}
	if p.Service != Kafka {
		return data, nil
	}

	stores, err := keystore.Encode(keystore.Input{
		Certificate: p.Details[KeyClientCert],
		PrivateKey:  p.Details[KeyClientKey],
		CA:          p.Details[KeyCA],
		Password:    o.KeyStorePassword,
	})
	if err != nil {
		return nil, err
	}
	data[secretKeyStore] = stores.KeyStore
	data[secretTrustStore] = stores.TrustStore
	data[secretCredStorePassword] = []byte(o.KeyStorePassword)
	return data, nil
}

// bundle returns the CAs of the supplied parts in their order, each certificate
// once. The CA of a single project is returned as it is.
func bundle(parts []Part) []byte {
	var texts [][]byte
	seen := make(map[string]bool)
	for _, p := range parts {
		if id := string(bytes.TrimSpace(p.Details[KeyCA])); !seen[id] {
			seen[id] = true
			texts = append(texts, p.Details[KeyCA])
		}
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return join(texts...)
}

// Stamp records in the supplied data, rendered by Render, that its content
// changed at the supplied time: AIVEN_SECRET_UPDATED and, when there is a Kafka
// user, KAFKA_SECRET_UPDATED. The stamps are RFC 3339 in UTC, cut to seconds.
func Stamp(data map[string][]byte, at time.Time) {
	stamp := at.UTC().Format(time.RFC3339)
	data[SecretUpdated] = []byte(stamp)
	if _, ok := data[secretBrokers]; ok {
		data[SecretKafkaUpdated] = []byte(stamp)
	}
}

// Hash returns a stable fingerprint of the supplied data: the SHA-256 in hex
// (64 characters) of its keys and values in the order of the keys, each with
// its length before it. The two stamps are left out, so that the hash changes
// when and only when the content does.
//
// The hash is published, in an annotation and in the status of the application,
// where people may read it who may not read the Secret. That is acceptable
// without a key of the provider's own: the only use of a hash to such a reader
// is to test a guess of the whole content at once, and every part of it holds a
// password or private key made at random by Aiven, which nobody can guess. A
// key would have to be kept and shared by all replicas, and losing it would
// rewrite every Secret. Do not hash data here that a person chose.
func Hash(data map[string][]byte) string {
	h := sha256.New()
	write := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if key == SecretUpdated || key == SecretKafkaUpdated {
			continue
		}
		write([]byte(key))
		write(data[key])
	}
	return hex.EncodeToString(h.Sum(nil))
}
