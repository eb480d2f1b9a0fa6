package audit

import (
	"fmt"
	"slices"
	"strings"
)

// met is a permissive policy that a request role meets.
type met struct {
	scope
	policy       *readPolicy
	using, check reach
	cause        cause // of using
	direct       bool  // named for the role or for PUBLIC, not inherited
}

// cause says why a policy is wider than the tenant.
type cause byte

const (
	none cause = iota
	causeConstant
	causeSetting
	causeOrSetting
	causeOrUnclear
	causeOthers
	causeUnclear
)

// eachPolicy asks about each permissive policy of a tenant table that a request role meets. The detail is the expression.
func eachPolicy(check func(*met) *node) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for _, t := range m.tables {
			for _, p := range m.policies[t.OID] {
				for _, r := range m.requests {
					e := m.meet(t, p, r)
					if e == nil {
						continue
					}
					if found := check(e); found != nil {
						hits = append(hits, policyHit(t, p.policy, p.text(found)))
						break
					}
				}
			}
		}
		return hits
	}
}

// text returns the expression that was found at fault.
func (p *readPolicy) text(n *node) string {
	if n == p.using {
		return "USING " + p.Using
	}
	return "WITH CHECK " + p.Check
}

func policyHit(t *table, p *policy, detail string, args ...string) hit {
	return hit{"policy " + ident(p.Name) + " on " + t.Name, detail, append([]string{t.Name, ident(p.Name)}, args...)}
}

func (m *model) meet(t *table, p *readPolicy, r *role) *met {
	if !t.RowSecurity || !p.Permissive || !m.appliesInherited(p, r) {
		return nil
	}
	e := &met{scope: scope{m: m, table: t, session: r, current: r}, policy: p, direct: m.applies(p, r)}
	if p.using != nil {
		e.using = e.narrowed(e.reach(p.using), "r", "w", "d")
		e.cause = e.causeOf(p.using, e.using)
	}
	if p.check != nil {
		e.check = e.narrowed(e.reach(p.check), "a", "w")
	}
	return e
}

// narrowed applies restrictive policies: where each of the policy's verbs has one that is bound, so is the policy.
func (e *met) narrowed(r reach, commands ...string) reach {
	if r <= bound {
		return r
	}
	for _, c := range commands {
		if e.policy.covers(c) && !slices.ContainsFunc(e.m.policies[e.table.OID], func(p *readPolicy) bool { return e.restricts(p, c) }) {
			return r
		}
	}
	return bound
}

func (e *met) restricts(p *readPolicy, command string) bool {
	if p.Permissive || !p.covers(command) || !e.m.appliesInherited(p, e.session) {
		return false
	}
	read := p.using == nil || e.reach(p.using) <= bound
	return read && (command != "a" && command != "w" || e.reach(p.check) <= bound)
}

func (e *met) causeOf(n *node, r reach) cause {
	if r <= bound {
		return none
	}
	if value, known := constant(n); known && value {
		return causeConstant
	}
	if or := e.alternative(n); or != nil {
		return e.causeOfOr(or, r)
	}
	switch {
	case r == unclear:
		return causeUnclear
	case n.has(isSetting) && !n.has(isColumn):
		return causeSetting
	}
	return causeOthers
}

// alternative returns the OR that stands beside the tenant's equality, or nil.
func (e *met) alternative(n *node) *node {
	n = bare(n)
	switch n.kind {
	case nodeOr:
		if slices.ContainsFunc(n.args, func(a *node) bool { return e.reach(a) == bound }) {
			return n
		}
	case nodeAnd:
		for _, a := range n.args {
			if or := e.alternative(a); or != nil {
				return or
			}
		}
	}
	return nil
}

func (e *met) causeOfOr(or *node, r reach) cause {
	if r == unclear {
		return causeOrUnclear
	}
	for _, a := range or.args {
		if e.reach(a) == open && a.has(isSetting) {
			return causeOrSetting
		}
	}
	return causeOthers
}

// because is a check for policies that are too wide for that reason. Policies met by inheritance are the membership's fault.
func because(c cause) func(*met) *node {
	return func(e *met) *node {
		if !e.direct || e.cause != c {
			return nil
		}
		return e.policy.using
	}
}

var (
	constantUsing = because(causeConstant)
	bypassSetting = because(causeSetting)
	orSetting     = because(causeOrSetting)
	orUnclear     = because(causeOrUnclear)
	othersRows    = because(causeOthers)
)

func weakCheck(e *met) *node {
	writes := e.policy.covers("a") || e.policy.covers("w")
	if e.direct && writes && e.policy.Check != "" && e.check == open && (e.policy.using == nil || e.using < open) {
		return e.policy.check
	}
	return nil
}

func unclearPolicy(e *met) *node {
	switch {
	case e.cause == causeUnclear:
		return e.policy.using
	case e.policy.Check != "" && e.check == unclear && e.using <= bound:
		return e.policy.check
	}
	return nil
}

// either applies a test to both expressions and returns the one that fails it.
func either(faulty func(*met, *node) bool) func(*met) *node {
	return func(e *met) *node {
		if e.policy.using != nil && faulty(e, e.policy.using) {
			return e.policy.using
		}
		if e.policy.Check != "" && faulty(e, e.policy.check) {
			return e.policy.check
		}
		return nil
	}
}

var (
	castWithoutNullif = either(func(_ *met, n *node) bool { return n.has(castsSetting) })
	settingMissing    = either(func(_ *met, n *node) bool { return n.has(demandsSetting) })
	callPerRow        = either(func(e *met, n *node) bool { return e.callsPerRow(n) })
	wrappedTenant     = either(func(e *met, n *node) bool { return n.has(e.wrapsKey) })
)

// castsSetting is true for (current_setting('x', true))::uuid.
func castsSetting(n *node) bool {
	if n.kind != nodeCast || slices.Contains([]string{"text", "character varying", "name"}, n.text) {
		return false
	}
	return isSetting(bare(n.args[0]))
}

// demandsSetting is true for current_setting('x') and current_setting('x', false).
func demandsSetting(n *node) bool {
	if !isSetting(n) {
		return false
	}
	if len(n.args) < 2 {
		return true
	}
	value, known := constant(n.args[1])
	return !known || !value
}

// callsPerRow reports a function of the product that is called outside any subquery.
func (e *met) callsPerRow(n *node) bool {
	if n.kind == nodeSelect {
		return false
	}
	return e.foreign(n) || slices.ContainsFunc(n.args, e.callsPerRow)
}

// wrapsKey is true for tenant_id::text = …
func (e *met) wrapsKey(n *node) bool {
	if n.text != "=" || n.kind != nodeOp && n.kind != nodeAny {
		return false
	}
	return slices.ContainsFunc(n.args, func(a *node) bool { return a.kind != nodeColumn && a.kind != nodeSelect && e.keyed(a) })
}

// unsignedContext names the settings that tenant columns are compared with directly.
func unsignedContext(m *model) (hits []hit) {
	count := map[string]int{}
	for _, t := range m.tables {
		for _, p := range m.policies[t.OID] {
			for _, r := range m.requests {
				e := m.meet(t, p, r)
				if e == nil || e.using != bound || p.using == nil {
					continue
				}
				p.using.walk(func(n *node) bool {
					if isSetting(n) && len(n.args) > 0 {
						count[bare(n.args[0]).text]++
					}
					return true
				})
				break
			}
		}
	}
	for name, n := range count {
		hits = append(hits, hit{object: "setting " + name, detail: fmt.Sprintf("%d", n)})
	}
	return hits
}

func openLoginPolicy(m *model) (hits []hit) {
	for _, t := range m.tables {
		for _, p := range m.policies[t.OID] {
			for _, oid := range p.Roles {
				r := m.roles[oid]
				if r == nil || !r.Login || r.Super || r.Bypass || oid == t.Owner || m.isRequest(oid) || !p.Permissive || !p.constant() {
					continue
				}
				hits = append(hits, policyHit(t, p.policy, ident(r.Name)))
				break
			}
		}
	}
	return hits
}

// constant reports whether one of the expressions is true for every row.
func (p *readPolicy) constant() bool {
	for _, n := range []*node{p.using, p.check} {
		if n != nil {
			if value, known := constant(n); known && value {
				return true
			}
		}
	}
	return false
}

func severalPermissive(m *model) (hits []hit) {
	for _, t := range m.tables {
		for _, r := range m.requests {
			for _, v := range verbs {
				var names []string
				for _, p := range m.policies[t.OID] {
					if e := m.meet(t, p, r); e != nil && p.covers(v.command) && max(e.using, e.check) == bound {
						names = append(names, ident(p.Name))
					}
				}
				if len(names) > 1 {
					hits = append(hits, *tableHit(t.relation, ident(r.Name)+" "+v.privilege+": "+strings.Join(names, ", ")))
				}
			}
		}
	}
	return hits
}

func policyForPublic(m *model) (hits []hit) {
	who := m.anyRequest(func(*role) bool { return true })
	for _, t := range m.tables {
		for _, p := range m.policies[t.OID] {
			if p.Permissive && slices.Contains(p.Roles, 0) {
				hits = append(hits, policyHit(t, p.policy, "", who))
			}
		}
	}
	return hits
}
