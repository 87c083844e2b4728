// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A TokenSelector says that a managed resource brings an Aiven token of its own.
type TokenSelector struct {
	// AuthSecretRef is the key of a Secret of this namespace that holds an Aiven
	// token, which is used instead of that of the configuration. The
	// configuration, if it exists, still says which base URL and rate hold; its grants do not,
	// since it is not its token that is used. The Secret is kept as long as the user needs it to
	// be deleted at Aiven. Default: the token of the configuration.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self.name) > 0 && size(self.key) > 0",message="authSecretRef needs the name and the key of a Secret of this namespace"
	AuthSecretRef *xpv2.LocalSecretKeySelector `json:"authSecretRef,omitempty"`
}

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

	// Via is with whose token the user was last seen: that of a configuration, or
	// one that the managed resource brought in a Secret. What was seen with one
	// token is no proof for another.
	// +optional
	Via string `json:"via,omitempty"`

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
