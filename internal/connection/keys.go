// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"regexp"
	"slices"
	"strings"
)

// Keys of the published Secret that are set by other means than copying a
// connection detail.
const (
	// SecretCA is the key of the CA certificates, in every published Secret.
	SecretCA = "AIVEN_CA"
	// SecretKafkaCA is the key of the CA certificates of the Kafka service's project.
	SecretKafkaCA = "KAFKA_CA"
	// SecretUpdated is the key of the time at which the content last changed.
	SecretUpdated = "AIVEN_SECRET_UPDATED"
	// SecretKafkaUpdated is SecretUpdated under its name for Kafka.
	SecretKafkaUpdated = "KAFKA_SECRET_UPDATED"

	secretBrokers           = "KAFKA_BROKERS"
	secretCredStorePassword = "KAFKA_CREDSTORE_PASSWORD"
	secretKeyStore          = "client.keystore.p12"
	secretTrustStore        = "client.truststore.jks"
)

const (
	schemeValkey = "valkeys://"
	schemeRedis  = "rediss://"
)

// A KeyDoc documents one key of the published Secret.
type KeyDoc struct {
	// Name is the key.
	Name string
	// Description says in one line what the value is.
	Description string
	// Present says in one line when the key is there.
	Present string
	// Aivenator says in one line how aivenator's key of that name compares.
	Aivenator string
}

// An entry is a row of the table of published keys.
type entry struct {
	KeyDoc

	// from is the connection detail that holds the value, or empty when the
	// value is computed.
	from string
	// redis says that the scheme of the value changes from valkeys to rediss.
	redis bool
	// group, when not empty, makes the key optional: it is published when the
	// details hold the group, which is there in full or not at all.
	group []string
}

const (
	always    = "Always."
	same      = "The same."
	withKafka = "With a Kafka user."
)

var (
	groupRegistry  = []string{KeySchemaRegistryURI}
	groupDashboard = []string{KeyDashboardURI, KeyDashboardHost, KeyDashboardPort}
	groupReplica   = []string{KeyReplicaURI, KeyReplicaHost, KeyReplicaPort}
)

var commonKeys = []KeyDoc{
	{SecretCA, "CA certificates of the Aiven projects of all services in the Secret, in PEM, each once.", always, "Holds the CA of one project only."},
	{SecretUpdated, "Time of the last change of the content, RFC 3339 in UTC.", always, "Time of the last synchronization, changed or not."},
}

var kafkaEntries = []entry{
	kafka(secretBrokers, KeyURI, "Address of the brokers, `host:port`."),
	kafka(SecretKafkaCA, KeyCA, "CA certificate of the Kafka service's project, in PEM."),
	kafka("KAFKA_CERTIFICATE", KeyClientCert, "Client certificate, in PEM."),
	kafka("KAFKA_PRIVATE_KEY", KeyClientKey, "Private key of the client certificate, in PEM."),
	kafka(secretCredStorePassword, "", "Password of both key stores."),
	{KeyDoc: KeyDoc{secretKeyStore, "PKCS#12 key store of the client certificate and its key.", withKafka, "The same content, encrypted with RC2 and 3DES."}},
	{KeyDoc: KeyDoc{secretTrustStore, "PKCS#12 trust store of the CA, alias `ca`. Java reads it as a JKS file all the same.", withKafka, "The same content, encrypted with RC2 and 3DES."}},
	{KeyDoc: KeyDoc{SecretKafkaUpdated, "The same as `AIVEN_SECRET_UPDATED`.", withKafka, "Time of the last synchronization, changed or not."}},
	registry("KAFKA_SCHEMA_REGISTRY", KeySchemaRegistryURI, "Address of the schema registry, `https://host:port`."),
	registry("KAFKA_SCHEMA_REGISTRY_USER", KeyUsername, "Name of the service user."),
	registry("KAFKA_SCHEMA_REGISTRY_PASSWORD", KeyPassword, "Password of the service user."),
}

var openSearchEntries = []entry{
	openSearch("USERNAME", KeyUsername, "Name of the service user."),
	openSearch("PASSWORD", KeyPassword, "Password of the service user."),
	openSearch("URI", KeyURI, "Address of the service, `https://host:port`."),
	openSearch("HOST", KeyEndpoint, "Host name of the service."),
	openSearch("PORT", KeyPort, "Port of the service."),
	dashboard("URI", KeyDashboardURI, "Address of OpenSearch Dashboards, `https://host:port`."),
	dashboard("HOST", KeyDashboardHost, "Host name of OpenSearch Dashboards."),
	dashboard("PORT", KeyDashboardPort, "Port of OpenSearch Dashboards."),
}

// valkeyEntries lack the suffix of the instance.
var valkeyEntries = []entry{
	valkey("VALKEY_USERNAME", KeyUsername, "Name of the service user."),
	valkey("VALKEY_PASSWORD", KeyPassword, "Password of the service user."),
	valkey("VALKEY_URI", KeyURI, "Address of the service, `valkeys://host:port`."),
	valkey("VALKEY_HOST", KeyEndpoint, "Host name of the service."),
	valkey("VALKEY_PORT", KeyPort, "Port of the service."),
	valkey("REDIS_USERNAME", KeyUsername, "The same as `VALKEY_USERNAME`."),
	valkey("REDIS_PASSWORD", KeyPassword, "The same as `VALKEY_PASSWORD`."),
	redisURI(),
	valkey("REDIS_HOST", KeyEndpoint, "The same as `VALKEY_HOST`."),
	valkey("REDIS_PORT", KeyPort, "The same as `VALKEY_PORT`."),
	replica("URI", KeyReplicaURI, "Address of the read replica, `valkeys://host:port`."),
	replica("HOST", KeyReplicaHost, "Host name of the read replica."),
	replica("PORT", KeyReplicaPort, "Port of the read replica."),
}

func kafka(name, from, description string) entry {
	return entry{KeyDoc: KeyDoc{name, description, withKafka, same}, from: from}
}

func registry(name, from, description string) entry {
	return entry{
		KeyDoc: KeyDoc{name, description, "With a Kafka user, when the service has a schema registry.", "The same, but it does not leave the key out when there is no registry."},
		from:   from,
		group:  groupRegistry,
	}
}

func openSearch(name, from, description string) entry {
	return entry{KeyDoc: KeyDoc{"OPEN_SEARCH_" + name, description, "With an OpenSearch user.", same}, from: from}
}

func dashboard(name, from, description string) entry {
	return entry{
		KeyDoc: KeyDoc{"OPEN_SEARCH_DASHBOARD_" + name, description, "With an OpenSearch user, when the service has dashboards.", "The same, in the versions that have it."},
		from:   from,
		group:  groupDashboard,
	}
}

func valkey(name, from, description string) entry {
	return entry{KeyDoc: KeyDoc{name, description, "For each Valkey instance.", same}, from: from}
}

func redisURI() entry {
	e := valkey("REDIS_URI", KeyURI, "The same as `VALKEY_URI`, with the scheme `rediss`.")
	e.redis = true
	return e
}

func replica(name, from, description string) entry {
	return entry{
		KeyDoc: KeyDoc{"VALKEY_REPLICA_" + name, description, "For each Valkey instance that has a read replica.", same},
		from:   from,
		group:  groupReplica,
	}
}

// entries returns the rows of the supplied service, nil when it is not known.
// The names of Valkey's lack the suffix of the instance.
func entries(s Service) []entry {
	switch s {
	case Kafka:
		return kafkaEntries
	case OpenSearch:
		return openSearchEntries
	case Valkey:
		return valkeyEntries
	}
	return nil
}

// CommonKeys documents the keys that every published Secret holds.
func CommonKeys() []KeyDoc { return slices.Clone(commonKeys) }

// Keys documents the keys that a user of the supplied service adds to those of
// CommonKeys, optional ones included. The instance is that of a Valkey user and
// ignored for other services. Keys returns nil when the service is not known.
func Keys(s Service, instance string) []KeyDoc {
	var docs []KeyDoc
	for _, e := range entries(s) {
		e.Name = secretKey(s, e.Name, instance)
		docs = append(docs, e.KeyDoc)
	}
	return docs
}

// Owned reports whether Render or Stamp may produce the supplied key for a user
// of any of the supplied services, whatever the Valkey instance. The common
// keys are owned in any case. A key that is owned but that Render did not
// return is left over from a service that is no longer wanted.
func Owned(key string, services ...Service) bool {
	for _, doc := range commonKeys {
		if key == doc.Name {
			return true
		}
	}
	for _, s := range services {
		for _, e := range entries(s) {
			if s != Valkey && key == e.Name {
				return true
			}
			if suffix, ok := strings.CutPrefix(key, e.Name+"_"); s == Valkey && ok && validSuffix.MatchString(suffix) {
				return true
			}
		}
	}
	return false
}

var (
	invalidInSuffix = regexp.MustCompile(`[^a-z0-9]`)
	validSuffix     = regexp.MustCompile(`^[A-Z0-9_]+$`)
)

// Suffix returns what the keys of a Valkey instance end in: its name with every
// character but a-z and 0-9 replaced by an underscore, in upper case. So an
// upper-case letter becomes an underscore as well, as in aivenator. Different
// instances can have the same suffix; Render refuses to publish those together.
func Suffix(instance string) string {
	return strings.ToUpper(invalidInSuffix.ReplaceAllString(instance, "_"))
}

// secretKey returns the key of the published Secret for the supplied row.
func secretKey(s Service, name, instance string) string {
	if s != Valkey {
		return name
	}
	return name + "_" + Suffix(instance)
}
