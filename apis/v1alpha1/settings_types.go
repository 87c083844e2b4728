// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServiceSettings are what both kinds of configuration say about Aiven.
type ServiceSettings struct {
	// BaseURL of the Aiven API. Default: https://api.aiven.io, unless the provider
	// was started with another one (--base-url). A ProviderConfig may name no other
	// than that and those of --allowed-base-urls.
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

	// RateLimit of the calls made with this configuration's token. Whoever uses the
	// same token and base URL shares one client, and so one limit: the strictest of those
	// that ClusterProviderConfigs state, or if there is none, of all.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`

	// Rotation defaults for applications that use this configuration.
	// +optional
	Rotation *RotationDefaults `json:"rotation,omitempty"`

	// Services on which users may be made with this configuration's token, for
	// applications and for managed resources that people write. A service that none of these
	// matches is refused with reason NotAllowed. Default of a
	// ClusterProviderConfig: the services that applications of the
	// namespace can ask for, which are those of kafkaPools, and those of project
	// that instanceNames lead to. Default of a ProviderConfig: all that its token
	// reaches.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Services []ServicePattern `json:"services,omitempty"`

	// RequireInstance demands that an aiven.io/v1alpha1 OpenSearch or Valkey
	// object of the service's name exists in the application's namespace, and is
	// RUNNING, before users of it are made. Its operator (Aiven's own) says so in
	// status.state. Default: false.
	// +optional
	RequireInstance bool `json:"requireInstance,omitempty"`

	// ServiceUsers says how many users a service may have. Default: what Aiven
	// allows, which shows only when it refuses.
	// +optional
	ServiceUsers *ServiceUsers `json:"serviceUsers,omitempty"`
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

	// Topics that applications may ask access to with kafka.acl, as patterns: *
	// stands for any characters, ? for one, {namespace} for the namespace of the
	// application. What is asked for is itself a name or a pattern, which must lie
	// within one of these. Put a character around {namespace} that no namespace's name has, as
	// in "{namespace}.*": a name that fits several namespaces belongs to the one with the longest name.
	// Default: none; applications may then ask for no topic.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=249
	// +kubebuilder:validation:items:Pattern=`^([a-zA-Z0-9._*?-]|\{namespace\})+$`
	Topics []string `json:"topics,omitempty"`

	// Subjects of the schema registry that applications may ask access to with
	// kafka.schemaRegistry, as topics are. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=241
	// +kubebuilder:validation:items:Pattern=`^([a-zA-Z0-9._*?-]|\{namespace\})+$`
	Subjects []string `json:"subjects,omitempty"`
}

// GetProject returns the project of the pool's service.
func (p *KafkaPool) GetProject() string {
	if p.Project == "" {
		return p.Name
	}
	return p.Project
}

// InstanceNames turn the instances that applications name into the names of
// Aiven services. {namespace} stands for the application's namespace and
// {instance} for the instance. Without {namespace} in the pattern, every
// namespace can reach every instance. With it, a name that fits several
// namespaces belongs to the one with the longest name: where both a and a-b
// exist, instance "b-c" is refused to a, because it is instance "c" of a-b.
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

// A ServicePattern matches Aiven services.
// +kubebuilder:validation:XValidation:rule="has(self.project) || has(self.serviceName)",message="say project, serviceName or both; project: \"*\" is all services that the token reaches"
type ServicePattern struct {
	// Project is a pattern of project names: * stands for any characters, ? for
	// one, {namespace} for the namespace. Default: any project.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([a-z0-9*?-]|\{namespace\})+$`
	Project string `json:"project,omitempty"`

	// ServiceName is a pattern of the names of services in these projects, in the
	// same form. With {namespace}, a name that fits several namespaces belongs to the one with the longest
	// name. Default: any service.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^([a-z0-9*?-]|\{namespace\})+$`
	ServiceName string `json:"serviceName,omitempty"`
}

// ServiceUsers bound how many users a Kafka or OpenSearch service may have; others
// have no such limit. Aiven: 50 by default, more on request.
// +kubebuilder:validation:XValidation:rule="self.headroom < self.limit",message="headroom must be less than limit: it is the part of it that is kept for rotations"
type ServiceUsers struct {
	// Limit is how many users Aiven allows each service, the built-in ones
	// included. Default: 50.
	// +optional
	// +kubebuilder:default=50
	// +kubebuilder:validation:Minimum=1
	Limit int32 `json:"limit,omitempty"`

	// Headroom is how many of these are kept for rotations, during which an
	// application has two users: a new application is refused with reason
	// QuotaExceeded when it would need one of them. Default: 5.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=0
	Headroom int32 `json:"headroom"`
}
