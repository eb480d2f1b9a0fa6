package audit

import (
	"slices"
	"strings"
)

// eachView asks about views that requests read and that do not run as their caller all the way down.
func eachView(check func(*model, *relation) *hit) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for i := range m.Relations {
			v := &m.Relations[i]
			if v.Kind != "v" || v.Extension || v.Invoker || m.grantees(v.OID, dml...) == "" {
				continue
			}
			if h := check(m, v); h != nil {
				hits = append(hits, *h)
			}
		}
		return hits
	}
}

// viewed is what a view reads of a table: with whose policies, and of whose rows.
type viewed struct {
	table *table
	as    *role
	copy  bool // through a materialized view
}

// reads lists the tenant tables behind a view. A view that does not run as its caller is read as its owner.
func (m *model) reads(view *relation, as uint32, depth int) (all []viewed) {
	if depth > maxDepth/4 {
		return nil
	}
	for _, oid := range m.uses[view.OID] {
		if t := m.byOID[oid]; t != nil {
			all = append(all, viewed{t, m.roles[as], view.Kind == "m"})
			continue
		}
		inner := m.relations[oid]
		if inner == nil || inner.Kind != "v" && inner.Kind != "m" {
			continue
		}
		who := as
		if !inner.Invoker {
			who = inner.Owner
		}
		for _, v := range m.reads(inner, who, depth+1) {
			v.copy = v.copy || inner.Kind == "m"
			all = append(all, v)
		}
	}
	return all
}

// shows reports whether a request role sees other tenants' rows through what a view reads.
func (m *model) shows(v viewed) bool {
	if v.copy || m.unbound(v.as, v.table.relation) {
		return true
	}
	return slices.ContainsFunc(m.requests, func(r *role) bool {
		s := scope{m: m, table: v.table, session: r, current: r}
		wide, narrow := false, false
		for _, p := range m.policies[v.table.OID] {
			if p.using == nil || !p.covers("r") || !m.appliesInherited(p, v.as) {
				continue
			}
			reached := s.reach(p.using)
			wide = wide || p.Permissive && reached == open
			narrow = narrow || !p.Permissive && reached <= bound
		}
		return wide && !narrow
	})
}

func viewBypasses(m *model, v *relation) *hit {
	var shown []string
	for _, read := range m.reads(v, v.Owner, 0) {
		if m.shows(read) {
			shown = append(shown, read.table.Name)
		}
	}
	if len(shown) == 0 {
		return nil
	}
	return &hit{"view " + v.Name, few(shown) + "; owner " + m.roleName(v.Owner), []string{v.Name}}
}

func viewAsOwner(m *model, v *relation) *hit {
	if len(m.reads(v, v.Owner, 0)) == 0 || viewBypasses(m, v) != nil {
		return nil
	}
	return &hit{"view " + v.Name, "owner " + m.roleName(v.Owner), []string{v.Name}}
}

func materializedViews(m *model) (hits []hit) {
	for i := range m.Relations {
		v := &m.Relations[i]
		if v.Kind != "m" || len(m.reads(v, v.Owner, 0)) == 0 {
			continue
		}
		if who := m.grantees(v.OID, "SELECT"); who != "" {
			hits = append(hits, hit{"materialized view " + v.Name, who, []string{v.Name, who}})
		}
	}
	return hits
}

// eachDefiner asks about definer functions that requests call.
func eachDefiner(check func(*model, *function) (detail string, found bool)) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for i := range m.Functions {
			f := &m.Functions[i]
			if !f.Definer || f.Extension || f.Trigger || m.grantees(f.OID, "EXECUTE") == "" {
				continue
			}
			if detail, found := check(m, f); found {
				hits = append(hits, functionHit(f, detail))
			}
		}
		return hits
	}
}

func functionHit(f *function, detail string, args ...string) hit {
	return hit{"function " + f.Name, detail, append([]string{f.Name}, args...)}
}

func definerPrivileged(m *model, f *function) (string, bool) {
	owner := m.roles[f.Owner]
	return "owner " + m.roleName(f.Owner), owner != nil && (owner.Super || owner.Bypass)
}

// searchPath returns the search path a function sets for itself.
func (f *function) searchPath() (path string, set bool) {
	for _, c := range f.Config {
		if path, set = strings.CutPrefix(c, "search_path="); set {
			return path, true
		}
	}
	return "", false
}

func definerSearchPath(_ *model, f *function) (string, bool) {
	if _, set := f.searchPath(); set || f.Bound {
		return "", false
	}
	name := unqualified(f.Source)
	return name, name != ""
}

func definerWritablePath(m *model, f *function) (string, bool) {
	path, set := f.searchPath()
	return path, set && m.writablePath(path)
}

func definerPublic(m *model) (hits []hit) {
	for i := range m.Functions {
		f := &m.Functions[i]
		if f.Definer && !f.Extension && !f.Trigger && slices.ContainsFunc(m.grants[f.OID], func(g *grant) bool { return g.Grantee == 0 }) {
			hits = append(hits, functionHit(f, ""))
		}
	}
	return hits
}

func leakproof(m *model) (hits []hit) {
	for i := range m.Functions {
		if f := &m.Functions[i]; f.Leakproof && !f.Extension {
			hits = append(hits, functionHit(f, ""))
		}
	}
	return hits
}

func untrustedLanguage(m *model) (hits []hit) {
	for i := range m.Functions {
		f := &m.Functions[i]
		if f.Trusted || f.Extension {
			continue
		}
		if who := m.grantees(f.OID, "EXECUTE"); who != "" {
			hits = append(hits, functionHit(f, f.Language+"; "+who, who))
		}
	}
	return hits
}

func eventTriggers(m *model) (hits []hit) {
	for _, name := range m.EventTriggers {
		hits = append(hits, hit{"event trigger " + ident(name), "", []string{ident(name)}})
	}
	return hits
}
