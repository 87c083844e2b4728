// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// An answer is what a token gets for a project. The empty project stands for the
// list of projects.
type answers map[string]error

func (a answers) CheckToken(context.Context) error                     { return a[""] }
func (a answers) CheckProject(_ context.Context, project string) error { return a[project] }
func (a answers) Rights(project string) aiven.Rights {
	if a[project] != nil {
		return aiven.Rights{}
	}
	return aiven.Rights{ReadServices: aiven.SeenYes, WriteUsers: aiven.SeenNo}
}

func TestFind(t *testing.T) {
	many := make([]string, 0, maxProjects+2)
	for i := range maxProjects + 2 {
		many = append(many, fmt.Sprintf("p%02d", i))
	}
	yes := func(p string) v1alpha1.ProjectRights {
		return v1alpha1.ProjectRights{Name: p, ReadServices: "Yes", WriteUsers: "No"}
	}
	no := func(p string) v1alpha1.ProjectRights { return v1alpha1.ProjectRights{Name: p, ReadServices: "No"} }
	manyRights := make([]v1alpha1.ProjectRights, 0, maxProjects)
	for _, p := range many[:maxProjects] {
		manyRights = append(manyRights, yes(p))
	}
	rejected := finding{asked: true, reason: v1alpha1.ReasonTokenRejected, message: "Aiven does not accept the token. Replace it in Secret shop/token; nothing else is needed."}
	cases := map[string]struct {
		reason   string
		answers  answers
		projects []string
		want     finding
	}{
		"NoProject": {
			reason: "A configuration need not name a project.",
			want:   finding{asked: true, reason: v1alpha1.ReasonTokenAccepted, message: "Aiven accepts the token. The configuration names no project.", projects: []v1alpha1.ProjectRights{}},
		},
		"Reads": {
			reason: "All projects are in reach.", projects: []string{"a", "b"},
			want: finding{asked: true, reason: v1alpha1.ReasonTokenAccepted, message: "Reads projects a, b.", projects: []v1alpha1.ProjectRights{yes("a"), yes("b")}},
		},
		"Many": {
			reason: "A check is not a burst of calls.", projects: many,
			want: finding{asked: true, reason: v1alpha1.ReasonTokenAccepted, projects: manyRights, message: "Reads projects p00, p01, p02, p03, p04, p05, p06, p07, p08, p09, p10, p11, p12, p13, p14, p15, p16, p17, p18, p19. The other 2 are not checked."},
		},
		"Rejected": {reason: "Aiven knows no such token.", answers: answers{"": aiven.ErrUnauthorized}, projects: []string{"a"}, want: rejected},
		"Revoked":  {reason: "It was revoked between two calls.", answers: answers{"a": aiven.ErrUnauthorized}, projects: []string{"a"}, want: rejected},
		"NoList": {
			reason: "A token that may not list projects may read those that matter.", answers: answers{"": aiven.ErrForbidden}, projects: []string{"a"},
			want: finding{asked: true, reason: v1alpha1.ReasonTokenAccepted, message: "Reads project a.", projects: []v1alpha1.ProjectRights{yes("a")}},
		},
		"Refused": {
			reason: "Where there is nothing else to ask, a refusal is the answer.", answers: answers{"": errors.Wrap(aiven.ErrForbidden, "cannot list projects")},
			want: finding{asked: true, reason: v1alpha1.ReasonTokenRejected, message: "Aiven refuses the token: cannot list projects: not permitted. Replace it in Secret shop/token; nothing else is needed."},
		},
		"OutOfReach": {
			reason: "A project is named that the token does not reach.", answers: answers{"b": aiven.ErrForbidden}, projects: []string{"a", "b"},
			want: finding{
				asked: true, reason: v1alpha1.ReasonProjectOutOfReach, projects: []v1alpha1.ProjectRights{yes("a"), no("b")},
				message: "Project b does not exist, or the token does not reach it: not permitted. Make the token's user a member of it, or correct spec.project and spec.kafkaPools.",
			},
		},
		"SeveralOutOfReach": {
			reason: "All are named; what Aiven says is that of the first. Trouble with others does not hide it.", projects: []string{"a", "b", "c"},
			answers: answers{"a": aiven.ErrServiceNotFound, "b": aiven.ErrUnavailable, "c": aiven.ErrForbidden},
			want: finding{
				asked: true, reason: v1alpha1.ReasonProjectOutOfReach, projects: []v1alpha1.ProjectRights{no("a"), {Name: "b"}, no("c")},
				message: "Projects a, c do not exist, or the token does not reach them: service not found. Make the token's user a member of them, or correct spec.project and spec.kafkaPools.",
			},
		},
		"Unavailable": {
			reason: "Without an answer nothing is known.", answers: answers{"": aiven.ErrUnavailable}, projects: []string{"a"},
			want: finding{asked: true, reason: v1alpha1.ReasonAivenUnavailable, message: "Aiven does not answer as it should: unavailable. It is asked again by itself."},
		},
		"RateLimited": {
			reason: "Nor when it answers only in part.", answers: answers{"b": aiven.ErrRateLimited}, projects: []string{"a", "b"},
			want: finding{asked: true, reason: v1alpha1.ReasonAivenUnavailable, message: "Aiven does not answer as it should: too many requests. It is asked again by itself."},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := find(t.Context(), tc.answers, tc.projects, "Secret shop/token")
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(finding{})); diff != "" {
				t.Errorf("\n%s\nfind(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNotConnected(t *testing.T) {
	ref := providerconfig.Ref{Kind: v1alpha1.ProviderConfigKind, Namespace: namespace, Name: "default"}
	get := func(err error) error { return errors.Wrapf(err, "cannot get the Aiven token of %s", ref) }
	secrets := schema.GroupResource{Resource: "secrets"}
	cases := map[string]struct {
		reason string
		err    error
		want   finding
	}{
		"NoToken": {
			reason: "There is nothing where the token should be.", err: get(errors.Wrap(providerconfig.ErrNoToken, "Secret shop/token does not exist")),
			want: finding{reason: v1alpha1.ReasonNoToken, message: "There is no usable token: Secret shop/token does not exist. Put one there; nothing else is needed."},
		},
		"NotAllowed": {
			reason: "A team may not send its token anywhere.", err: errors.Wrap(providerconfig.ErrNotAllowed, "cannot use it: baseURL x is not one of --allowed-base-urls"),
			want: finding{reason: v1alpha1.ReasonNotAllowed, message: "The configuration is not allowed: cannot use it: baseURL x is not one of --allowed-base-urls. Ask the platform team."},
		},
		"Forbidden": {
			reason: "The provider lacks the right to read the Secret.", err: get(errors.Wrap(kerrors.NewForbidden(secrets, "token", errBoom), "cannot get Secret shop/token")),
			want: finding{reason: v1alpha1.ReasonNoToken, message: `The provider may not read the token: cannot get Secret shop/token: secrets "token" is forbidden: boom. Ask the platform team to let it read Secret shop/token.`},
		},
		"Kubernetes": {
			reason: "Trouble of the API server says nothing about the token.", err: get(kerrors.NewServiceUnavailable("later")),
			want: finding{reason: v1alpha1.ReasonAivenUnavailable, message: "Aiven could not be asked: later. It is tried again by itself."},
		},
		"Network": {
			reason: "Nor does that of the network.", err: get(&url.Error{Op: "Get", URL: "https://kubernetes", Err: errBoom}),
			want: finding{reason: v1alpha1.ReasonAivenUnavailable, message: `Aiven could not be asked: Get "https://kubernetes": boom. It is tried again by itself.`},
		},
		"Unusable": {
			reason: "What no token looks like is not even sent.", err: errors.New("cannot make an Aiven client: token holds a blank"),
			want: finding{reason: v1alpha1.ReasonTokenRejected, message: "The token cannot be used: cannot make an Aiven client: token holds a blank. Replace it in Secret shop/token; nothing else is needed."},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := notConnected(ref, tc.err, "Secret shop/token")
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(finding{})); diff != "" {
				t.Errorf("\n%s\nnotConnected(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestProjectsOf(t *testing.T) {
	want := []string{"nav-dev", "search"}
	if diff := cmp.Diff(want, projectsOf(teams().Spec.ServiceSettings)); diff != "" {
		t.Errorf("projectsOf(...): -want, +got:\n%s", diff)
	}
	if got := projectsOf(v1alpha1.ServiceSettings{}); len(got) != 0 {
		t.Errorf("projectsOf(...): want none, got %v", got)
	}
}
