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
	// Rule decided; it is set where a policy allows or denies, also if a condition then refused.
	Rule Rule
	// Matches are all rules that speak about the permission, in the order they were compiled.
	Matches []Rule
	// Unmet are the conditions that do not hold, of the route and of the policy set in force.
	Unmet []Unmet
	// Remedy is what would have permitted it; zero where it is permitted.
	Remedy Remedy
}

// Unmet is a condition that does not hold.
type Unmet struct {
	Condition  Condition
	Reason     Reason
	Constraint string // the pattern of the constraint it comes from, empty for a condition of the route
}

// Remedy is everything that has to change so that the same request is permitted.
type Remedy struct {
	Token   bool     // a new token is needed
	Allow   string   // a policy to add, the narrowest that would do
	Denies  []Rule   // rules to take away
	Unmet   []Unmet  // conditions to meet
	Roles   []string // roles of the catalogue whose policies permit it, where the subject's do not
	Compile error    // why the policies are void
}

// Explain decides like [Set.DecideString] and says which rule decided, from which role it came, and what would have
// permitted it. Where several rules would have decided alike, the one compiled first is named. It is meant for people, not
// for the request path.
func (s *Set) Explain(permission string) Explanation {
	e := Explanation{Permission: permission, Decision: s.DecideString(permission)}
	resource, action, err := ParsePermission(permission)
	if err != nil {
		return e
	}
	if s.Err() != nil {
		e.Remedy.Compile = s.Err()
		return e
	}
	allowed := false
	if s != nil {
		for i := range s.rules {
			r := &s.rules[i]
			if !r.Covers(resource, action) {
				continue
			}
			found := Rule{Policy: r.Policy, Role: r.role}
			if e.Rule == (Rule{}) && r.Deny == (e.Decision.Reason == ExplicitDeny) {
				e.Rule = found
			}
			if r.Deny {
				e.Remedy.Denies = append(e.Remedy.Denies, found)
			}
			allowed = allowed || !r.Deny
			e.Matches = append(e.Matches, found)
		}
	}
	if !allowed {
		e.Remedy.Allow = permission
	}
	return e
}

// Explain decides like [Requirement.Decide] and says which rule and which conditions decided, and what would have permitted
// it. Roles may be nil; they are asked who else may.
func (q *Requirement) Explain(sub *Subject, req Request, roles *Roles) Explanation {
	var set *Set
	if sub != nil {
		set = sub.Set
	}
	e := set.Explain(q.text)
	e.Decision = q.Decide(sub, req)
	if e.Decision.Allowed {
		return e
	}
	e.Remedy.Token = sub == nil || sub.Version < req.MinVersion
	if !set.Decide(q.permission).Allowed {
		e.Remedy.Roles = roles.Allowing(q.permission)
	}
	if sub != nil {
		e.Unmet = q.unmet(sub, &req)
		e.Remedy.Unmet = e.Unmet
	}
	return e
}

// unmet lists all conditions that do not hold, where a decision stops at the first.
func (q *Requirement) unmet(sub *Subject, req *Request) (list []Unmet) {
	add := func(when []Condition, constraint string) {
		for i := range when {
			if reason := when[i].check(sub, req, q.text); reason != Allowed {
				list = append(list, Unmet{when[i], reason, constraint})
			}
		}
	}
	add(q.conditions, "")
	resource, action, err := ParsePermission(q.text)
	if err != nil || req.Constraints == nil {
		return list
	}
	for i := range req.Constraints.list {
		if one := &req.Constraints.list[i]; one.binds(sub.Role) && one.Covers(resource, action) {
			add(one.when, one.String())
		}
	}
	return list
}

// Allowing returns the names of the roles whose policies allow a permission, in the order of the catalogue.
func (r *Roles) Allowing(id ID) (names []string) {
	if r == nil || id.universe == nil {
		return nil
	}
	for _, name := range r.names {
		if s, err := id.universe.Compile(Source{Policies: r.byName[name].Policies}); err == nil && s.Decide(id).Allowed {
			names = append(names, name)
		}
	}
	return names
}
