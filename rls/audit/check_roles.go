package audit

import (
	"slices"
	"strings"
)

func roleHit(r *role, detail string, args ...string) hit {
	return hit{object: "role " + ident(r.Name), detail: detail, args: append([]string{ident(r.Name)}, args...)}
}

// requestIs finds the request roles that satisfy is.
func requestIs(is func(*role) bool) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for _, r := range m.requests {
			if is(r) {
				hits = append(hits, roleHit(r, ""))
			}
		}
		return hits
	}
}

// class says what is gained by becoming a role; of several the first counts.
type class byte

const (
	classPrivileged class = iota
	classServerFiles
	classAllData
	classPredefined
	classOwner
	classInheritedPolicy
	classSetPolicy
	classAttribute
	classAdmin
	classOrdinary
)

// becomes finds the roles of that class that request roles can become.
func becomes(c class) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for _, r := range m.requests {
			for _, oid := range m.reaches(r) {
				if to := m.roles[oid]; to != nil && m.class(r, to) == c {
					path := m.path(r, to)
					hits = append(hits, roleHit(r, strings.Join(path, " → "), path[1]))
				}
			}
		}
		return hits
	}
}

func (m *model) class(r, to *role) class {
	switch {
	case to.Super || to.Bypass:
		return classPrivileged
	case slices.Contains([]string{"pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"}, to.Name):
		return classServerFiles
	case to.Name == "pg_read_all_data" || to.Name == "pg_write_all_data":
		return classAllData
	case strings.HasPrefix(to.Name, "pg_"):
		return classPredefined
	case slices.ContainsFunc(m.tables, func(t *table) bool { return t.Owner == to.OID }):
		return classOwner
	case m.policiesOpen(r, to) && slices.Contains(m.inherits(r), to.OID):
		return classInheritedPolicy
	case m.policiesOpen(r, to):
		return classSetPolicy
	case to.CreateRole || to.Replication:
		return classAttribute
	case m.administers(r, to):
		return classAdmin
	}
	return classOrdinary
}

// policiesOpen reports whether a policy for a role shows a session of r the rows of other tenants.
func (m *model) policiesOpen(r, as *role) bool {
	for _, t := range m.tables {
		s := scope{m: m, table: t, session: r, current: as}
		for _, p := range m.policies[t.OID] {
			if p.Permissive && slices.Contains(p.Roles, as.OID) &&
				(p.using != nil && s.reach(p.using) == open || p.check != nil && s.reach(p.check) == open) {
				return true
			}
		}
	}
	return false
}

func (m *model) administers(r, of *role) bool {
	return slices.ContainsFunc(m.Members, func(e membership) bool {
		return e.Admin && e.Role == of.OID && (e.Member == r.OID || slices.Contains(m.reaches(r), e.Member))
	})
}

// path returns the names of a shortest chain of memberships from one role to another it reaches.
func (m *model) path(from, to *role) []string {
	before := map[uint32]uint32{from.OID: 0}
	for queue := []uint32{from.OID}; len(queue) > 0; queue = queue[1:] {
		for _, e := range m.Members {
			if _, seen := before[e.Role]; e.Member == queue[0] && !seen {
				before[e.Role] = e.Member
				queue = append(queue, e.Role)
			}
		}
	}
	var names []string
	for at := to.OID; at != 0; at = before[at] {
		names = append(names, m.roleName(at))
	}
	slices.Reverse(names)
	return names
}

func strongerSession(m *model) []hit {
	session, current := m.role(m.Server.Session), m.role(m.Server.Current)
	if session == nil || current == nil || session == current || !m.isRequest(current.OID) {
		return nil
	}
	return []hit{roleHit(session, ident(session.Name)+" → SET ROLE "+ident(current.Name))}
}

// few joins at most five names and says how many there are.
func few(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

func requestOwnsRelations(m *model) (hits []hit) {
	for _, r := range m.requests {
		var owned []string
		for i := range m.Relations {
			if rel := &m.Relations[i]; rel.Owner == r.OID && rel.Persistence != "t" {
				owned = append(owned, rel.Name)
			}
		}
		if len(owned) > 0 {
			hits = append(hits, roleHit(r, few(owned)))
		}
	}
	return hits
}

func requestOwnsCode(m *model) (hits []hit) {
	for _, r := range m.requests {
		var owned []string
		for _, f := range m.Functions {
			if f.Owner == r.OID {
				owned = append(owned, f.Name)
			}
		}
		for _, s := range m.Schemas {
			if s.Owner == r.OID {
				owned = append(owned, "schema "+ident(s.Name))
			}
		}
		if m.Server.DatabaseOwner == r.OID {
			owned = append(owned, "database "+ident(m.Server.Database))
		}
		if len(owned) > 0 {
			hits = append(hits, roleHit(r, few(owned)))
		}
	}
	return hits
}

// grantees names those who hold one of the privileges on an object so that a request role has it.
func (m *model) grantees(object uint32, privileges ...string) string {
	var names []string
	for _, g := range m.grants[object] {
		if slices.Contains(privileges, g.Privilege) && m.anyRequest(func(r *role) bool { return m.holds(r, g.Grantee) }) != "" {
			names = append(names, m.roleName(g.Grantee))
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func requestCreatesInSchema(m *model) (hits []hit) {
	for _, s := range m.Schemas {
		if who := m.grantees(s.OID, "CREATE"); who != "" {
			hits = append(hits, hit{"schema " + ident(s.Name), who, []string{ident(s.Name), who}})
		}
	}
	return hits
}

func requestHasOnDatabase(privilege string) func(*model) []hit {
	return func(m *model) []hit {
		who := m.grantees(m.Server.DatabaseOID, privilege)
		if who == "" {
			return nil
		}
		name := ident(m.Server.Database)
		return []hit{{"database " + name, who, []string{name, who}}}
	}
}

func ownerLogins(m *model) (hits []hit) {
	for i := range m.Roles {
		r := &m.Roles[i]
		if !r.Login || m.isRequest(r.OID) {
			continue
		}
		var owned []string
		for _, t := range m.tables {
			if t.Owner == r.OID {
				owned = append(owned, t.Name)
			}
		}
		if len(owned) > 0 {
			hits = append(hits, roleHit(r, few(owned)))
		}
	}
	return hits
}

// otherLogins finds the logins that serve no request and satisfy is.
func (m *model) otherLogins(is func(*role) bool) (hits []hit) {
	for i := range m.Roles {
		if r := &m.Roles[i]; r.Login && !m.isRequest(r.OID) && is(r) {
			hits = append(hits, roleHit(r, ""))
		}
	}
	return hits
}

func bypassLogins(m *model) []hit {
	return m.otherLogins(func(r *role) bool { return r.Bypass && !r.Super })
}

// firstSuperuser is the one initdb makes; it cannot be without the attribute.
const firstSuperuser = 10

func superuserLogins(m *model) []hit {
	return m.otherLogins(func(r *role) bool { return r.Super && r.OID != firstSuperuser })
}

func replicationLogins(m *model) []hit {
	return m.otherLogins(func(r *role) bool { return r.Replication && !r.Super })
}

func exemptServes(m *model) (hits []hit) {
	for _, r := range m.requests {
		if r.Name == m.opts.migrator() || r.Name == m.opts.backup() {
			hits = append(hits, roleHit(r, ""))
		}
	}
	return hits
}

func exemptBound(m *model) (hits []hit) {
	for _, name := range []string{m.opts.migrator(), m.opts.backup()} {
		if r := m.role(name); r != nil && !r.Bypass && !r.Super {
			hits = append(hits, roleHit(r, ""))
		}
	}
	return hits
}

// weakeningSettings reads what ALTER ROLE … SET and ALTER DATABASE … SET store for request roles and for everybody.
func weakeningSettings(m *model) (hits []hit) {
	for _, s := range m.RoleSettings {
		name, value, _ := strings.Cut(s.Setting, "=")
		if s.Role != 0 && !m.isRequest(s.Role) || !m.weakens(strings.ToLower(name), value) {
			continue
		}
		var of []string
		if s.Role != 0 {
			of = append(of, "ROLE "+m.roleName(s.Role))
		}
		switch {
		case s.Database != 0 && s.Role != 0:
			of = append(of, "IN DATABASE "+ident(m.Server.Database))
		case s.Database != 0:
			of = append(of, "DATABASE "+ident(m.Server.Database))
		case s.Role == 0:
			of = append(of, "ROLE ALL")
		}
		target := strings.Join(of, " ")
		hits = append(hits, hit{"setting " + name, target + " SET " + s.Setting, []string{target, name}})
	}
	return hits
}

func (m *model) weakens(name, value string) bool {
	switch name {
	case "role", "session_authorization":
		return value != "none" && value != "default"
	case "row_security":
		return slices.Contains([]string{"off", "false", "no", "0"}, value)
	case "session_replication_role":
		return value == "replica"
	case "lo_compat_privileges":
		return slices.Contains([]string{"on", "true", "yes", "1"}, value)
	case "session_preload_libraries", "local_preload_libraries":
		return value != "" && value != `""`
	case "search_path":
		return m.writablePath(value)
	}
	return m.policiesRead(name)
}

// writablePath reports whether requests may create objects in a schema of a search path.
func (m *model) writablePath(path string) bool {
	for part := range strings.SplitSeq(path, ",") {
		part = strings.Trim(strings.TrimSpace(part), `"'`)
		for _, s := range m.Schemas {
			if s.Name == part && (m.grantees(s.OID, "CREATE") != "" || m.isRequest(s.Owner)) {
				return true
			}
		}
	}
	return false
}

// policiesRead reports whether a policy of a tenant table asks for a setting.
func (m *model) policiesRead(name string) bool {
	asks := func(n *node) bool {
		return n != nil && n.has(func(n *node) bool {
			return isSetting(n) && len(n.args) > 0 && bare(n.args[0]).text == name
		})
	}
	for _, t := range m.tables {
		for _, p := range m.policies[t.OID] {
			if asks(p.using) || asks(p.check) {
				return true
			}
		}
	}
	return false
}

func requestMissing(m *model) (hits []hit) {
	for _, name := range m.missing {
		hits = append(hits, hit{object: "role " + ident(name)})
	}
	return hits
}
