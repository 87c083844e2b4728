// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"reflect"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A KafkaTopicAccess grants access to the topics of one name or pattern.
type KafkaTopicAccess struct {
	// Topic is a name, or a pattern in which * stands for any characters and ? for
	// one.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=249
	Topic string `json:"topic"`

	// Permission on these topics: read, write, readwrite or admin.
	// +kubebuilder:validation:Enum=read;write;readwrite;admin
	Permission string `json:"permission"`
}

// A KafkaSubjectAccess grants access to the subjects of one name or pattern.
type KafkaSubjectAccess struct {
	// Subject is a name, or a pattern in which * stands for any characters and ?
	// for one.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=241
	Subject string `json:"subject"`

	// Permission on these subjects: schema_registry_read, or
	// schema_registry_write, which includes it.
	// +kubebuilder:validation:Enum=schema_registry_read;schema_registry_write
	Permission string `json:"permission"`
}

// KafkaServiceUserParameters are what can be asked of a Kafka service user. What
// it may do is decided by the ACLs of the Kafka service, by its username.
type KafkaServiceUserParameters struct {
	ServiceUserParameters `json:",inline"`

	// ACL are entries that the ACL of the service should have for this user, and
	// for all others whose username was made up for the same application:
	// they are written for "<team>_<app>_<checksum>_*", or for this username alone when a person chose
	// it. Only entries that the provider wrote itself are ever removed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	ACL []KafkaTopicAccess `json:"acl,omitempty"`

	// SchemaRegistry are entries that the ACL of the schema registry should have,
	// as acl are for topics.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	SchemaRegistry []KafkaSubjectAccess `json:"schemaRegistry,omitempty"`
}

// A KafkaGrant is an entry in an ACL of the service that the provider wrote for
// this user, and removes when nothing needs it any more.
type KafkaGrant struct {
	// ID of the entry at Aiven. Empty while it is being written.
	// +optional
	ID string `json:"id,omitempty"`

	// Topic of an entry of the Kafka ACL.
	// +optional
	Topic string `json:"topic,omitempty"`

	// Subject of an entry of the schema registry's ACL.
	// +optional
	Subject string `json:"subject,omitempty"`

	// Permission of the entry.
	Permission string `json:"permission"`
}

// KafkaServiceUserObservation is what Aiven says about a Kafka service user, and
// what the provider did for it. It never holds a credential.
type KafkaServiceUserObservation struct {
	ServiceUserObservation `json:",inline"`

	// Grants are the entries in the ACLs of the service that the provider wrote
	// for this user.
	// +optional
	// +listType=atomic
	Grants []KafkaGrant `json:"grants,omitempty"`
}

// KafkaServiceUserSpec says what a Kafka service user should be.
type KafkaServiceUserSpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`
	TokenSelector            `json:",inline"`

	// ForProvider is what is asked of Aiven.
	ForProvider KafkaServiceUserParameters `json:"forProvider"`
}

// KafkaServiceUserStatus is what is known of a Kafka service user.
type KafkaServiceUserStatus struct {
	xpv2.ManagedResourceStatus `json:",inline"`

	// AtProvider is what Aiven says.
	// +optional
	AtProvider KafkaServiceUserObservation `json:"atProvider,omitempty"`
}

// +kubebuilder:object:root=true

// KafkaServiceUser is a managed resource: one user of one Aiven for Kafka
// service. Its name at Aiven is its external name.
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,aiven}
// +kubebuilder:printcolumn:name="READY",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status"
// +kubebuilder:printcolumn:name="SYNCED",type="string",JSONPath=".status.conditions[?(@.type=='Synced')].status"
// +kubebuilder:printcolumn:name="EXTERNAL-NAME",type="string",JSONPath=".metadata.annotations.crossplane\\.io/external-name"
// +kubebuilder:printcolumn:name="SERVICE",type="string",JSONPath=".spec.forProvider.serviceName",priority=1
// +kubebuilder:printcolumn:name="REASON",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].reason",priority=1
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type KafkaServiceUser struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   KafkaServiceUserSpec   `json:"spec"`
	Status KafkaServiceUserStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// KafkaServiceUserList is a list of KafkaServiceUsers.
type KafkaServiceUserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []KafkaServiceUser `json:"items"`
}

// KafkaServiceUser's names.
var (
	KafkaServiceUserKind             = reflect.TypeFor[KafkaServiceUser]().Name()
	KafkaServiceUserGroupVersionKind = schema.GroupVersionKind{Group: Group, Version: Version, Kind: KafkaServiceUserKind}
)

func init() {
	SchemeBuilder.Register(&KafkaServiceUser{}, &KafkaServiceUserList{})
}

// GetServiceUserParameters returns the service that the user belongs to.
func (u *KafkaServiceUser) GetServiceUserParameters() ServiceUserParameters {
	return u.Spec.ForProvider.ServiceUserParameters
}

// SetServiceUserObservation replaces what is known of the user.
func (u *KafkaServiceUser) SetServiceUserObservation(o ServiceUserObservation) {
	u.Status.AtProvider.ServiceUserObservation = o
}

// GetServiceUserObservation returns what is known of the user.
func (u *KafkaServiceUser) GetServiceUserObservation() ServiceUserObservation {
	return u.Status.AtProvider.ServiceUserObservation
}

// GetAuthSecretRef returns the token that the managed resource brings, nil for
// none.
func (u *KafkaServiceUser) GetAuthSecretRef() *xpv2.LocalSecretKeySelector {
	return u.Spec.AuthSecretRef
}

// SetAuthSecretRef sets the token that the managed resource brings, nil for none.
func (u *KafkaServiceUser) SetAuthSecretRef(r *xpv2.LocalSecretKeySelector) {
	u.Spec.AuthSecretRef = r
}
