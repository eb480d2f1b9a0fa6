package abac_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// TestNetworksByBruteForce compares lists of networks within 32 addresses of each family, by analysis and by trying each.
func TestNetworksByBruteForce(t *testing.T) {
	u := universe(t, "a:x")
	roles, err := abac.NewRoles(u, 1, abac.Role{Name: "r", Policies: []string{"*:*"}})
	require.NoError(t, err)
	bases := []netip.Prefix{netip.MustParsePrefix("10.0.0.32/27"), netip.MustParsePrefix("2001:db8::20/123")}
	var addresses []netip.Addr
	for _, base := range bases {
		for a := base.Addr(); base.Contains(a); a = a.Next() {
			addresses = append(addresses, a)
		}
	}
	random := rand.New(rand.NewPCG(12, 13))
	draw := func() abac.Rights {
		var when []abac.Condition
		for range 1 + random.IntN(2) {
			var list []netip.Prefix
			for range 1 + random.IntN(6) {
				a := addresses[random.IntN(len(addresses))]
				p, err := a.Prefix(a.BitLen() - random.IntN(6))
				require.NoError(t, err)
				list = append(list, p)
			}
			when = append(when, abac.From(list...))
		}
		constraints, err := abac.NewConstraints(u, roles, abac.Constraint{Policy: "*:*", When: when})
		require.NoError(t, err)
		return abac.Rights{Set: compile(t, u, "a:x"), Role: "r", Constraints: constraints}
	}
	answers := map[string]int{}
	for range 4000 {
		a, b := draw(), draw()
		implied, apart := true, true
		for _, addr := range addresses {
			c := abac.Case{Permission: "a:x", Request: abac.Request{Addr: addr}}
			mine, theirs := a.Decide(c).Allowed, b.Decide(c).Allowed
			implied, apart = implied && (!mine || theirs), apart && !(mine && theirs)
		}
		implies, disjoint := a.Implies(b), a.Disjoint(b)
		require.Equal(t, implied, implies.Answer == abac.Yes)
		require.Equal(t, apart, disjoint.Answer == abac.Yes)
		if c := implies.Counterexample; c != nil {
			require.True(t, a.Decide(*c).Allowed && !b.Decide(*c).Allowed, c.Request.Addr)
		}
		if c := disjoint.Counterexample; c != nil {
			require.True(t, a.Decide(*c).Allowed && b.Decide(*c).Allowed, c.Request.Addr)
		}
		answers[implies.Answer.String()+disjoint.Answer.String()]++
	}
	t.Log(answers)
	require.Len(t, answers, 4)
}

// TestAllOfAFamilyIsItsHalves: the IPv4 addresses in IPv6 form lie in no IPv6 network, so what surrounds them is all.
func TestAllOfAFamilyIsItsHalves(t *testing.T) {
	u := universe(t, "a:x")
	roles, err := abac.NewRoles(u, 1, abac.Role{Name: "r", Policies: []string{"*:*"}})
	require.NoError(t, err)
	under := func(texts ...string) abac.Rights {
		constraints, err := abac.NewConstraints(u, roles, abac.Constraint{Policy: "*:*", When: []abac.Condition{abac.From(prefixes(texts...)...)}})
		require.NoError(t, err)
		return abac.Rights{Set: compile(t, u, "a:x"), Role: "r", Constraints: constraints}
	}
	around := []string{"::fffe:0:0/96", "::/81"} // and everything else that is not ::ffff:0:0/96
	for bits := 1; bits <= 96; bits++ {
		mappedAddr := netip.MustParseAddr("::ffff:0:0")
		bytes := mappedAddr.As16()
		bytes[(bits-1)/8] ^= 0x80 >> ((bits - 1) % 8)
		p, err := netip.AddrFrom16(bytes).Prefix(bits)
		require.NoError(t, err)
		around = append(around, p.String())
	}
	require.Equal(t, abac.Yes, under("::/0").Implies(under(around...)).Answer)
	verdict := under("::/0").Implies(under(append(around[2:60:60], around[61:]...)...))
	require.Equal(t, abac.No, verdict.Answer)
	require.False(t, under(around...).Implies(under("0.0.0.0/0")).Answer == abac.Yes)
	require.Equal(t, abac.Yes, under("0.0.0.0/0").Implies(under("0.0.0.0/1", "128.0.0.0/1")).Answer)
	require.Equal(t, abac.No, under("0.0.0.0/0").Implies(under("0.0.0.0/1", "128.0.0.0/2", "224.0.0.0/3")).Answer)
}
