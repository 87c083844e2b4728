// SPDX-License-Identifier: Apache-2.0

package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A CredentialsStatus describes the credentials of an application: those that
// are published, those that are about to be, and those that were before.
type CredentialsStatus struct {
	// Revision counts the sets of users that were issued to the application.
	// This is the one that is published.
	// +optional
	Revision int64 `json:"revision,omitempty"`

	// IssuedAt is when the Secrets were first published with this revision.
	// +optional
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`

	// RotateAt is when the next revision is due by time. Absent when rotation by
	// time is disabled.
	// +optional
	RotateAt *metav1.Time `json:"rotateAt,omitempty"`

	// NotAfter is when the first certificate of this revision ends. Absent when
	// it has none.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// Users are the service users that are published.
	// +optional
	// +listType=atomic
	Users []UserStatus `json:"users,omitempty"`

	// Next is the revision that is being made. Absent when there is none.
	// +optional
	Next *NextStatus `json:"next,omitempty"`

	// Previous are the users that were published before and are still valid.
	// Absent when there are none.
	// +optional
	Previous *PreviousStatus `json:"previous,omitempty"`

	// Request is the value of spec.rotation.requestedAt that was acted on last.
	// +optional
	Request *metav1.Time `json:"request,omitempty"`

	// RequestAnnotation is the value of the annotation
	// aiven.nais.io/rotate-requested-at that was acted on last.
	// +optional
	RequestAnnotation string `json:"requestAnnotation,omitempty"`

	// Authorities are the CA certificates that were ever published and may still
	// be needed.
	// +optional
	// +listType=map
	// +listMapKey=fingerprint
	Authorities []AuthorityStatus `json:"authorities,omitempty"`
}

// A RotationReason says why credentials are replaced.
type RotationReason string

// Reasons to replace credentials. They are API.
const (
	// RotationScheduled: their time has come.
	RotationScheduled RotationReason = "Scheduled"
	// RotationCertificate: a certificate comes to its end.
	RotationCertificate RotationReason = "CertificateEnding"
	// RotationAuthority: the CA of the Aiven project changed.
	RotationAuthority RotationReason = "ProjectCAChanged"
	// RotationRequested: somebody asked for it.
	RotationRequested RotationReason = "Requested"
	// RotationSecretDeleted: somebody deleted a Secret, and so revoked it.
	RotationSecretDeleted RotationReason = "SecretDeleted"
	// RotationUserVanished: a user is gone from Aiven.
	RotationUserVanished RotationReason = "UserVanished"
)

// A NextStatus describes a revision that is being made.
type NextStatus struct {
	// Revision is its number.
	Revision int64 `json:"revision"`
	// Reason why it is made.
	Reason RotationReason `json:"reason"`
	// Since is when it was begun.
	Since metav1.Time `json:"since"`
	// Services whose users it replaces; the others are carried over. Absent:
	// all.
	// +optional
	// +listType=atomic
	Services []string `json:"services,omitempty"`
}

// A PreviousStatus describes users that are not published any more and still
// valid.
type PreviousStatus struct {
	// Revision is the highest that they were published with.
	Revision int64 `json:"revision"`
	// Since is when they were replaced.
	Since metav1.Time `json:"since"`
	// RetireAfter is how long they stay valid at least.
	RetireAfter metav1.Time `json:"retireAfter"`
	// HeldBy are pods that started before the users were replaced and refer to a
	// Secret of the application, some of them when they are many. While there
	// are any the users stay, until the next rotation.
	// +optional
	// +listType=atomic
	HeldBy []string `json:"heldBy,omitempty"`
	// Users that are still valid.
	// +optional
	// +listType=atomic
	Users []UserStatus `json:"users,omitempty"`
}

// An AuthorityStatus describes a CA certificate.
type AuthorityStatus struct {
	// Fingerprint is the SHA-256 of the certificate, in hex.
	Fingerprint string `json:"fingerprint"`
	// Project is the Aiven project whose CA it is.
	// +optional
	Project string `json:"project,omitempty"`
	// Since is when it was first published.
	Since metav1.Time `json:"since"`
	// Until is how long it is still published. Absent while Aiven uses it.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
}

// A UserStatus names one service user at Aiven.
type UserStatus struct {
	// Service is what the user is for: "kafka", "opensearch" or
	// "valkey/<instance>".
	Service string `json:"service"`
	// Project is the Aiven project.
	Project string `json:"project"`
	// ServiceName is the name of the Aiven service.
	ServiceName string `json:"serviceName"`
	// Username is the name of the user at Aiven.
	Username string `json:"username"`
	// Revision that the user was made for. Users that a rotation did not replace
	// have a lower one than the credentials.
	// +optional
	Revision int64 `json:"revision,omitempty"`
}
