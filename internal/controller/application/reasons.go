// SPDX-License-Identifier: Apache-2.0

package application

import (
	"fmt"
	"strings"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/grants"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// A reasonedError is an error with the reason and message of the condition that
// it leads to.
type reasonedError struct {
	reason  xpv2.ConditionReason
	message string
	cause   error
}

// Error returns the message.
func (e *reasonedError) Error() string { return e.message }

// Unwrap returns what caused the error, if something did.
func (e *reasonedError) Unwrap() error { return e.cause }

func reasoned(r xpv2.ConditionReason, format string, args ...any) error {
	return &reasonedError{reason: r, message: fmt.Sprintf(format, args...)}
}

// explain returns the reason and message of the condition for an error.
func explain(err error) (xpv2.ConditionReason, string) {
	var r *reasonedError
	if errors.As(err, &r) {
		return r.reason, r.message
	}
	for _, x := range []struct {
		err    error
		reason xpv2.ConditionReason
		advice string
	}{
		{providerconfig.ErrNoConfig, v1.ReasonNoToken, "make a ClusterProviderConfig \"default\" or a ProviderConfig \"default\" in this namespace, or name an existing one in spec.providerConfigRef"},
		{providerconfig.ErrNoToken, v1.ReasonNoToken, "put a token there"},
		{grants.ErrRefused, v1.ReasonNotAllowed, ""},
		{namesakes.ErrConflict, v1.ReasonNameConflict, "another application of the cluster, which was there before, has usernames of the same pattern; choose another name"},
		{providerconfig.ErrNamespacesUnknown, v1.ReasonMissingRight, askForRight},
		{providerconfig.ErrInstanceNotReady, v1.ReasonInstanceNotReady, "it goes on by itself when the instance is ready"},
		{aiven.ErrQuota, v1.ReasonQuotaExceeded, "remove users of the service, or have Aiven raise its limit and state it in serviceUsers.limit of the configuration; it goes on by itself then"},
		{providerconfig.ErrNotAllowed, v1.ReasonInvalidConfiguration, "ask the platform team"},
		{aiven.ErrUnauthorized, v1.ReasonTokenRejected, "replace the token; nothing else is needed"},
		{aiven.ErrForbidden, v1.ReasonAccessDenied, "give the token the rights it needs"},
		{aiven.ErrServiceNotFound, v1.ReasonInvalidConfiguration, "check the project in kafkaPools of the configuration"},
		{aiven.ErrNoService, v1.ReasonInvalidConfiguration, "name the service in kafkaPools of the configuration"},
		{aiven.ErrAmbiguousService, v1.ReasonInvalidConfiguration, "name the service in kafkaPools of the configuration"},
		{aiven.ErrRateLimited, v1.ReasonRateLimited, "it goes on by itself"},
		{aiven.ErrUnavailable, v1.ReasonAivenUnavailable, "it goes on by itself"},
	} {
		if errors.Is(err, x.err) {
			if x.advice == "" { // The error says what to do.
				return x.reason, err.Error()
			}
			return x.reason, err.Error() + ": " + x.advice
		}
	}
	var unserved *apimeta.NoKindMatchError
	switch {
	case errors.As(err, &unserved):
		return v1.ReasonKindNotActivated, fmt.Sprintf("%s is not served in this cluster: ask the platform team to install or activate it; it goes on by itself then", unserved.GroupKind)
	case lacksRight(err):
		return v1.ReasonMissingRight, err.Error() + ": " + askForRight
	default:
		return v1.ReasonSyncFailed, err.Error()
	}
}

// askForRight is what to do about a missing right.
const askForRight = "ask the platform team to give the provider this right; it goes on by itself then"

// lacksRight tells whether the provider lacks a right in the cluster. Much else is
// forbidden as well, by admission.
func lacksRight(err error) bool {
	return kerrors.IsForbidden(err) && strings.Contains(err.Error(), "\" cannot ")
}

// byAiven tells whether a reason has its cause at Aiven rather than in the
// cluster.
func byAiven(r xpv2.ConditionReason) bool {
	switch r {
	case v1.ReasonTokenRejected, v1.ReasonAccessDenied, v1.ReasonServiceNotFound, v1.ReasonServiceNotRunning, v1.ReasonQuotaExceeded,
		v1.ReasonRateLimited, v1.ReasonAivenUnavailable, v1.ReasonUsernameTaken, v1.ReasonCredentialsRedacted,
		v1.ReasonCredentialsIncomplete, v1.ReasonInvalidAccess:
		return true
	default:
		return false
	}
}
