// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// maxProjects bounds the calls of one check.
const maxProjects = 20

// A token is asked what it is good for.
type token interface {
	CheckToken(ctx context.Context) error
	CheckProject(ctx context.Context, project string) error
	Rights(project string) aiven.Rights
}

// A finding is what a check found out.
type finding struct {
	// Reason of the condition Healthy, and its message.
	reason  xpv2.ConditionReason
	message string
	// asked tells whether Aiven was.
	asked bool
	// projects are what the token may do in those that were asked for. They are nil
	// when nothing is known now: what was known before then still is.
	projects []v1alpha1.ProjectRights
}

// passing tells whether nothing was found out, for a reason that may pass.
func (f finding) passing() bool { return f.reason == v1alpha1.ReasonAivenUnavailable }

func (f finding) condition() xpv2.Condition {
	if f.reason == v1alpha1.ReasonTokenAccepted {
		return v1alpha1.Healthy(f.message)
	}
	return v1alpha1.Unhealthy(f.reason, f.message)
}

// find asks Aiven whether it accepts the token, and whether that reaches the projects.
func find(ctx context.Context, t token, projects []string, where string) finding {
	rejected := finding{asked: true, reason: v1alpha1.ReasonTokenRejected, message: "Aiven does not accept the token. Replace it in " + where + "; nothing else is needed."}
	err := t.CheckToken(ctx)
	switch {
	case errors.Is(err, aiven.ErrUnauthorized):
		return rejected
	case errors.Is(err, aiven.ErrForbidden) && len(projects) > 0:
		// A token that may not list projects may still be good for these.
	case errors.Is(err, aiven.ErrForbidden):
		rejected.message = "Aiven refuses the token: " + err.Error() + ". Replace it in " + where + "; nothing else is needed."
		return rejected
	case err != nil:
		return unavailable(err)
	}
	asked := projects[:min(len(projects), maxProjects)]
	var lost []string
	var refused, passing error
	for _, p := range asked {
		err := t.CheckProject(ctx, p)
		switch {
		case err == nil:
		case errors.Is(err, aiven.ErrUnauthorized):
			return rejected
		case errors.Is(err, aiven.ErrForbidden), errors.Is(err, aiven.ErrServiceNotFound), errors.Is(err, aiven.ErrInvalid):
			lost = append(lost, p)
			if refused == nil {
				refused = err
			}
		case passing == nil:
			passing = err
		}
	}
	if passing != nil && refused == nil {
		return unavailable(passing)
	}
	out := finding{asked: true, reason: v1alpha1.ReasonTokenAccepted, message: reads(projects), projects: rights(t, asked, lost)}
	if refused != nil {
		out.reason, out.message = v1alpha1.ReasonProjectOutOfReach, outOfReach(lost, refused)
	}
	return out
}

// rights returns what the token may do in projects, as far as it was seen.
func rights(t token, asked, lost []string) []v1alpha1.ProjectRights {
	out := make([]v1alpha1.ProjectRights, 0, len(asked))
	for _, p := range asked {
		r := t.Rights(p)
		if slices.Contains(lost, p) {
			r.ReadServices = aiven.SeenNo
		}
		out = append(out, v1alpha1.ProjectRights{Name: p, ReadServices: string(r.ReadServices), ReadSecrets: string(r.ReadSecrets), WriteUsers: string(r.WriteUsers)})
	}
	return out
}

func reads(projects []string) string {
	switch n := len(projects); {
	case n == 0:
		return "Aiven accepts the token. The configuration names no project."
	case n == 1:
		return "Reads project " + projects[0] + "."
	case n > maxProjects:
		return fmt.Sprintf("Reads projects %s. The other %d are not checked.", strings.Join(projects[:maxProjects], ", "), n-maxProjects)
	default:
		return "Reads projects " + strings.Join(projects, ", ") + "."
	}
}

func outOfReach(lost []string, why error) string {
	const remedy = "Make the token's user a member of it, or correct spec.project and spec.kafkaPools."
	if len(lost) == 1 {
		return "Project " + lost[0] + " does not exist, or the token does not reach it: " + why.Error() + ". " + remedy
	}
	return "Projects " + strings.Join(lost, ", ") + " do not exist, or the token does not reach them: " + why.Error() + ". " + strings.Replace(remedy, " of it", " of them", 1)
}

func unavailable(err error) finding {
	return finding{asked: true, reason: v1alpha1.ReasonAivenUnavailable, message: "Aiven does not answer as it should: " + err.Error() + ". It is asked again by itself."}
}

// notConnected is the finding about a configuration without a client.
func notConnected(ref providerconfig.Ref, err error, where string) finding {
	detail := strings.TrimPrefix(err.Error(), "cannot get the Aiven token of "+ref.String()+": ")
	var network *url.Error
	var status kerrors.APIStatus
	switch {
	case errors.Is(err, providerconfig.ErrNoToken):
		return finding{reason: v1alpha1.ReasonNoToken, message: "There is no usable token: " + strings.TrimSuffix(detail, ": "+providerconfig.ErrNoToken.Error()) + ". Put one there; nothing else is needed."}
	case errors.Is(err, providerconfig.ErrNotAllowed):
		return finding{reason: v1alpha1.ReasonNotAllowed, message: "The configuration is not allowed: " + strings.TrimSuffix(detail, ": "+providerconfig.ErrNotAllowed.Error()) + ". Ask the platform team."}
	case kerrors.IsForbidden(err):
		return finding{reason: v1alpha1.ReasonNoToken, message: "The provider may not read the token: " + detail + ". Ask the platform team to let it read " + where + "."}
	case errors.As(err, &status), errors.As(err, &network), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// The API server's trouble, not Aiven's; as little is known, and it passes.
		return finding{reason: v1alpha1.ReasonAivenUnavailable, message: "Aiven could not be asked: " + detail + ". It is tried again by itself."}
	default:
		return finding{reason: v1alpha1.ReasonTokenRejected, message: "The token cannot be used: " + detail + ". Replace it in " + where + "; nothing else is needed."}
	}
}

// projectsOf returns the projects that a configuration names, sorted.
func projectsOf(s v1alpha1.ServiceSettings) []string {
	var out []string
	if s.Project != "" {
		out = append(out, s.Project)
	}
	for i := range s.KafkaPools {
		out = append(out, s.KafkaPools[i].GetProject())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// whereOf says where the token of a configuration is.
func whereOf(o client.Object) string {
	l := locationOf(o)
	switch pc, _ := o.(*v1alpha1.ClusterProviderConfig); {
	case l.Path != "":
		return "file " + l.Path + " of the provider's pod"
	case l != providerconfig.Location{}:
		return "Secret " + l.Secret.Secret().String()
	case pc != nil && pc.Spec.Credentials.Env != nil:
		return "environment variable " + pc.Spec.Credentials.Env.Name + " of the provider's pod"
	default:
		return "spec.credentials"
	}
}
