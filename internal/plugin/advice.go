// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// How bad a finding is.
const (
	// Problem: it does not work, and somebody has to do something.
	Problem = "problem"
	// Warning: it works, and will not for ever.
	Warning = "warning"
	// Note: good to know.
	Note = "note"
)

// A Finding is something about an object that a person should know.
type Finding struct {
	// Severity is problem, warning or note.
	Severity string `json:"severity"`
	// Objects that it is about, as "kind/name" in one namespace and
	// "kind/namespace/name" in several.
	Objects []string `json:"objects,omitempty"`
	// Reason is that of the condition or event, where there is one.
	Reason string `json:"reason,omitempty"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Advice says what to do.
	Advice string `json:"advice,omitempty"`
}

// worst tells whether there is a problem among findings.
func worst(fs []Finding) string {
	out := ""
	for _, f := range fs {
		switch {
		case f.Severity == Problem:
			return Problem
		case f.Severity == Warning:
			out = Warning
		case out == "":
			out = Note
		}
	}
	return out
}

const (
	adviceWait     = "Nothing: it goes on by itself. If it stays for many minutes: kubectl aivenapp doctor"
	adviceToken    = "Put another token into the same Secret or file; it is seen within seconds. Ask the platform team if the configuration is theirs."
	adviceNoToken  = "Make the configuration that the application names, or put a token where it points to."
	adviceProvider = "See whether the provider runs: kubectl aivenapp doctor"
)

// readyAdvice says what to do about each reason for which an application or a
// managed resource is not ready. docs/runbook.md has more.
var readyAdvice = map[xpv2.ConditionReason]string{
	v1.ReasonAvailable:             "",
	v1.ReasonCreating:              "Wait some seconds. If it stays, look at the users below: the one that is not ready says why.",
	v1.ReasonNoToken:               adviceNoToken,
	v1.ReasonTokenRejected:         adviceToken,
	v1.ReasonAccessDenied:          "Give the token's user the rights to read services and their secrets, and to write service users.",
	v1.ReasonNotAllowed:            "Ask the platform team for the grant that the message names, or ask for less.",
	v1.ReasonNameConflict:          "Rename the application: another one has usernames of the same pattern.",
	v1.ReasonInstanceNotReady:      "Make the OpenSearch or Valkey object in this namespace, or wait until it is RUNNING.",
	v1.ReasonPoolNotConfigured:     "Use a pool that the configuration lists, or have it added to kafkaPools.",
	v1.ReasonInvalidConfiguration:  "Mend the configuration as the message says; that is mostly for the platform team.",
	v1.ReasonServiceNotFound:       "Check the name of the instance; make the service at Aiven; or remove the section from the application.",
	v1.ReasonServiceNotRunning:     "Power the service on at Aiven, or wait until it is rebuilt.",
	v1.ReasonQuotaExceeded:         "Make room at the service: remove applications that nobody needs, restart pods that hold old users, or have Aiven raise the limit.",
	v1.ReasonRateLimited:           "Wait: others are before this one. If it stays for hours, give the provider a token of its own.",
	v1.ReasonAivenUnavailable:      "Wait: Aiven does not answer.",
	v1.ReasonUsernameTaken:         "An application moves on to another name by itself. For a managed resource of your own, choose another name or import the user.",
	v1.ReasonCredentialsRedacted:   "Give the token service:secrets:read or service:users:write.",
	v1.ReasonCredentialsIncomplete: "Wait. If it stays, reset the user's credentials at Aiven.",
	v1.ReasonInvalidAccess:         "Aiven refuses what is asked for: change the access, the topics or the rules that the message names.",
	v1.ReasonSecretConflict:        "Choose another secretName. Delete the Secret of that name only if it is of no application and nobody needs it.",
	v1.ReasonRevoking:              "Wait: the users are being deleted at Aiven, then new ones follow.",
	v1.ReasonExpired:               "Move spec.expiresAt into the future to have access again, or delete the application.",
	v1.ReasonMissingRight:          "Give the provider the right that the message names: docs/rbac.md.",
	v1.ReasonKindNotActivated:      "Have the platform team install or activate that kind (a ManagedResourceActivationPolicy), or remove the section.",
	v1.ReasonSyncFailed:            "Mend what the message says.",
	v1.ReasonUserVanished:          "Find out who deletes users at Aiven. A new one is made by itself; restart the pods once the new Secret is there.",
	xpv2.ReasonDeleting:            "Wait. If it stays, its condition Synced says why the user cannot be deleted at Aiven.",
}

// rotatedAdvice is about reasons of Rotated that Ready has not.
var rotatedAdvice = map[xpv2.ConditionReason]string{
	v1.ReasonUpToDate:          "",
	v1.ReasonRotationDisabled:  "",
	v1.ReasonRotating:          "Nothing: new users are being made, and the present credentials work.",
	v1.ReasonWaitingForOverlap: "Nothing: the users before the present ones have to go first. If that must be faster, see \"Revoking\" in docs/rotation.md.",
}

var expiringAdvice = map[xpv2.ConditionReason]string{
	v1.ReasonNotExpiring:       "",
	v1.ReasonEndsWithinDay:     "Move spec.expiresAt if the access is still needed.",
	v1.ReasonEndsWithinHour:    "Move spec.expiresAt now if the access is still needed.",
	v1.ReasonCertificateEnding: "Ask for a rotation (kubectl aivenapp rotate), or set spec.rotation.interval.",
	v1.ReasonCertificateEnded:  "Ask for a rotation now: kubectl aivenapp rotate",
	v1.ReasonExpired:           readyAdvice[v1.ReasonExpired],
}

var healthyAdvice = map[xpv2.ConditionReason]string{
	v1alpha1.ReasonTokenAccepted:     "",
	v1alpha1.ReasonTokenRejected:     "Put another token into the same Secret or file; it is seen within seconds.",
	v1alpha1.ReasonNoToken:           "Put a token where the credentials point to.",
	v1alpha1.ReasonNotAllowed:        "Leave baseURL out, or have the provider started with it (--allowed-base-urls).",
	v1alpha1.ReasonProjectOutOfReach: "Give the token's user the project at Aiven, or correct the name in the configuration.",
	v1alpha1.ReasonAivenUnavailable:  "Wait: Aiven did not answer.",
}

// adviceOn returns what to do about a reason of Ready or Rotated.
func adviceOn(r xpv2.ConditionReason) string {
	if a, ok := rotatedAdvice[r]; ok {
		return a
	}
	if a, ok := readyAdvice[r]; ok {
		return a
	}
	return adviceProvider
}
