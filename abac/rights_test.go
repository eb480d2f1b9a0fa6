package abac_test

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

func rights(t testing.TB, policies ...string) abac.Rights {
	t.Helper()
	return abac.Rights{Set: compile(t, universe(t, "a:x"), policies...)}
}

func TestRights(t *testing.T) {
	for name, tc := range map[string]struct {
		got  abac.Verdict
		want abac.Answer
		show string // the counterexample's permission
	}{
		"a part implies the whole":                   {rights(t, "a:x").Implies(rights(t, "a:*")), abac.Yes, ""},
		"the whole does not imply a part":            {rights(t, "a:*").Implies(rights(t, "a:x")), abac.No, "a:other"},
		"what lies below is a part":                  {rights(t, "a.b:x").Implies(rights(t, "a:x")), abac.Yes, ""},
		"what lies above is not":                     {rights(t, "a:x").Implies(rights(t, "a.b:x")), abac.No, "a:x"},
		"a list of all resources is not any":         {rights(t, "*:x").Implies(rights(t, "a:x", "b:x")), abac.No, "other:x"},
		"other may be a name":                        {rights(t, "*:x").Implies(rights(t, "other:x", "other2:x")), abac.No, "other3:x"},
		"a deny makes less":                          {rights(t, "*:*", "!a:x").Implies(rights(t, "*:*")), abac.Yes, ""},
		"and shows":                                  {rights(t, "*:*").Implies(rights(t, "*:*", "!a.b:x")), abac.No, "a.b:x"},
		"a deny of what is not allowed is no matter": {rights(t, "a:x").Equivalent(rights(t, "a:x", "!b:*")), abac.Yes, ""},
		"order and repetition are no matter":         {rights(t, "a:x", "b:y").Equivalent(rights(t, "b:y", "a:x", "b:y")), abac.Yes, ""},
		"a counterexample may be on either side":     {rights(t, "a:x").Equivalent(rights(t, "a:x", "b:y")), abac.No, "b:y"},
		"apart is disjoint":                          {rights(t, "a:*").Disjoint(rights(t, "b:*", "c:x")), abac.Yes, ""},
		"crossing is not":                            {rights(t, "a:*").Disjoint(rights(t, "*:x")), abac.No, "a:x"},
		"unless a deny parts them":                   {rights(t, "a:*").Disjoint(rights(t, "*:x", "!a:*")), abac.Yes, ""},
		"nothing never allows":                       {rights(t).NeverAllows(), abac.Yes, ""},
		"nor does a deny":                            {rights(t, "!*:*").NeverAllows(), abac.Yes, ""},
		"nor an allow that is wholly denied":         {rights(t, "a:x", "!a:*").NeverAllows(), abac.Yes, ""},
		"an allow does":                              {rights(t, "a:x", "!a.b:*").NeverAllows(), abac.No, "a:x"},
		"everything always allows":                   {rights(t, "*:*").AlwaysAllows(), abac.Yes, ""},
		"less does not":                              {rights(t, "*:*", "!a.b:x").AlwaysAllows(), abac.No, "a.b:x"},
		"the zero rights never allow":                {abac.Rights{}.NeverAllows(), abac.Yes, ""},
		"the zero rights do not always allow":        {abac.Rights{}.AlwaysAllows(), abac.No, "other:other"},
		"the zero rights imply everything":           {abac.Rights{}.Implies(rights(t)), abac.Yes, ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, tc.got.Answer, tc.got.Answer.String())
			if tc.want != abac.No {
				require.Nil(t, tc.got.Counterexample)
				return
			}
			require.Equal(t, tc.show, tc.got.Counterexample.Permission)
		})
	}
	t.Run("void policies never allow", func(t *testing.T) {
		void, err := universe(t).Compile(abac.Source{Policies: []string{"*:*", "!"}})
		require.Error(t, err)
		require.Equal(t, abac.Yes, abac.Rights{Set: void}.NeverAllows().Answer)
		require.False(t, abac.Rights{Set: void}.Decide(abac.Case{Permission: "a:x"}).Allowed)
	})
	t.Run("what is no permission is not decided about", func(t *testing.T) {
		require.Equal(t, abac.InvalidPermission, rights(t, "*:*").Decide(abac.Case{Permission: "a:*"}).Reason)
	})
}

// TestEveryPairOfSmallSets compares every pair of sets of up to two of the 24 policies of the small scope, 90,601 pairs, by
// analysis and by trying every permission of the scope. With TOMKIT_SOAK=1 it takes sets of up to three policies.
func TestEveryPairOfSmallSets(t *testing.T) {
	largest := 2
	if os.Getenv("TOMKIT_SOAK") == "1" {
		largest = 3
	}
	u := universe(t, "a:x", "a.b:y")
	type side struct {
		rights  abac.Rights
		allowed uint32
	}
	var sides []side
	for mask := uint32(0); mask < 1<<len(scopePolicies); mask++ {
		if bits.OnesCount32(mask) > largest {
			mask |= mask - 1 // the next candidates only add bits below
			continue
		}
		var policies []string
		for p, text := range scopePolicies {
			if mask>>p&1 != 0 {
				policies = append(policies, text)
			}
		}
		one := side{rights: abac.Rights{Set: compile(t, u, policies...)}}
		for q, question := range scopeQuestions {
			if oracle(policies, question) == abac.Allowed {
				one.allowed |= 1 << q
			}
		}
		sides = append(sides, one)
	}
	answer := func(yes bool) abac.Answer {
		if yes {
			return abac.Yes
		}
		return abac.No
	}
	all := uint32(1)<<len(scopeQuestions) - 1
	for _, a := range sides {
		if got := a.rights.NeverAllows(); got.Answer != answer(a.allowed == 0) {
			t.Fatalf("%v never allows: %v", a.rights.Set.Policies(), got.Answer)
		}
		if got := a.rights.AlwaysAllows(); got.Answer != answer(a.allowed == all) {
			t.Fatalf("%v always allows: %v", a.rights.Set.Policies(), got.Answer)
		}
		for _, b := range sides {
			implies, disjoint := a.rights.Implies(b.rights), a.rights.Disjoint(b.rights)
			if implies.Answer != answer(a.allowed&^b.allowed == 0) || disjoint.Answer != answer(a.allowed&b.allowed == 0) {
				t.Fatalf("%v and %v: implies %v, disjoint %v", a.rights.Set.Policies(), b.rights.Set.Policies(), implies.Answer, disjoint.Answer)
			}
			if c := implies.Counterexample; c != nil && (!a.rights.Decide(*c).Allowed || b.rights.Decide(*c).Allowed) {
				t.Fatalf("%v and %v: %s shows nothing", a.rights.Set.Policies(), b.rights.Set.Policies(), c.Permission)
			}
		}
	}
	t.Logf("%d pairs", len(sides)*len(sides))
}

// The pool of conditions for the brute force, and for each fact the values that tell them apart.
var (
	poolZone = "Europe/Berlin"
	pool     = []abac.Condition{
		abac.SameTenant(), abac.WithinTenant(),
		abac.MFA(abac.MultiFactor, 0), abac.MFA(abac.SingleFactor, time.Hour), abac.MFA(abac.MultiFactor, time.Minute),
		abac.Device(abac.Managed, 0), abac.Device(abac.Managed|abac.UpToDate, time.Minute), abac.Device(abac.UpToDate, time.Hour),
		abac.Device(abac.Managed, time.Hour), // as the first of these, but seen lately
		abac.Cleared(), abac.DualControl(time.Minute), abac.DualControl(time.Hour),
		abac.From(prefixes("10.0.0.0/8", "2001:db8::/32")...), abac.From(prefixes("10.0.0.0/9", "10.128.0.0/9")...),
		abac.From(prefixes("10.1.0.0/16")...), abac.From(prefixes("192.0.2.0/24", "10.1.0.0/17")...), abac.From(prefixes("::/0")...),
		abac.During(abac.Window{Zone: poolZone, From: 8 * time.Hour, To: 18 * time.Hour}),
		abac.During(abac.Window{Zone: poolZone, From: 8 * time.Hour, To: 12 * time.Hour}),
		abac.During(abac.Window{Zone: poolZone, From: 12 * time.Hour, To: 8 * time.Hour}),
		abac.During(abac.Window{Zone: poolZone, Days: []time.Weekday{time.Monday}, From: 0, To: 24 * time.Hour}),
		abac.During(abac.Window{Zone: poolZone, From: 0, To: 24 * time.Hour}),
	}
)

// poolCases is the product of those values, in parts: facts of different parts are never in one condition.
func poolCases(t testing.TB) (parts [][]func(*abac.Case)) {
	home, customer, stranger, me := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	tree, err := abac.NewTenants(map[uuid.UUID]uuid.UUID{customer: home})
	require.NoError(t, err)
	all := compile(t, universe(t), "*:*")
	var tenants, mfa, device, labels, approvals, addrs, times []func(*abac.Case)
	for _, owner := range []uuid.UUID{home, customer, stranger, uuid.Nil} {
		tenants = append(tenants, func(c *abac.Case) { c.Subject.Tenant, c.Request.Tenant, c.Request.Hierarchy = home, owner, tree })
	}
	ages := []time.Duration{-1, 0, time.Minute, time.Hour, 2 * time.Hour} // −1: never
	ago := func(c *abac.Case, age time.Duration) time.Time {
		if age < 0 {
			return time.Time{}
		}
		return c.Request.Now.Add(-age)
	}
	for _, age := range ages {
		for _, level := range []abac.Level{abac.SingleFactor, abac.MultiFactor} {
			mfa = append(mfa, func(c *abac.Case) { c.Subject.Level, c.Subject.AuthTime = level, ago(c, age) })
		}
		for _, shows := range []abac.Posture{0, abac.Managed, abac.UpToDate, abac.Managed | abac.UpToDate} {
			device = append(device, func(c *abac.Case) { c.Subject.Posture, c.Subject.PostureTime = shows, ago(c, age) })
		}
		approvals = append(approvals, func(c *abac.Case) {
			by := &abac.Subject{ID: uuid.New(), Tenant: home, Level: abac.PhishingResistant, Set: all}
			c.Subject.ID = me
			c.Request.Approval = &abac.Approval{By: by, For: me, Permission: c.Permission, At: ago(c, age)}
		})
	}
	labels = append(labels, func(*abac.Case) {}, func(c *abac.Case) { c.Subject.Clearance, c.Request.Label = upTo(1), 1 })
	for _, text := range []string{"", "10.0.0.1", "10.1.0.1", "10.1.200.1", "10.200.0.1", "192.0.2.1", "8.8.8.8", "2001:db8::1", "2002::1"} {
		var addr netip.Addr
		if text != "" {
			addr = netip.MustParseAddr(text)
		}
		addrs = append(addrs, func(c *abac.Case) { c.Request.Addr = addr })
	}
	for _, now := range []string{"2026-11-30 07:00:00", "2026-11-30 09:00:00", "2026-11-30 13:00:00", "2026-12-01 07:00:00", "2026-12-01 09:00:00", "2026-12-01 13:00:00"} {
		moment := at(t, poolZone, now)
		times = append(times, func(c *abac.Case) { c.Request.Now = moment })
	}
	return [][]func(*abac.Case){times, tenants, mfa, device, labels, approvals, addrs}
}

// TestAnalysisOfConditionsByBruteForce draws pairs of constrained rights and tries every case that can tell them apart. A
// conjunction is looked at part by part, so trying each part alone with the others at their best is trying all.
func TestAnalysisOfConditionsByBruteForce(t *testing.T) {
	rounds := 400
	if os.Getenv("TOMKIT_SOAK") == "1" {
		rounds = 100_000
	}
	u := universe(t, "a:x")
	roles, err := abac.NewRoles(u, 1, abac.Role{Name: "r", Policies: []string{"*:*"}}, abac.Role{Name: "s", Policies: []string{"*:*"}})
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(7, 11))
	parts := poolCases(t)
	draw := func() abac.Rights {
		r := abac.Rights{Set: compile(t, u, drawPolicies(random)...), Role: "r"}
		var list []abac.Constraint
		for range random.IntN(3) {
			c := abac.Constraint{Policy: []string{"*:*", "a:x", "a:*", "a.b:y"}[random.IntN(4)]}
			if random.IntN(4) == 0 {
				c.Roles = []string{[]string{"r", "s"}[random.IntN(2)]}
			}
			for range 1 + random.IntN(3) {
				c.When = append(c.When, pool[random.IntN(len(pool))])
			}
			list = append(list, c)
		}
		var err error
		r.Constraints, err = abac.NewConstraints(u, roles, list...)
		require.NoError(t, err)
		return r
	}
	under := func(when ...abac.Condition) abac.Rights {
		constraints, err := abac.NewConstraints(u, roles, abac.Constraint{Policy: "*:*", When: when})
		require.NoError(t, err)
		return abac.Rights{Set: compile(t, u, "a:x"), Role: "r", Constraints: constraints}
	}
	var pairs [][2]abac.Rights
	for _, one := range pool { // every condition beside every other, alone and after a third
		for _, other := range pool {
			pairs = append(pairs, [2]abac.Rights{under(one), under(other)}, [2]abac.Rights{under(one, other), under(pool[random.IntN(len(pool))])})
		}
	}
	for range rounds {
		pairs = append(pairs, [2]abac.Rights{draw(), draw()})
	}
	answers := map[string]int{}
	for _, pair := range pairs {
		a, b := pair[0], pair[1]
		var onlyA, onlyB, both, some bool
		for _, question := range scopeQuestions {
			verdicts := tryAll(question, a, b, parts)
			onlyA, onlyB = onlyA || verdicts.onlyFirst, onlyB || verdicts.onlySecond
			both, some = both || verdicts.both, some || verdicts.first
		}
		for name, q := range map[string]struct {
			got  abac.Verdict
			want bool // that it does not hold
			show func(abac.Case) bool
		}{
			"implies":    {a.Implies(b), onlyA, func(c abac.Case) bool { return a.Decide(c).Allowed && !b.Decide(c).Allowed }},
			"equivalent": {a.Equivalent(b), onlyA || onlyB, func(c abac.Case) bool { return a.Decide(c).Allowed != b.Decide(c).Allowed }},
			"disjoint":   {a.Disjoint(b), both, func(c abac.Case) bool { return a.Decide(c).Allowed && b.Decide(c).Allowed }},
			"never":      {a.NeverAllows(), some, func(c abac.Case) bool { return a.Decide(c).Allowed }},
		} {
			want := abac.Yes
			if q.want {
				want = abac.No
			}
			require.Equal(t, want, q.got.Answer, "%s: %v %v", name, a, b)
			if q.want {
				require.True(t, q.show(*q.got.Counterexample), "%s: %v", name, q.got.Counterexample)
			}
			answers[fmt.Sprint(name, " ", q.got.Answer)]++
		}
		if v := a.AlwaysAllows(); v.Answer == abac.No {
			require.False(t, a.Decide(*v.Counterexample).Allowed)
		}
	}
	t.Log(answers)
	require.Len(t, answers, 8, "both answers to every question")
}

func drawPolicies(random *rand.Rand) (policies []string) {
	for range 1 + random.IntN(2) {
		policies = append(policies, scopePolicies[random.IntN(len(scopePolicies)/2)])
	}
	if random.IntN(3) == 0 {
		policies = append(policies, scopePolicies[random.IntN(len(scopePolicies))])
	}
	return policies
}

type tried struct{ first, onlyFirst, onlySecond, both bool }

// tryAll tries, for one permission, the whole product of the parts' values. To keep that small it first sorts each part's
// values by what they do to a and b, and keeps one of each kind: a case is allowed exactly if every part lets it through.
func tryAll(permission string, a, b abac.Rights, parts [][]func(*abac.Case)) (out tried) {
	best := func() abac.Case {
		c := abac.Case{Permission: permission}
		for _, part := range parts {
			part[0](&c)
		}
		return c
	}
	states := map[[2]bool]bool{{true, true}: true}
	for p := range parts {
		kinds := map[[2]bool]bool{}
		for _, value := range parts[p] {
			c := best()
			value(&c)
			for q := range parts { // what depends on the time follows it
				if q > 0 && q != p {
					parts[q][0](&c)
				}
			}
			kinds[[2]bool{holdsPart(a, c, p), holdsPart(b, c, p)}] = true
		}
		next := map[[2]bool]bool{}
		for s := range states {
			for k := range kinds {
				next[[2]bool{s[0] && k[0], s[1] && k[1]}] = true
			}
		}
		states = next
	}
	resourceAllowed := [2]bool{oracle(a.Set.Policies(), permission) == abac.Allowed, oracle(b.Set.Policies(), permission) == abac.Allowed}
	for s := range states {
		first, second := s[0] && resourceAllowed[0], s[1] && resourceAllowed[1]
		out.first = out.first || first
		out.both = out.both || first && second
		out.onlyFirst = out.onlyFirst || first && !second
		out.onlySecond = out.onlySecond || second && !first
	}
	return out
}

// partReasons are the reasons each part of a case can be refused for.
var partReasons = []abac.Reason{
	abac.OutsideTimeWindow, abac.TenantMismatch, abac.MFARequired, abac.DevicePosture, abac.LabelTooLow, abac.DualControlRequired,
	abac.NetworkNotAllowed,
}

// holdsPart reports whether every constraint's conditions about one part hold for the case.
func holdsPart(r abac.Rights, c abac.Case, part int) bool {
	return !slices.Contains(abac.FailingReasons(r, c), partReasons[part])
}

func TestWindowsOfSeveralZones(t *testing.T) {
	u := universe(t, "a:x")
	roles, err := abac.NewRoles(u, 1, abac.Role{Name: "r", Policies: []string{"*:*"}})
	require.NoError(t, err)
	under := func(windows ...abac.Window) abac.Rights {
		c := abac.Constraint{Policy: "*:*"}
		for _, w := range windows {
			c.When = append(c.When, abac.During(w))
		}
		constraints, err := abac.NewConstraints(u, roles, c)
		require.NoError(t, err)
		return abac.Rights{Set: compile(t, u, "a:x"), Role: "r", Constraints: constraints}
	}
	window := func(zone string, first, last int) abac.Window {
		return abac.Window{Zone: zone, From: time.Duration(first) * time.Hour, To: time.Duration(last) * time.Hour}
	}
	berlin, tokyo := window("Europe/Berlin", 8, 18), window("Asia/Tokyo", 8, 18)
	verdict := under(berlin).Implies(under(tokyo))
	require.Equal(t, abac.No, verdict.Answer, "a minute of the year shows it")
	require.True(t, under(berlin).Decide(*verdict.Counterexample).Allowed)
	require.False(t, under(tokyo).Decide(*verdict.Counterexample).Allowed)
	require.Equal(t, abac.Yes, under(berlin, tokyo).Implies(under(tokyo)).Answer, "its own window is enough")
	require.Equal(t, abac.No, under(berlin, tokyo).NeverAllows().Answer, "eight in Berlin is five in Tokyo")
	require.Equal(t, abac.Unknown, under(window("Europe/Berlin", 12, 18), window("Asia/Tokyo", 8, 12)).NeverAllows().Answer,
		"no minute of a year is no proof for all")
	require.Equal(t, abac.Unknown, under(window("Europe/Berlin", 8, 9)).Implies(under(window("Europe/Paris", 8, 9))).Answer)
	require.Equal(t, abac.Yes, under(berlin).Implies(under(window("Asia/Tokyo", 0, 24))).Answer, "a whole week excludes nothing")
	require.Equal(t, abac.Yes, under(window("Europe/Berlin", 8, 9), window("Europe/Berlin", 10, 11)).NeverAllows().Answer)
}
