// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"net/http"
	"time"
)

// NullACLs is what a PUT of an OpenSearch access control with "acls": null does.
type NullACLs string

// What "acls": null may do.
const (
	// NullACLsReject answers 400.
	NullACLsReject NullACLs = "reject"
	// NullACLsKeep leaves the rows as they are.
	NullACLsKeep NullACLs = "keep"
	// NullACLsClear removes all rows.
	NullACLsClear NullACLs = "clear"
)

// Policy decides where it is not known what the real API does. DefaultPolicy has the defaults;
// change single fields with Server.UpdatePolicy.
type Policy struct {
	// QuotaStatus answers a create beyond the user limit. Default 403.
	QuotaStatus int
	// PowerOffStatus answers user operations and ACL writes on a service in POWEROFF. Default 503;
	// 409 has the text "Database not powered on".
	PowerOffStatus int
	// NullACLs is what a PUT with "acls": null does. Default NullACLsReject.
	NullACLs NullACLs
	// PostResetsExtendedACL makes a POST of an OpenSearch access control without extendedAcl set it to
	// false. Default false: it is kept.
	PostResetsExtendedACL bool
	// RejectDuplicateKafkaACL answers 409 to a second identical entry of Aiven's Kafka ACL. Default
	// false: it is appended under an ID of its own.
	RejectDuplicateKafkaACL bool
	// PartialAccessControlKeeps makes set-access-control keep lists that are not sent. Default false:
	// they become empty.
	PartialAccessControlKeeps bool
	// ResetRotatesCertificate makes a reset without a new password issue a certificate too. Default true.
	ResetRotatesCertificate bool
	// StrictCertificates ends the old certificate at once on such a reset. Default true.
	StrictCertificates bool
	// AutoRenew renews certificates 90 days before their end, by the server's clock. Default true.
	AutoRenew bool
	// AcknowledgeStatus answers acknowledge-renewal when no renewal is pending. Default 200, without effect.
	AcknowledgeStatus int
	// DeleteUserPrunesACL removes a deleted user's own ACL rows. Default false.
	DeleteUserPrunesACL bool
	// RedactCertificates redacts access_cert and access_key like passwords. Default false.
	RedactCertificates bool
	// RedactConnectionInfo redacts the built-in user's password within addresses too. Default true.
	RedactConnectionInfo bool
	// MaxLimit rejects a larger query parameter "limit" with 400. Default 0: the parameter is ignored.
	MaxLimit int
	// RateWindow is the time that a limit of calls is for. Default one minute.
	RateWindow time.Duration
	// CANeedsAdmin answers 403 to tokens other than admin's and operator's that read the project's CA.
	// Default false.
	CANeedsAdmin bool
}

// DefaultPolicy is the policy of a new server.
func DefaultPolicy() Policy {
	return Policy{
		QuotaStatus:             http.StatusForbidden,
		PowerOffStatus:          http.StatusServiceUnavailable,
		NullACLs:                NullACLsReject,
		ResetRotatesCertificate: true,
		StrictCertificates:      true,
		AutoRenew:               true,
		AcknowledgeStatus:       http.StatusOK,
		RedactConnectionInfo:    true,
		RateWindow:              time.Minute,
	}
}

// UpdatePolicy changes the policy for all requests that are handled from now on.
func (s *Server) UpdatePolicy(change func(*Policy)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.settings.policy)
}
