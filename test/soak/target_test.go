// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
)

// What there is at Aiven: Kafka for all, the others in each namespace.
var (
	pools    = []string{"a", "b"}
	searches = []string{"logs", "search"}
	stores   = []string{"sessions", "cache", "jobs"}
)

// withReplica is the Valkey instance that has a replica.
const withReplica = "sessions"

func openSearchName(ns, instance string) string { return "opensearch-" + ns + "-" + instance }
func valkeyName(ns, instance string) string     { return "valkey-" + ns + "-" + instance }

// A section is one service that an application asks for.
type section struct {
	// id is what status.credentials.users calls it.
	id string
	// service is the name of the Aiven service.
	service string
	// secret is the name of the Secret for its credentials.
	secret string
	access v1.Access
}

// sections returns what a specification asks for.
func sections(a *v1.AivenApplication) []section {
	var out []section
	if k := a.Spec.Kafka; k != nil {
		out = append(out, section{id: "kafka", service: "kafka-" + k.Pool, secret: a.SecretName(k.SecretName)})
	}
	if o := a.Spec.OpenSearch; o != nil {
		out = append(out, section{id: "opensearch", service: openSearchName(a.GetNamespace(), o.Instance), secret: a.SecretName(o.SecretName), access: o.Access})
	}
	for _, s := range a.Spec.Valkey {
		out = append(out, section{id: "valkey/" + s.Instance, service: valkeyName(a.GetNamespace(), s.Instance), secret: a.SecretName(s.SecretName), access: s.Access})
	}
	return out
}

// keysOf returns the keys that a Secret with credentials of these sections has.
func keysOf(in []section) []string {
	var out []string
	add := func(docs []connection.KeyDoc, skip string) {
		for _, d := range docs {
			if skip == "" || !strings.Contains(d.Name, skip) {
				out = append(out, d.Name)
			}
		}
	}
	add(connection.CommonKeys(), "")
	for _, s := range in {
		service, instance, _ := strings.Cut(s.id, "/")
		skip := ""
		if service == "valkey" && instance != withReplica {
			skip = "REPLICA"
		}
		add(connection.Keys(connection.Service(service), instance), skip)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A credential is what a Secret holds of one user.
type credential struct {
	// id of the section, and services one of which has the user.
	id       string
	services []string
	username string
	password string
	// certificate and key, PEM, of a Kafka user.
	certificate, key []byte
}

// credentialsIn returns what a Secret holds, of whatever service.
func credentialsIn(s *corev1.Secret) []credential {
	var out []credential
	if len(s.Data["KAFKA_BROKERS"]) > 0 {
		c := credential{
			id: "kafka", certificate: s.Data["KAFKA_CERTIFICATE"], key: s.Data["KAFKA_PRIVATE_KEY"],
			username: string(s.Data["KAFKA_SCHEMA_REGISTRY_USER"]), password: string(s.Data["KAFKA_SCHEMA_REGISTRY_PASSWORD"]),
		}
		for _, p := range pools {
			c.services = append(c.services, "kafka-"+p)
		}
		out = append(out, c)
	}
	if len(s.Data["OPEN_SEARCH_URI"]) > 0 {
		c := credential{id: "opensearch", username: string(s.Data["OPEN_SEARCH_USERNAME"]), password: string(s.Data["OPEN_SEARCH_PASSWORD"])}
		for _, i := range searches {
			c.services = append(c.services, openSearchName(s.GetNamespace(), i))
		}
		out = append(out, c)
	}
	for _, i := range stores {
		suffix := "_" + strings.ToUpper(i)
		if len(s.Data["VALKEY_URI"+suffix]) > 0 {
			out = append(out, credential{
				id: "valkey/" + i, services: []string{valkeyName(s.GetNamespace(), i)},
				username: string(s.Data["VALKEY_USERNAME"+suffix]), password: string(s.Data["VALKEY_PASSWORD"+suffix]),
			})
		}
	}
	return out
}

// works returns an error unless Aiven accepts the credential.
func (c credential) works() error {
	for _, service := range c.services {
		u, ok := h.Sim.User(project, service, c.username)
		if !ok {
			continue
		}
		if !h.Sim.Login(project, service, c.username, c.password) {
			return errors.Errorf("%s: the password of %s is not accepted", c.id, c.username)
		}
		if c.certificate != nil && !accepted.certificate(service, c, u.CreatedAt) {
			return errors.Errorf("%s: the certificate of %s is not accepted", c.id, c.username)
		}
		return nil
	}
	return errors.Errorf("%s: there is no user %s", c.id, c.username)
}

// accepted remembers which certificates were accepted: to check a key takes a
// thousand times as long as to look it up, and a certificate that was accepted is
// until it ends or its user does.
var accepted = memory{until: make(map[[sha256.Size]byte]time.Time)}

type memory struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

// recheck is how long an answer is remembered.
const recheck = 48 * time.Hour

func (m *memory) certificate(service string, c credential, created time.Time) bool {
	id := sha256.Sum256(slices.Concat([]byte(service), []byte(created.String()), c.certificate, c.key))
	m.mu.Lock()
	defer m.mu.Unlock()
	if clock.Now().Before(m.until[id]) {
		return true
	}
	if !h.Sim.LoginCertificate(project, service, c.certificate, c.key) {
		return false
	}
	m.until[id] = clock.Now().Add(recheck)
	return true
}

// authoritiesMissing tells whether a CA lacks one of the project's certificates.
func authoritiesMissing(ca []byte) bool {
	rest := []byte(h.Sim.ProjectCA(project))
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return false
		}
		if !bytes.Contains(ca, pem.EncodeToMemory(b)) {
			return true
		}
	}
}
