// SPDX-License-Identifier: Apache-2.0

package node

import (
	"net"
	"net/netip"
	"os/exec"
	"slices"

	"github.com/pkg/errors"
)

// bridgeName is the network interface that Pods are attached to.
const bridgeName = "paiven0"

// A network is what a node's Pods and Services have for addresses. The gateway
// is the node's own: everything of the cluster listens there and nowhere else.
type network struct {
	Bridge   string
	Pods     netip.Prefix
	Services netip.Prefix
}

// gateway is the node's address.
func (n network) gateway() netip.Addr { return n.Pods.Addr().Next() }

// apiServer is the address that the API server has as a Service.
func (n network) apiServer() netip.Addr { return n.Services.Addr().Next() }

// pickNetwork returns a network that this machine does not use.
func pickNetwork() (network, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return network{}, errors.Wrap(err, "cannot list the machine's addresses")
	}
	var used []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			used = append(used, p.Masked())
		}
	}
	return unusedNetwork(used)
}

// unusedNetwork returns a network that overlaps none of those in use. It is a
// private one, at which registries are spoken to in plain HTTP.
func unusedNetwork(used []netip.Prefix) (network, error) {
	for n := byte(201); n < 255; n++ {
		whole := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n, 0, 0}), 16)
		if !overlaps(whole, used) {
			return network{
				Bridge:   bridgeName,
				Pods:     netip.PrefixFrom(whole.Addr(), 24),
				Services: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n, 1, 0}), 24),
			}, nil
		}
	}
	return network{}, errors.New("cannot find a network for Pods: the machine uses all of 10.201.0.0 to 10.254.0.0")
}

func overlaps(p netip.Prefix, used []netip.Prefix) bool {
	return slices.ContainsFunc(used, p.Overlaps)
}

// up makes the bridge with the gateway's address. The network plugin would make
// it with the first Pod, but the node's programs listen there before.
func (n network) up() error {
	for _, args := range [][]string{
		{"link", "add", n.Bridge, "type", "bridge"},
		{"address", "add", netip.PrefixFrom(n.gateway(), n.Pods.Bits()).String(), "dev", n.Bridge},
		{"link", "set", n.Bridge, "up"},
	} {
		if err := run(exec.Command("ip", args...)); err != nil { //nolint:noctx // It takes no time.
			return errors.Wrap(err, "cannot make the bridge of the Pods")
		}
	}
	return nil
}

// addressBesidesLoopback returns an IPv4 address of this machine that is not of
// the loopback interface. It is there whether or not anything can be reached
// from it.
func addressBesidesLoopback() (string, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", errors.Wrap(err, "cannot list the machine's addresses")
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().Is4() && p.Addr().IsGlobalUnicast() {
			return p.Addr().String(), nil
		}
	}
	return "", errors.New("cannot find an address of this machine besides the loopback interface's, at which the API server would call Crossplane")
}
