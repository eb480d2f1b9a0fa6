package audit

import (
	"slices"
	"strings"
)

func tableHit(t *relation, detail string, args ...string) *hit {
	return &hit{object: "table " + t.Name, detail: detail, args: append([]string{t.Name}, args...)}
}

// eachTable asks about every tenant table that stands for itself: neither a child nor foreign.
func eachTable(check func(*model, *table) *hit) func(*model) []hit {
	return perTable(check, func(t *table) bool { return !t.child && t.Kind != "f" })
}

// eachChild asks about partitions and inheritance children.
func eachChild(check func(*model, *table) *hit) func(*model) []hit {
	return perTable(check, func(t *table) bool { return t.child && t.Kind != "f" })
}

func perTable(check func(*model, *table) *hit, which func(*table) bool) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for _, t := range m.tables {
			if !which(t) {
				continue
			}
			if h := check(m, t); h != nil {
				hits = append(hits, *h)
			}
		}
		return hits
	}
}

func noRowSecurity(_ *model, t *table) *hit {
	if t.RowSecurity {
		return nil
	}
	return tableHit(t.relation, t.keyNames())
}

func (t *table) keyNames() string {
	names := make([]string, len(t.key))
	for i, c := range t.key {
		names[i] = ident(c.Name)
	}
	return strings.Join(names, ", ")
}

func noForce(m *model, t *table) *hit {
	if !t.RowSecurity || t.Force {
		return nil
	}
	return tableHit(t.relation, "owner "+m.roleName(t.Owner))
}

func noPolicy(m *model, t *table) *hit {
	if !t.RowSecurity || slices.ContainsFunc(m.policies[t.OID], func(p *readPolicy) bool { return p.Permissive }) {
		return nil
	}
	return tableHit(t.relation, "")
}

// verbs pairs privileges with pg_policy.polcmd.
var verbs = []struct{ privilege, command string }{{"SELECT", "r"}, {"INSERT", "a"}, {"UPDATE", "w"}, {"DELETE", "d"}}

func (p *policy) covers(command string) bool { return p.Command == "*" || p.Command == command }

func verbsWithoutPolicy(m *model) (hits []hit) {
	for _, t := range m.tables {
		if !t.RowSecurity || t.child || noPolicy(m, t) != nil {
			continue
		}
		for _, r := range m.requests {
			var bare []string
			for _, v := range verbs {
				if m.can(r, t.OID, v.privilege) && !r.Super && !r.Bypass && !slices.ContainsFunc(m.policies[t.OID], func(p *readPolicy) bool {
					return p.Permissive && p.covers(v.command) && m.appliesInherited(p, r)
				}) {
					bare = append(bare, v.privilege)
				}
			}
			if len(bare) > 0 {
				list := strings.Join(bare, ", ")
				hits = append(hits, *tableHit(t.relation, ident(r.Name)+": "+list, list, ident(r.Name)))
			}
		}
	}
	return hits
}

func noTenantIndex(m *model, t *table) *hit {
	if len(t.key) == 0 || slices.ContainsFunc(m.indexes[t.OID], func(x *index) bool {
		return (x.Valid || t.Kind == "p") && !x.Partial && len(x.Key) > 0 && t.isKey(x.Key[0])
	}) {
		return nil
	}
	return tableHit(t.relation, t.keyNames(), t.keyNames())
}

func nullableTenant(_ *model, t *table) *hit {
	for _, c := range t.key {
		if !c.NotNull {
			return tableHit(t.relation, ident(c.Name), ident(c.Name))
		}
	}
	return nil
}

func tenantType(_ *model, t *table) *hit {
	for _, c := range t.key {
		if c.Type != "uuid" {
			return tableHit(t.relation, ident(c.Name)+" "+c.Type)
		}
	}
	return nil
}

// dml are the privileges policies know.
var dml = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}

func rowsWithoutTenant(m *model) (hits []hit) {
	seen := map[uint32]bool{}
	for _, k := range m.ForeignKeys {
		from, to := m.relations[k.From], m.byOID[k.To]
		if from == nil || to == nil || m.byOID[k.From] != nil || from.Extension || from.Persistence == "t" || seen[k.From] {
			continue
		}
		if who := m.grantees(k.From, dml...); who != "" {
			seen[k.From] = true
			hits = append(hits, *tableHit(from, ident(k.Name)+" → "+to.Name+"; "+who))
		}
	}
	return hits
}

func childReachable(m *model, t *table) *hit {
	who := m.grantees(t.OID, dml...)
	if t.RowSecurity || who == "" {
		return nil
	}
	return tableHit(t.relation, who, who)
}

func childUnprotected(m *model, t *table) *hit {
	if t.RowSecurity && t.Force || childReachable(m, t) != nil {
		return nil
	}
	return tableHit(t.relation, "")
}

func unlogged(_ *model, t *table) *hit {
	if t.Persistence != "u" {
		return nil
	}
	return tableHit(t.relation, "")
}

func temporaryTables(m *model) (hits []hit) {
	for _, t := range m.temporary {
		hits = append(hits, *tableHit(t, ""))
	}
	return hits
}

func foreignTables(m *model) (hits []hit) {
	for _, t := range m.tables {
		if t.Kind == "f" {
			hits = append(hits, *tableHit(t.relation, t.keyNames()))
		}
	}
	return hits
}

func rewriteRules(m *model) (hits []hit) {
	for _, r := range m.RewriteRules {
		if t := m.byOID[r.Relation]; t != nil {
			hits = append(hits, hit{"rule " + ident(r.Name) + " on " + t.Name, "owner " + m.roleName(t.Owner), []string{t.Name, ident(r.Name)}})
		}
	}
	return hits
}

func definerTriggers(m *model) (hits []hit) {
	for _, g := range m.Triggers {
		t, f := m.byOID[g.Relation], m.functions[g.Function]
		if t != nil && f != nil && f.Definer {
			hits = append(hits, hit{"trigger " + ident(g.Name) + " on " + t.Name, f.Name + ", owner " + m.roleName(f.Owner), []string{t.Name, f.Name}})
		}
	}
	return hits
}

func nothingToAudit(m *model) []hit {
	if len(m.tables) > 0 {
		return nil
	}
	return []hit{{object: "database " + ident(m.Server.Database), detail: strings.Join(m.opts.tenantColumns(), ", ")}}
}
