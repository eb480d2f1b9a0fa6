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
		if !p.IsValid() || p != p.Masked() || !mapped.Contains(p.Addr()) && p.Overlaps(mapped) && p.Bits() > 0 {
			c.fault = "malformed network"
			return c
		}
		if mapped.Contains(p.Addr()) { // all of p is, since it begins there
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

// intersect returns what lies in one network of each list. Two networks are nested or apart.
func intersect(a, b []netip.Prefix) []netip.Prefix {
	both := []netip.Prefix{}
	for _, p := range a {
		for _, q := range b {
			switch {
			case !p.Overlaps(q):
			case p.Bits() >= q.Bits():
				both = append(both, p)
			default:
				both = append(both, q)
			}
		}
	}
	slices.SortFunc(both, comparePrefixes)
	return slices.Compact(both)
}

// uncovered looks for an address in one of have, or any address if not limited, that lies in none of want.
func uncovered(have []netip.Prefix, limited bool, want []netip.Prefix) (netip.Addr, bool) {
	if !limited {
		return netip.Addr{}, true // an unknown address is in no network
	}
	for _, p := range have {
		if addr, missing := gap(p, want); missing {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// gap looks for an address of p in none of networks. It halves p only while one of them begins inside it, so it is done
// after one step for each of their bits.
func gap(p netip.Prefix, networks []netip.Prefix) (netip.Addr, bool) {
	inside := false
	for _, q := range networks {
		if q.Overlaps(p) {
			if q.Bits() <= p.Bits() {
				return netip.Addr{}, false
			}
			inside = true
		}
	}
	if mapped.Contains(p.Addr()) {
		return netip.Addr{}, false // these addresses are IPv4
	}
	if !inside && !p.Overlaps(mapped) {
		return p.Addr(), true
	}
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	if addr, missing := gap(low, networks); missing {
		return addr, true
	}
	return gap(netip.PrefixFrom(upperHalf(p), p.Bits()+1), networks)
}

// upperHalf returns the first address of p's upper half.
func upperHalf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}
