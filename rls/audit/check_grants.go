package audit

import (
	"slices"
	"strings"
)

// tablePrivilege finds tenant tables on which a request role holds a privilege that no policy filters.
func tablePrivilege(privilege string) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for _, t := range m.tables {
			var who []string
			for _, g := range m.grants[t.OID] {
				if g.Privilege == privilege && (g.Column == 0 || g.Grantee != 0) && m.requestHolds(g) {
					who = append(who, m.roleName(g.Grantee))
				}
			}
			if len(who) > 0 {
				names := few(who)
				hits = append(hits, *tableHit(t.relation, names, names))
			}
		}
		return hits
	}
}

func (m *model) requestHolds(g *grant) bool {
	return slices.ContainsFunc(m.requests, func(r *role) bool { return m.holds(r, g.Grantee) })
}

func grantedToPublic(m *model) (hits []hit) {
	for _, t := range m.tables {
		var held []string
		for _, g := range m.grants[t.OID] {
			if g.Grantee == 0 && g.Column == 0 && slices.Contains(dml, g.Privilege) {
				held = append(held, g.Privilege)
			}
		}
		if len(held) > 0 {
			hits = append(hits, *tableHit(t.relation, few(held)))
		}
	}
	return hits
}

func columnGrants(m *model) (hits []hit) {
	for _, t := range m.tables {
		for _, g := range m.grants[t.OID] {
			moves := g.Privilege == "UPDATE" && t.isKey(g.Column) && m.requestHolds(g) && !m.updates(t, g.Grantee)
			if g.Column == 0 || g.Grantee != 0 && !moves {
				continue
			}
			column := m.columnName(t.OID, g.Column)
			hits = append(hits, *tableHit(t.relation, m.roleName(g.Grantee)+": "+g.Privilege+" ("+column+")", g.Privilege, column, m.roleName(g.Grantee)))
		}
	}
	return hits
}

// updates reports whether a grantee may update the whole table.
func (m *model) updates(t *table, grantee uint32) bool {
	return slices.ContainsFunc(m.grants[t.OID], func(g *grant) bool {
		return g.Column == 0 && g.Grantee == grantee && g.Privilege == "UPDATE"
	})
}

func (m *model) columnName(relation uint32, number int16) string {
	for _, c := range m.columns[relation] {
		if c.Number == number {
			return ident(c.Name)
		}
	}
	return "?"
}

// defaultKinds names pg_default_acl.defaclobjtype.
var defaultKinds = map[string]string{"r": "TABLES", "S": "SEQUENCES", "n": "SCHEMAS"}

// defaultPrivileges finds rights that objects made from now on give to PUBLIC, or to request roles.
func defaultPrivileges(public bool) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for _, d := range m.Defaults {
			held := m.anyRequest(func(r *role) bool { return m.holds(r, d.Grantee) }) != ""
			if (d.Grantee == 0) != public || !public && !held {
				continue
			}
			in, kind := "", defaultKinds[d.Kind]
			if d.Schema != "" {
				in = " IN SCHEMA " + ident(d.Schema)
			}
			object := "default privileges of " + ident(d.Owner) + strings.ToLower(in) + " on " + strings.ToLower(kind)
			hits = append(hits, hit{object, m.roleName(d.Grantee) + ": " + d.Privilege, []string{ident(d.Owner), in, kind, m.roleName(d.Grantee)}})
		}
		return hits
	}
}

func grantOptions(m *model) (hits []hit) {
	for i := range m.Relations {
		r := &m.Relations[i]
		var who, held []string
		for _, g := range m.grants[r.OID] {
			if g.Grantable && m.requestHolds(g) {
				who, held = append(who, m.roleName(g.Grantee)), append(held, g.Privilege)
			}
		}
		if len(who) > 0 {
			hits = append(hits, *tableHit(r, few(who)+": "+few(held), few(who)))
		}
	}
	return hits
}

// crossingForeignKeys finds foreign keys between tenant tables that do not carry the tenant: those that requests write, or
// by which they delete, and the others.
func crossingForeignKeys(written bool) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for i := range m.ForeignKeys {
			k := &m.ForeignKeys[i]
			from, to := m.byOID[k.From], m.byOID[k.To]
			if from == nil || to == nil || k.carries(from, to) {
				continue
			}
			who := m.anyRequest(func(r *role) bool { return m.crosses(r, k) })
			if (who != "") != written || !written && to.isRoot(k.Refs) {
				continue
			}
			hits = append(hits, hit{"constraint " + ident(k.Name) + " on " + from.Name, strings.TrimSuffix(to.Name+"; "+who, "; "), []string{from.Name, ident(k.Name)}})
		}
		return hits
	}
}

// carries reports whether the key equates the tenant of both sides.
func (k *foreignKey) carries(from, to *table) bool {
	for i := range k.Key {
		if i < len(k.Refs) && from.isKey(k.Key[i]) && to.isKey(k.Refs[i]) {
			return true
		}
	}
	return false
}

// crosses reports whether r writes the key, or deletes what it refers to and with it the rows that refer.
func (m *model) crosses(r *role, k *foreignKey) bool {
	return m.writes(r, k.From, k.Key) || strings.Contains("cnd", k.OnDelete) && m.can(r, k.To, "DELETE")
}

// isRoot reports whether a key is the table's tenant column alone: its rows are tenants, or providers of tenants, and what
// refers to them places a row in the hierarchy.
func (t *table) isRoot(refs []int16) bool { return len(refs) == 1 && t.isKey(refs[0]) }

// oracleKeys finds unique keys, or exclusion constraints, that tell requests of values in other tenants.
func oracleKeys(exclusion bool) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for _, t := range m.tables {
			for _, x := range m.indexes[t.OID] {
				if exclusion != x.Exclusion || !x.Exclusion && !x.Unique || slices.ContainsFunc(x.Key, t.isKey) || m.random(x) {
					continue
				}
				if who := m.anyRequest(func(r *role) bool { return m.writes(r, t.OID, x.Key) }); who != "" {
					hits = append(hits, hit{"index " + x.Name, t.Name + "; " + who, []string{x.Name}})
				}
			}
		}
		return hits
	}
}

// random reports whether the key is one uuid, which nobody guesses.
func (m *model) random(x *index) bool {
	return len(x.Key) == 1 && slices.ContainsFunc(m.columns[x.Relation], func(c *column) bool { return c.Number == x.Key[0] && c.Type == "uuid" })
}

func notValidated(m *model) (hits []hit) {
	for _, k := range m.ForeignKeys {
		if from := m.byOID[k.From]; from != nil && !k.Validated {
			hits = append(hits, hit{"constraint " + ident(k.Name) + " on " + from.Name, "", []string{from.Name, ident(k.Name)}})
		}
	}
	return hits
}

func sequencePrivilege(privilege string) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for _, e := range m.Sequences {
			s, t := m.relations[e.From], m.byOID[e.To]
			if s == nil || t == nil {
				continue
			}
			if who := m.grantees(s.OID, privilege); who != "" {
				hits = append(hits, hit{"sequence " + s.Name, t.Name + "; " + who, []string{s.Name, who}})
			}
		}
		return hits
	}
}
