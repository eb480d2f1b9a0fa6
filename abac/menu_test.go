package abac_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/abac"
)

func TestDecideAll(t *testing.T) {
	u := universe(t, "devices:read", "devices:write", "audit:read")
	p := compile(t, u, "devices:*", "*:read", "!devices:write").DecideAll()
	require.Equal(t, []string{"devices:read", "audit:read"}, p.Names())
	require.Equal(t, []uint64{0b101}, p.Bits())
	require.Equal(t, 2, p.Len())
	p.Bits()[0] = 0
	require.Equal(t, 2, p.Len(), "a copy")
	for range p.IDs() {
		break
	}
	id, _ := universe(t, "devices:read").ID("devices:read")
	require.False(t, p.Has(id), "another universe's")
	require.False(t, p.Has(abac.ID{}))

	void, err := u.Compile(abac.Source{Policies: []string{"*:*", "!"}})
	require.Error(t, err)
	var nobody *abac.Subject
	for name, empty := range map[string]abac.Permissions{
		"the zero value": {}, "a nil set": (*abac.Set)(nil).DecideAll(), "the zero set": new(abac.Set).DecideAll(),
		"a void set": void.DecideAll(), "nobody": nobody.DecideAll(abac.Request{}), "a subject without a set": new(abac.Subject).DecideAll(abac.Request{}),
		"an outdated token": (&abac.Subject{Set: compile(t, u, "*:*"), Version: 1}).DecideAll(abac.Request{MinVersion: 2}),
	} {
		t.Run(name+" is empty", func(t *testing.T) {
			require.Zero(t, empty.Len())
			require.Empty(t, empty.Names())
			require.False(t, empty.Has(abac.ID{}))
		})
	}
}

func TestAMenuSaysWhatSingleDecisionsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var names []string
		for range rapid.IntRange(0, 130).Draw(t, "registered") {
			names = append(names, drawText(t, false)+rapid.SampledFrom([]string{"", "1", "2", "3", "4", "5", "6", "7"}).Draw(t, "suffix"))
		}
		slices.Sort(names)
		u, err := abac.NewUniverse(slices.Compact(names)...)
		require.NoError(t, err)
		var policies []string
		for range rapid.IntRange(0, 8).Draw(t, "policies") {
			policies = append(policies, drawText(t, true))
		}
		s, err := u.Compile(abac.Source{Policies: policies})
		require.NoError(t, err)
		sub := &abac.Subject{Set: s}
		var want []string
		for _, name := range u.Permissions() {
			id, _ := u.ID(name)
			allowed := oracle(policies, name) == abac.Allowed
			require.Equal(t, allowed, s.DecideAll().Has(id))
			if allowed {
				want = append(want, name)
			}
		}
		require.ElementsMatch(t, want, s.DecideAll().Names())
		require.Equal(t, len(want), sub.DecideAll(abac.Request{}).Len())
	})
}
