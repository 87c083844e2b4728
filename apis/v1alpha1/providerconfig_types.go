// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterCredentials say where the token of a ClusterProviderConfig is.
// +kubebuilder:validation:XValidation:rule="self.source != 'Secret' || has(self.secretRef)",message="source Secret needs secretRef (namespace, name, key)"
// +kubebuilder:validation:XValidation:rule="self.source != 'Environment' || has(self.env)",message="source Environment needs env.name"
// +kubebuilder:validation:XValidation:rule="self.source != 'Filesystem' || has(self.fs)",message="source Filesystem needs fs.path"
type ClusterCredentials struct {
	// Source of the token: a Secret, or an environment variable or a file of the
	// provider's own pod.
	// +kubebuilder:validation:Enum=Secret;Environment;Filesystem
	Source xpv2.CredentialsSource `json:"source"`

	xpv2.CommonCredentialSelectors `json:",inline"`
}

// LocalCredentials say where the token of a ProviderConfig is.
type LocalCredentials struct {
	// Source of the token: a Secret of the same namespace, and nothing else.
	// +kubebuilder:validation:Enum=Secret
	// +kubebuilder:default=Secret
	// +optional
	Source xpv2.CredentialsSource `json:"source,omitempty"`

	// SecretRef is the key of a Secret, in the namespace of the ProviderConfig,
	// that holds the token.
	SecretRef xpv2.LocalSecretKeySelector `json:"secretRef"`
}

// A KafkaPool gives a name to a Kafka service. Applications ask for pools by
// name; a pool that is not listed is refused.
type KafkaPool struct {
	// Name by which applications ask for the pool.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Project of the Kafka service at Aiven. Default: the name of the pool.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Project string `json:"project,omitempty"`

	// ServiceName is the name of the Kafka service. Default: the one Kafka
	// service of that project; an error when it has none or several.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ServiceName string `json:"serviceName,omitempty"`
}

// InstanceNames turn the instances that applications name into the names of
// Aiven services. {namespace} stands for the application's namespace and
// {instance} for the instance. Without {namespace} in the pattern, every
// namespace can reach every instance. With it, names can still meet: instance
// "b-c" of namespace "a" and instance "c" of namespace "a-b" are the same
// service; where tenants choose their namespaces, use a pattern in which they
// cannot, or one configuration for each.
type InstanceNames struct {
	// OpenSearch pattern. Default: "opensearch-{namespace}-{instance}".
	// +optional
	// +kubebuilder:default="opensearch-{namespace}-{instance}"
	// +kubebuilder:validation:XValidation:rule="self.contains('{instance}')",message="the pattern must contain {instance}"
	// +kubebuilder:validation:MaxLength=253
	OpenSearch string `json:"openSearch,omitempty"`

	// Valkey pattern. Default: "valkey-{namespace}-{instance}".
	// +optional
	// +kubebuilder:default="valkey-{namespace}-{instance}"
	// +kubebuilder:validation:XValidation:rule="self.contains('{instance}')",message="the pattern must contain {instance}"
	// +kubebuilder:validation:MaxLength=253
	Valkey string `json:"valkey,omitempty"`
}

// A RateLimit bounds the calls to Aiven made with one token.
type RateLimit struct {
	// RequestsPerSecond on average. 0, the default, means no limit but what Aiven
	// itself asks for.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`

	// Burst is how many calls may be made at once before requestsPerSecond
	// holds. Default and least value: the same as requestsPerSecond.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Burst int32 `json:"burst,omitempty"`

	// MaxInFlight is how many calls may be under way at a time. Default: 32.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxInFlight int32 `json:"maxInFlight,omitempty"`
}

// RotationDefaults are for applications that do not say how they want to be
// rotated.
// +kubebuilder:validation:XValidation:rule="!has(self.interval) || !has(self.overlap) || !self.interval.matches('^([0-9]{1,6}([.][0-9]+)?(ms|s|m|h))+$') || !self.overlap.matches('^([0-9]{1,6}([.][0-9]+)?(ms|s|m|h))+$') || duration(self.interval) == duration('0s') || duration(self.overlap) <= duration(self.interval)",message="overlap must not be longer than interval: at most two sets of credentials are valid at a time"
type RotationDefaults struct {
	// Interval is the longest time that credentials are in use. 0s disables
	// rotation by time. At least 1h. Default: 720h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}([.][0-9]+)?(ms|s|m|h))+$') && (duration(self) == duration('0s') || duration(self) >= duration('1h'))",message="interval is a duration such as 720h, in h, m and s: 0s to disable rotation by time, else at least 1h"
	Interval *metav1.Duration `json:"interval,omitempty"`

	// Overlap is how long replaced credentials stay valid at least. Default: 24h,
	// and never longer than the interval.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('0s')",message="overlap is a duration such as 24h, in h, m and s"
	Overlap *metav1.Duration `json:"overlap,omitempty"`
}

// OrphanPolicy says what is done about users that no object claims.
// +kubebuilder:validation:Enum=Report;Delete
type OrphanPolicy string

// What is done about users at Aiven whose names are ours and that no object
// claims any more.
const (
	// OrphansReport reports them, and does nothing else.
	OrphansReport OrphanPolicy = "Report"
	// OrphansDelete also deletes those that this cluster can prove it made.
	OrphansDelete OrphanPolicy = "Delete"
)

// ServiceSettings are what both kinds of configuration say about Aiven.
type ServiceSettings struct {
	// BaseURL of the Aiven API. Default: https://api.aiven.io. In a
	// ProviderConfig it must be one that the provider was started to allow
	// (--allowed-base-urls).
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^https?://[^/?#@]+/?$')",message="baseURL is a scheme and a host, such as https://api.aiven.io, without a path or a user"
	BaseURL string `json:"baseURL,omitempty"`

	// Project of the OpenSearch and Valkey services. Needed only by applications
	// that use one of these.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Project string `json:"project,omitempty"`

	// KafkaPools that applications may use.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	KafkaPools []KafkaPool `json:"kafkaPools,omitempty"`

	// InstanceNames turn instances into names of Aiven services.
	// +optional
	// +kubebuilder:default={}
	InstanceNames InstanceNames `json:"instanceNames,omitempty"`

	// RateLimit of the calls made with this configuration's token.
	// Configurations with the same token, base URL and limit share one client and
	// so one limit.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`

	// Rotation defaults for applications that use this configuration.
	// +optional
	Rotation *RotationDefaults `json:"rotation,omitempty"`
}

// A ProviderConfigSpec is a configuration for one namespace.
type ProviderConfigSpec struct {
	// Credentials say where the Aiven token is.
	Credentials LocalCredentials `json:"credentials"`

	ServiceSettings `json:",inline"`
}

// A ClusterProviderConfigSpec is a configuration for all namespaces.
type ClusterProviderConfigSpec struct {
	// Credentials say where the Aiven token is.
	Credentials ClusterCredentials `json:"credentials"`

	ServiceSettings `json:",inline"`

	// Orphans are users on the services of this configuration whose names are
	// made like those of applications and that no managed resource of this cluster claims, such
	// as are left when somebody removes a finalizer by force. Report (the default) counts them in metrics
	// and says so in events on this configuration. Delete also deletes those that
	// this cluster recorded as made by itself. Users of other clusters that share the services are never touched.
	// +optional
	// +kubebuilder:default=Report
	Orphans OrphanPolicy `json:"orphans,omitempty"`
}

// A ProviderConfigStatus is what is known of a configuration.
type ProviderConfigStatus struct {
	xpv2.ProviderConfigStatus `json:",inline"`
}

// +kubebuilder:object:root=true

// A ProviderConfig is a team's own Aiven token, for its own namespace. The one
// named "default" is used by every AivenApplication of the namespace that names
// none. Managed resources have to name it.
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,provider,aiven}
// +kubebuilder:printcolumn:name="SECRET",type="string",JSONPath=".spec.credentials.secretRef.name"
// +kubebuilder:printcolumn:name="USERS",type="integer",JSONPath=".status.users"
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type ProviderConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ProviderConfigSpec   `json:"spec"`
	Status ProviderConfigStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// A ProviderConfigList is a list of ProviderConfigs.
type ProviderConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ProviderConfig `json:"items"`
}

// +kubebuilder:object:root=true

// A ClusterProviderConfig is a platform team's Aiven token, for all namespaces.
// The one named "default" is used by all who name none, but for AivenApplications
// of a namespace that has a ProviderConfig "default".
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories={crossplane,provider,aiven}
// +kubebuilder:printcolumn:name="SOURCE",type="string",JSONPath=".spec.credentials.source"
// +kubebuilder:printcolumn:name="USERS",type="integer",JSONPath=".status.users"
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type ClusterProviderConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ClusterProviderConfigSpec `json:"spec"`
	Status ProviderConfigStatus      `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// A ClusterProviderConfigList is a list of ClusterProviderConfigs.
type ClusterProviderConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ClusterProviderConfig `json:"items"`
}

// +kubebuilder:object:root=true

// A ProviderConfigUsage says that a managed resource uses a configuration. The
// provider writes it; nobody else needs to.
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,provider,aiven}
// +kubebuilder:printcolumn:name="CONFIG-KIND",type="string",JSONPath=".providerConfigRef.kind"
// +kubebuilder:printcolumn:name="CONFIG-NAME",type="string",JSONPath=".providerConfigRef.name"
// +kubebuilder:printcolumn:name="RESOURCE-KIND",type="string",JSONPath=".resourceRef.kind"
// +kubebuilder:printcolumn:name="RESOURCE-NAME",type="string",JSONPath=".resourceRef.name"
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type ProviderConfigUsage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	xpv2.TypedProviderConfigUsage `json:",inline"`
}

// +kubebuilder:object:root=true

// A ProviderConfigUsageList is a list of ProviderConfigUsages.
type ProviderConfigUsageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ProviderConfigUsage `json:"items"`
}
