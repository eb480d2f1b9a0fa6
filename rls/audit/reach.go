package audit

import (
	"slices"
	"strings"
)

// reach says which rows an expression lets a session have that may set every setting and knows every policy, in ascending order.
type reach byte

const (
	closed  reach = iota // none: the session is not the one it asks for
	bound                // those of the context's tenant
	unclear              // cannot be told from the expression
	open                 // others' too
)

// scope is the point of view an expression is read from.
type scope struct {
	m                *model
	table            *table
	session, current *role
}

// reach reads a policy's expression. A conjunction is as narrow as its narrowest part and a disjunction as wide as its widest.
func (s *scope) reach(n *node) reach {
	if value, known := constant(n); known {
		if value {
			return open
		}
		return closed
	}
	switch n.kind {
	case nodeAnd:
		r := open
		for _, a := range n.args {
			r = min(r, s.reach(a))
		}
		return r
	case nodeOr:
		r := closed
		for _, a := range n.args {
			r = max(r, s.reach(a))
		}
		return r
	case nodeNot:
		return s.negated(n.args[0])
	case nodeSelect:
		if n.tokens == nil {
			return s.reach(n.args[0])
		}
		return unclear
	case nodeCast:
		return s.reach(n.args[0])
	case nodeOp, nodeAny:
		return s.comparison(n)
	case nodeCall:
		return s.call(n)
	case nodeColumn:
		return open
	}
	return unclear
}

func (s *scope) negated(n *node) reach {
	switch {
	case n.kind == nodeCall || n.kind == nodeOp || n.kind == nodeSelect && n.tokens == nil:
		if value, known := s.identity(bare(n)); known {
			if value {
				return closed
			}
			return open
		}
	}
	if s.reach(n) == unclear {
		return unclear
	}
	return open // not this tenant, not this setting
}

func (s *scope) comparison(n *node) reach {
	if value, known := s.identity(n); known {
		if value {
			return open
		}
		return closed
	}
	if n.text == "=" || n.text == "is not distinct from" {
		for i, a := range n.args {
			if key := s.keyed(a); key && len(n.args) == 2 && (n.kind == nodeOp || i == 0) {
				return s.against(n.args[1-i])
			}
		}
	}
	switch {
	case n.has(s.foreign): // a function or a table of the product decides
		return unclear
	case n.has(isColumn):
		if n.has(isContext) {
			return unclear // the session's own rows by another column than the tenant's
		}
		return open
	}
	return open // settings alone: whoever sends SQL sets them
}

// against judges what the tenant column is compared with.
func (s *scope) against(n *node) reach {
	switch {
	case n.has(func(n *node) bool { return isColumn(n) && !s.inner(n) }) || s.refersOut(n):
		return open // the row is compared with itself
	case n.has(isContext) || n.has(s.foreign):
		return bound
	case n.has(func(n *node) bool { return n.kind == nodeSelect && n.tokens != nil }):
		return s.selected(n)
	}
	return open // a constant tenant, the same for everybody
}

// inner is true for columns inside a subquery with a FROM: those are its own. reach does not get there by walking, since the
// parser keeps such a subquery's text in tokens and only what it selects in args.
func (s *scope) inner(n *node) bool { return n.table != "" && n.table != s.table.Bare }

// refersOut reports whether a subquery names the table it is for, which PostgreSQL writes in full there.
func (s *scope) refersOut(n *node) bool {
	return n.has(func(n *node) bool {
		for i := 2; i < len(n.tokens); i++ {
			if n.tokens[i].name() && s.table.keyName(n.tokens[i].text) && n.tokens[i-1].is(mark, ".") && n.tokens[i-2].text == s.table.Bare &&
				!selectsFrom(n.tokens, s.table.Bare) {
				return true
			}
		}
		return false
	})
}

// selectsFrom reports whether the subquery has the name among its own relations.
func selectsFrom(tokens []token, name string) bool {
	for i := 1; i < len(tokens); i++ {
		if tokens[i].text == name && (tokens[i-1].is(word, "from") || tokens[i-1].is(word, "join") || tokens[i-1].is(mark, ".")) &&
			(i+1 == len(tokens) || !tokens[i+1].is(mark, ".")) {
			return true
		}
	}
	return false
}

// selected judges a subquery without a call of its own: everything it reads must be made for the session, as a view over the
// context is, or bound itself.
func (s *scope) selected(n *node) reach {
	found, all := false, true
	n.walk(func(n *node) bool {
		for i := 0; i+2 < len(n.tokens); i++ {
			if !n.tokens[i].name() || !n.tokens[i+1].is(mark, ".") || !n.tokens[i+2].name() {
				continue
			}
			if from := s.m.byName[n.tokens[i].text+"."+n.tokens[i+2].text]; from != nil {
				found = true
				all = all && (from.Kind == "v" && s.m.showsContext(from) || s.m.isBound(from, s.current))
			}
		}
		return true
	})
	switch {
	case found && all:
		return bound
	case found:
		return unclear
	}
	return open
}

// showsContext reports whether a view asks for a setting or for the session.
func (m *model) showsContext(view *relation) bool {
	known, ok := m.contexts[view.OID]
	if !ok {
		tokens, _ := tokenise(view.Definition)
		known = slices.ContainsFunc(newParser(nil).calls(tokens), func(n *node) bool { return n.has(isContext) })
		m.contexts[view.OID] = known
	}
	return known
}

// isBound reports whether a role reads from a table the context's rows and no others. Policies that refer to each other in a
// circle, which PostgreSQL refuses to run, are not bound.
func (m *model) isBound(r *relation, as *role) bool {
	at := [2]uint32{r.OID, as.OID}
	known, ok := m.bound[at]
	if !ok {
		m.bound[at] = false
		known = !m.unbound(as, r) && slices.ContainsFunc(m.columns[r.OID], func(c *column) bool { return m.binds(r, c, as) })
		m.bound[at] = known
	}
	return known
}

// binds reports whether the policies by which a role reads all compare that column with the context.
func (m *model) binds(r *relation, c *column, as *role) bool {
	s := scope{m: m, table: &table{relation: r, key: []*column{c}}, session: as, current: as}
	widest := closed
	for _, p := range m.policies[r.OID] {
		if p.Permissive && p.using != nil && p.covers("r") && m.appliesInherited(p, as) {
			widest = max(widest, s.reach(p.using))
		}
	}
	return widest == bound
}

// keyed reports whether n is the tenant column, bare or in a cast or function of its own.
func (s *scope) keyed(n *node) bool {
	for n.kind == nodeCast || n.kind == nodeCall && len(n.args) == 1 || n.kind == nodeSelect && n.tokens == nil {
		n = n.args[0]
	}
	return n.kind == nodeColumn && s.table.keyName(n.text) && (n.table == "" || n.table == s.table.Bare)
}

// identity decides conditions on who the session is.
func (s *scope) identity(n *node) (value, known bool) {
	switch {
	case n.kind == nodeCall && n.text == "pg_has_role":
		return s.hasRole(n)
	case n.kind == nodeOp && len(n.args) == 2 && (n.text == "=" || n.text == "<>"):
		who, name := n.args[0], n.args[1]
		if s.person(who) == nil {
			who, name = name, who
		}
		r, text := s.person(who), bare(name)
		if r == nil || text.kind != nodeConst {
			return false, false
		}
		return (r.Name == text.text) == (n.text == "="), true
	case n.kind == nodeAny && n.text == "=" && s.person(n.args[0]) != nil:
		return s.oneOf(s.person(n.args[0]), bare(n.args[1]))
	}
	return false, false
}

// oneOf decides session_user = ANY (ARRAY['a', 'b']) and the same with an array literal.
func (s *scope) oneOf(r *role, list *node) (value, known bool) {
	if list.kind == nodeConst {
		return slices.Contains(strings.Split(strings.Trim(list.text, "{}"), ","), r.Name), true
	}
	if list.kind != nodeOther || len(list.args) == 0 {
		return false, false
	}
	for _, a := range list.args {
		a = bare(a)
		if a.kind != nodeConst {
			return false, false
		}
		value = value || a.text == r.Name
	}
	return value, true
}

// hasRole decides pg_has_role(session_user, 'role', 'MEMBER') and the form without a user.
func (s *scope) hasRole(n *node) (value, known bool) {
	who, of := s.current, ""
	switch args := n.args; {
	case len(args) == 3 && s.person(args[0]) != nil && bare(args[1]).kind == nodeConst:
		who, of = s.person(args[0]), bare(args[1]).text
	case len(args) == 2 && bare(args[0]).kind == nodeConst:
		of = bare(args[0]).text
	default:
		return false, false
	}
	r := s.m.role(of)
	return r != nil && s.m.member(who, r), true
}

// person returns the role a session value stands for, or nil.
func (s *scope) person(n *node) *role {
	n = bare(n)
	if n.kind != nodeValue {
		return nil
	}
	switch n.text {
	case "session_user":
		return s.session
	case "current_user", "user", "current_role":
		return s.current
	}
	return nil
}

func (s *scope) call(n *node) reach {
	if value, known := s.identity(n); known {
		if value {
			return open
		}
		return closed
	}
	if s.foreign(n) {
		return unclear
	}
	return open
}

// foreign is true for a function of the product and a subquery over its tables.
func (s *scope) foreign(n *node) bool {
	return n.kind == nodeCall && strings.Contains(n.text, ".")
}

// bare takes casts and single-value subqueries off.
func bare(n *node) *node {
	for n.kind == nodeCast || n.kind == nodeSelect && n.tokens == nil {
		n = n.args[0]
	}
	return n
}

func isColumn(n *node) bool { return n.kind == nodeColumn }

// isSetting is true for a call of current_setting.
func isSetting(n *node) bool { return n.kind == nodeCall && n.text == "current_setting" }

// isContext is true for what differs from session to session.
func isContext(n *node) bool {
	return isSetting(n) || n.kind == nodeValue && slices.Contains([]string{"session_user", "current_user", "user", "current_role"}, n.text)
}

// constant evaluates what is the same for every row and session.
func constant(n *node) (value, known bool) {
	switch n.kind {
	case nodeConst:
		switch strings.ToLower(n.text) {
		case "true", "t", "on", "yes", "1":
			return true, true
		}
		return false, true
	case nodeCast:
		return constant(n.args[0])
	case nodeSelect:
		if n.tokens == nil {
			return constant(n.args[0])
		}
	case nodeNot:
		value, known = constant(n.args[0])
		return !value, known
	case nodeAnd, nodeOr:
		return connected(n)
	case nodeOp:
		return comparedToItself(n)
	case nodeCall:
		if n.text == "coalesce" && len(n.args) > 0 {
			return constant(n.args[0])
		}
	}
	return false, false
}

// connected evaluates AND and OR: one false, or one true, decides.
func connected(n *node) (value, known bool) {
	decisive, all := n.kind == nodeOr, true
	for _, a := range n.args {
		v, k := constant(a)
		if k && v == decisive {
			return decisive, true
		}
		all = all && k
	}
	return !decisive, all
}

// comparedToItself evaluates 1 = 1, 1 = 2 and tenant_id = tenant_id.
func comparedToItself(n *node) (value, known bool) {
	if len(n.args) == 1 && n.text == "is not null" {
		return true, n.args[0].kind == nodeConst && n.args[0].text != "null"
	}
	if len(n.args) != 2 {
		return false, false
	}
	a, b := bare(n.args[0]), bare(n.args[1])
	if a.kind != b.kind || a.kind != nodeConst && a.kind != nodeColumn {
		return false, false
	}
	same := a.text == b.text
	switch n.text {
	case "=", "is not distinct from", ">=", "<=":
		return same, a.kind == nodeConst && n.text != ">=" && n.text != "<=" || same
	case "<>", "is distinct from":
		return !same, a.kind == nodeConst || same
	}
	return false, false
}
