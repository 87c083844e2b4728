// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"strings"
	"testing"
)

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason   string
		password string
		refused  bool
	}{
		"None":      {reason: "None means the default."},
		"Usual":     {reason: "What people use is fine.", password: "changeme"},
		"Signs":     {reason: "So are signs.", password: `!"#$%&'()~`},
		"LineEnd":   {reason: "A file with a password often has a line end too many.", password: "secret\n", refused: true},
		"Space":     {reason: "A space gets lost somewhere.", password: "sec ret", refused: true},
		"Umlaut":    {reason: "What reads the stores may encode it in another way.", password: "sécret", refused: true},
		"Emoticon":  {reason: "The format has no room for it.", password: "secret😀", refused: true},
		"Malformed": {reason: "It is no text.", password: "secret\xff", refused: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkPassword(tc.password)
			if refused := err != nil; refused != tc.refused {
				t.Errorf("%s: checkPassword(...): %v", tc.reason, err)
			}
			if err != nil && strings.Contains(err.Error(), "ret") {
				t.Errorf("%s: the error tells the password: %v", tc.reason, err)
			}
		})
	}
}
