package audit

import (
	"strings"
)

// Snapshot is what rules judge.
type Snapshot = snapshot

// Load and Judge are the two halves of Run.
var (
	Load  = load
	Judge = judge
)

// Unqualified is the reader of function bodies.
var Unqualified = unqualified

// Reading shows what the expression reader makes of text.
func Reading(sql string) string { return parse(sql).show() }

func (n *node) show() string {
	parts := []string{strings.TrimSpace([]string{"other", "const", "column", "value", "call", "op", "any", "and", "or", "not", "cast", "select"}[n.kind] + " " + n.text)}
	for _, a := range n.args {
		parts = append(parts, a.show())
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// Set gives a server setting a value.
func (s *snapshot) Set(name, value string) { s.Settings = append(s.Settings, setting{name, value}) }

// SetForRole stores a setting for a role.
func (s *snapshot) SetForRole(name, value string) {
	for _, r := range s.Roles {
		if r.Name == name {
			s.RoleSettings = append(s.RoleSettings, roleSetting{Role: r.OID, Setting: value})
		}
	}
}

// Listen makes the server listen, with one line in pg_hba.conf.
func (s *snapshot) Listen(kind, method string) {
	s.Set("listen_addresses", "*")
	s.HBA = append(s.HBA, hbaRule{Line: 7, Type: kind, Database: "all", User: "all", Address: "0.0.0.0/0", Method: method})
}

// Narrow reports whether an expression lets a session have its own tenant's rows at most, in a table with the column tenant_id.
func Narrow(sql string) bool {
	m := newModel(&snapshot{}, Options{})
	r := &role{OID: 1, Name: "web"}
	s := scope{m: m, table: &table{relation: &relation{Bare: "t"}, key: []*column{{Name: "tenant_id"}}}, session: r, current: r}
	return s.reach(parse(sql)) <= bound
}
