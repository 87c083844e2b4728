// SPDX-License-Identifier: Apache-2.0

package v1

import (
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Access is what an application may do with a service.
// +kubebuilder:validation:Enum=read;write;readwrite;admin
type Access string

// Levels of access. Admin includes the management of indexes (OpenSearch) and
// administrative commands (Valkey).
const (
	AccessRead      Access = "read"
	AccessWrite     Access = "write"
	AccessReadWrite Access = "readwrite"
	AccessAdmin     Access = "admin"
)

// An AivenApplicationSpec says which services an application uses and where
// its credentials go.
// +kubebuilder:validation:XValidation:rule="has(self.kafka) || has(self.openSearch) || (has(self.valkey) && size(self.valkey) > 0)",message="name at least one service: kafka, openSearch or valkey"
type AivenApplicationSpec struct {
	// SecretName is the name of the Secret that holds the credentials of every
	// service that does not name a Secret of its own. It is made in the
	// application's namespace. Default: "<name>-aiven". It may be changed: the
	// same credentials are then published under the new name, and the old Secret
	// stays as long as a workload uses it. Whoever deletes the Secret revokes its credentials; the
	// application then gets new ones. A Secret of that name that belongs to somebody else is never
	// touched; the application is then not ready, with reason SecretConflict.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a Secret's name has lower case letters, digits and '-', and starts and ends with a letter or digit"
	SecretName string `json:"secretName,omitempty"`

	// Kafka asks for a user of a Kafka pool.
	// +optional
	Kafka *KafkaSpec `json:"kafka,omitempty"`

	// OpenSearch asks for a user of an OpenSearch instance.
	// +optional
	OpenSearch *OpenSearchSpec `json:"openSearch,omitempty"`

	// Valkey asks for one user of each of these Valkey instances.
	// +optional
	// +listType=map
	// +listMapKey=instance
	// +kubebuilder:validation:MaxItems=64
	Valkey []ValkeySpec `json:"valkey,omitempty"`

	// Protected keeps the Secret and its users when the application is deleted,
	// until somebody deletes the Secret or expiresAt comes. Default: false, with which both go when
	// the application is gone and no workload uses the Secret any more.
	// +optional
	Protected bool `json:"protected,omitempty"`

	// ExpiresAt ends the access at this time, in RFC 3339: the users are deleted
	// at Aiven and the Secret is removed, in use or not. It may be moved at any
	// time; moved into the future after it has passed, it gives the application
	// new credentials. An application that is created with a time in the past gets
	// none. Default: access does not end.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// Rotation says when the application gets new credentials. Default: that of
	// the configuration, else every 30 days (720h), the old ones staying valid for
	// at least a day (24h).
	// +optional
	Rotation *RotationSpec `json:"rotation,omitempty"`

	// ProviderConfigRef names the configuration (with it the Aiven token) to
	// use: a ClusterProviderConfig, or a ProviderConfig of this namespace.
	// Default: the ProviderConfig "default" of this namespace if there is one,
	// else the ClusterProviderConfig "default".
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.kind in ['ClusterProviderConfig', 'ProviderConfig'] && size(self.name) > 0",message="providerConfigRef needs kind ClusterProviderConfig or ProviderConfig, and a name"
	ProviderConfigRef *xpv2.ProviderConfigReference `json:"providerConfigRef,omitempty"`

	// AuthSecretRef is the key of a Secret of this namespace that holds an Aiven
	// token for this application alone, which is used instead of that of the
	// configuration. What else the configuration says holds all the same: project,
	// pools, names, limits, base URL; its grants do not, since it is not its token
	// that is used. A changed token is used within seconds. The Secret is kept as long as users
	// need it to be deleted at Aiven. Default: the token of the configuration.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self.name) > 0 && size(self.key) > 0",message="authSecretRef needs the name and the key of a Secret of this namespace"
	AuthSecretRef *xpv2.LocalSecretKeySelector `json:"authSecretRef,omitempty"`
}

// A RotationSpec says when credentials are replaced. New users are made first,
// then all of them are published in one write, and the users before stay for a
// while, so that there is no moment at which a running pod has no access.
// +kubebuilder:validation:XValidation:rule="!has(self.interval) || !has(self.overlap) || !self.interval.matches('^([0-9]{1,6}([.][0-9]+)?(ms|s|m|h))+$') || !self.overlap.matches('^([0-9]{1,6}([.][0-9]+)?(ms|s|m|h))+$') || duration(self.interval) == duration('0s') || duration(self.overlap) <= duration(self.interval)",message="overlap must not be longer than interval: at most two sets of credentials are valid at a time"
type RotationSpec struct {
	// Interval is the longest time that credentials are in use, such as 720h;
	// they are replaced at a time of day that differs between applications, up to
	// a day (at most half the interval) earlier. A change counts from
	// status.credentials.issuedAt. 0s disables rotation by time, of certificates that come
	// to their end too, which then leads to warnings and the condition Expiring, and
	// of certificates of a CA that the project replaced.
	// At least 1h. Default: that of the configuration, else 720h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}([.][0-9]+)?(ms|s|m|h))+$') && (duration(self) == duration('0s') || duration(self) >= duration('1h'))",message="interval is a duration such as 720h, in h, m and s: 0s to disable rotation by time, else at least 1h"
	Interval *metav1.Duration `json:"interval,omitempty"`

	// Overlap is how long the credentials before stay valid after new ones are
	// published. They stay longer while a pod that started before then still
	// refers to the Secret, but not beyond the next rotation: restart pods at least once
	// per interval. Default: that of the configuration, else 24h, and never longer
	// than the interval.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('0s')",message="overlap is a duration such as 24h, in h, m and s"
	Overlap *metav1.Duration `json:"overlap,omitempty"`

	// RequestedAt asks for a rotation now, once for each new value. By convention it is the
	// time of the request; in the past or the future makes no difference. It may
	// stay: only another value than the last that was acted on asks again. The annotation
	// aiven.nais.io/rotate-requested-at does the same, for those who may not edit the spec in Git.
	// +optional
	RequestedAt *metav1.Time `json:"requestedAt,omitempty"`
}

// A KafkaSpec asks for a user of a Kafka pool.
type KafkaSpec struct {
	// Pool is the name of one of the pools that the configuration lists under
	// kafkaPools. A pool that is not listed is refused with reason
	// PoolNotConfigured. Changing it gives the application a user of the other
	// pool and removes the old one.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Pool string `json:"pool"`

	// ACL grants access to topics, for those who have nothing else that writes
	// Kafka ACLs. Each entry becomes one entry in the ACL of the Kafka service, for
	// all users that the application has and will have, so that a rotation changes
	// nothing in it. It may be changed at any time. Entries that others wrote are
	// never touched, also where they grant the same. A topic is refused with reason NotAllowed unless
	// kafkaPools[].topics of the configuration allow it. Default: none; what the
	// users may do is then up to others.
	// +optional
	// +listType=map
	// +listMapKey=topic
	// +kubebuilder:validation:MaxItems=128
	ACL []KafkaTopicAccess `json:"acl,omitempty"`

	// SchemaRegistry grants access to subjects of the schema registry, as acl does
	// to topics. Subjects are allowed by kafkaPools[].subjects of the
	// configuration.
	// +optional
	// +listType=map
	// +listMapKey=subject
	// +kubebuilder:validation:MaxItems=128
	SchemaRegistry []KafkaSubjectAccess `json:"schemaRegistry,omitempty"`

	// SecretName puts the Kafka credentials into a Secret of this name instead
	// of spec.secretName. Sections that name the same Secret share it.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a Secret's name has lower case letters, digits and '-', and starts and ends with a letter or digit"
	SecretName string `json:"secretName,omitempty"`
}

// KafkaTopicAccess is access to the topics of one name or pattern.
type KafkaTopicAccess struct {
	// Topic is a name, or a pattern in which * stands for any characters and ? for
	// one.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=249
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9._*?-]+$')",message="a topic's name has letters, digits, '.', '_' and '-', and may hold the wildcards '*' and '?'"
	Topic string `json:"topic"`

	// Access to these topics: read, write, readwrite or admin. Consumer groups are implied.
	Access Access `json:"access"`
}

// KafkaSubjectAccess is access to the subjects of one name or pattern.
type KafkaSubjectAccess struct {
	// Subject is a name, such as "orders-value", or a pattern in which * stands
	// for any characters and ? for one.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=241
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9._*?-]+$')",message="a subject's name has letters, digits, '.', '_' and '-', and may hold the wildcards '*' and '?'"
	Subject string `json:"subject"`

	// Access to these subjects: read, or write, which includes read.
	// +kubebuilder:validation:Enum=read;write
	Access Access `json:"access"`
}

// An OpenSearchSpec asks for a user of an OpenSearch instance.
type OpenSearchSpec struct {
	// Instance is the name of the OpenSearch instance. The configuration's
	// instanceNames turn it into the name of the Aiven service, by default
	// "opensearch-<namespace>-<instance>".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9-]+$')",message="an instance's name has lower case letters, digits and '-'"
	Instance string `json:"instance"`

	// Access to all indexes of the instance: read, write, readwrite or admin.
	// Default: read. It may be changed at any time; the credentials stay the same.
	// +optional
	// +kubebuilder:default=read
	Access Access `json:"access,omitempty"`

	// SecretName puts the OpenSearch credentials into a Secret of this name
	// instead of spec.secretName. Sections that name the same Secret share it.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a Secret's name has lower case letters, digits and '-', and starts and ends with a letter or digit"
	SecretName string `json:"secretName,omitempty"`
}

// A ValkeySpec asks for a user of a Valkey instance.
type ValkeySpec struct {
	// Instance is the name of the Valkey instance, unique in the list. The
	// configuration's instanceNames turn it into the name of the Aiven service,
	// by default "valkey-<namespace>-<instance>". In upper case it ends the keys
	// of the Secret: VALKEY_URI_<INSTANCE>.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9-]+$')",message="an instance's name has lower case letters, digits and '-'"
	Instance string `json:"instance"`

	// Access to all keys of the instance: read, write, readwrite or admin.
	// Default: read. It may be changed at any time; the credentials stay the same.
	// +optional
	// +kubebuilder:default=read
	Access Access `json:"access,omitempty"`

	// SecretName puts this instance's credentials into a Secret of this name
	// instead of spec.secretName. Sections that name the same Secret share it.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a Secret's name has lower case letters, digits and '-', and starts and ends with a letter or digit"
	SecretName string `json:"secretName,omitempty"`
}

// A SecretStatus describes one published Secret.
type SecretStatus struct {
	// Name of the Secret, in the application's namespace.
	Name string `json:"name"`
	// ContentHash changes with the content of the Secret, and with nothing
	// else. It is also on the Secret as annotation aiven.nais.io/content-hash.
	// +optional
	ContentHash string `json:"contentHash,omitempty"`
	// PublishedAt is when the content last changed.
	// +optional
	PublishedAt *metav1.Time `json:"publishedAt,omitempty"`
}

// SynchronizationState sums up the last attempt for tools written for
// aivenator.
type SynchronizationState string

// The synchronization states that tools for aivenator know.
const (
	// RolloutComplete says that the Secret holds what the application asks for.
	RolloutComplete SynchronizationState = "RolloutComplete"
	// RolloutFailed says that the last attempt failed; see the conditions.
	RolloutFailed SynchronizationState = "RolloutFailed"
)

// An AivenApplicationStatus is what the provider last saw and did.
type AivenApplicationStatus struct {
	xpv2.ConditionedStatus `json:",inline"`

	// ObservedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Credentials that are published.
	// +optional
	Credentials *CredentialsStatus `json:"credentials,omitempty"`

	// Secrets that are published.
	// +optional
	// +listType=map
	// +listMapKey=name
	Secrets []SecretStatus `json:"secrets,omitempty"`

	// SynchronizationState is RolloutComplete or RolloutFailed; read by tools
	// written for aivenator. Prefer the condition Ready.
	// +optional
	SynchronizationState SynchronizationState `json:"synchronizationState,omitempty"`

	// SynchronizationHash is a hash of the spec that was last synchronized; read
	// by tools written for aivenator.
	// +optional
	SynchronizationHash string `json:"synchronizationHash,omitempty"`

	// SynchronizationTime is when the application was last synchronized after a
	// change; read by tools written for aivenator.
	// +optional
	SynchronizationTime *metav1.Time `json:"synchronizationTime,omitempty"`

	// SynchronizedGeneration is the generation that was last synchronized; read
	// by tools written for aivenator.
	// +optional
	SynchronizedGeneration int64 `json:"synchronizedGeneration,omitempty"`
}

// +kubebuilder:object:root=true

// An AivenApplication says which Aiven services an application uses. The
// provider makes one service user for each and publishes all their credentials
// in one Secret for the application's pods to mount.
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=aivenapp;aivenapps,categories={crossplane,aiven}
// +kubebuilder:printcolumn:name="READY",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status"
// +kubebuilder:printcolumn:name="REASON",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].reason"
// +kubebuilder:printcolumn:name="SECRET",type="string",JSONPath=".status.secrets[*].name"
// +kubebuilder:printcolumn:name="ROTATES",type="string",JSONPath=".status.credentials.rotateAt"
// +kubebuilder:printcolumn:name="EXPIRES",type="string",JSONPath=".spec.expiresAt",priority=1
// +kubebuilder:printcolumn:name="REVISION",type="integer",JSONPath=".status.credentials.revision",priority=1
// +kubebuilder:printcolumn:name="ROTATED",type="string",JSONPath=".status.conditions[?(@.type=='Rotated')].reason",priority=1
// +kubebuilder:printcolumn:name="MESSAGE",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].message",priority=1
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type AivenApplication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   AivenApplicationSpec   `json:"spec"`
	Status AivenApplicationStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// An AivenApplicationList is a list of AivenApplications.
type AivenApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AivenApplication `json:"items"`
}

// GetCondition returns the condition of the supplied type, with status Unknown
// when there is none.
func (a *AivenApplication) GetCondition(ct xpv2.ConditionType) xpv2.Condition {
	return a.Status.GetCondition(ct)
}

// SetConditions sets the supplied conditions, replacing any of the same type.
func (a *AivenApplication) SetConditions(c ...xpv2.Condition) {
	a.Status.SetConditions(c...)
}
