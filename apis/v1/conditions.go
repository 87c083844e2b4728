// SPDX-License-Identifier: Apache-2.0

package v1

import (
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types of an AivenApplication, beside Ready and Synced.
//
// Ready is True when every Secret of the current generation is published and
// complete and the last attempt succeeded. Synced is True when the last attempt
// wrote everything it wanted to write; a wait for Aiven does not make it False.
const (
	// TypeRotated is True when no new credentials are due.
	TypeRotated xpv2.ConditionType = "Rotated"
	// TypeExpiring is True when access is about to end, or has ended, and nothing
	// will be done about it unless somebody acts.
	TypeExpiring xpv2.ConditionType = "Expiring"

	// TypeQuotaAvailable is True when every service has room for the users that
	// the application needs.
	TypeQuotaAvailable xpv2.ConditionType = "QuotaAvailable"

	// TypeSucceeded is True when the last attempt succeeded. Kept for aivenator.
	TypeSucceeded xpv2.ConditionType = "Succeeded"
	// TypeAivenFailure is True while Aiven refuses or does not answer. Kept for
	// aivenator.
	TypeAivenFailure xpv2.ConditionType = "AivenFailure"
	// TypeLocalFailure is True while something in the cluster is in the way: the
	// spec, the configuration, a Secret. Kept for aivenator.
	TypeLocalFailure xpv2.ConditionType = "LocalFailure"
)

// Reasons of the condition Ready of an AivenApplication. They are API.
const (
	// ReasonAvailable: the Secrets hold working, complete credentials.
	ReasonAvailable xpv2.ConditionReason = "Available"
	// ReasonCreating: users are being made; nothing is wrong.
	ReasonCreating xpv2.ConditionReason = "Creating"
	// ReasonNoToken: there is no configuration, or no Aiven token in it.
	ReasonNoToken xpv2.ConditionReason = "NoToken"
	// ReasonTokenRejected: Aiven does not accept the token.
	ReasonTokenRejected xpv2.ConditionReason = "TokenRejected"
	// ReasonAccessDenied: the token is valid but lacks a right.
	ReasonAccessDenied xpv2.ConditionReason = "AccessDenied"
	// ReasonPoolNotConfigured: the configuration does not list the Kafka pool.
	ReasonPoolNotConfigured xpv2.ConditionReason = "PoolNotConfigured"
	// ReasonInvalidConfiguration: the configuration lacks something this
	// application needs.
	ReasonInvalidConfiguration xpv2.ConditionReason = "InvalidConfiguration"
	// ReasonNotAllowed: the configuration does not grant what is asked for; the
	// message names the rule.
	ReasonNotAllowed xpv2.ConditionReason = "NotAllowed"
	// ReasonNameConflict: the usernames of another application, which was there
	// before, have the same pattern.
	ReasonNameConflict xpv2.ConditionReason = "NameConflict"
	// ReasonInstanceNotReady: the configuration requires an OpenSearch or Valkey
	// object of aiven.io in the namespace, and there is none that is RUNNING.
	ReasonInstanceNotReady xpv2.ConditionReason = "InstanceNotReady"
	// ReasonServiceNotFound: Aiven knows no such service.
	ReasonServiceNotFound xpv2.ConditionReason = "ServiceNotFound"
	// ReasonServiceNotRunning: the service is powered off or being rebuilt.
	ReasonServiceNotRunning xpv2.ConditionReason = "ServiceNotRunning"
	// ReasonQuotaExceeded: the service has no room for another user.
	ReasonQuotaExceeded xpv2.ConditionReason = "QuotaExceeded"
	// ReasonRateLimited: Aiven asked to slow down.
	ReasonRateLimited xpv2.ConditionReason = "RateLimited"
	// ReasonAivenUnavailable: Aiven does not answer, or with a server error.
	ReasonAivenUnavailable xpv2.ConditionReason = "AivenUnavailable"
	// ReasonUsernameTaken: a user of that name exists and is not ours.
	ReasonUsernameTaken xpv2.ConditionReason = "UsernameTaken"
	// ReasonCredentialsRedacted: Aiven hides the credentials from this token.
	ReasonCredentialsRedacted xpv2.ConditionReason = "CredentialsRedacted"
	// ReasonCredentialsIncomplete: Aiven has not delivered all credentials (yet).
	ReasonCredentialsIncomplete xpv2.ConditionReason = "CredentialsIncomplete"
	// ReasonInvalidAccess: Aiven refuses the access that is asked for.
	ReasonInvalidAccess xpv2.ConditionReason = "InvalidAccess"
	// ReasonSecretConflict: a Secret of that name belongs to somebody else.
	ReasonSecretConflict xpv2.ConditionReason = "SecretConflict"
	// ReasonExpired: spec.expiresAt has passed.
	ReasonExpired xpv2.ConditionReason = "Expired"
	// ReasonUserVanished: the user was deleted at Aiven by somebody else.
	ReasonUserVanished xpv2.ConditionReason = "UserVanished"
	// ReasonRevoking: a Secret was deleted; its users are being deleted.
	ReasonRevoking xpv2.ConditionReason = "Revoking"
	// ReasonMissingRight: the provider lacks a right in the cluster.
	ReasonMissingRight xpv2.ConditionReason = "MissingRight"
	// ReasonKindNotActivated: the kind of managed resource that a section needs is
	// not installed, or no ManagedResourceActivationPolicy of Crossplane activates it.
	ReasonKindNotActivated xpv2.ConditionReason = "KindNotActivated"
	// ReasonSyncFailed: something else failed; the message says what.
	ReasonSyncFailed xpv2.ConditionReason = "SyncFailed"
)

// Reasons of the condition Rotated, beside those of Ready that a new revision may
// have to wait for. They are API.
const (
	// ReasonUpToDate: nothing is due.
	ReasonUpToDate xpv2.ConditionReason = "UpToDate"
	// ReasonRotationDisabled: nothing is due by time, ever.
	ReasonRotationDisabled xpv2.ConditionReason = "RotationDisabled"
	// ReasonRotating: the next revision is being made.
	ReasonRotating xpv2.ConditionReason = "Rotating"
	// ReasonWaitingForOverlap: a revision is due, and waits until the one before
	// the present one may go.
	ReasonWaitingForOverlap xpv2.ConditionReason = "WaitingForOverlap"
)

// Reasons of the condition Expiring. They are API.
const (
	// ReasonNotExpiring: access does not end, or not soon.
	ReasonNotExpiring xpv2.ConditionReason = "NotExpiring"
	// ReasonEndsWithinDay and ReasonEndsWithinHour: spec.expiresAt is near.
	ReasonEndsWithinDay  xpv2.ConditionReason = "EndsWithinDay"
	ReasonEndsWithinHour xpv2.ConditionReason = "EndsWithinHour"
	// ReasonCertificateEnding: a certificate comes to its end, and rotation is
	// disabled.
	ReasonCertificateEnding xpv2.ConditionReason = "CertificateEnding"
	// ReasonCertificateEnded: a certificate has ended, and rotation is disabled.
	ReasonCertificateEnded xpv2.ConditionReason = "CertificateEnded"
)

// Reasons of the condition QuotaAvailable, beside ReasonQuotaExceeded. They are
// API.
const (
	// ReasonWithinLimit: there is room below the limit that the configuration
	// names.
	ReasonWithinLimit xpv2.ConditionReason = "WithinLimit"
	// ReasonNoLimit: the configuration names no limit, and Aiven refused no user.
	ReasonNoLimit xpv2.ConditionReason = "NoLimit"
)

// Ready returns a Ready condition that is True.
func Ready() xpv2.Condition {
	return condition(xpv2.TypeReady, corev1.ConditionTrue, ReasonAvailable, "")
}

// NotReady returns a Ready condition that is False for the supplied reason. The
// message tells a developer what is wrong and what to do.
func NotReady(r xpv2.ConditionReason, message string) xpv2.Condition {
	return condition(xpv2.TypeReady, corev1.ConditionFalse, r, message)
}

// Rotated returns a condition that says that no new credentials are due.
func Rotated(r xpv2.ConditionReason) xpv2.Condition {
	return condition(TypeRotated, corev1.ConditionTrue, r, "")
}

// NotRotated returns a condition that says why credentials are due and not
// published yet.
func NotRotated(r xpv2.ConditionReason, message string) xpv2.Condition {
	return condition(TypeRotated, corev1.ConditionFalse, r, message)
}

// Quota returns a condition that says whether there is room for the users that an
// application needs: it is False for ReasonQuotaExceeded.
func Quota(r xpv2.ConditionReason, message string) xpv2.Condition {
	if r == ReasonQuotaExceeded {
		return condition(TypeQuotaAvailable, corev1.ConditionFalse, r, message)
	}
	return condition(TypeQuotaAvailable, corev1.ConditionTrue, r, message)
}

// Expiring returns a condition that says whether access is about to end:
// it is False for ReasonNotExpiring.
func Expiring(r xpv2.ConditionReason, message string) xpv2.Condition {
	if r == ReasonNotExpiring {
		return condition(TypeExpiring, corev1.ConditionFalse, r, message)
	}
	return condition(TypeExpiring, corev1.ConditionTrue, r, message)
}

// Failure returns a condition for aivenator's tools (TypeAivenFailure,
// TypeLocalFailure, TypeSucceeded) of the supplied status.
func Failure(t xpv2.ConditionType, s corev1.ConditionStatus, r xpv2.ConditionReason, message string) xpv2.Condition {
	return condition(t, s, r, message)
}

func condition(t xpv2.ConditionType, s corev1.ConditionStatus, r xpv2.ConditionReason, message string) xpv2.Condition {
	return xpv2.Condition{Type: t, Status: s, Reason: r, Message: message, LastTransitionTime: metav1.Now()}
}
