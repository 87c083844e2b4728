// SPDX-License-Identifier: Apache-2.0

// Package connection turns the connection details of service users into the
// data of the Secret that workloads mount. It holds the names on both sides:
// the keys of a managed resource's connection details, and the keys of the
// published Secret, which are those of aivenator.
//
// Everything here is pure: no client, no clock, and the same input always gives
// the same bytes.
package connection

import (
	"bytes"
	"slices"
)

// Keys of a managed resource's connection details. The first seven are
// Crossplane's standard keys. All values are text; ports are decimal.
const (
	// KeyUsername is the name of the service user.
	KeyUsername = "username"
	// KeyPassword is the password of the service user.
	KeyPassword = "password"
	// KeyEndpoint is the host name of the service, without scheme and port.
	KeyEndpoint = "endpoint"
	// KeyPort is the port of the service.
	KeyPort = "port"
	// KeyCA is the CA certificate of the service's Aiven project, in PEM.
	KeyCA = "clusterCA"
	// KeyClientCert is the client certificate of a Kafka user, in PEM.
	KeyClientCert = "clientCert"
	// KeyClientKey is the private key of the client certificate, in PEM.
	KeyClientKey = "clientKey"

	// KeyURI is the address of the service, without credentials: host:port for
	// Kafka, https://host:port for OpenSearch, valkeys://host:port for Valkey.
	KeyURI = "uri"
	// KeySchemaRegistryURI is the address of Kafka's schema registry,
	// https://host:port. Absent when the service has none.
	KeySchemaRegistryURI = "schemaRegistryURI"
	// KeyDashboardURI is the address of OpenSearch Dashboards, https://host:port.
	// It is absent, with the next two, when the service has no dashboards.
	KeyDashboardURI = "dashboardURI"
	// KeyDashboardHost is the host name of OpenSearch Dashboards.
	KeyDashboardHost = "dashboardHost"
	// KeyDashboardPort is the port of OpenSearch Dashboards.
	KeyDashboardPort = "dashboardPort"
	// KeyReplicaURI is the address of Valkey's read replica,
	// valkeys://host:port. It is absent, with the next two, when there is none.
	KeyReplicaURI = "replicaURI"
	// KeyReplicaHost is the host name of Valkey's read replica.
	KeyReplicaHost = "replicaHost"
	// KeyReplicaPort is the port of Valkey's read replica.
	KeyReplicaPort = "replicaPort"
)

// redacted is what Aiven answers in place of a secret that the caller did not
// ask for or may not see. Aiven: API secret redaction, from March 2027.
var redacted = []byte("<redacted>")

// Details are the connection details of one service user, by the keys above.
type Details map[string][]byte

// has reports whether there is a usable value for the supplied key.
func (d Details) has(key string) bool {
	return len(d[key]) > 0 && !bytes.Contains(d[key], redacted)
}

// A Service is a kind of Aiven service.
type Service string

// The services whose users can be published.
const (
	Kafka      Service = "Kafka"
	OpenSearch Service = "OpenSearch"
	Valkey     Service = "Valkey"
)

// Services returns all services that can be published, in the order in which
// Render treats them.
func Services() []Service { return []Service{Kafka, OpenSearch, Valkey} }

// A Part is what one service user contributes to a Secret.
type Part struct {
	// Service is the kind of service the user belongs to.
	Service Service
	// Instance is the name of the Valkey instance as the application has it. It
	// is ignored for the other services, of which a Secret holds one user each.
	Instance string
	// Details are the connection details of the user.
	Details Details
}

// Missing returns, sorted, the keys of the connection details that this part
// lacks before it may be published. A value that is empty or redacted is
// lacking. What a service may do without (a schema registry, dashboards, a
// replica) is lacking only when it is there in part. Of a
// service that is not known a username, a password and the CA are wanted.
// Missing returns nil when the part is complete.
func (p Part) Missing() []string {
	// Whatever the service publishes: no user goes without a password, and
	// every Secret holds the CA.
	wanted := []string{KeyUsername, KeyPassword, KeyCA}
	for _, e := range entries(p.Service) {
		if e.from != "" && p.publishes(e) {
			wanted = append(wanted, e.from)
		}
	}
	missing := slices.DeleteFunc(wanted, p.Details.has)
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// publishes reports whether the supplied row is to be published for this part:
// an optional one is when the details hold anything of its group, even what
// cannot be used.
func (p Part) publishes(e entry) bool {
	return len(e.group) == 0 || slices.ContainsFunc(e.group, func(key string) bool { return len(p.Details[key]) > 0 })
}
