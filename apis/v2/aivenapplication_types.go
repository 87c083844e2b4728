// SPDX-License-Identifier: Apache-2.0

package v2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// +kubebuilder:object:root=true

// An AivenApplication says which Aiven services an application uses. The
// provider makes one service user for each and publishes all their credentials
// in one Secret for the application's pods to mount. It is the same as in v1.
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

	Spec   v1.AivenApplicationSpec   `json:"spec"`
	Status v1.AivenApplicationStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// An AivenApplicationList is a list of AivenApplications.
type AivenApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AivenApplication `json:"items"`
}
