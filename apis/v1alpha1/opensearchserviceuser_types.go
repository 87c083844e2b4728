// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"reflect"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// An OpenSearchRule grants a permission on the indexes that match a pattern.
type OpenSearchRule struct {
	// Index is a pattern of index names, in which * and ? stand for any
	// characters and any one character.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=249
	Index string `json:"index"`

	// Permission on these indexes: deny, read, write, readwrite or admin.
	// +kubebuilder:validation:Enum=deny;read;write;readwrite;admin
	Permission string `json:"permission"`
}

// OpenSearchServiceUserParameters are what can be asked of an OpenSearch service
// user.
type OpenSearchServiceUserParameters struct {
	ServiceUserParameters `json:",inline"`

	// Rules are this user's rows in the access control list of the service,
	// which they replace as a whole. They have an effect only when access control
	// is enabled on the service, which the provider never changes: while it is
	// disabled, every user may do everything. Without rules the user's rows are
	// left as they are.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Rules []OpenSearchRule `json:"rules,omitempty"`
}

// OpenSearchServiceUserSpec says what an OpenSearch service user should be.
type OpenSearchServiceUserSpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`
	TokenSelector            `json:",inline"`

	// ForProvider is what is asked of Aiven.
	ForProvider OpenSearchServiceUserParameters `json:"forProvider"`
}

// OpenSearchServiceUserStatus is what is known of an OpenSearch service user.
type OpenSearchServiceUserStatus struct {
	xpv2.ManagedResourceStatus `json:",inline"`

	// AtProvider is what Aiven says.
	// +optional
	AtProvider ServiceUserObservation `json:"atProvider,omitempty"`
}

// +kubebuilder:object:root=true

// OpenSearchServiceUser is a managed resource: one user of one Aiven for OpenSearch
// service. Its name at Aiven is its external name.
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,aiven}
// +kubebuilder:printcolumn:name="READY",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status"
// +kubebuilder:printcolumn:name="SYNCED",type="string",JSONPath=".status.conditions[?(@.type=='Synced')].status"
// +kubebuilder:printcolumn:name="EXTERNAL-NAME",type="string",JSONPath=".metadata.annotations.crossplane\\.io/external-name"
// +kubebuilder:printcolumn:name="SERVICE",type="string",JSONPath=".spec.forProvider.serviceName",priority=1
// +kubebuilder:printcolumn:name="REASON",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].reason",priority=1
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type OpenSearchServiceUser struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   OpenSearchServiceUserSpec   `json:"spec"`
	Status OpenSearchServiceUserStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// OpenSearchServiceUserList is a list of OpenSearchServiceUsers.
type OpenSearchServiceUserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []OpenSearchServiceUser `json:"items"`
}

// OpenSearchServiceUser's names.
var (
	OpenSearchServiceUserKind             = reflect.TypeFor[OpenSearchServiceUser]().Name()
	OpenSearchServiceUserGroupVersionKind = schema.GroupVersionKind{Group: Group, Version: Version, Kind: OpenSearchServiceUserKind}
)

func init() {
	SchemeBuilder.Register(&OpenSearchServiceUser{}, &OpenSearchServiceUserList{})
}

// GetServiceUserParameters returns the service that the user belongs to.
func (u *OpenSearchServiceUser) GetServiceUserParameters() ServiceUserParameters {
	return u.Spec.ForProvider.ServiceUserParameters
}

// SetServiceUserObservation replaces what is known of the user.
func (u *OpenSearchServiceUser) SetServiceUserObservation(o ServiceUserObservation) {
	u.Status.AtProvider = o
}

// GetServiceUserObservation returns what is known of the user.
func (u *OpenSearchServiceUser) GetServiceUserObservation() ServiceUserObservation {
	return u.Status.AtProvider
}

// GetAuthSecretRef returns the token that the managed resource brings, nil for
// none.
func (u *OpenSearchServiceUser) GetAuthSecretRef() *xpv2.LocalSecretKeySelector {
	return u.Spec.AuthSecretRef
}

// SetAuthSecretRef sets the token that the managed resource brings, nil for none.
func (u *OpenSearchServiceUser) SetAuthSecretRef(r *xpv2.LocalSecretKeySelector) {
	u.Spec.AuthSecretRef = r
}
