// SPDX-License-Identifier: Apache-2.0

package node

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnusedNetwork(t *testing.T) {
	prefixes := func(s ...string) []netip.Prefix {
		var out []netip.Prefix
		for _, p := range s {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	cases := map[string]struct {
		reason  string
		used    []netip.Prefix
		gateway string
		api     string
		err     string
	}{
		"Free":     {reason: "The first network is taken.", used: prefixes("127.0.0.0/8", "192.168.1.0/24", "fe80::/64"), gateway: "10.201.0.1", api: "10.201.1.1"},
		"Within":   {reason: "A network of which the machine has a part is passed over.", used: prefixes("10.201.7.0/24"), gateway: "10.202.0.1", api: "10.202.1.1"},
		"Around":   {reason: "A network that holds several is, too.", used: prefixes("10.192.0.0/11"), gateway: "10.224.0.1", api: "10.224.1.1"},
		"Anything": {reason: "A machine that has all private addresses of this block cannot have a node.", used: prefixes("10.0.0.0/8"), err: "cannot find a network for Pods: the machine uses all of 10.201.0.0 to 10.254.0.0"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			n, err := unusedNetwork(tc.used)
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Fatalf("\n%s\nunusedNetwork(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff([]string{tc.gateway, tc.api}, []string{n.gateway().String(), n.apiServer().String()}); diff != "" {
				t.Errorf("\n%s\nunusedNetwork(...): -want, +got:\n%s", tc.reason, diff)
			}
			if !n.gateway().IsPrivate() || n.Pods.Overlaps(n.Services) {
				t.Errorf("\n%s\nunusedNetwork(...): %v", tc.reason, n)
			}
		})
	}
}
