// SPDX-License-Identifier: Apache-2.0

package aivensim

import "time"

// Seed is what a server starts with. It is the content of a seed file, as JSON.
// The zero value has no projects and accepts every token as an admin's.
type Seed struct {
	// Tokens the server knows. With none, any token is accepted and has admin rights; a token
	// that is not in a non-empty list is answered with 401 "Invalid token".
	Tokens []Token `json:"tokens,omitempty"`
	// Projects that exist from the start.
	Projects []Project `json:"projects,omitempty"`
}

// Permission is what a token may do.
type Permission string

// The permissions of tokens. "Secrets" are passwords of service users.
const (
	// PermissionAdmin may do everything and see secrets. It is what an empty Permission means.
	PermissionAdmin Permission = "admin"
	// PermissionOperator may do everything and see secrets.
	PermissionOperator Permission = "operator"
	// PermissionReadOnly may read, and always gets redacted secrets, never an error for asking.
	PermissionReadOnly Permission = "read_only"
	// PermissionUsersWrite stands for the granular service:users:write beside project:services:read:
	// it may read, see secrets and write users, but not the access control lists of a service.
	PermissionUsersWrite Permission = "users_write"
	// PermissionServicesRead stands for the granular project:services:read alone: it may read, and
	// gets 403 when it asks for secrets with include_secrets=true.
	PermissionServicesRead Permission = "services_read"
)

// Token is an API token and its rights.
type Token struct {
	// Token is the secret itself, as in "Authorization: aivenv1 <token>".
	Token string `json:"token"`
	// Name is what User.CreatedBy says. Empty means "token-" and the start of the token's hash.
	Name string `json:"name,omitempty"`
	// Permissions of the token. Empty means PermissionAdmin.
	Permissions Permission `json:"permissions,omitempty"`
	// Projects that the token is a member of. Empty means all. Others answer 403 "Not a project member".
	Projects []string `json:"projects,omitempty"`
}

// Project is a project and its services.
type Project struct {
	// Name of the project.
	Name string `json:"name"`
	// Services of the project.
	Services []Service `json:"services,omitempty"`
}

// Service is a service as it is seeded or added.
type Service struct {
	// Name of the service, unique in its project.
	Name string `json:"name"`
	// Type is "kafka", "opensearch" or "valkey". Another type gets an avnadmin and nothing special.
	Type string `json:"type"`
	// State is RUNNING, REBALANCING, REBUILDING or POWEROFF. Empty means RUNNING.
	State string `json:"state,omitempty"`
	// UserLimit is how many users, built-in ones included, the service may have. 0 means the type's
	// default (50 for kafka and opensearch, none for others), -1 no limit.
	UserLimit int `json:"user_limit,omitempty"`
	// Replica adds a replica's component to a valkey service, as plans of several nodes have.
	Replica bool `json:"replica,omitempty"`
	// ACLEnabled is the initial "enabled" of an OpenSearch service's access control.
	ACLEnabled bool `json:"acl_enabled,omitempty"`
	// Users that exist from the start, beside the built-in one.
	Users []string `json:"users,omitempty"`
	// Components replace the type's own when not empty. Empty Route and Usage mean "dynamic" and "primary".
	Components []Component `json:"components,omitempty"`
	// Backend is told about the users, these included. Components say where it listens.
	Backend Backend `json:"-"`
}

// Component is an address of a service, in the words of the API.
type Component struct {
	// Component is what answers there, such as "kafka" or "schema_registry".
	Component string `json:"component"`
	// Host is a DNS name.
	Host string `json:"host"`
	// Port is a TCP port.
	Port int `json:"port"`
	// Route is dynamic, public, private or privatelink.
	Route string `json:"route"`
	// Usage is primary or replica, among others.
	Usage string `json:"usage"`
	// SSL is present only where plaintext can be enabled.
	SSL *bool `json:"ssl,omitempty"`
	// KafkaAuthenticationMethod is certificate or sasl, on Kafka's own component.
	KafkaAuthenticationMethod string `json:"kafka_authentication_method,omitempty"`
	// KafkaSSLCA is project_ca or letsencrypt. Empty means the project's CA.
	KafkaSSLCA string `json:"kafka_ssl_ca,omitempty"`
	// Path is an URL path, where the component has one.
	Path string `json:"path,omitempty"`
	// PrivatelinkConnectionID is set on privatelink routes.
	PrivatelinkConnectionID string `json:"privatelink_connection_id,omitempty"`
}

// AccessControl is what a Valkey user may do, in the canonical form that the server keeps: order of
// categories and commands as written, keys and channels sorted, no difference between nil and empty.
type AccessControl struct {
	// Categories such as "+@read" and "-@all"; their order matters.
	Categories []string `json:"categories,omitempty"`
	// Commands such as "+get" and "+cluster|slots"; their order matters.
	Commands []string `json:"commands,omitempty"`
	// Keys are bare globs.
	Keys []string `json:"keys,omitempty"`
	// Channels are bare globs.
	Channels []string `json:"channels,omitempty"`
	// Databases are numbers, "alldbs" or "resetdbs" (Valkey 9.1 and newer).
	Databases []string `json:"databases,omitempty"`
}

// User is a service user as the server knows it, credentials in clear.
type User struct {
	// Username, unique in its service.
	Username string `json:"username"`
	// Type is "primary" for the built-in user, else "normal".
	Type string `json:"type"`
	// Password as the API tells it once it is populated. Empty means permanently null.
	Password string `json:"password,omitempty"`
	// AccessCert is the current client certificate, PEM. Empty for services without certificates.
	AccessCert string `json:"access_cert,omitempty"`
	// AccessKey is the PKCS#8 key of AccessCert, PEM.
	AccessKey string `json:"access_key,omitempty"`
	// CertNotAfter is when AccessCert ends. Zero without a certificate.
	CertNotAfter time.Time `json:"cert_not_after,omitzero"`
	// ExpiringCertNotAfter is when the pair before the last renewal ends. Zero when there is none,
	// or when the renewal was acknowledged.
	ExpiringCertNotAfter time.Time `json:"expiring_cert_not_after,omitzero"`
	// AccessControl of a Valkey user.
	AccessControl AccessControl `json:"access_control,omitzero"`
	// CreatedBy is the name of the creating token, "seed" or "outside".
	CreatedBy string `json:"created_by"`
	// CreatedAt is when the user was created, by the server's clock.
	CreatedAt time.Time `json:"created_at"`
}

// OpenSearchACLConfig is the one access control document of an OpenSearch service.
type OpenSearchACLConfig struct {
	// Enabled false gives every user full access; true denies users without a row.
	Enabled bool `json:"enabled"`
	// ACLs has a row per user. Never null in an answer.
	ACLs []OpenSearchACL `json:"acls"`
	// ExtendedACL limits _mget, _msearch and _bulk to granted indexes.
	ExtendedACL bool `json:"extendedAcl,omitempty"`
}

// OpenSearchACL is the row of one user.
type OpenSearchACL struct {
	// Username of the row; the user need not exist.
	Username string `json:"username"`
	// Rules of the user.
	Rules []OpenSearchACLRule `json:"rules"`
}

// OpenSearchACLRule grants or denies access to indexes.
type OpenSearchACLRule struct {
	// Index is a glob of 1 to 249 characters.
	Index string `json:"index"`
	// Permission is deny, admin, read, readwrite or write.
	Permission string `json:"permission"`
}

// KafkaACLEntry is an entry of Aiven's own Kafka ACL.
type KafkaACLEntry struct {
	// ID is opaque. The built-in entry has the ID "default".
	ID string `json:"id,omitempty"`
	// Permission is admin, read, readwrite or write.
	Permission string `json:"permission"`
	// Topic is a glob of 1 to 249 characters.
	Topic string `json:"topic"`
	// Username is a glob of 1 to 64 characters.
	Username string `json:"username"`
}

// SchemaRegistryACLEntry is an entry of the Schema Registry's ACL.
type SchemaRegistryACLEntry struct {
	// ID is opaque. Built-in entries have IDs that begin with "default-sr-admin-".
	ID string `json:"id,omitempty"`
	// Permission is schema_registry_read or schema_registry_write.
	Permission string `json:"permission"`
	// Resource is "Config:" or "Subject:" and a glob.
	Resource string `json:"resource"`
	// Username is a glob of 1 to 64 characters.
	Username string `json:"username"`
}

// KafkaNativeACLEntry is an entry of Kafka's native ACL.
type KafkaNativeACLEntry struct {
	// ID is opaque.
	ID string `json:"id,omitempty"`
	// Principal is "User:" and a name.
	Principal string `json:"principal"`
	// Host is "*" unless given.
	Host string `json:"host"`
	// ResourceType is Cluster, DelegationToken, Group, Topic, TransactionalId or User.
	ResourceType string `json:"resource_type"`
	// ResourceName is a name or a prefix.
	ResourceName string `json:"resource_name"`
	// PatternType is LITERAL or PREFIXED.
	PatternType string `json:"pattern_type"`
	// Operation such as Read or Write.
	Operation string `json:"operation"`
	// PermissionType is ALLOW or DENY.
	PermissionType string `json:"permission_type"`
}
