// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"reflect"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// KafkaServiceUserParameters are what can be asked of a Kafka service user. What
// it may do is decided by the ACLs of the Kafka service, by its username.
type KafkaServiceUserParameters struct {
	ServiceUserParameters `json:",inline"`
}

// KafkaServiceUserSpec says what a Kafka service user should be.
type KafkaServiceUserSpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`

	// ForProvider is what is asked of Aiven.
	ForProvider KafkaServiceUserParameters `json:"forProvider"`
}

// KafkaServiceUserStatus is what is known of a Kafka service user.
type KafkaServiceUserStatus struct {
	xpv2.ManagedResourceStatus `json:",inline"`

	// AtProvider is what Aiven says.
	// +optional
	AtProvider ServiceUserObservation `json:"atProvider,omitempty"`
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
	u.Status.AtProvider = o
}

// GetServiceUserObservation returns what is known of the user.
func (u *KafkaServiceUser) GetServiceUserObservation() ServiceUserObservation {
	return u.Status.AtProvider
}
