// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"reflect"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ValkeyServiceUserParameters are what can be asked of a Valkey service user. When
// one of the four lists is given, all four are set at Aiven, the others empty;
// without any, the access control of the user is left as Aiven makes it.
type ValkeyServiceUserParameters struct {
	ServiceUserParameters `json:",inline"`

	// Categories of commands that the user may (+@read) or may not (-@all) use.
	// The order matters: later ones win.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Categories []string `json:"categories,omitempty"`

	// Commands that the user may (+get, +cluster|slots) or may not (-flushall)
	// use, whatever the categories say. The order matters: later ones win.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Commands []string `json:"commands,omitempty"`

	// Keys that the user may access, as patterns without a leading "~": session:*
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Keys []string `json:"keys,omitempty"`

	// Channels that the user may publish and subscribe to, as patterns without a
	// leading "&".
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Channels []string `json:"channels,omitempty"`
}

// ValkeyServiceUserSpec says what a Valkey service user should be.
type ValkeyServiceUserSpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`
	TokenSelector            `json:",inline"`

	// ForProvider is what is asked of Aiven.
	ForProvider ValkeyServiceUserParameters `json:"forProvider"`
}

// ValkeyServiceUserStatus is what is known of a Valkey service user.
type ValkeyServiceUserStatus struct {
	xpv2.ManagedResourceStatus `json:",inline"`

	// AtProvider is what Aiven says.
	// +optional
	AtProvider ServiceUserObservation `json:"atProvider,omitempty"`
}

// +kubebuilder:object:root=true

// ValkeyServiceUser is a managed resource: one user of one Aiven for Valkey
// service. Its name at Aiven is its external name.
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,aiven}
// +kubebuilder:printcolumn:name="READY",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status"
// +kubebuilder:printcolumn:name="SYNCED",type="string",JSONPath=".status.conditions[?(@.type=='Synced')].status"
// +kubebuilder:printcolumn:name="EXTERNAL-NAME",type="string",JSONPath=".metadata.annotations.crossplane\\.io/external-name"
// +kubebuilder:printcolumn:name="SERVICE",type="string",JSONPath=".spec.forProvider.serviceName",priority=1
// +kubebuilder:printcolumn:name="REASON",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].reason",priority=1
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type ValkeyServiceUser struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ValkeyServiceUserSpec   `json:"spec"`
	Status ValkeyServiceUserStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// ValkeyServiceUserList is a list of ValkeyServiceUsers.
type ValkeyServiceUserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ValkeyServiceUser `json:"items"`
}

// ValkeyServiceUser's names.
var (
	ValkeyServiceUserKind             = reflect.TypeFor[ValkeyServiceUser]().Name()
	ValkeyServiceUserGroupVersionKind = schema.GroupVersionKind{Group: Group, Version: Version, Kind: ValkeyServiceUserKind}
)

func init() {
	SchemeBuilder.Register(&ValkeyServiceUser{}, &ValkeyServiceUserList{})
}

// GetServiceUserParameters returns the service that the user belongs to.
func (u *ValkeyServiceUser) GetServiceUserParameters() ServiceUserParameters {
	return u.Spec.ForProvider.ServiceUserParameters
}

// SetServiceUserObservation replaces what is known of the user.
func (u *ValkeyServiceUser) SetServiceUserObservation(o ServiceUserObservation) {
	u.Status.AtProvider = o
}

// GetServiceUserObservation returns what is known of the user.
func (u *ValkeyServiceUser) GetServiceUserObservation() ServiceUserObservation {
	return u.Status.AtProvider
}

// GetAuthSecretRef returns the token that the managed resource brings, nil for
// none.
func (u *ValkeyServiceUser) GetAuthSecretRef() *xpv2.LocalSecretKeySelector {
	return u.Spec.AuthSecretRef
}

// SetAuthSecretRef sets the token that the managed resource brings, nil for none.
func (u *ValkeyServiceUser) SetAuthSecretRef(r *xpv2.LocalSecretKeySelector) {
	u.Spec.AuthSecretRef = r
}
