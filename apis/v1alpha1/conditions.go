// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FinalizerToken keeps a Secret whose token managed resources need to be deleted at
// Aiven: those that use a configuration that points to it, and those that name it
// in spec.authSecretRef. A Secret that is deleted before them stays readable and in use, and goes
// with the last of them. To change a token edit its Secret. Whoever removes the
// provider for good removes this finalizer, or the managed resources first.
const FinalizerToken = "aiven.nais.io/token-in-use"

// TypeHealthy is a condition of a configuration: whether its token works.
const TypeHealthy xpv2.ConditionType = "Healthy"

// Reasons of the condition Healthy. They are API.
const (
	// ReasonTokenAccepted: Aiven accepts the token, which reaches all projects that
	// the configuration names.
	ReasonTokenAccepted xpv2.ConditionReason = "TokenAccepted"
	// ReasonTokenRejected: Aiven does not accept the token.
	ReasonTokenRejected xpv2.ConditionReason = "TokenRejected"
	// ReasonNoToken: there is no token where the credentials point to.
	ReasonNoToken xpv2.ConditionReason = "NoToken"
	// ReasonNotAllowed: the configuration asks for what its writer may not have.
	ReasonNotAllowed xpv2.ConditionReason = "NotAllowed"
	// ReasonProjectOutOfReach: the token may not read a project that the
	// configuration names, or there is no such project.
	ReasonProjectOutOfReach xpv2.ConditionReason = "ProjectOutOfReach"
	// ReasonAivenUnavailable: Aiven did not answer, so that nothing is known. The
	// status is Unknown.
	ReasonAivenUnavailable xpv2.ConditionReason = "AivenUnavailable"
)

// Healthy returns a Healthy condition that is True.
func Healthy(message string) xpv2.Condition {
	return healthy(corev1.ConditionTrue, ReasonTokenAccepted, message)
}

// Unhealthy returns a Healthy condition that is False, or Unknown for
// ReasonAivenUnavailable.
func Unhealthy(r xpv2.ConditionReason, message string) xpv2.Condition {
	if r == ReasonAivenUnavailable {
		return healthy(corev1.ConditionUnknown, r, message)
	}
	return healthy(corev1.ConditionFalse, r, message)
}

func healthy(s corev1.ConditionStatus, r xpv2.ConditionReason, message string) xpv2.Condition {
	return xpv2.Condition{Type: TypeHealthy, Status: s, Reason: r, Message: message, LastTransitionTime: metav1.Now()}
}
