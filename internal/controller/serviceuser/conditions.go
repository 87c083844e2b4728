// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"fmt"
	"strings"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/grants"
	"github.com/provider-aiven/provider-aiven/internal/namesakes"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const redacted = "Aiven hides the credentials from this token. It needs the right service:secrets:read or service:users:write."

// An explanation says why a user is not ready and what to do about it. The
// message may have two %s: the project and the service.
type explanation struct {
	err     error
	reason  xpv2.ConditionReason
	message string
}

// explanations are tried in order. What is not among them is SyncFailed.
var explanations = []explanation{
	{providerconfig.ErrNoConfig, v1.ReasonNoToken, "There is no configuration of that name. Make a ClusterProviderConfig \"default\", or name an existing configuration in providerConfigRef."},
	{providerconfig.ErrNoToken, v1.ReasonNoToken, "There is no Aiven token. The condition Synced of the managed resource says where one is expected: put it there."},
	{grants.ErrRefused, v1.ReasonNotAllowed, "The configuration does not grant this. The condition Synced names the rule; ask the platform team."},
	{namesakes.ErrConflict, v1.ReasonNameConflict, "The usernames would have the same pattern as those of another application of the cluster, which was there before. Choose another name."},
	{providerconfig.ErrInstanceNotReady, v1.ReasonInstanceNotReady, "The configuration requires an object of aiven.io for service %[2]s in this namespace that is RUNNING. The condition Synced says what is missing."},
	{providerconfig.ErrNotAllowed, v1.ReasonInvalidConfiguration, "The configuration is not allowed. Ask the platform team."},
	{providerconfig.ErrNamespacesUnknown, v1.ReasonMissingRight, "The provider may not list namespaces, and so not tell whose service %[2]s of project %[1]s is. Ask the platform team to give it this right."},
	{errTaken, v1.ReasonUsernameTaken, "A user of that name exists already in service %[2]s of project %[1]s and was not made for this resource. To import it on purpose, set the annotation crossplane.io/external-name yourself."},
	{errHidden, v1.ReasonCredentialsRedacted, redacted},
	{errVanished, v1.ReasonUserVanished, "The user was deleted at Aiven by somebody else, from service %[2]s of project %[1]s. The application gets a new one."},
	{aiven.ErrUnauthorized, v1.ReasonTokenRejected, "Aiven does not accept the token: that of authSecretRef where there is one, else that of the configuration. Replace it; nothing else is needed."},
	{aiven.ErrForbidden, v1.ReasonAccessDenied, "The token may not do this in project %s. It needs the rights to read services and their secrets and to write service users."},
	{aiven.ErrServiceNotFound, v1.ReasonServiceNotFound, "Aiven project %s has no service %s. Check the name, and that the service was made."},
	{aiven.ErrServiceNotRunning, v1.ReasonServiceNotRunning, "Service %[2]s of project %[1]s is not running. It goes on by itself when the service does."},
	{aiven.ErrQuota, v1.ReasonQuotaExceeded, "Service %[2]s of project %[1]s has no room for another user. Remove some, or have Aiven raise the limit; it goes on by itself then."},
	{aiven.ErrRateLimited, v1.ReasonRateLimited, "Aiven asked to slow down. It goes on by itself."},
	{aiven.ErrACLUnmanageable, v1.ReasonInvalidAccess, "Service %[2]s of project %[1]s has OpenSearch security management enabled, with which Aiven's access control no longer works."},
	{aiven.ErrInvalid, v1.ReasonInvalidAccess, "Aiven does not accept what is asked for of service %[2]s in project %[1]s. The condition Synced says what."},
	{aiven.ErrUnavailable, v1.ReasonAivenUnavailable, "Aiven does not answer as it should. It goes on by itself when Aiven does."},
}

// notReady returns the Ready condition for an error, with a message that a
// developer can act on and that never changes while the cause does not.
func notReady(mg ServiceUser, err error) xpv2.Condition {
	p := mg.GetServiceUserParameters()
	for _, x := range explanations {
		if errors.Is(err, x.err) {
			return v1.NotReady(x.reason, fill(x.message, p.Project, p.ServiceName)).WithObservedGeneration(mg.GetGeneration())
		}
	}
	return v1.NotReady(v1.ReasonSyncFailed, "The condition Synced says what failed.").WithObservedGeneration(mg.GetGeneration())
}

// fill puts project and service into a message that may want both, one or none.
func fill(message, project, service string) string {
	switch {
	case strings.Contains(message, "%[2]s"), strings.Count(message, "%s") == 2:
		return fmt.Sprintf(message, project, service)
	case strings.Contains(message, "%s"):
		return fmt.Sprintf(message, project)
	default:
		return message
	}
}

// readiness returns the Ready condition of a user that exists.
func readiness(mg ServiceUser, s *aiven.Service, u aiven.User, missing []string, a AccessState) xpv2.Condition {
	c := v1.Ready()
	switch {
	case len(missing) > 0 && u.Redacted:
		c = v1.NotReady(v1.ReasonCredentialsRedacted, redacted)
	case len(missing) > 0:
		c = v1.NotReady(v1.ReasonCredentialsIncomplete, "Aiven has not delivered: "+strings.Join(missing, ", ")+". This passes within seconds after a change; if it does not, reset the credentials of the user at Aiven.")
	case !s.Operational():
		return notReady(mg, aiven.ErrServiceNotRunning)
	case a.Pending || !a.UpToDate:
		c = v1.NotReady(v1.ReasonCreating, "The access rules are being written.")
	default:
		c.Message = a.Note
	}
	return c.WithObservedGeneration(mg.GetGeneration())
}
