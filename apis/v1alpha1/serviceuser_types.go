// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServiceUserParameters name the Aiven service that a user belongs to.
type ServiceUserParameters struct {
	// Project is the Aiven project of the service. It cannot be changed: a user
	// does not move. Make another managed resource instead.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="project is immutable: a user does not move, make another managed resource instead"
	Project string `json:"project"`

	// ServiceName is the name of the Aiven service in that project. It cannot be
	// changed: a user does not move. Make another managed resource instead.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="serviceName is immutable: a user does not move, make another managed resource instead"
	ServiceName string `json:"serviceName"`
}

// A ServiceUserObservation is what Aiven says about a user. It never holds a
// credential.
type ServiceUserObservation struct {
	// Username at Aiven. The same as the external name.
	// +optional
	Username string `json:"username,omitempty"`

	// Type of the user at Aiven: "normal", or "primary" for a built-in one.
	// +optional
	Type string `json:"type,omitempty"`

	// CertificateNotAfter is when the user's certificate ends. Absent for
	// services whose users have none.
	// +optional
	CertificateNotAfter *metav1.Time `json:"certificateNotAfter,omitempty"`

	// ExpiringCertificateNotAfter is when the certificate ends that the user had
	// before Aiven renewed it; until then that works too. Absent when there is
	// none, or when Aiven was told that nothing uses it any more.
	// +optional
	ExpiringCertificateNotAfter *metav1.Time `json:"expiringCertificateNotAfter,omitempty"`

	// ServiceState is the state of the Aiven service: RUNNING, REBALANCING,
	// REBUILDING or POWEROFF.
	// +optional
	ServiceState string `json:"serviceState,omitempty"`
}
