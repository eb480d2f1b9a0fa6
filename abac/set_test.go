package abac_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/abac"
)

func universe(t testing.TB, permissions ...string) *abac.Universe {
	t.Helper()
	u, err := abac.NewUniverse(permissions...)
	require.NoError(t, err)
	return u
}

func compile(t testing.TB, u *abac.Universe, policies ...string) *abac.Set {
	t.Helper()
	s, err := u.Compile(abac.Source{Policies: policies})
	require.NoError(t, err)
	return s
}

func TestDecide(t *testing.T) {
	u := universe(t, "devices:read", "devices:write", "devices.disk:read", "audit:read")
	for name, tc := range map[string]struct {
		policies   []string
		permission string
		want       abac.Reason
	}{
		"nothing is allowed by default":                 {nil, "devices:read", abac.NoMatch},
		"an allow allows":                               {[]string{"devices:read"}, "devices:read", abac.Allowed},
		"an allow does not reach another action":        {[]string{"devices:read"}, "devices:write", abac.NoMatch},
		"a deny overrides an allow before it":           {[]string{"devices:read", "!devices:read"}, "devices:read", abac.ExplicitDeny},
		"a deny overrides an allow after it":            {[]string{"!devices:read", "devices:read"}, "devices:read", abac.ExplicitDeny},
		"a wide deny overrides a narrow allow":          {[]string{"!*:read", "devices:read"}, "devices:read", abac.ExplicitDeny},
		"a narrow deny cuts a wide allow":               {[]string{"*:*", "!devices:write"}, "devices:write", abac.ExplicitDeny},
		"and leaves the rest of it":                     {[]string{"*:*", "!devices:write"}, "devices:read", abac.Allowed},
		"a wildcard covers what is not registered":      {[]string{"*:*"}, "elsewhere:read", abac.Allowed},
		"a resource covers what lies below it":          {[]string{"devices:read"}, "devices.disk:read", abac.Allowed},
		"below means below, registered or not":          {[]string{"devices:read"}, "devices.disk.part:read", abac.Allowed},
		"a deny covers what lies below it":              {[]string{"*:*", "!devices:*"}, "devices.disk:read", abac.ExplicitDeny},
		"nothing reaches up":                            {[]string{"devices.disk:read"}, "devices:read", abac.NoMatch},
		"a common beginning is not below":               {[]string{"devices:read"}, "devicesx:read", abac.NoMatch},
		"asking with a wildcard is not a question":      {[]string{"*:*"}, "devices:*", abac.InvalidPermission},
		"asking for every resource is not either":       {[]string{"*:*"}, "*:read", abac.InvalidPermission},
		"asking with a mark is not either":              {[]string{"*:*"}, "!devices:read", abac.InvalidPermission},
		"asking in upper case is not either":            {[]string{"*:*"}, "DEVICES:read", abac.InvalidPermission},
		"asking for nothing is not either":              {[]string{"*:*"}, "", abac.InvalidPermission},
		"asking with a byte order mark is not either":   {[]string{"*:*"}, "\ufeffdevices:read", abac.InvalidPermission},
		"an unparsable deny voids everything":           {[]string{"*:*", "! devices:read"}, "audit:read", abac.InvalidPolicy},
		"an unparsable allow may have been a deny":      {[]string{"*:*", "ǃdevices:read"}, "audit:read", abac.InvalidPolicy},
		"a void set denies what is not registered too":  {[]string{"*:*", "!"}, "elsewhere:read", abac.InvalidPolicy},
		"an empty policy voids everything":              {[]string{"*:*", ""}, "devices:read", abac.InvalidPolicy},
		"a set with an explicit deny does not say void": {[]string{"!*:*"}, "devices:read", abac.ExplicitDeny},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := u.Compile(abac.Source{Policies: tc.policies})
			require.Equal(t, tc.want == abac.InvalidPolicy, err != nil)
			want := abac.Decision{Allowed: tc.want == abac.Allowed, Reason: tc.want}
			require.Equal(t, want, s.DecideString(tc.permission))
			if id, ok := u.ID(tc.permission); ok {
				require.Equal(t, want, s.Decide(id))
			}
		})
	}
}

func TestZeroValuesDeny(t *testing.T) {
	u := universe(t, "devices:read")
	id, ok := u.ID("devices:read")
	require.True(t, ok)
	all := compile(t, u, "*:*")
	var nobody *abac.Set
	var zero abac.Set
	var decision abac.Decision

	require.False(t, decision.Allowed)
	require.Equal(t, "no_decision", decision.Reason.String())
	for name, got := range map[string]abac.Decision{
		"a nil set":            nobody.Decide(id),
		"a nil set by text":    nobody.DecideString("devices:read"),
		"the zero set":         zero.Decide(id),
		"the zero set by text": zero.DecideString("devices:read"),
		"zero set, zero id":    zero.Decide(abac.ID{}),
		"nil set, zero id":     nobody.Decide(abac.ID{}),
		"the zero id":          all.Decide(abac.ID{}),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, abac.Decision{Reason: abac.NoMatch}, got)
		})
	}
	require.NoError(t, nobody.Err())
	require.Nil(t, nobody.Policies())
	require.Empty(t, abac.ID{}.String())
	require.False(t, nobody.Explain("devices:read").Decision.Allowed)
}

func TestIDsOfAnotherUniverseMeanNothing(t *testing.T) {
	ours, theirs := universe(t, "devices:read", "devices:write"), universe(t, "devices:write", "devices:read")
	set := compile(t, ours, "devices:read")
	id, ok := theirs.ID("devices:write") // the same number as ours "devices:read"
	require.True(t, ok)
	require.False(t, set.Decide(id).Allowed)
}

func TestUniverse(t *testing.T) {
	t.Run("gives back what was registered", func(t *testing.T) {
		names := make([]string, 1500)
		for i := range names {
			names[i] = fmt.Sprintf("resource%d:read", i)
		}
		u := universe(t, names...)
		require.Equal(t, names, u.Permissions())
		require.Equal(t, len(names), u.Len())
		s := compile(t, u, "resource77:read", "resource1499:*")
		for i, name := range names {
			id, ok := u.ID(name)
			require.True(t, ok)
			require.Equal(t, name, id.String())
			require.Equal(t, i == 77 || i == 1499, s.Decide(id).Allowed)
		}
		_, ok := u.ID("resource1500:read")
		require.False(t, ok)
	})
	t.Run("refuses a permission twice", func(t *testing.T) {
		_, err := abac.NewUniverse("a:x", "b:x", "a:x")
		require.ErrorContains(t, err, "permission 2")
	})
	t.Run("refuses a wildcard", func(t *testing.T) {
		_, err := abac.NewUniverse("a:*")
		require.ErrorIs(t, err, abac.ErrPolicy)
	})
	t.Run("refuses too many", func(t *testing.T) {
		names := make([]string, abac.MaxPermissions+1)
		for i := range names {
			names[i] = fmt.Sprintf("r%d:x", i)
		}
		_, err := abac.NewUniverse(names...)
		require.Error(t, err)
		_, err = abac.NewUniverse(names[1:]...)
		require.NoError(t, err)
	})
	t.Run("may be empty", func(t *testing.T) {
		s := compile(t, universe(t), "devices:*")
		require.True(t, s.DecideString("devices:read").Allowed)
		require.False(t, s.DecideString("audit:read").Allowed)
	})
}

func TestCompile(t *testing.T) {
	u := universe(t, "devices:read")
	t.Run("names the policy that voids the set, without its text", func(t *testing.T) {
		s, err := u.Compile(abac.Source{Role: "technician", Policies: []string{"devices:read"}},
			abac.Source{Role: "individual", Policies: []string{"devices:read", "!secret project"}})
		var at *abac.CompileError
		require.ErrorAs(t, err, &at)
		require.Equal(t, "individual", at.Role)
		require.Equal(t, 1, at.Index)
		require.ErrorIs(t, err, abac.ErrPolicy)
		require.NotContains(t, err.Error(), "secret")
		require.Equal(t, err, s.Err())
		require.Empty(t, s.Policies())
	})
	t.Run("refuses more policies than the limit, and the set is void", func(t *testing.T) {
		many := slices.Repeat([]string{"devices:read"}, abac.MaxPolicies)
		_, err := u.Compile(abac.Source{Policies: many})
		require.NoError(t, err)
		s, err := u.Compile(abac.Source{Policies: many}, abac.Source{Policies: []string{"devices:read"}})
		require.ErrorIs(t, err, abac.ErrTooMany)
		require.Equal(t, abac.InvalidPolicy, s.DecideString("devices:read").Reason)
	})
	t.Run("keeps the texts", func(t *testing.T) {
		require.Equal(t, []string{"!a.b:*", "*:x"}, compile(t, u, "!a.b:*", "*:x").Policies())
	})
	t.Run("is not touched by later changes of the list", func(t *testing.T) {
		list := []string{"devices:read"}
		s := compile(t, u, list...)
		list[0] = "!devices:read"
		require.True(t, s.DecideString("devices:read").Allowed)
	})
}

func TestExplain(t *testing.T) {
	u := universe(t, "devices:read", "devices:write")
	s, err := u.Compile(
		abac.Source{Role: abac.Technician, Policies: []string{"devices:*", "audit:read"}},
		abac.Source{Role: abac.Individual, Policies: []string{"*:read", "!devices:write"}},
	)
	require.NoError(t, err)

	t.Run("names the allow and its role", func(t *testing.T) {
		e := s.Explain("devices:read")
		require.True(t, e.Decision.Allowed)
		require.Equal(t, "devices:*", e.Rule.Policy.String())
		require.Equal(t, abac.Technician, e.Rule.Role)
		require.Len(t, e.Matches, 2)
	})
	t.Run("names the deny, not the allow it overrides", func(t *testing.T) {
		e := s.Explain("devices:write")
		require.Equal(t, abac.ExplicitDeny, e.Decision.Reason)
		require.Equal(t, "!devices:write", e.Rule.Policy.String())
		require.Equal(t, abac.Individual, e.Rule.Role)
		require.Len(t, e.Matches, 2)
	})
	t.Run("has no rule for the default deny", func(t *testing.T) {
		e := s.Explain("iam:write")
		require.Equal(t, abac.NoMatch, e.Decision.Reason)
		require.Zero(t, e.Rule)
		require.Empty(t, e.Matches)
	})
	t.Run("has no rule for what is no permission", func(t *testing.T) {
		require.Equal(t, abac.Explanation{Permission: "x", Decision: abac.Decision{Reason: abac.InvalidPermission}}, s.Explain("x"))
	})
}

// drawPolicy makes policies and permissions that meet often: few names, some nested.
func drawText(t *rapid.T, policy bool) string {
	resources := []string{"devices", "devices.disk", "devices.disk.part", "device", "audit", "iam"}
	actions := []string{"read", "write", "reads"}
	if policy {
		resources, actions = append(resources, "*"), append(actions, "*")
	}
	text := rapid.SampledFrom(resources).Draw(t, "resource") + ":" + rapid.SampledFrom(actions).Draw(t, "action")
	if policy && rapid.IntRange(0, 3).Draw(t, "mark") == 0 {
		return "!" + text
	}
	return text
}

func TestDecisionsAgreeForAnyUniverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		registered := make(map[string]bool)
		for range rapid.IntRange(0, 20).Draw(t, "registered") {
			registered[drawText(t, false)] = true
		}
		var names []string
		for name := range registered {
			names = append(names, name)
		}
		slices.Sort(names)
		u, err := abac.NewUniverse(names...)
		require.NoError(t, err)
		var policies []string
		for range rapid.IntRange(0, 12).Draw(t, "policies") {
			policies = append(policies, drawText(t, true))
		}
		s, err := u.Compile(abac.Source{Policies: policies})
		require.NoError(t, err)
		for range 10 {
			permission := drawText(t, false)
			want := oracle(policies, permission)
			require.Equal(t, want, s.DecideString(permission).Reason, "%v: %s", policies, permission)
			require.Equal(t, want, s.Explain(permission).Decision.Reason)
			if id, ok := u.ID(permission); ok {
				require.Equal(t, want, s.Decide(id).Reason, "%v: %s by id", policies, permission)
			}
			rule := s.Explain(permission).Rule
			require.Equal(t, want == abac.NoMatch, rule == abac.Rule{})
			if want != abac.NoMatch {
				require.Equal(t, want == abac.ExplicitDeny, rule.Policy.Deny)
				require.True(t, oracleCovers(rule.Policy.String(), permission))
			}
		}
	})
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	u := universe(t, "devices:read")
	id, _ := u.ID("devices:read")
	s := compile(t, u, "devices:*", "*:write", "!audit:write")
	for _, permission := range []string{"devices:read", "devices.disk:read", "audit:write", "x:y", "NOT", "not:*"} {
		require.Zero(t, testing.AllocsPerRun(100, func() { s.DecideString(permission); s.Decide(id) }), permission)
	}
}

func TestOneSetForManyGoroutines(t *testing.T) {
	u := universe(t, "devices:read")
	id, _ := u.ID("devices:read")
	s := compile(t, u, "devices:*")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if !s.Decide(id).Allowed || s.DecideString("audit:read").Allowed || !s.Explain("devices:x").Decision.Allowed {
					t.Error("a decision changed")
				}
			}
		})
	}
	wg.Wait()
}
