package abac

import (
	"fmt"
	"slices"
	"strings"
)

// Severity says how much a [Finding] matters.
type Severity string

// Severities.
const (
	SeverityError   Severity = "error"   // the set cannot mean what was intended
	SeverityWarning Severity = "warning" // something has no effect, or more than it seems
	SeverityNote    Severity = "note"    // worth knowing
)

// Finding is something odd in a policy set that is otherwise valid.
type Finding struct {
	Severity Severity `json:"severity"`
	// Rule is the stable name of the rule of reading: see [PolicySet.Lint].
	Rule   string `json:"rule"`
	Role   string `json:"role,omitempty"`   // the role it is about
	Policy string `json:"policy,omitempty"` // the policy, or the pattern of the constraint
	Fact   string `json:"fact"`             // one sentence
	Proof  string `json:"proof,omitempty"`  // a permission that shows it
}

// Lint reads a valid policy set for what its author cannot have meant. It is exact: a finding is a fact about every
// permission and every request there can be. The rules are
//
//	escalation        error    a role that is not reserved may do all that a reserved role may
//	always_allows     error    a role that is not reserved allows everything
//	locked            error    a role has a right whose constraints contradict each other
//	never_allows      warning  a role allows nothing
//	overridden_allow  warning  an allow that the role's denies take back whole
//	shadowed_allow    warning  an allow that the role's other allows cover
//	shadowed_deny     warning  a deny that the role's other denies cover
//	shadowed_constraint warning  a constraint that others imply for everybody it binds
//	idle_constraint   warning  a constraint on what nobody it binds may do
//	unused_permission warning  no role allows a permission
//	dead_deny         note     a deny of what the role does not allow: it binds only what a person is given besides
//	equal_roles       note     two roles that allow the same
//	undecided         note     time windows of several zones, which no analysis decides
func (p *PolicySet) Lint() ([]Finding, error) {
	compiled, err := p.compile()
	if err != nil {
		return nil, err
	}
	l := &linter{set: p, policies: compiled, universe: compiled.Constraints.universe}
	for _, role := range p.Roles {
		l.role(role)
	}
	l.pairs()
	l.constraints()
	l.permissions()
	return l.findings, nil
}

// RoleRights returns what holders of a role may do under the set's constraints, for [Rights]' questions.
func (p *Policies) RoleRights(role string) (Rights, error) {
	r, known := p.Roles.byName[role]
	if !known {
		return Rights{}, fmt.Errorf("abac: policy set: unknown role: %w", ErrRole)
	}
	s, err := p.Constraints.universe.Compile(Source{Role: role, Policies: r.Policies})
	if err != nil {
		return Rights{}, err
	}
	return Rights{Set: s, Role: role, Constraints: p.Constraints}, nil
}

type linter struct {
	set      *PolicySet
	policies *Policies
	universe *Universe
	findings []Finding
}

func (l *linter) add(f Finding) { l.findings = append(l.findings, f) }

func (l *linter) rights(role string) Rights {
	r, err := l.policies.RoleRights(role)
	if err != nil {
		panic(err) // checked when the set was compiled
	}
	return r
}

// of compiles policies that were checked.
func (l *linter) of(policies ...string) Rights {
	s, err := l.universe.Compile(Source{Policies: policies})
	if err != nil {
		panic(err) // checked when the set was compiled
	}
	return Rights{Set: s}
}

func (l *linter) role(role Role) {
	bare, bound := l.of(role.Policies...), l.rights(role.Name)
	switch never := bound.NeverAllows(); {
	case never.Answer == Yes:
		l.add(Finding{SeverityWarning, "never_allows", role.Name, "", "the role allows nothing", ""})
	case never.Answer == Unknown:
		l.add(Finding{SeverityNote, "undecided", role.Name, "", "whether the role allows anything depends on the clocks of several zones", ""})
	}
	if !role.Reserved && bare.AlwaysAllows().Answer == Yes {
		l.add(Finding{SeverityError, "always_allows", role.Name, "", "the role allows everything and is not reserved", ""})
	}
	for i := range role.Policies {
		l.policy(role, i)
	}
	l.locked(role, bare, bound)
}

// policy judges one policy by what is left when it is taken away.
func (l *linter) policy(role Role, i int) {
	var allows, denies []string
	for j, text := range role.Policies {
		switch {
		case j == i:
		case strings.HasPrefix(text, "!"):
			denies = append(denies, text)
		default:
			allows = append(allows, text)
		}
	}
	text := role.Policies[i]
	body, isDeny := strings.CutPrefix(text, "!")
	mine := l.of(body)
	opposite := make([]string, len(denies))
	for j, d := range denies {
		opposite[j] = strings.TrimPrefix(d, "!")
	}
	add := func(severity Severity, rule, fact string) { l.add(Finding{severity, rule, role.Name, text, fact, ""}) }
	switch {
	case isDeny && mine.Implies(l.of(opposite...)).Answer == Yes:
		add(SeverityWarning, "shadowed_deny", "other denies of the role cover it")
	case isDeny && mine.Disjoint(l.of(allows...)).Answer == Yes:
		add(SeverityNote, "dead_deny", "the role allows nothing of it; it binds only what a person is given besides")
	case isDeny:
	case mine.Implies(l.of(opposite...)).Answer == Yes:
		add(SeverityWarning, "overridden_allow", "the role's denies take all of it back")
	case l.of(append([]string{body}, denies...)...).Implies(l.of(append(allows, denies...)...)).Answer == Yes:
		add(SeverityWarning, "shadowed_allow", "other policies of the role make it superfluous")
	}
}

// locked looks for rights whose constraints no request can meet, over one permission of each kind and the registered ones.
func (l *linter) locked(role Role, bare, bound Rights) {
	for _, permission := range cells(l.universe, bare, bound) {
		resource, action, _ := strings.Cut(permission, ":")
		if !bare.allows(resource, action) {
			continue
		}
		switch _, answer := bound.demand(resource, action).witness(resource, action); answer {
		case Yes:
			l.add(Finding{SeverityError, "locked", role.Name, "", "the constraints on a right of the role contradict each other", permission})
			return
		case Unknown:
			l.add(Finding{SeverityNote, "undecided", role.Name, "", "whether a right can be used depends on the clocks of several zones", permission})
			return
		}
	}
}

func (l *linter) pairs() {
	for i, a := range l.set.Roles {
		for j, b := range l.set.Roles {
			if i == j {
				continue
			}
			mine, theirs := l.rights(a.Name), l.rights(b.Name)
			if i < j && mine.Equivalent(theirs).Answer == Yes {
				l.add(Finding{SeverityNote, "equal_roles", a.Name, "", "allows the same as " + b.Name, ""})
			}
			if !a.Reserved && b.Reserved && theirs.NeverAllows().Answer != Yes && theirs.Implies(mine).Answer == Yes {
				l.add(Finding{SeverityError, "escalation", a.Name, "", "is not reserved and may do all that " + b.Name + " may", ""})
			}
		}
	}
}

func (l *linter) constraints() {
	for i, c := range l.set.Constraints {
		pattern := l.of(c.Policy)
		rest := slices.Delete(slices.Clone(l.set.Constraints), i, i+1)
		without, err := NewConstraints(l.universe, l.policies.Roles, rest...)
		if err != nil {
			panic(err) // checked when the set was compiled
		}
		idle, shadowed := true, true
		for _, role := range l.set.Roles {
			if len(c.Roles) > 0 && !slices.Contains(c.Roles, role.Name) {
				continue
			}
			bound := l.rights(role.Name)
			idle = idle && l.of(role.Policies...).Disjoint(pattern).Answer == Yes
			shadowed = shadowed && Rights{bound.Set, role.Name, without}.Implies(bound).Answer == Yes
		}
		switch {
		case idle:
			l.add(Finding{SeverityWarning, "idle_constraint", "", c.Policy, "no role it binds may do what it constrains", ""})
		case shadowed:
			l.add(Finding{SeverityWarning, "shadowed_constraint", "", c.Policy, "other constraints demand as much already", ""})
		}
	}
}

func (l *linter) permissions() {
	for _, permission := range l.universe.names {
		id, _ := l.universe.ID(permission)
		if len(l.policies.Roles.Allowing(id)) == 0 {
			l.add(Finding{SeverityWarning, "unused_permission", "", "", "no role allows it", permission})
		}
	}
}

// cells lists the registered permissions and then one unregistered permission of every kind that rights tell apart.
func cells(u *Universe, rights ...Rights) []string {
	all := u.Permissions()
	resources, actions := mentioned(rights...)
	for _, resource := range resources {
		for _, action := range actions {
			if _, registered := u.index[resource+":"+action]; !registered {
				all = append(all, resource+":"+action)
			}
		}
	}
	return all
}
