package abactest

import (
	"slices"
	"strings"

	"github.com/pioneerdesk/tomkit/abac"
)

// expected is the reason an honest server decides with for policies that are well formed: default deny, deny override.
func expected(policies []string, permission string) abac.Reason {
	reason := abac.NoMatch
	for _, p := range policies {
		if body, isDeny := strings.CutPrefix(p, "!"); covers(body, permission) {
			if isDeny {
				return abac.ExplicitDeny
			}
			reason = abac.Allowed
		}
	}
	return reason
}

// covers spells out what a policy speaks about, in the plainest way.
func covers(policy, permission string) bool {
	p, q := strings.Split(policy, ":"), strings.Split(permission, ":")
	if p[1] != "*" && p[1] != q[1] {
		return false
	}
	want, have := strings.Split(p[0], "."), strings.Split(q[0], ".")
	return p[0] == "*" || len(have) >= len(want) && slices.Equal(want, have[:len(want)])
}

// without lists the permissions that policies allow, one by one, less the one that is taken away.
func without(universe *abac.Universe, policies []string, permission string) (rest []string) {
	for _, p := range universe.Permissions() {
		if p != permission && expected(policies, p) == abac.Allowed {
			rest = append(rest, p)
		}
	}
	return rest
}
