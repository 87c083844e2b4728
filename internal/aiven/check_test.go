// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestCheckProject(t *testing.T) {
	cases := map[string]struct {
		reason  string
		token   aivensim.Token
		project string
		want    error
		rights  Rights
	}{
		"Member": {reason: "the services can be listed", project: testProject, rights: Rights{ReadServices: SeenYes}},
		"Missing": {
			reason: "a project that does not exist is out of reach, and was not refused", project: "none", want: ErrServiceNotFound,
		},
		"NotAMember": {
			reason: "the token is of no member", token: aivensim.Token{Projects: []string{"other"}}, project: testProject, want: ErrForbidden,
			rights: Rights{ReadServices: SeenNo},
		},
		"NoName": {reason: "without a name another path would be asked", project: "", want: ErrInvalid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSim()
			tc.token.Token = testToken
			s.AddToken(tc.token)
			c := connect(t, s)
			err := c.CheckProject(t.Context(), tc.project)
			if !errors.Is(err, tc.want) {
				t.Errorf("%s: got %v, want %v", tc.reason, err, tc.want)
			}
			if diff := cmp.Diff(tc.rights, c.Rights(tc.project)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
