package audit

import (
	"cmp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// model is a snapshot with what the rules ask it: who is who, which tables hold tenants' rows, who may do what.
type model struct {
	*snapshot
	opts     Options
	requests []*role // the roles that requests connect as, those that exist
	missing  []string

	roles     map[uint32]*role
	relations map[uint32]*relation
	functions map[uint32]*function
	columns   map[uint32][]*column
	policies  map[uint32][]*readPolicy
	indexes   map[uint32][]*index
	parents   map[uint32][]uint32
	uses      map[uint32][]uint32 // view to relations
	grants    map[uint32][]*grant // by object
	tables    []*table            // tenant tables in the order of their names
	byOID     map[uint32]*table
	temporary []*relation
	inherited map[uint32][]uint32
	settable  map[uint32][]uint32
	byName    map[string]*relation // by schema.name, unquoted
	contexts  map[uint32]bool      // view asks for the session
	bound     map[[2]uint32]bool   // role reads a table's own tenant only
}

// readPolicy is a policy with its expressions read.
type readPolicy struct {
	*policy
	using, check *node // check is using where WITH CHECK is left out
}

// table is a relation that holds rows of tenants.
type table struct {
	*relation
	key   []*column // what says whose row it is
	child bool      // partition or inheritance child of another tenant table
}

func newModel(s *snapshot, o Options) *model {
	m := &model{
		snapshot: s, opts: o,
		roles: map[uint32]*role{}, relations: map[uint32]*relation{}, functions: map[uint32]*function{}, columns: map[uint32][]*column{},
		policies: map[uint32][]*readPolicy{}, indexes: map[uint32][]*index{}, parents: map[uint32][]uint32{}, uses: map[uint32][]uint32{},
		grants: map[uint32][]*grant{}, byOID: map[uint32]*table{}, inherited: map[uint32][]uint32{}, settable: map[uint32][]uint32{},
		byName: map[string]*relation{}, contexts: map[uint32]bool{}, bound: map[[2]uint32]bool{},
	}
	m.index()
	m.findRequests()
	m.findTables()
	return m
}

func (m *model) index() {
	for i := range m.Roles {
		m.roles[m.Roles[i].OID] = &m.Roles[i]
	}
	for i := range m.Relations {
		r := &m.Relations[i]
		m.relations[r.OID] = r
		m.byName[r.Schema+"."+r.Bare] = r
	}
	for i := range m.Functions {
		m.functions[m.Functions[i].OID] = &m.Functions[i]
	}
	for i := range m.Columns {
		c := &m.Columns[i]
		m.columns[c.Relation] = append(m.columns[c.Relation], c)
	}
	seen := map[string]*node{} // hundreds of tables share one expression
	read := func(sql string) *node {
		if seen[sql] == nil {
			seen[sql] = parse(sql)
		}
		return seen[sql]
	}
	for i := range m.Policies {
		p := &readPolicy{policy: &m.Policies[i]}
		if p.Using != "" {
			p.using = read(p.Using)
		}
		p.check = p.using
		if p.Check != "" {
			p.check = read(p.Check)
		}
		m.policies[p.Relation] = append(m.policies[p.Relation], p)
	}
	for i := range m.Indexes {
		x := &m.Indexes[i]
		m.indexes[x.Relation] = append(m.indexes[x.Relation], x)
	}
	for _, e := range m.Inherits {
		m.parents[e.From] = append(m.parents[e.From], e.To)
	}
	for _, e := range m.ViewUses {
		m.uses[e.From] = append(m.uses[e.From], e.To)
	}
	for i := range m.Grants {
		g := &m.Grants[i]
		m.grants[g.Object] = append(m.grants[g.Object], g)
	}
}

// findRequests resolves Options.RequestRoles; without any, tomkit's, as far as they exist.
func (m *model) findRequests() {
	names, optional := m.opts.RequestRoles, false
	if len(names) == 0 {
		names, optional = []string{rls.RoleApp, rls.RoleMSP}, true
	}
	for _, name := range names {
		if r := m.role(name); r != nil {
			m.requests = append(m.requests, r)
		} else if !optional || name == rls.RoleApp {
			m.missing = append(m.missing, name)
		}
	}
}

// role returns the role of that name, or nil.
func (m *model) role(name string) *role {
	for i := range m.Roles {
		if m.Roles[i].Name == name {
			return &m.Roles[i]
		}
	}
	return nil
}

func (m *model) roleName(oid uint32) string {
	if oid == 0 {
		return "PUBLIC"
	}
	if r := m.roles[oid]; r != nil {
		return ident(r.Name)
	}
	return "unknown role"
}

func (m *model) isRequest(oid uint32) bool {
	return slices.ContainsFunc(m.requests, func(r *role) bool { return r.OID == oid })
}

// findTables decides which relations hold tenants' rows: those with a tenant column, those whose policies compare another
// column with the context, which then is their key, and those under row-level security that refer to such a table.
func (m *model) findTables() {
	for i := range m.Relations {
		r := &m.Relations[i]
		if !r.table() || r.Extension {
			continue
		}
		t := &table{relation: r}
		for _, c := range m.columns[r.OID] {
			if slices.Contains(m.opts.tenantColumns(), c.Name) {
				t.key = append(t.key, c)
			}
		}
		if len(t.key) == 0 { // also while row-level security is switched off
			t.key = m.keyByPolicy(r)
		}
		switch {
		case len(t.key) == 0:
		case r.Persistence == "t":
			m.temporary = append(m.temporary, r)
		default:
			m.addTable(t)
		}
	}
	for _, k := range m.ForeignKeys {
		if from := m.relations[k.From]; from != nil && from.RowSecurity && m.byOID[k.From] == nil && m.byOID[k.To] != nil {
			m.addTable(&table{relation: from})
		}
	}
	for _, e := range m.Inherits {
		if child, parent := m.relations[e.From], m.byOID[e.To]; child != nil && parent != nil && m.byOID[e.From] == nil {
			m.addTable(&table{relation: child, key: m.sameColumns(child, parent)})
		}
	}
	for _, t := range m.tables {
		t.child = slices.ContainsFunc(m.parents[t.OID], func(p uint32) bool { return m.byOID[p] != nil })
	}
}

// sameColumns returns the columns of a child that are its parent's key.
func (m *model) sameColumns(child *relation, parent *table) (key []*column) {
	for _, c := range m.columns[child.OID] {
		if parent.keyName(c.Name) {
			key = append(key, c)
		}
	}
	return key
}

func (m *model) addTable(t *table) {
	m.tables = append(m.tables, t)
	m.byOID[t.OID] = t
}

// keyByPolicy finds the column that a policy of a request role compares with the context.
func (m *model) keyByPolicy(r *relation) []*column {
	for _, c := range m.columns[r.OID] {
		t := &table{relation: r, key: []*column{c}}
		for _, p := range m.policies[r.OID] {
			for _, request := range m.requests {
				s := scope{m: m, table: t, session: request, current: request}
				if p.using != nil && m.appliesInherited(p, request) && s.reach(p.using) == bound {
					return t.key
				}
			}
		}
	}
	return nil
}

// isKey reports whether that column of the table says whose row it is.
func (t *table) isKey(number int16) bool {
	return slices.ContainsFunc(t.key, func(c *column) bool { return c.Number == number })
}

func (t *table) keyName(name string) bool {
	return slices.ContainsFunc(t.key, func(c *column) bool { return c.Name == name })
}

// roleClosure returns the roles a role reaches over memberships that follow, itself not included.
func (m *model) roleClosure(cache map[uint32][]uint32, from uint32, follow func(membership) bool) []uint32 {
	if known, ok := cache[from]; ok {
		return known
	}
	var reached []uint32
	for queue := []uint32{from}; len(queue) > 0; queue = queue[1:] {
		for _, e := range m.Members {
			if e.Member == queue[0] && e.Role != from && follow(e) && !slices.Contains(reached, e.Role) {
				reached = append(reached, e.Role)
				queue = append(queue, e.Role)
			}
		}
	}
	slices.SortFunc(reached, func(a, b uint32) int { return cmp.Compare(m.roleName(a), m.roleName(b)) })
	cache[from] = reached
	return reached
}

// inherits returns the roles whose rights a role has at once.
func (m *model) inherits(r *role) []uint32 {
	return m.roleClosure(m.inherited, r.OID, func(e membership) bool { return e.Inherit })
}

// reaches returns every role that a role can become, by inheriting or by SET ROLE, in any number of steps.
func (m *model) reaches(r *role) []uint32 {
	return m.roleClosure(m.settable, r.OID, func(e membership) bool { return e.Inherit || e.Set || e.Admin })
}

// member is pg_has_role(r, of, 'MEMBER').
func (m *model) member(r, of *role) bool {
	return r == of || r.Super || slices.Contains(m.reaches(r), of.OID)
}

// holds reports whether what is granted to grantee is r's.
func (m *model) holds(r *role, grantee uint32) bool {
	return grantee == 0 || grantee == r.OID || slices.Contains(m.inherits(r), grantee)
}

// applies reports whether a policy is named for r or for everybody. What r inherits is left out: see the rules on membership.
func (m *model) applies(p *readPolicy, r *role) bool {
	return slices.Contains(p.Roles, 0) || slices.Contains(p.Roles, r.OID)
}

// appliesInherited includes the roles r inherits from.
func (m *model) appliesInherited(p *readPolicy, r *role) bool {
	return slices.ContainsFunc(p.Roles, func(grantee uint32) bool { return m.holds(r, grantee) })
}

// can reports whether r holds a privilege on an object that somebody gave it; of a relation, on the whole or on a column.
func (m *model) can(r *role, object uint32, privileges ...string) bool {
	return slices.ContainsFunc(m.grants[object], func(g *grant) bool {
		return slices.Contains(privileges, g.Privilege) && m.holds(r, g.Grantee)
	})
}

// writes reports whether r may put values into one of the columns.
func (m *model) writes(r *role, object uint32, columns []int16) bool {
	return slices.ContainsFunc(m.grants[object], func(g *grant) bool {
		return (g.Privilege == "INSERT" || g.Privilege == "UPDATE") && m.holds(r, g.Grantee) &&
			(g.Column == 0 || slices.Contains(columns, g.Column))
	})
}

// anyRequest returns the names of the request roles that satisfy is, or "".
func (m *model) anyRequest(is func(*role) bool) string {
	var names []string
	for _, r := range m.requests {
		if is(r) {
			names = append(names, ident(r.Name))
		}
	}
	return strings.Join(names, ", ")
}

// unbound reports whether row-level security does not bind a role on a relation.
func (m *model) unbound(owner *role, r *relation) bool {
	return owner == nil || owner.Super || owner.Bypass || !r.RowSecurity || owner.OID == r.Owner && !r.Force
}

// setting returns a server setting the login may see.
func (m *model) setting(name string) (string, bool) {
	for _, s := range m.Settings {
		if s.Name == name {
			return s.Value, true
		}
	}
	return "", false
}

func ident(name string) string {
	if name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" && !digit(name[0]) {
		return name
	}
	return pgx.Identifier{name}.Sanitize()
}
