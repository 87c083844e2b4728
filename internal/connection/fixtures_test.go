// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"sync"
	"time"
)

// A pair is a self-signed certificate and its key, in PEM. It serves as client
// certificate and as CA.
type pair struct{ cert, key []byte }

var testPair = sync.OnceValue(func() pair {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}
})

// with returns a copy of the details with the supplied keys and values set; an
// empty value deletes its key.
func (d Details) with(kv ...string) Details {
	out := maps.Clone(d)
	for i := 0; i < len(kv); i += 2 {
		out[kv[i]] = []byte(kv[i+1])
		if kv[i+1] == "" {
			delete(out, kv[i])
		}
	}
	return out
}

func kafkaPart() Part {
	return Part{Service: Kafka, Details: Details{
		KeyUsername:   []byte("kafka-user"),
		KeyPassword:   []byte("kafka-password"),
		KeyURI:        []byte("kafka.example:1"),
		KeyCA:         testPair().cert,
		KeyClientCert: testPair().cert,
		KeyClientKey:  testPair().key,
	}}
}

func kafkaWithRegistry() Part {
	p := kafkaPart()
	p.Details = p.Details.with(KeySchemaRegistryURI, "https://registry.example:4")
	return p
}

func openSearchPart() Part {
	return Part{Service: OpenSearch, Details: Details{
		KeyUsername: []byte("os-user"),
		KeyPassword: []byte("os-password"),
		KeyURI:      []byte("https://os.example:2"),
		KeyEndpoint: []byte("os.example"),
		KeyPort:     []byte("2"),
		KeyCA:       []byte("CA of the main project\n"),
	}}
}

func openSearchWithDashboard() Part {
	p := openSearchPart()
	p.Details = p.Details.with(KeyDashboardURI, "https://dash.example:443", KeyDashboardHost, "dash.example", KeyDashboardPort, "443")
	return p
}

func valkeyPart(instance string) Part {
	return Part{Service: Valkey, Instance: instance, Details: Details{
		KeyUsername: []byte("user of " + instance),
		KeyPassword: []byte("password of " + instance),
		KeyURI:      []byte("valkeys://" + instance + ".example:3"),
		KeyEndpoint: []byte(instance + ".example"),
		KeyPort:     []byte("3"),
		KeyCA:       []byte("CA of the main project\n"),
	}}
}

func valkeyWithReplica(instance string) Part {
	p := valkeyPart(instance)
	p.Details = p.Details.with(KeyReplicaURI, "valkeys://replica.example:5", KeyReplicaHost, "replica.example", KeyReplicaPort, "5")
	return p
}
