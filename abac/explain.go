package abac

// Rule is one policy of a set and where it came from.
type Rule struct {
	Policy Policy
	Role   string // name of the source, see [Source]
}

// Explanation is a [Decision] with the rules behind it. It is for administrators and logs, not for the person refused.
type Explanation struct {
	Permission string
	Decision   Decision
	// Rule decided; ok is in Decision.Reason: it is set for Allowed and ExplicitDeny only.
	Rule Rule
	// Matches are all rules that speak about the permission, in the order they were compiled.
	Matches []Rule
}

// Explain decides like [Set.DecideString] and says which rule decided and from which role it came. Where several rules
// would have decided alike, the one compiled first is named. It is meant for people, not for the request path.
func (s *Set) Explain(permission string) Explanation {
	e := Explanation{Permission: permission, Decision: s.DecideString(permission)}
	resource, action, err := ParsePermission(permission)
	if err != nil || s == nil {
		return e
	}
	for i := range s.rules {
		r := &s.rules[i]
		if !r.Covers(resource, action) {
			continue
		}
		found := Rule{Policy: r.Policy, Role: r.role}
		if e.Rule == (Rule{}) && r.Deny == (e.Decision.Reason == ExplicitDeny) {
			e.Rule = found
		}
		e.Matches = append(e.Matches, found)
	}
	return e
}
