// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"fmt"
	"hash/crc32"
	"net/url"
	"slices"
	"strconv"
)

const (
	userTypePrimary = "primary"
	userTypeNormal  = "normal"

	kindKafka      = "kafka"
	kindOpenSearch = "opensearch"
	kindValkey     = "valkey"

	stateRunning  = "RUNNING"
	statePowerOff = "POWEROFF"

	redacted = "<redacted>"
)

var serviceStates = []string{stateRunning, "REBALANCING", "REBUILDING", statePowerOff}

// serviceType is what differs between types of services. A new type is an entry of serviceTypes.
type serviceType struct {
	name         string
	version      string
	plan         string
	primary      string   // name of the built-in user
	userLimit    int      // 0 means none
	certificates bool     // users have client certificates
	aclPrefix    string   // of the lists in access_control; "" means that users have none
	reserved     []string // names that cannot be created
	features     map[string]bool
	userConfig   map[string]any
	components   func(at address, replica bool) []Component
	// connect renders connection_info and service_uri with the built-in user.
	connect func(c connection) (info map[string]any, uri string)
	// kafka and openSearch say which access control lists the type has.
	kafka, openSearch bool
}

// address is where a service's components are: hosts derived from its name, ports around one.
type address struct {
	host, replicaHost string
	port              int
}

func addressOf(project, name string) address {
	domain := fmt.Sprintf("%s-%s.%c.aivencloud.com", name, project, 'a'+rune(len(project)%6))
	sum := crc32.ChecksumIEEE([]byte(project + "/" + name))
	return address{host: domain, replicaHost: "replica." + domain, port: 10000 + int(sum%15000)}
}

// connection is what service_uri and connection_info are made of.
type connection struct {
	components     []Component
	user, password string
	cert           *certificate
	redactCert     bool
}

func (c connection) find(component, usage, method string) (Component, bool) {
	i := slices.IndexFunc(c.components, func(x Component) bool {
		return x.Component == component && x.Usage == usage && (method == "" || x.KafkaAuthenticationMethod == method)
	})
	if i < 0 {
		return Component{}, false
	}
	return c.components[i], true
}

func (c connection) hostPort(component, usage, method string) string {
	x, ok := c.find(component, usage, method)
	if !ok {
		return ""
	}
	return x.Host + ":" + strconv.Itoa(x.Port)
}

// uri of a component with the built-in user, or "" when there is no such component.
func (c connection) uri(scheme, component, usage string) string {
	at := c.hostPort(component, usage, "")
	if at == "" {
		return ""
	}
	u := url.URL{Scheme: scheme, User: url.UserPassword(c.user, c.password), Host: at}
	if c.password == redacted {
		return scheme + "://" + c.user + ":" + redacted + "@" + at
	}
	return u.String()
}

func typeOf(name string) *serviceType {
	if t, ok := serviceTypes[name]; ok {
		return t
	}
	return &serviceType{name: name, version: "1", plan: "startup-4", primary: "avnadmin", components: func(at address, _ bool) []Component {
		return []Component{{Component: name, Host: at.host, Port: at.port}}
	}, connect: func(c connection) (map[string]any, string) {
		uri := c.uri(name, name, "primary")
		return map[string]any{name: []string{uri}}, uri
	}}
}

var serviceTypes = map[string]*serviceType{
	kindKafka: {
		name: kindKafka, version: "3.9", plan: "business-4", primary: "avnadmin", userLimit: 50, certificates: true, kafka: true,
		features: map[string]bool{"kafka_rest": true, "schema_registry": true, "karapace": true, "kafka_strict_access_cert_checks": true},
		userConfig: map[string]any{
			"kafka_version":                "3.9",
			"schema_registry":              true,
			"kafka_rest":                   true,
			"kafka_connect":                false,
			"kafka_authentication_methods": map[string]any{"certificate": true, "sasl": true},
			"kafka_sasl_mechanisms":        map[string]any{"plain": true, "scram_sha_256": true, "scram_sha_512": true},
		},
		components: kafkaComponents,
		connect:    connectKafka,
	},
	kindOpenSearch: {
		name: kindOpenSearch, version: "2", plan: "business-4", primary: "avnadmin", userLimit: 50, openSearch: true,
		reserved:   []string{"metrics_user_datadog", "osd_internal_user", "replication_user", "os-sec-admin"},
		features:   map[string]bool{"index_patterns": true},
		userConfig: map[string]any{"opensearch_version": "2"},
		components: func(at address, _ bool) []Component {
			return []Component{
				{Component: kindOpenSearch, Host: at.host, Port: at.port},
				{Component: "opensearch_dashboards", Host: at.host, Port: 443},
			}
		},
		connect: func(c connection) (map[string]any, string) {
			uri, dashboards := c.uri("https", kindOpenSearch, "primary"), c.uri("https", "opensearch_dashboards", "primary")
			return map[string]any{
				kindOpenSearch:              []string{uri},
				"opensearch_dashboards_uri": dashboards,
				"kibana_uri":                dashboards,
				"opensearch_username":       c.user,
				"opensearch_password":       c.password,
			}, uri
		},
	},
	kindValkey: {
		name: kindValkey, version: "8.1", plan: "business-4", primary: "default", aclPrefix: "valkey_acl_",
		userConfig: map[string]any{"valkey_ssl": true, "valkey_acl_channels_default": "allchannels"},
		components: func(at address, replica bool) []Component {
			ssl := true
			out := []Component{{Component: kindValkey, Host: at.host, Port: at.port, SSL: &ssl}}
			if replica {
				out = append(out, Component{Component: kindValkey, Host: at.replicaHost, Port: at.port, Usage: "replica", SSL: &ssl})
			}
			return out
		},
		connect: func(c connection) (map[string]any, string) {
			uri := c.uri("valkeys", kindValkey, "primary")
			info := map[string]any{kindValkey: []string{uri}, "valkey_password": c.password, "valkey_slave": []string{}}
			if replica := c.uri("valkeys", kindValkey, "replica"); replica != "" {
				info["valkey_replica_uri"] = replica
				info["valkey_slave"] = []string{replica}
			}
			return info, uri
		},
	},
}

// kafkaComponents lists SASL before certificates, so that who takes the first of a name is caught.
func kafkaComponents(at address, _ bool) []Component {
	return []Component{
		{Component: kindKafka, Host: at.host, Port: at.port + 11, KafkaAuthenticationMethod: "sasl", KafkaSSLCA: "project_ca"},
		{Component: kindKafka, Host: at.host, Port: at.port, KafkaAuthenticationMethod: "certificate", KafkaSSLCA: "project_ca"},
		{Component: "schema_registry", Host: at.host, Port: at.port + 3},
		{Component: "kafka_rest", Host: at.host, Port: at.port + 4},
	}
}

// connectKafka keeps service_uri on the certificate port. Aiven: it does so even without certificates.
func connectKafka(c connection) (map[string]any, string) {
	at := c.hostPort(kindKafka, "primary", "certificate")
	info := map[string]any{
		kindKafka:             []string{at},
		"kafka_connect_uri":   c.uri("https", "kafka_connect", "primary"),
		"kafka_rest_uri":      c.uri("https", "kafka_rest", "primary"),
		"schema_registry_uri": c.uri("https", "schema_registry", "primary"),
	}
	if c.cert != nil {
		info["kafka_access_cert"], info["kafka_access_key"] = c.cert.pem, c.cert.key.pem
		if c.redactCert {
			info["kafka_access_cert"], info["kafka_access_key"] = redacted, redacted
		}
	}
	return info, at
}

// withDefaults are components with nothing left out that the API always tells.
func withDefaults(in []Component) []Component {
	out := slices.Clone(in)
	for i := range out {
		if out[i].Route == "" {
			out[i].Route = "dynamic"
		}
		if out[i].Usage == "" {
			out[i].Usage = "primary"
		}
	}
	return out
}
