package abac

import (
	"net/netip"
	"slices"
)

// mapped holds the IPv4 addresses in their IPv6 form.
var mapped = netip.MustParsePrefix("::ffff:0:0/96")

// From demands that the client's address lies in one of networks. It denies with [NetworkNotAllowed]. An IPv4 address in
// its IPv6 form is the IPv4 address, in networks as well as in requests; an address with a zone lies in no network. A network
// with bits beyond its length, such as 10.0.0.1/8, is not valid: it is not clear what was meant.
func From(networks ...netip.Prefix) Condition {
	c := Condition{kind: from}
	if len(networks) == 0 {
		c.fault = "no network"
	}
	for _, p := range networks {
		if !p.IsValid() || p != p.Masked() || !mapped.Contains(p.Addr()) && p.Addr().Is6() && p.Overlaps(mapped) && p.Bits() > 0 {
			c.fault = "malformed network"
			break
		}
		if p.Bits() >= mapped.Bits() && mapped.Contains(p.Addr()) {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped.Bits())
		}
		c.networks = append(c.networks, p)
	}
	slices.SortFunc(c.networks, comparePrefixes)
	c.networks = slices.Compact(c.networks)
	return c
}

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

func inNetworks(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, p := range networks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
