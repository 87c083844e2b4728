// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"software.sslmate.com/src/go-pkcs12"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/connection"
)

const redacted = "<redacted>"

// A Check is what was found wrong; its zero value is what is wanted.
type Check struct {
	// Missing applications have no Secret.
	Missing int
	// Incomplete Secrets lack a key, or a value of theirs is empty or redacted.
	Incomplete int
	// Refused credentials are not those of a user of the service.
	Refused int
	// LostRules is how many OpenSearch users lack the rules asked for.
	LostRules int
	// ExcessUsers is how many users Aiven has beyond those wanted; negative when
	// some are not there.
	ExcessUsers int
}

// verify compares all Secrets with what the simulator knows.
func verify(ctx context.Context, e *Environment, apps []*v1.AivenApplication) (Check, error) {
	list := &corev1.SecretList{}
	if err := e.Kube.List(ctx, list, client.MatchingLabels{v1.LabelType: v1.SecretType}); err != nil {
		return Check{}, errors.Wrap(err, "cannot list Secrets")
	}
	data := make(map[client.ObjectKey]map[string][]byte, len(list.Items))
	for i := range list.Items {
		data[client.ObjectKeyFromObject(&list.Items[i])] = list.Items[i].Data
	}
	state, err := e.Simulator.State(ctx)
	if err != nil {
		return Check{}, err
	}
	known := index(state)
	c := Check{ExcessUsers: known.made - usersEach*len(apps)}
	for _, a := range apps {
		d, ok := data[secretName(a)]
		if !ok {
			c.Missing++
			continue
		}
		if !complete(d) {
			c.Incomplete++
		}
		c.Refused += known.refused(a.GetNamespace(), d)
		if !known.allowed(openSearchOf(a.GetNamespace()), string(d["OPEN_SEARCH_USERNAME"])) {
			c.LostRules++
		}
	}
	return c, nil
}

// expectedKeys of every Secret.
func expectedKeys() []string {
	var out []string
	for _, docs := range [][]connection.KeyDoc{
		connection.CommonKeys(), connection.Keys(connection.Kafka, ""), connection.Keys(connection.OpenSearch, ""), connection.Keys(connection.Valkey, valkey),
	} {
		for _, d := range docs {
			out = append(out, d.Name)
		}
	}
	return out
}

// complete tells whether a Secret holds every key with a value.
func complete(data map[string][]byte) bool {
	return !slices.ContainsFunc(expectedKeys(), func(k string) bool {
		return len(data[k]) == 0 || strings.Contains(string(data[k]), redacted)
	})
}

// A Known is the simulator's state by the names of services.
type Known struct {
	users map[string]map[string]aivensim.User
	rules map[string]map[string][]aivensim.OpenSearchACLRule
	// made is how many users there are that were not there from the start.
	made int
}

func index(s aivensim.State) Known {
	k := Known{users: map[string]map[string]aivensim.User{}, rules: map[string]map[string][]aivensim.OpenSearchACLRule{}}
	for _, p := range s.Projects {
		for _, svc := range p.Services {
			users := make(map[string]aivensim.User, len(svc.Users))
			for _, u := range svc.Users {
				users[u.Username] = u
				if u.CreatedBy != "seed" {
					k.made++
				}
			}
			k.users[svc.Name] = users
			if acl := svc.OpenSearchACL; acl != nil {
				rows := make(map[string][]aivensim.OpenSearchACLRule, len(acl.ACLs))
				for _, r := range acl.ACLs {
					rows[r.Username] = r.Rules
				}
				k.rules[svc.Name] = rows
			}
		}
	}
	return k
}

// refused counts the credentials of a Secret that its services do not know.
func (k Known) refused(namespace string, d map[string][]byte) int {
	n := 0
	suffix := strings.ToUpper(valkey)
	for service, prefix := range map[string][2]string{
		kafkaService:            {"KAFKA_SCHEMA_REGISTRY_USER", "KAFKA_SCHEMA_REGISTRY_PASSWORD"},
		openSearchOf(namespace): {"OPEN_SEARCH_USERNAME", "OPEN_SEARCH_PASSWORD"},
		valkeyOf(namespace):     {"VALKEY_USERNAME_" + suffix, "VALKEY_PASSWORD_" + suffix},
	} {
		u, ok := k.users[service][string(d[prefix[0]])]
		if !ok || u.Password == "" || u.Password != string(d[prefix[1]]) {
			n++
		}
	}
	if !k.acceptsCertificate(d) {
		n++
	}
	return n
}

// works tells whether a Secret is complete, its services know all its
// credentials, and its OpenSearch user may do what it should.
func (k Known) works(namespace string, d map[string][]byte) bool {
	return complete(d) && k.refused(namespace, d) == 0 && k.allowed(openSearchOf(namespace), string(d["OPEN_SEARCH_USERNAME"]))
}

// hasAny tells whether any of the users is there.
func (k Known) hasAny(users []Target) bool {
	return slices.ContainsFunc(users, func(t Target) bool {
		_, ok := k.users[t.Service][t.Username]
		return ok
	})
}

// acceptsCertificate tells whether the client certificate is a user's own,
// belongs to the private key, and is signed by the CA that is published beside
// it; and whether the key store holds the same.
func (k Known) acceptsCertificate(d map[string][]byte) bool {
	pair, err := tls.X509KeyPair(d["KAFKA_CERTIFICATE"], d["KAFKA_PRIVATE_KEY"])
	if err != nil {
		return false
	}
	cert := pair.Leaf
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(d["KAFKA_CA"]) {
		return false
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return false
	}
	u := k.users[kafkaService][cert.Subject.CommonName]
	if strings.TrimSpace(u.AccessCert) != strings.TrimSpace(string(d["KAFKA_CERTIFICATE"])) {
		return false
	}
	_, stored, _, err := pkcs12.DecodeChain(d["client.keystore.p12"], string(d["KAFKA_CREDSTORE_PASSWORD"]))
	return err == nil && stored.Equal(cert)
}

// allowed tells whether a user has the rules of an application that may read
// and write all indexes.
func (k Known) allowed(service, username string) bool {
	want := []aivensim.OpenSearchACLRule{{Index: "_*", Permission: "readwrite"}, {Index: "*", Permission: "readwrite"}}
	return cmp.Equal(want, k.rules[service][username])
}
