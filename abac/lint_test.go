package abac_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// lintSet is a set in which nothing is odd but what a test adds.
func lintSet(roles []abac.Role, constraints ...abac.Constraint) *abac.PolicySet {
	return &abac.PolicySet{
		Version: 1, Permissions: []string{"a:x", "a:y", "b:x"}, Constraints: constraints,
		Roles: append([]abac.Role{{Name: "root", Policies: []string{"*:*"}, Reserved: true}}, roles...),
	}
}

func TestLint(t *testing.T) {
	office := abac.During(abac.Window{Zone: "Europe/Berlin", From: 8 * time.Hour, To: 18 * time.Hour})
	night := abac.During(abac.Window{Zone: "Europe/Berlin", From: 18 * time.Hour, To: 8 * time.Hour})
	tokyo := abac.During(abac.Window{Zone: "Asia/Tokyo", From: 8 * time.Hour, To: 12 * time.Hour})
	late := abac.During(abac.Window{Zone: "Europe/Berlin", From: 12 * time.Hour, To: 18 * time.Hour})
	strong := abac.MFA(abac.MultiFactor, time.Minute)
	role := func(policies ...string) []abac.Role { return []abac.Role{{Name: "r", Policies: policies}} }
	for name, tc := range map[string]struct {
		set  *abac.PolicySet
		want []string // rule role policy proof
	}{
		"nothing is odd":                          {lintSet(role("a:*", "!a:y")), nil},
		"a role that allows everything":           {lintSet(role("*:*")), []string{"always_allows r", "equal_roles root", "escalation r"}},
		"a role above a reserved one":             {&abac.PolicySet{Version: 1, Permissions: []string{"a:x"}, Roles: []abac.Role{{Name: "r", Policies: []string{"a:*"}}, {Name: "s", Policies: []string{"a:x"}, Reserved: true}}}, []string{"escalation r"}},
		"a role that allows nothing":              {lintSet(role("!a:x")), []string{"never_allows r", "dead_deny r !a:x"}},
		"an allow that is taken back":             {lintSet(role("a:x", "b:x", "!a:*")), []string{"overridden_allow r a:x"}},
		"by two denies together":                  {lintSet(role("*:x", "b:x", "!*:x")), []string{"never_allows r", "overridden_allow r *:x", "overridden_allow r b:x"}},
		"an allow that another covers":            {lintSet(role("a:*", "a:x")), []string{"shadowed_allow r a:x"}},
		"an allow that is covered but for a deny": {lintSet(role("*:x", "a:*", "b:x", "!b:x")), []string{"overridden_allow r b:x"}},
		"an allow that no other covers":           {lintSet(role("a:x", "a:y")), nil},
		"a list is not any":                       {lintSet(role("a:x", "a:y", "a:*")), []string{"shadowed_allow r a:x", "shadowed_allow r a:y"}},
		"a deny that another covers":              {lintSet(role("a:*", "!a:x", "!*:x")), []string{"shadowed_deny r !a:x"}},
		"a deny of what is not allowed":           {lintSet(role("a:x", "!b:x")), []string{"dead_deny r !b:x"}},
		"two roles alike":                         {lintSet([]abac.Role{{Name: "r", Policies: []string{"a:*", "!a:y"}}, {Name: "s", Policies: []string{"a:*", "!a:y"}}}), []string{"equal_roles r"}},
		"a constraint nobody can meet":            {lintSet(role("a:x"), abac.Constraint{Policy: "a:x", Roles: []string{"r"}, When: []abac.Condition{office, night}}), []string{"never_allows r", "locked r a:x"}},
		"two constraints nobody can meet":         {lintSet(role("a:x", "b:x"), abac.Constraint{Policy: "a:*", When: []abac.Condition{abac.From(prefixes("10.0.0.0/8")...)}}, abac.Constraint{Policy: "*:x", Roles: []string{"r"}, When: []abac.Condition{abac.From(prefixes("11.0.0.0/8")...)}}), []string{"locked r a:x"}},
		"a constraint that another implies":       {lintSet(role("a:x"), abac.Constraint{Policy: "a:*", When: []abac.Condition{strong}}, abac.Constraint{Policy: "a:x", When: []abac.Condition{abac.MFA(abac.MultiFactor, time.Hour)}}), []string{"shadowed_constraint a:x"}},
		"a constraint on what nobody may":         {lintSet(role("a:x"), abac.Constraint{Policy: "b:x", Roles: []string{"r"}, When: []abac.Condition{strong}}), []string{"idle_constraint b:x"}},
		"clocks of several zones":                 {lintSet(role("a:x"), abac.Constraint{Policy: "a:x", Roles: []string{"r"}, When: []abac.Condition{late, tokyo}}), []string{"undecided r", "undecided r a:x"}},
		"a permission nobody has":                 {&abac.PolicySet{Version: 1, Permissions: []string{"a:x", "b:x"}, Roles: role("a:x")}, []string{"unused_permission b:x"}},
	} {
		t.Run(name, func(t *testing.T) {
			findings, err := tc.set.Lint()
			require.NoError(t, err)
			var have []string
			for _, f := range findings {
				require.NotEmpty(t, f.Fact)
				require.Contains(t, []abac.Severity{abac.SeverityError, abac.SeverityWarning, abac.SeverityNote}, f.Severity)
				have = append(have, strings.Join(strings.Fields(strings.Join([]string{f.Rule, f.Role, f.Policy, f.Proof}, " ")), " "))
			}
			slices.Sort(have)
			slices.Sort(tc.want)
			require.Equal(t, tc.want, have)
		})
	}
	t.Run("what is not valid is not read", func(t *testing.T) {
		_, err := new(abac.PolicySet).Lint()
		require.ErrorIs(t, err, abac.ErrPolicySet)
	})
	t.Run("the document's roles have no error and no warning", func(t *testing.T) {
		findings, err := abac.TOM6PolicySet().Lint()
		require.NoError(t, err)
		for _, f := range findings {
			require.Equal(t, abac.SeverityNote, f.Severity, f)
			require.Equal(t, abac.TenantUser, f.Role, f)
			require.Equal(t, "dead_deny", f.Rule, "its denies bind what a person is given besides")
		}
		require.Len(t, findings, 3)
	})
}

// TestLintByBruteForce draws roles of the small scope and says by trying what each policy's taking away would change.
func TestLintByBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	allowed := func(policies []string) (mask uint32) {
		for q, question := range scopeQuestions {
			if oracle(policies, question) == abac.Allowed {
				mask |= 1 << q
			}
		}
		return mask
	}
	seen := map[string]int{}
	for range 1500 {
		var policies []string
		for range 1 + random.IntN(5) {
			if p := scopePolicies[random.IntN(len(scopePolicies))]; !slices.Contains(policies, p) {
				policies = append(policies, p)
			}
		}
		set := &abac.PolicySet{Version: 1, Permissions: scopeQuestions, Roles: []abac.Role{{Name: "r", Policies: policies}}}
		findings, err := set.Lint()
		require.NoError(t, err)
		has := func(rule, policy string) bool {
			return slices.ContainsFunc(findings, func(f abac.Finding) bool { return f.Rule == rule && f.Policy == policy })
		}
		require.Equal(t, allowed(policies) == 0, has("never_allows", ""), policies)
		require.Equal(t, allowed(policies) == 1<<len(scopeQuestions)-1, has("always_allows", ""), policies)
		for i, p := range policies {
			rest := slices.Delete(slices.Clone(policies), i, i+1)
			same := allowed(rest) == allowed(policies)
			noEffect := has("overridden_allow", p) || has("shadowed_allow", p) || has("shadowed_deny", p) || has("dead_deny", p)
			if !strings.HasPrefix(p, "!") || noEffect { // a deny may be idle for reasons of several rules at once
				require.Equal(t, same, noEffect, "%s of %v", p, policies)
			}
		}
		for _, f := range findings {
			seen[f.Rule]++
		}
	}
	t.Log(seen)
}

func TestDiffPolicySets(t *testing.T) {
	when := func(c ...abac.Condition) []abac.Condition { return c }
	old := policySet(3)
	next := policySet(4)
	next.Permissions = append(next.Permissions, "audit:read")
	next.Roles[0].Reserved = false
	next.Roles[1].Policies = []string{"commands:*", "devices:*", "audit:read"}
	next.Roles = append(next.Roles, abac.Role{Name: "auditor", Policies: []string{"audit:read"}})
	next.Constraints[0].When = when(abac.MFA(abac.MultiFactor, time.Hour), abac.SameTenant())

	changes, err := abac.DiffPolicySets(old, next)
	require.NoError(t, err)
	short := map[string][]string{}
	for _, c := range changes {
		for sign, list := range map[string][]abac.Shift{"+": c.Gains, "-": c.Losses} {
			for _, s := range list {
				require.Equal(t, abac.No, s.Answer)
				require.NotNil(t, s.Case)
				if !s.Unlisted {
					short[c.Role] = append(short[c.Role], sign+s.Permission+" "+s.Reason.String())
				}
			}
		}
		slices.Sort(short[c.Role])
	}
	require.Equal(t, map[string][]string{
		"operator":   {"+commands:execute mfa_required", "-commands:execute tenant_mismatch"},
		"technician": {"+audit:read no_match", "+commands:execute mfa_required", "+devices:write explicit_deny", "-commands:execute tenant_mismatch"},
		"auditor":    {"+audit:read no_match"},
	}, short)
	require.True(t, changes[0].Released)
	require.False(t, changes[0].Reserved)
	require.True(t, changes[2].Added)
	back, err := abac.DiffPolicySets(next, old)
	require.NoError(t, err)
	require.True(t, back[0].Reserved)
	require.True(t, back[2].Removed)
	require.Equal(t, "auditor", back[2].Role)

	same, err := abac.DiffPolicySets(old, old)
	require.NoError(t, err)
	require.Empty(t, same)
	_, err = abac.DiffPolicySets(new(abac.PolicySet), old)
	require.ErrorIs(t, err, abac.ErrPolicySet)
	_, err = abac.DiffPolicySets(old, new(abac.PolicySet))
	require.ErrorIs(t, err, abac.ErrPolicySet)
}

// TestDiffByBruteForce draws two versions of a role and tries every permission of the small scope.
func TestDiffByBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	for range 1500 {
		set := func(version int64) *abac.PolicySet {
			var policies []string
			for range 1 + random.IntN(3) {
				if p := scopePolicies[random.IntN(len(scopePolicies))]; !slices.Contains(policies, p) {
					policies = append(policies, p)
				}
			}
			return &abac.PolicySet{Version: version, Permissions: scopeQuestions, Roles: []abac.Role{{Name: "r", Policies: policies}}}
		}
		old, next := set(1), set(2)
		changes, err := abac.DiffPolicySets(old, next)
		require.NoError(t, err)
		var gains, losses []string
		for _, c := range changes {
			for _, s := range c.Gains {
				if !s.Unlisted {
					gains = append(gains, s.Permission)
				}
			}
			for _, s := range c.Losses {
				if !s.Unlisted {
					losses = append(losses, s.Permission)
				}
			}
		}
		var wantGains, wantLosses []string
		for _, question := range scopeQuestions {
			was, is := oracle(old.Roles[0].Policies, question) == abac.Allowed, oracle(next.Roles[0].Policies, question) == abac.Allowed
			if is && !was {
				wantGains = append(wantGains, question)
			}
			if was && !is {
				wantLosses = append(wantLosses, question)
			}
		}
		require.Equal(t, wantGains, gains)
		require.Equal(t, wantLosses, losses)
	}
}
